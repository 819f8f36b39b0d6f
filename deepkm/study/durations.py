"""How long the jobs of a study take: guessed from what they train, corrected by those that have ended."""

import json
from collections.abc import Mapping, Sequence
from math import ceil, prod
from os import PathLike
from pathlib import Path
from typing import Any

from deepkm.study.keeping import model_bytes
from deepkm.study.paths import TRAINED
from deepkm.study.plan import Study
from deepkm.study.shapes import shape_of
from deepkm.training.lengths import whole_epochs

# Of a common processor, in seconds. What ends corrects them: they only have to weigh jobs against each other.
START = 4.0  # of a process, PyTorch imported
PRODUCT = 2e-11  # of a multiplication and its addition
STEP = 2e-3  # of a step of one run, whatever its size
OF_OTHERS = {"dataset": 5.0, "score": 5.0, "labels": 6.0, "tables": 4.0, "report": 5.0, "statistics": 4.0}
UNKNOWN = [10_000, 784]  # the shape of data that nobody has seen yet


class Durations:
    """What jobs took that have ended, and what that says of others.

    Examples
    --------
    >>> durations = Durations()
    >>> durations.expect(("cluster", "ct"), 10)
    10
    >>> durations.note(("cluster", "ct"), guess=10, seconds=20)
    >>> durations.note(("cluster", "km"), guess=5, seconds=5)
    >>> durations.expect(("cluster", "ct"), 30), durations.expect(("cluster", "dkm"), 30)
    (60.0, 50.0)
    """

    def __init__(self) -> None:
        self._ended: dict[tuple[str, ...], list[float]] = {}

    def note(self, kind: tuple[str, ...], *, guess: float, seconds: float) -> None:
        """Note what a job took that was guessed to take `guess` seconds.

        Parameters
        ----------
        kind : tuple of str
            From the wide to the narrow: its rule, its method.
        guess, seconds : float
        """
        for part in (kind[:n] for n in range(len(kind) + 1)):
            sums = self._ended.setdefault(part, [0.0, 0.0])
            sums[0] += guess
            sums[1] += seconds

    def expect(self, kind: tuple[str, ...], guess: float) -> float:
        """Return the seconds that a job will take, as far as its likes tell."""
        for part in (kind[:n] for n in range(len(kind), -1, -1)):
            if part in self._ended:
                guessed, seconds = self._ended[part]
                return guess * seconds / guessed
        return guess


def kind_of(rule: str, wildcards: Mapping[str, str]) -> tuple[str, ...]:
    """Return of which kind a job is, as `Durations` takes it."""
    return (rule, *filter(None, [wildcards.get("method") or wildcards.get("autoencoder")]))


def guess_seconds(study: Study, rule: str, wildcards: Mapping[str, str]) -> float:
    """Return about how many seconds a job takes on a common processor."""
    if rule == "figures":
        return START + 10 * len(study.datasets) + len(study.methods)
    if rule not in TRAINED:
        return OF_OTHERS.get(rule, 1.0)
    shape = shape_of(study.config, wildcards["dataset"], study.conversion_of)
    return training_seconds(study.spec_of(rule, **wildcards), shape)


def training_seconds(spec: Mapping[str, Any], shape: Sequence[int | None]) -> float:
    """Return about how many seconds a training job takes.

    Parameters
    ----------
    spec : dict
    shape : sequence of int
        Of the data: samples, and of a sample. What is unknown is None or left out.
    """
    own = "" if "estimator" in spec else "pretraining_"
    names = ("batch_size", "epochs", "steps", "min_steps")
    lengths = {name: spec["parameters"][own + name] for name in names}
    n_samples = shape[0] or UNKNOWN[0]
    n_features = prod(side or 1 for side in shape[1:]) if shape[1:] else UNKNOWN[1]
    parameters, n_clusters = spec["parameters"], spec["dataset"]["n_clusters"]
    weights = model_bytes({**parameters, "n_clusters": n_clusters}, spec.get("estimator", ""), n_features) / 4
    epochs = whole_epochs(n_samples, **lengths)
    steps = epochs * ceil(n_samples / lengths["batch_size"])
    once = 100 * n_samples * n_features * n_clusters  # k-means and its like
    of_a_run = STEP * steps + PRODUCT * (3 * epochs * n_samples * weights + once)  # forwards, and twice that backwards
    return START + len(spec["seeds"]) * len(spec.get("settings", [1])) * of_a_run


def measured_seconds(benchmark: str | PathLike | None) -> float | None:
    """Return the seconds that Snakemake noted of a job, without those in a queue; None where it noted none."""
    try:
        return float(json.loads(Path(benchmark or "").read_text())["s"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
