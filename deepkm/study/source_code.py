"""What a job is made of: digests of its source that ignore comments, layout and Python's version."""

import ast
import hashlib
from functools import cache
from os import PathLike
from pathlib import Path
from typing import Any

from deepkm.study.modules import (
    bindings,
    dotted,
    file_of,
    folders_of,
    modules_in,
    package_of,
    parse,
    source_of,
    where_looked,
)

# These name other modules and files, serve who calls `fit`, or decide when a job runs: they change no result.
NO_RESULTS = (
    "deepkm",
    "deepkm.methods",
    "deepkm.estimators.estimator",
    "deepkm.values",
    "deepkm.datasets.converted",
    "deepkm.jobs.interruption",
    "deepkm.study.data",
    "deepkm.study.inventory",
    "deepkm.study.paths",
    "deepkm.study.scored",
    "deepkm.study.spec",
)
INSTALLED = {"site-packages", "dist-packages"}  # folders where modules beside another do not belong to it


def source_digest(*names: str) -> str:
    """Return a digest of the sources that modules are made of; names and errors are those of `sources_of`.

    Comments, docstrings and layout do not count, nor does the version of Python: only an edit that may change results
    changes the digest.
    """
    text = "\n".join(f"{module}\n{source}" for module, source in sorted(sources_of(*names).items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def sources_of(*names: str) -> dict[str, str]:
    """Return the canonical sources of modules and of what importing them runs, by the modules' names.

    What counts lies in `deepkm`, in a module's own package or beside it; installed packages and the standard library do
    not count.

    Parameters
    ----------
    *names : str
        ``"module"``, or ``"module:class"``, which counts as the whole module.

    Raises
    ------
    ValueError
        When there is no such module, or one of those that count is no Python.
    """
    found: dict[str, str] = {}
    for name in names:
        module = name.partition(":")[0]
        try:
            if not file_of(module):
                raise ValueError(where_looked(module))
            _collect(name.replace(":", "."), found)
        except ValueError as error:
            raise ValueError(f"got {name!r}, expected Python that can be read; {error}") from None
    return found


def files_digest(folder: str | PathLike) -> str:
    """Return a digest of the files in a folder: source that is not Python."""
    texts = [f"{path.name}\n{path.read_text(encoding='utf-8')}" for path in sorted(Path(folder).iterdir())]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]


@cache
def canonical(source: bytes) -> str:
    """Return a program as one text that no comment, docstring, layout or version of Python changes.

    Examples
    --------
    >>> canonical(b"def f(x):  # twice\\n    'Return 2 x.'\\n    return 2*x")
    "(Module body [(FunctionDef args (arguments args [(arg arg 'x')]) body [(Return value (BinOp left (Constant value 2)
    op (Mult) right (Name ctx (Load) id 'x')))] name 'f')])"
    """
    words: list[str] = []
    rest: list[object] = [parse(source)]  # a stack instead of recursion: sums of thousands of terms are no error
    while rest:
        item = rest.pop()
        if isinstance(item, _Word):
            words.append(item)
        elif isinstance(item, list):
            words.append("[")
            rest += [_END_OF_LIST, *reversed(item)]
        elif isinstance(item, ast.Constant):  # without its `kind`: u"x" is "x"
            words.append(f"(Constant value {item.value!a})")  # not repr: what it escapes depends on Unicode
        elif isinstance(item, ast.AST):
            opening, fields = _form(type(item))  # type: ignore[arg-type]  # types are hashable
            words.append(opening)
            rest.append(_END_OF_NODE)
            for name, word in fields:
                value = getattr(item, name, None)
                if isinstance(value, list):
                    value = [part for part in value if not _does_nothing(part, item)]
                if value is not None and value != []:  # other Pythons have other empty fields
                    rest += (value, word)
        else:
            words.append(ascii(item))
    return "".join(words)


class _Word(str):
    """Text that is part of the form, no value."""


_END_OF_LIST, _END_OF_NODE = _Word("]"), _Word(")")


@cache
def _form(kind: Any) -> tuple[str, list[tuple[str, _Word]]]:
    """Return how the text of such a node begins, and its fields, last first, each with the words before its value."""
    return f"({kind.__name__}", [(name, _Word(f" {name} ")) for name in sorted(kind._fields, reverse=True)]


def _does_nothing(part: object, node: ast.AST) -> bool:
    """Tell whether a part of a node is `pass`, a docstring or another lone constant, or an empty text of an f-string.

    Python 3.12 puts such texts into nested format specifications.
    """
    if isinstance(node, ast.JoinedStr):
        return isinstance(part, ast.Constant) and not part.value
    return isinstance(part, ast.Pass) or (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))


def _collect(name: str, found: dict[str, str]) -> None:
    for module in modules_in(name):
        if module in found or module in NO_RESULTS:
            continue
        source = source_of(module)
        found[module] = canonical(source)
        for imported in _imported(source, package_of(module)):
            if _belongs(imported, module):
                _collect(imported, found)


@cache
def _imported(source: bytes, package: str) -> set[str]:
    """Return the dotted names that a source imports, and those that it reaches through them."""
    nodes = [*ast.walk(parse(source))]
    imports = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
    bound = [(local, name) for node in imports for local, name in bindings(node, package).items()]
    names = {name for _, name in bound}
    names |= {alias.name for node in imports if isinstance(node, ast.Import) for alias in node.names}
    stands_for = dict(bound)
    for name in {dotted(node) for node in nodes if isinstance(node, ast.Attribute)}:
        head, _, rest = name.partition(".")
        if head in stands_for:
            names.add(f"{stands_for[head]}.{rest}")
    return names


def _belongs(name: str, module: str) -> bool:
    """Tell whether what a module imports counts: `deepkm`, its own package, and what lies beside it or its package."""
    own, top = module.partition(".")[0], name.partition(".")[0]
    if own == "deepkm" or top in ("deepkm", own):
        return top in ("deepkm", own)
    beside = folders_of(own) | {file.parent.resolve() for file in [file_of(module)] if file}
    return any(folder in beside and not INSTALLED & {*folder.parts} for folder in folders_of(top))
