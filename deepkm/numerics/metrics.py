"""Agreement of labels with true classes, from one contingency table."""

import numpy as np
from scipy.optimize import linear_sum_assignment


def scores(target, labels):
    """Return ``acc``, ``nmi`` and ``ari`` in [0, 1] (ARI may be negative), and the number of clusters in use.

    Parameters
    ----------
    target, labels : array-like of shape (N,)
        True classes and found clusters: any integers, any number of each.

    Examples
    --------
    >>> scores([0, 0, 1, 1], [1, 1, 0, 0])
    {'acc': 1.0, 'nmi': 1.0, 'ari': 1.0, 'n_clusters_used': 2}
    """
    table = contingency(target, labels)
    return {
        "acc": accuracy(table),
        "nmi": normalized_mutual_information(table),
        "ari": adjusted_rand_index(table),
        "n_clusters_used": table.shape[0],
    }


def contingency(target, labels):
    """Return how many samples fall into each cluster (row) and class (column) that occur."""
    clusters, row = np.unique(labels, return_inverse=True)
    classes, column = np.unique(target, return_inverse=True)
    if len(row) != len(column) or len(row) == 0:
        raise ValueError(f"got {len(row)} labels for {len(column)} targets, expected as many, and at least one")
    shape = len(clusters), len(classes)
    return np.bincount(row * shape[1] + column, minlength=shape[0] * shape[1]).reshape(shape)


def accuracy(table):
    """Return the share of samples in the best one-to-one matching of clusters and classes (Kuhn 1955).

    The table may be rectangular: what stays unmatched counts as wrong.
    """
    return float(table[linear_sum_assignment(table, maximize=True)].sum() / table.sum())


def normalized_mutual_information(table):
    """Return I(S; Y) / ((H(S) + H(Y)) / 2); 1 when both have a single group."""
    joint = table / table.sum()
    rows, columns = joint.sum(1), joint.sum(0)
    mean_entropy = (_entropy(rows) + _entropy(columns)) / 2
    information = _entropy(rows) + _entropy(columns) - _entropy(joint.ravel())
    return float(np.clip(information / mean_entropy, 0, 1)) if mean_entropy > 0 else 1.0


def adjusted_rand_index(table):
    """Return the Rand index corrected for chance (Hubert & Arabie 1985)."""
    both, rows, columns = (_pairs(counts) for counts in (table, table.sum(1), table.sum(0)))
    expected = rows * columns / max(_pairs(table.sum()), 1)
    largest = (rows + columns) / 2
    return float((both - expected) / (largest - expected)) if largest != expected else 1.0


def _entropy(p):
    p = p[p > 0]
    return -np.sum(p * np.log(p))


def _pairs(counts):
    counts = np.asarray(counts, dtype=np.float64)
    return np.sum(counts * (counts - 1)) / 2
