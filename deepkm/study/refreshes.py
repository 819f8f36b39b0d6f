"""Intervals that go badly with a study's lengths: all data encoded many times an epoch, or what never comes."""

from collections.abc import Iterator, Mapping
from math import ceil
from typing import Any

from deepkm.study.plan import Study
from deepkm.study.shapes import shape_of
from deepkm.training.lengths import whole_epochs

MANY = 10  # encodings of all samples in an epoch are worth a line


def describe_refreshes(study: Study) -> Iterator[str]:
    """Yield what to know before a study runs: a line per data set whose size is known and that is so large.

    Targets and centers that are renewed every `update_interval` steps cost N / batch size / `update_interval` encodings
    of N samples in each epoch. A line too for methods that end before their interval is over.
    """
    for dataset in study.datasets:
        n_samples = next(iter(shape_of(study.config, dataset, study.conversion_of)), None)
        if not n_samples:
            continue
        stack = next(iter(study.stacks_of(dataset)))
        often, enough = {}, 0
        never: dict[str, list[str]] = {}
        for method in study.methods:
            told = study.cluster_spec(dataset, method, stack)["parameters"]
            for name in _never_over(told, n_samples):
                never.setdefault(name, []).append(method)
            if not (interval := told.get("update_interval")):
                continue
            n_steps = ceil(n_samples / told["batch_size"])
            if n_steps > MANY * interval:
                often[method], enough = n_steps // interval, max(enough, ceil(n_steps / MANY))
        if often:
            times = f"{min(often.values())}" + (f" to {max(often.values())}" if len(set(often.values())) > 1 else "")
            yield (
                f"{', '.join(often)} on {dataset}: all {n_samples} samples are encoded {times} times an epoch, which "
                f"grows with their square; with `update_interval: {enough}` it would be {MANY} times"
            )
        for name, methods in never.items():
            yield (
                f"{', '.join(methods)} on {dataset}: training ends before `{name}` is over for the first time, so that "
                "nothing comes of it"
            )


def _never_over(told: Mapping[str, Any], n_samples: int) -> Iterator[str]:
    lengths = {name: told[name] for name in ("batch_size", "epochs", "steps", "min_steps")}
    n_epochs = whole_epochs(n_samples, **lengths)
    if 0 < n_epochs <= (told.get("reset_interval") or 0):
        yield "reset_interval"
    if 0 < n_epochs * ceil(n_samples / told["batch_size"]) < (told.get("update_interval") or 0):
        yield "update_interval"
