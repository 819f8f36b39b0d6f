"""What a job's code is, read without running it: digests that ignore comments.

Reading instead of importing keeps PyTorch out of the workflow's own process.
"""

import ast
import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

# These name other modules and files, serve who calls `fit`, or decide when a job runs: they change no result.
NO_RESULTS = (
    "deepkm",
    "deepkm.methods",
    "deepkm.methods.estimator",
    "deepkm.jobs.interruption",
    "deepkm.study.inventory",
    "deepkm.study.spec",
)


def code_digest(*modules: str) -> str:
    """Return a digest of modules and of everything that they import inside their own top-level packages and `deepkm`.

    Comments, docstrings and layout do not count: only an edit that may change results changes the digest.
    """
    seen = {}
    for module in modules:
        _collect(module, seen)
    text = "\n".join(f"{module}\n{_normalised(module)}" for module in sorted(seen))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def files_digest(folder) -> str:
    """Return a digest of the files in a folder: code that is not Python."""
    texts = [f"{path.name}\n{path.read_text(encoding='utf-8')}" for path in sorted(Path(folder).iterdir())]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]


def _collect(module, seen):
    if module in seen or not _file(module):
        return
    seen[module] = True
    ours = {"deepkm", module.split(".")[0]}
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            if name.split(".")[0] in ours and name not in NO_RESULTS:
                _collect(name, seen)


def _normalised(module):
    tree = _tree(module)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        first = body[0] if isinstance(body, list) and body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            node.body = body[1:] or [ast.Pass()]  # without its docstring
    return ast.unparse(tree)


def _tree(module):
    return ast.parse(_file(module).read_text())


@cache
def _file(module):
    """Return the source file of a module, or None. Only the top-level name is looked up: nothing is imported."""
    top, *rest = module.split(".")
    spec = find_spec(top)
    if spec is None or not spec.origin:
        return None
    if not rest:
        return Path(spec.origin)
    path = Path(spec.origin).parent.joinpath(*rest)
    files = [path.with_suffix(".py"), path / "__init__.py"]
    return next((file for file in files if spec.submodule_search_locations and file.is_file()), None)
