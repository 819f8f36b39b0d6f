"""The parameters of a method, read from its source.

Reading instead of importing keeps PyTorch out of the workflow's own process.
"""

import ast

from deepkm.study.classes import lineage
from deepkm.study.modules import dotted


def parameters_of(estimator: str) -> dict:
    """Return the fields of a dataclass, its base classes included, with their defaults.

    Parameters
    ----------
    estimator : str
        ``"module:class"``; defaults are literals.

    Raises
    ------
    ValueError
        When there is no such class, or it is no method.

    Examples
    --------
    >>> parameters_of("deepkm.methods.dkm:DKM")["alpha"]
    1000.0
    """
    return {
        node.target.id: ast.literal_eval(node.value)
        for _, definition in lineage(estimator)
        for node in definition.body
        if _is_dataclass(definition) and isinstance(node, ast.AnnAssign) and node.value
        if not ast.unparse(node.annotation).startswith("ClassVar")
    }


def docstring_of(estimator: str) -> str:
    """Return the docstring of a method's class, "module:class"; empty without one, or where there is no such class."""
    try:
        return ast.get_docstring(lineage(estimator)[-1][1]) or ""
    except ValueError:
        return ""


def _is_dataclass(definition):
    decorators = [node.func if isinstance(node, ast.Call) else node for node in definition.decorator_list]
    return "dataclass" in [dotted(node).rpartition(".")[2] for node in decorators]
