"""Results, as they are read: each must be whole, finished, and of the job that its place is for."""

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from deepkm.files import read_hdf5
from deepkm.study.paths import stack_name, stacks_of

KEYS = {
    "autoencoder": "autoencoder",
    "cluster": "method",
    "search": "method",
}  # what a stage's results are by, in their specs


def read_result(
    path: str | PathLike, prefix: str | tuple[str, ...] = "", **expected: Any
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return (arrays, attributes) of a training job's result.

    Parameters
    ----------
    path : path-like
        ``.../{key}/{dataset}/{stack}.h5``
    prefix : str or tuple of str
        As in `deepkm.files.read_hdf5`.
    **expected
        As in `check_place`.

    Raises
    ------
    OSError
        One line, when it is unreadable, or not what its place is for.
    """
    arrays, attributes = read_hdf5(path, prefix)
    check_place(path, attributes, **expected)
    return arrays, attributes


def check_place(
    path: str | PathLike,
    attributes: Mapping[str, Any],
    *,
    stage: str,
    jobs: Mapping[str, Any] | None = None,
    data: str | None = None,
) -> None:
    """Raise an OSError unless a result is finished, and of the method, data and seeds that its place is for.

    Parameters
    ----------
    path : path-like
        ``.../{key}/{dataset}/{stack}.h5``
    attributes : dict
        Of the file.
    stage : {"autoencoder", "cluster", "search"}
    jobs : dict, optional
        From `deepkm.study.plan.Study.training_jobs`.
    data : str, optional
        The digest of the data set as it is now.
    """
    key, dataset, stack = (*Path(path).parts[-3:-1], Path(path).stem)
    spec = attributes.get("spec", {})
    seeds = spec.get("seeds", [None])
    got: dict[str, object] = {KEYS[stage]: spec.get(KEYS[stage]), "dataset": spec.get("dataset", {}).get("name")}
    expected: dict[str, object] = {KEYS[stage]: key, "dataset": dataset}
    if stage == "search":  # its place names no seeds
        pass
    elif jobs is None:
        got["stack"], expected["stack"] = stack_name(seeds), stack
    else:
        got["seeds"], expected["seeds"] = seeds, stacks_of(jobs, dataset)[stack]
    if got != expected:
        raise OSError(f"{path}: got a result of {_listed(got)}, expected one of {_listed(expected)}; {_AGAIN}")
    if "provenance" not in attributes:
        raise OSError(f"{path}: got no finished result; {_AGAIN}")
    if data is not None and attributes.get("inputs", {}).get("data", data) != data:
        raise OSError(f"{path}: got a result of other data than {dataset}.npz holds now; {_AGAIN}")


def check_autoencoder(
    path: str | PathLike, attributes: Mapping[str, Any], *, spec: Mapping[str, Any], inputs: Mapping[str, str]
) -> None:
    """Raise an OSError unless a pretrained autoencoder is what a clustering job builds on.

    Parameters
    ----------
    path : path-like
    attributes : dict
        Of the autoencoder's file.
    spec, inputs : dict
        Of the clustering job.
    """
    found = attributes.get("spec", {})
    if KEYS["autoencoder"] not in found:
        raise OSError(f"{path}: got no autoencoder, expected a pretrained one; {_AGAIN}")
    parts = {key: found.get(key) == spec[key] for key in ("dataset", "seeds")}
    parts |= {name: value == spec["parameters"].get(name) for name, value in found.get("parameters", {}).items()}
    parts["data"] = attributes.get("inputs", {}).get("data") == inputs["data"]
    if others := ", ".join(name for name, same in parts.items() if not same):
        raise OSError(f"{path}: got an autoencoder of other {others} than this job's, expected the same; {_AGAIN}")


def what_is_carried(spec: Mapping[str, Any]) -> str:
    """Return what a clustering job takes from its autoencoder: ``"weights"``, or also the optimizer's ``"moments"``."""
    return "moments" if spec["parameters"].get("warm_start") == "moments" else "weights"


_AGAIN = "delete it and run again"


def _listed(parts: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in parts.items())
