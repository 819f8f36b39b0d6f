"""Why a run lost clusters: ``python -m benchmarks.lost_clusters results/clusterings/dkm/mnist10k/seed8905.h5``.

For each epoch that a clustering keeps codes of, and each cluster that is empty at the end: its size; how far its center
has moved, and how far the mean code of those who were its members before training; and how many samples would be
nearest to that mean, were the means of the first members the centers. A center that stays behind its members loses
them.
"""

import argparse

import numpy as np
import pandas as pd

from deepkm.study.results import read_result


def lost_clusters(arrays, s=0):
    """Return a row per kept epoch and cluster that run s has lost at its end.

    Parameters
    ----------
    arrays : dict of str to ndarray
        Of a clustering: its snapshots and labels.

    Returns
    -------
    DataFrame
        epoch, cluster, size, center_moved, members_moved (both in the unit of the code), size_by_means.
    """
    epochs, sample = arrays["snapshots/epoch"], arrays["snapshots/sample"]
    codes, centers = arrays["snapshots/codes"][s], arrays["snapshots/centers"][s]  # (E, M, D), (E, K, D)
    first = arrays["history/labels"][s, 0][sample]
    lost = np.setdiff1d(np.arange(centers.shape[1]), arrays["history/labels"][s, -1])
    start = _means(codes[0], first, centers[0])
    rows = []
    for epoch, z, r in zip(epochs, codes, centers, strict=True):
        means = _means(z, first, centers[0])
        found = {"size": _sizes(z, r), "size_by_means": _sizes(z, means)}
        found["center_moved"] = np.linalg.norm(r - centers[0], axis=1)
        found["members_moved"] = np.linalg.norm(means - start, axis=1)
        rows += [{"epoch": epoch, "cluster": k, **{name: each[k] for name, each in found.items()}} for k in lost]
    columns = "epoch cluster size center_moved members_moved size_by_means".split()
    return pd.DataFrame(rows, columns=columns)


def _means(z, labels, otherwise):
    """Return the mean code of each cluster's members, (K, D); of an empty one, `otherwise`."""
    return np.stack([z[labels == k].mean(0) if (labels == k).any() else r for k, r in enumerate(otherwise)])


def _sizes(z, centers):
    nearest = ((z[:, None] - centers) ** 2).sum(-1).argmin(1)
    return np.bincount(nearest, minlength=len(centers))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clustering", help="results/clusterings/{method}/{dataset}/{stack}.h5")
    parser.add_argument("--run", type=int, default=0, help="which seed of a stack")
    args = parser.parse_args()
    table = lost_clusters(read_result(args.clustering, stage="cluster")[0], args.run)
    print(table.to_string(index=False, float_format="%.2f") if len(table) else "no cluster was lost")
