"""The parameters of a method, read from its source.

Reading instead of importing keeps PyTorch out of the workflow's own process.
"""

import ast

from deepkm.study.source_code import _file, _tree


def parameters_of(estimator: str) -> dict:
    """Return the fields of a dataclass, its base classes included, with their defaults.

    Parameters
    ----------
    estimator : str
        ``"module:class"``; defaults are literals.

    Raises
    ------
    ValueError
        When there is no such class.

    Examples
    --------
    >>> parameters_of("deepkm.methods.dkm:DKM")["alpha"]
    1000.0
    """
    module, _, name = estimator.partition(":")
    nodes = _tree(module).body if _file(module) else []
    classes = {node.name: node for node in nodes if isinstance(node, ast.ClassDef)}
    if name not in classes:
        raise ValueError(
            f"got {estimator!r}, expected module:class of an existing method, such as deepkm.methods.ct:CT"
        )
    parameters = {}
    for base in classes[name].bases:
        if origin := _imported_from(ast.unparse(base), nodes, classes, module):
            parameters |= parameters_of(origin)
    for node in classes[name].body:
        if isinstance(node, ast.AnnAssign) and node.value and not ast.unparse(node.annotation).startswith("ClassVar"):
            parameters[node.target.id] = ast.literal_eval(node.value)
    return parameters


def docstring_of(estimator: str) -> str:
    """Return the docstring of a class, "module:class"; empty without one."""
    module, _, name = estimator.partition(":")
    nodes = _tree(module).body if _file(module) else []
    return next((ast.get_docstring(node) or "" for node in nodes if getattr(node, "name", None) == name), "")


def _imported_from(name, nodes, classes, module):
    """Return "module:class" for a base class that may hold fields, else None."""
    if name in classes:
        return f"{module}:{name}"
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and name in {alias.asname or alias.name for alias in node.names}:
            return f"{node.module}:{name}" if node.module.split(".")[0] in ("deepkm", module.split(".")[0]) else None
    return None
