"""Modules, found and read without importing them: that would run them, and load PyTorch.

What a program imports by computed names is not seen.
"""

import ast
import sys
from functools import cache
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, resolve_name
from itertools import accumulate
from pathlib import Path
from warnings import catch_warnings

from deepkm import _METHODS


def source_of(module: str) -> bytes:
    """Return the source of a module.

    Raises
    ------
    ValueError
        When there is none, it cannot be read, or it is no Python.
    """
    file = file_of(module)
    if file is None:
        raise ValueError(where_looked(module))
    try:
        source = file.read_bytes()
        parse(source)
    except SyntaxError as error:
        line = f", line {error.lineno}" if error.lineno else ""
        raise ValueError(f"{file}{line}: {error.msg}") from None
    except (OSError, ValueError, RecursionError, MemoryError) as error:  # null bytes; terms nested too deeply
        raise ValueError(f"{file}: {error}") from None
    return source


def tree_of(module: str) -> ast.Module:
    """Return the syntax tree of a module; raises as `source_of`."""
    return parse(source_of(module))


@cache  # by content: files may change while this process lives
def parse(source: bytes) -> ast.Module:
    """Return the syntax tree of a source; nobody changes it."""
    with catch_warnings(action="ignore"):  # Python gives them when it runs the file
        return ast.parse(source)


def file_of(module: str) -> Path | None:
    """Return the source file of a module, or None. Only its top-level name is looked up."""
    top, *rest = module.split(".")
    spec = _spec(top)
    if spec is None:
        return None
    if rest:
        paths = [Path(folder, *rest) for folder in spec.submodule_search_locations or ()]
        files = [file for path in paths for file in (path / "__init__.py", path.with_name(f"{path.name}.py"))]
    else:
        # Of modules frozen into Python, such as os, the origin is no file.
        files = [Path(getattr(spec.loader_state, "filename", None) or spec.origin or "")]
    return next((file for file in files if file.suffix == ".py" and file.is_file()), None)


def folders_of(top: str) -> set[Path]:
    """Return the folders that a top-level module or package lies in."""
    spec = _spec(top)
    packages = [Path(folder) for folder in spec.submodule_search_locations or ()] if spec else []
    return {path.parent.resolve() for path in packages or filter(None, [file_of(top)])}


def modules_in(name: str) -> list[str]:
    """Return the modules that importing a dotted name runs.

    Examples
    --------
    >>> modules_in("deepkm.methods.dkm.DKM")
    ['deepkm', 'deepkm.methods', 'deepkm.methods.dkm']
    >>> modules_in("deepkm.DKM") == modules_in("deepkm.methods.dkm.DKM")
    True
    """
    name = _where_it_is(name)
    modules = [module for module in accumulate(name.split("."), "{}.{}".format) if file_of(module)]
    package, _, last = name.rpartition(".")
    if last == "*" and package in modules:
        modules += [module for other in _exported(package) for module in modules_in(f"{package}.{other}")]
    return modules


def split(name: str) -> tuple[str, str]:
    """Return the module that a dotted name begins with, and what it names there; two empty texts without a module.

    Examples
    --------
    >>> split("deepkm.numerics.centers.softmin")
    ('deepkm.numerics.centers', 'softmin')
    """
    name = _where_it_is(name)
    module = next((module for module in reversed(modules_in(name))), "")
    return (module, name[len(module) + 1 :]) if module else ("", "")


def package_of(module: str) -> str:
    """Return the package that the relative imports of a module start from; empty without one."""
    file = file_of(module)
    return module if file and file.name == "__init__.py" else module.rpartition(".")[0]


def bindings(node: ast.Import | ast.ImportFrom, package: str) -> dict[str, str]:
    """Return the names that an import in a package binds, each with what it stands for; ``*`` with ``origin.*``."""
    if isinstance(node, ast.Import):
        tops = {alias.name.partition(".")[0] for alias in node.names if not alias.asname}
        return {top: top for top in tops} | {alias.asname: alias.name for alias in node.names if alias.asname}
    try:
        origin = resolve_name("." * node.level + (node.module or ""), package)
    except ImportError:  # it leads out of its package, which a program may catch
        return {}
    return {alias.asname or alias.name: f"{origin}.{alias.name}" for alias in node.names}


def dotted(node: ast.AST) -> str:
    """Return the dotted name that an expression is, such as ``base.DeepClustering``; empty for other expressions."""
    if isinstance(node, ast.Attribute):
        head = dotted(node.value)
        return head and f"{head}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def where_looked(module: str) -> str:
    """Return where Python looked for a module that `file_of` does not find."""
    top, *rest = module.split(".")
    spec = _spec(top)
    if spec is None:
        looked = dict.fromkeys(str(Path(folder).absolute()) for folder in sys.path)
        return f"no module {top} in {', '.join(looked)}"
    folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
    if not folders:
        return f"no Python source of {module}: {top} is {spec.origin}"
    while rest and any((folder / rest[0]).is_dir() for folder in folders):
        part = rest.pop(0)
        folders = [folder / part for folder in folders if (folder / part).is_dir()]
    return f"no module {'.'.join(rest) or '__init__'} in {', '.join(map(str, folders))}"


def _where_it_is(name: str) -> str:
    """Return the full name of what `deepkm` imports only when it is asked for."""
    package, _, last = name.rpartition(".")
    return f"deepkm.methods.{_METHODS[last]}.{last}" if package == "deepkm" and last in _METHODS else name


def _exported(module: str) -> list[str]:
    """Return the names in a module's `__all__`, as far as they are written out."""
    assigned = [node for node in tree_of(module).body if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign)]
    targets = [(node, node.targets if isinstance(node, ast.Assign) else [node.target]) for node in assigned]
    nodes = [node for node, names in targets if "__all__" in map(dotted, names)]
    texts = [part.value for node in nodes for part in ast.walk(node) if isinstance(part, ast.Constant)]
    return [text for text in texts if isinstance(text, str)]


def _spec(top: str) -> ModuleSpec | None:
    try:
        return find_spec(top)
    except (ImportError, ValueError):  # no name at all, or one that Python runs from elsewhere, such as __main__
        return None
