"""Methods that encode the whole data set many times an epoch: with the number of samples that grows as its square."""

from collections.abc import Iterator
from math import ceil

from deepkm.study.plan import Study
from deepkm.study.shapes import shape_of

MANY = 10  # encodings of all samples in an epoch are worth a line


def describe_refreshes(study: Study) -> Iterator[str]:
    """Yield what to know before a study runs: a line per data set whose size is known and that is so large.

    Targets and centers that are renewed every `update_interval` steps cost N / batch size / `update_interval` encodings
    of N samples in each epoch.
    """
    for dataset in study.datasets:
        n_samples = next(iter(shape_of(study.config, dataset, study.conversion_of)), None)
        stack = next(iter(study.stacks_of(dataset)))
        often, enough = {}, 0
        for method in study.methods if n_samples else ():
            told = study.cluster_spec(dataset, method, stack)["parameters"]
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
