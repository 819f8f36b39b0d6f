"""The parameters of a method, read from its source: their annotations, their defaults, and who states them.

Reading instead of importing keeps PyTorch out of the workflow's own process.
"""

import ast
import typing
from contextlib import suppress
from dataclasses import MISSING, dataclass
from functools import cache
from typing import Any

from deepkm import values
from deepkm.study.classes import METHOD, definition_of, lineage
from deepkm.study.modules import dotted

_KNOWN: dict[str, Any] = {kind.__name__: kind for kind in (bool, int, float, str, tuple, list)}
_KNOWN |= {name: getattr(typing, name) for name in ("Annotated", "ClassVar", "Literal", "Optional", "Union")}


@dataclass(frozen=True)
class Field:
    """A parameter of a method.

    Attributes
    ----------
    hint : annotation
        As `deepkm.values.expected` reads it; ``object`` where the source does not tell.
    default : object
        ``dataclasses.MISSING`` where there is none.
    stated : bool
        Whether the method itself states it, in its own class or a base of that, and not `DeepClustering` alone.
    """

    hint: Any
    default: object
    stated: bool


def fields_of(estimator: str) -> dict[str, Field]:
    """Return the parameters of a method by name, those of its base classes included.

    Parameters
    ----------
    estimator : str
        ``"module:class"``.

    Raises
    ------
    ValueError
        When there is no such class, it is no method and dataclass, or a default is no plain value.

    Examples
    --------
    >>> fields_of("deepkm.methods.dkm:DKM")["alpha"]
    Field(hint=typing.Annotated[float, '> 0'], default=1000.0, stated=True)
    """
    found: dict[str, Field] = {}
    for module, definition in lineage(estimator):
        # What lies in the package stays as it is while a process lives.
        read = _package_fields if module.startswith("deepkm.") else _fields_in
        found |= read(module, definition)
    return found


def _fields_in(module: str, definition: ast.ClassDef) -> dict[str, Field]:
    """Return the fields that one class states."""
    nodes = {dotted(node.target): node for node in definition.body if isinstance(node, ast.AnnAssign)}
    hints = {name: annotation(node.annotation, module, definition) for name, node in nodes.items()}
    hints = {name: hint for name, hint in hints.items() if hint is not typing.ClassVar}
    if hints and not _is_dataclass(definition):
        raise ValueError(
            f"got the class {definition.name} with fields ({', '.join(hints)}), expected a dataclass; write "
            "@dataclass(kw_only=True, eq=False, repr=False) above it"
        )
    stated = (module, definition.name) not in [(where, base.name) for where, base in lineage(METHOD)]
    return {
        name: Field(hint, _default(nodes[name], module, f"{definition.name}.{name}"), stated)
        for name, hint in hints.items()
    }


_package_fields = cache(_fields_in)


def parameters_of(estimator: str) -> dict:
    """Return the defaults of a method's parameters by name; see `fields_of`.

    Examples
    --------
    >>> parameters_of("deepkm.methods.dkm:DKM")["alpha"]
    1000.0
    """
    return {name: field.default for name, field in fields_of(estimator).items()}


def constant_of(estimator: str, name: str) -> Any:
    """Return what a method's classes set in their bodies, such as ``recordable``; None where it is not written out.

    Examples
    --------
    >>> constant_of("deepkm.methods.ward:Ward", "most_samples")
    20000
    """
    found = None
    for _, definition in lineage(estimator):
        for node in definition.body:
            if isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                if name in map(dotted, targets):
                    found = node.value.value if isinstance(node.value, ast.Constant) else None
    return found


def docstring_of(estimator: str) -> str:
    """Return the docstring of a method's class, "module:class"; empty without one, or where there is no such class."""
    try:
        return ast.get_docstring(lineage(estimator)[-1][1]) or ""
    except ValueError:
        return ""


def annotation(node: ast.expr, module: str, above: ast.stmt | None = None) -> Any:
    """Return what an annotation in a module means above a statement; ``object`` for what no check knows.

    Examples
    --------
    >>> annotation(ast.parse("PositiveInt | None", mode="eval").body, "deepkm.values")
    typing.Optional[typing.Annotated[int, '> 0']]
    """
    match node:
        case ast.Constant(value=str(text)):  # quoted
            with suppress(SyntaxError):
                return annotation(ast.parse(text, mode="eval").body, module, above)
        case ast.Constant(value=None):
            return None
        case ast.BinOp(op=ast.BitOr()):
            sides = tuple(annotation(side, module, above) for side in (node.left, node.right))
            return typing.Union[sides]  # noqa: UP007  of two types known now
        case ast.Subscript():
            return _subscripted(annotation(node.value, module, above), node.slice, module, above)
        case ast.Name() | ast.Attribute():
            return _named(dotted(node), module, above)
    return object


def _subscripted(generic: Any, node: ast.expr, module: str, above: ast.stmt | None) -> Any:
    """Return ``generic[node]``."""
    nodes = node.elts if isinstance(node, ast.Tuple) else [node]
    if generic is typing.Literal and all(isinstance(part, ast.Constant) for part in nodes):
        return typing.Literal[tuple(ast.literal_eval(part) for part in nodes)]
    if generic is typing.Annotated:
        return typing.Annotated[(annotation(nodes[0], module, above), *map(_bound, nodes[1:]))]
    if generic in (typing.Optional, typing.Union, tuple, list):
        items = tuple(... if ast.unparse(part) == "..." else annotation(part, module, above) for part in nodes)
        return generic[items if len(items) > 1 or generic is tuple else items[0]]
    return generic if generic is typing.ClassVar else object


def _bound(node: ast.expr) -> object:
    """Return the text of a bound; what else stands beside a type is nothing that a check knows."""
    return node.value if isinstance(node, ast.Constant) else object


def _named(name: str, module: str, above: ast.stmt | None) -> Any:
    """Return what a name means: a type of Python's or of `typing`, or what an assignment calls so."""
    if known := _KNOWN.get(name.removeprefix("typing.")):
        return known
    match definition_of(module, name, above):
        case origin, (ast.Assign(value=ast.expr() as value) | ast.AnnAssign(value=ast.expr() as value)) as statement:
            return annotation(value, origin, statement)
        case values.__name__, ast.ClassDef(name=kind):  # a TypedDict
            return getattr(values, kind)
        case "typing", statement:  # under another name
            return _KNOWN.get(getattr(statement, "name", ""), object)
    return object


def _is_dataclass(definition: ast.ClassDef) -> bool:
    decorators = [node.func if isinstance(node, ast.Call) else node for node in definition.decorator_list]
    return "dataclass" in [dotted(node).rpartition(".")[2] for node in decorators]


def _default(node: ast.AnnAssign, module: str, name: str) -> object:
    """Return the default of a field."""
    if node.value is None:
        return MISSING
    value = node.value
    match definition_of(module, dotted(value)):
        case _, (ast.Assign(value=ast.expr() as constant) | ast.AnnAssign(value=ast.expr() as constant)):
            value = constant
    try:
        return ast.literal_eval(value)
    except (ValueError, TypeError):
        raise ValueError(
            f"got the default `{ast.unparse(node.value)}` of {name}, expected a plain value such as 0.5; write it out"
        ) from None
