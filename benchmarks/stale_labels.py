"""What labels read from a buffer do to a score: ``python -m benchmarks.stale_labels CLUSTERING DATA``.

A program that draws its batches with replacement sees 1 - 1/e of the samples in an epoch. Where it reads labels from a
buffer that each batch writes, the others keep a cluster number from an earlier epoch; and where a new k-means numbers
the clusters anew after each epoch, such a number means another cluster. From the labels after each epoch of one
clustering: the score of its last ones; that of the buffer, numbers kept; that of the buffer, numbers drawn anew.
"""

import argparse

import numpy as np
import pandas as pd

from deepkm.datasets.converted import read_converted
from deepkm.numerics.metrics import scores
from deepkm.numerics.seeding import random_state
from deepkm.study.results import read_result

N_DRAWS = 10


def buffered_labels(labels, rng, *, renumbered):
    """Return what a buffer holds at the end.

    Parameters
    ----------
    labels : ndarray of shape (n_epochs, n_samples)
        After each epoch of training.
    rng : numpy.random.Generator
        Draws which epoch wrote each sample last, and the cluster numbers of each epoch.
    renumbered : bool
        Whether each epoch numbers its clusters anew.

    Returns
    -------
    ndarray of shape (n_samples,)
    """
    n_epochs, n_samples = labels.shape
    ages = np.minimum(rng.geometric(1 - 1 / np.e, n_samples) - 1, n_epochs - 1)  # 0: written in the last epoch
    written = labels[n_epochs - 1 - ages, np.arange(n_samples)]
    if not renumbered:
        return written
    numbers = np.stack([rng.permutation(labels.max() + 1) for _ in range(n_epochs)])
    return numbers[ages, written]


def compare(labels, target):
    """Return ACC and NMI in % of the last labels, and means over `N_DRAWS` of both buffers."""
    found = {"last labels": [labels[-1]]}
    for name, renumbered in (("buffer", False), ("buffer, renumbered", True)):
        draws = (random_state(draw, "stale labels") for draw in range(N_DRAWS))
        found[name] = [buffered_labels(labels, np.random.default_rng(draw), renumbered=renumbered) for draw in draws]
    measured = {name: pd.DataFrame([scores(target, each) for each in sets]).mean() for name, sets in found.items()}
    return 100 * pd.DataFrame(measured).T[["acc", "nmi"]]


def every_epoch(arrays):
    """Return the labels of a clustering, (S, E + 1, N); a ValueError where they were not read after each epoch."""
    labels, losses = arrays["history/labels"], arrays["history/loss"]
    if labels.shape[1] != losses.shape[1] + 1:
        raise ValueError(
            f"got labels of {labels.shape[1] - 1} epochs of {losses.shape[1]}, expected those of all; set "
            "read_out: all for its method and run it again"
        )
    return labels


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clustering", help="results/clusterings/{method}/{dataset}/{stack}.h5")
    parser.add_argument("data", help="data/{dataset}.npz")
    parser.add_argument("--run", type=int, default=0, help="which seed of a stack")
    args = parser.parse_args()
    history = every_epoch(read_result(args.clustering, stage="cluster")[0])[args.run]
    target = read_converted(args.data, optional=["target"])["target"]
    print(compare(history[1:], target).to_string(float_format="%.1f"))
