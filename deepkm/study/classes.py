"""The class of a method with its base classes, read without importing them."""

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import takewhile

from deepkm.study.modules import bindings, dotted, file_of, package_of, split, tree_of, where_looked

METHOD = "deepkm.methods.base:DeepClustering"


def lineage(estimator: str) -> list[tuple[str, ast.ClassDef]]:
    """Return a method's class and its base classes, from the most general one on: each with its module.

    Parameters
    ----------
    estimator : str
        ``"module:class"``, both as an import would name them.

    Raises
    ------
    ValueError
        When there is no such class, or it is no method.

    Examples
    --------
    >>> [f"{module}:{definition.name}" for module, definition in lineage("deepkm.methods.km:KMeans")[-2:]]
    ['deepkm.methods.base:DeepClustering', 'deepkm.methods.km:KMeans']
    """
    # What lies in the package stays as it is while a process lives.
    return (_package_lineage if estimator.startswith("deepkm.") else _lineage)(estimator)


def _lineage(estimator: str) -> list[tuple[str, ast.ClassDef]]:
    module, _, name = estimator.partition(":")
    try:
        if not all(part.isidentifier() for part in [*module.split("."), name]):
            raise ValueError("it is no module:class")
        if not file_of(module):
            raise ValueError(where_looked(module))
        made: dict[tuple[str, ast.ClassDef], type | None] = {}
        found = _stand_in(*split(f"{module}.{name}"), made)
        if found is None:
            raise ValueError(f"no class {name} in {file_of(module)}")
        if METHOD not in [cls.__name__ for cls in found.__mro__]:
            raise ValueError(f"{name} in {file_of(module)} has not its hooks")
    except (ValueError, TypeError) as error:  # a TypeError: its bases have no order
        expected = f"module:class of a method, which is based on {METHOD}, such as deepkm.methods.ct:CT"
        raise ValueError(f"got {estimator!r}, expected {expected}; {error}") from None
    read = {stand_in: place for place, stand_in in made.items()}
    return [read[cls] for cls in reversed(found.__mro__) if cls in read]


_package_lineage = cache(_lineage)


def definition_of(module: str, name: str, above: ast.stmt | None = None) -> tuple[str, ast.stmt] | None:
    """Return what a name means in a module: the module and the statement that define it, or None.

    Parameters
    ----------
    module, name : str
        The name may be dotted and imported, by ``*`` too.
    above : ast.stmt, optional
        A statement of the module: a name means what was last defined before it is used.

    Examples
    --------
    >>> definition_of("deepkm.methods.dkm", "softmin")[0]
    'deepkm.numerics.centers'
    """
    return _definition(module, name, above, frozenset())


def _definition(module: str, name: str, above: ast.stmt | None, seen: frozenset) -> tuple[str, ast.stmt] | None:
    here = module, name, above
    if not name or here in seen:
        return None
    statements = takewhile(lambda statement: statement is not above, _statements(tree_of(module).body))
    for statement in reversed([*statements]):
        if name in _defined(statement):
            return module, statement
        for place in _meant(statement, module, name):
            if found := _definition(*place, seen | {here}):
                return found
    return None


def _defined(statement: ast.stmt) -> list[str]:
    """Return the names that a statement gives to something new."""
    if isinstance(statement, ast.ClassDef | ast.FunctionDef):
        return [statement.name]
    if isinstance(statement, ast.Assign) and not dotted(statement.value):
        return [dotted(target) for target in statement.targets]
    return [dotted(statement.target)] if isinstance(statement, ast.AnnAssign) else []


def _meant(statement: ast.stmt, module: str, name: str) -> Iterator[tuple[str, str, ast.stmt | None]]:
    """Yield what a name may stand for after a statement: a module, a name in it, and the statement before which."""
    head, _, rest = name.partition(".")
    if isinstance(statement, ast.Assign) and head in map(dotted, statement.targets):
        yield module, ".".join(filter(None, [dotted(statement.value), rest])), statement
    elif isinstance(statement, ast.Import | ast.ImportFrom):
        for local, origin in bindings(statement, package_of(module)).items():
            if local == "*":
                yield *split(f"{origin[:-1]}{name}"), None
            elif local == head:
                yield *split(".".join(filter(None, [origin, rest]))), None


def _statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of a module, those under `if`, `try` and `with` too."""
    for statement in body:
        yield statement
        if isinstance(statement, ast.If | ast.Try | ast.With | ast.ExceptHandler):
            for part in ("body", "handlers", "orelse", "finalbody"):
                yield from _statements(getattr(statement, part, []))


def _stand_in(module: str, name: str, made: dict, above: ast.stmt | None = None) -> type | None:
    """Return an empty class with the bases of one that is only read, so that Python orders them; None without one."""
    origin, definition = definition_of(module, name, above) or ("", None)
    if not isinstance(definition, ast.ClassDef):
        return None
    place = origin, definition
    if place not in made:
        made[place] = None  # a class that is its own base has none
        bases = [_stand_in(origin, dotted(base), made, definition) for base in definition.bases]
        made[place] = type(f"{origin}:{definition.name}", tuple(filter(None, bases)), {})
    return made[place]
