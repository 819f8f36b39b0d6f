"""Agreement of labels with true classes, from one contingency table.

`METRICS`, at the end, is the one list of them: the columns of ``scores.csv``, the tables, the figures, the page and
what Snakemake expects of its rules follow from it. Snakemake reads it in its own process: so nothing heavy is imported
before a metric is called.
"""

import numpy as np


def scores(target, labels):
    """Return each of `METRICS`, and the number of clusters in use.

    Parameters
    ----------
    target : array-like of shape (N,) or None
        True classes, any integers; without them, metrics are NaN.
    labels : array-like of shape (N,)
        Found clusters: any integers, any number of them.

    Examples
    --------
    >>> scores([0, 0, 1, 1], [1, 1, 0, 0])
    {'acc': 1.0, 'nmi': 1.0, 'ari': 1.0, 'n_clusters_used': 2}
    >>> scores(None, [1, 1, 0, 0])
    {'acc': nan, 'nmi': nan, 'ari': nan, 'n_clusters_used': 2}
    """
    if target is None:
        return {**dict.fromkeys(METRICS, float("nan")), "n_clusters_used": len(np.unique(labels))}
    table = contingency(target, labels)
    measured = {name: float(function(table)) for name, (_, function) in METRICS.items()}
    return {**measured, "n_clusters_used": len(table)}


def title_of(metric):
    """Return what a metric is called in tables and figures."""
    return METRICS[metric][0]


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
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415  see the top

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


# Of each metric, by its column: its title, and a function of the contingency table (clusters x classes): the higher the
# better, 1 where they agree. Where there is room for one metric only, it is the first.
METRICS = {
    "acc": ("ACC", accuracy),
    "nmi": ("NMI", normalized_mutual_information),
    "ari": ("ARI", adjusted_rand_index),
}
MAIN_METRIC = next(iter(METRICS))  # where a figure has room for one
PRIMARY_METRIC = "nmi"  # that methods are judged by: it matches no clusters to classes
