"""What can be said of clusters without true classes: their sizes, how far apart they lie, and whether runs agree."""

from itertools import combinations

import numpy as np

from deepkm.datasets.converted import read_converted
from deepkm.datasets.features import load_features
from deepkm.numerics.metrics import adjusted_rand_index, contingency

LARGEST_SAMPLE = 10_000  # silhouettes compare all pairs
NOT_DRAWN = -1  # in place of the label of a sample that a run's seed left out
STRUCTURE_COLUMNS = (
    "dataset method seed n_clusters n_clusters_used largest_share sizes silhouette_data davies_bouldin_data n_data "
    "silhouette_code davies_bouldin_code n_code"
).split()
AGREEMENT_COLUMNS = ["dataset", "method", "other", "ari", "n_pairs"]


def describe_sizes(labels, n_clusters):
    """Return how many of K clusters are in use, the share of the largest, and all sizes, the largest first.

    Examples
    --------
    >>> describe_sizes(np.array([2, 2, 2, 0]), 3)
    {'n_clusters': 3, 'n_clusters_used': 2, 'largest_share': 0.75, 'sizes': '3 1 0'}
    """
    counts = np.sort(np.bincount(labels, minlength=n_clusters))[::-1]
    return {
        "n_clusters": n_clusters,
        "n_clusters_used": int(np.count_nonzero(counts)),
        "largest_share": float(counts[0] / len(labels)),
        "sizes": " ".join(map(str, counts)),
    }


def separation(x, labels, distances=None):
    """Return the silhouette, in [-1, 1], higher being better, and Davies and Bouldin's index, 0 being the best.

    Parameters
    ----------
    x : ndarray of shape (n, F)
    labels : ndarray of shape (n,)
    distances : ndarray of shape (n, n), optional
        Of all pairs, where they are known.

    Returns
    -------
    (float, float)
        NaN where all samples are in one cluster, or each in its own.
    """
    from sklearn.metrics import davies_bouldin_score, silhouette_score  # noqa: PLC0415  what only reads needs it not

    if not 1 < len(np.unique(labels)) < len(labels):
        return np.nan, np.nan
    given = (x, "euclidean") if distances is None else (distances, "precomputed")
    return float(silhouette_score(given[0], labels, metric=given[1])), float(davies_bouldin_score(x, labels))


def load_in_memory(path, scaling):
    """Return the scaled features of a converted data set; None where they are larger than memory."""
    if read_converted(path, optional=["feature_file"]):
        return None
    return load_features(path, scaling)


def compared_samples(x, most):
    """Return which of the samples (N, F) are compared, their features, and the distances of all pairs of them."""
    from sklearn.metrics import pairwise_distances  # noqa: PLC0415  only where clusters are compared

    sample = np.sort(np.random.default_rng(0).permutation(len(x))[:most])
    return sample, x[sample], pairwise_distances(x[sample])


def on_data(compared, labels):
    """Return what separates the clusters of a run on the data; nothing where `compared` is None."""
    if compared is None:
        return {}
    sample, x, distances = compared
    drawn = labels[sample] != NOT_DRAWN
    if not drawn.all():
        sample, x, distances = sample[drawn], x[drawn], distances[np.ix_(drawn, drawn)]
    values = separation(x, labels[sample], distances)
    return dict(zip(("silhouette_data", "davies_bouldin_data", "n_data"), (*values, len(x)), strict=True))


def on_code(arrays, s, most=LARGEST_SAMPLE):
    """Return what separates the clusters of run s on its final code, of samples that the result keeps codes of."""
    if "snapshots/codes" not in arrays:
        return {}
    code, sample = arrays["snapshots/codes"][s, -1, :most], arrays["snapshots/sample"][:most]
    if not np.isfinite(code).all():
        return {}
    values = separation(code, arrays["labels"][s][sample])
    return dict(zip(("silhouette_code", "davies_bouldin_code", "n_code"), (*values, len(code)), strict=True))


def agreement(labels):
    """Return how far the runs of a data set agree.

    Parameters
    ----------
    labels : dict of str to dict of int to ndarray of shape (N,)
        By method and seed.

    Returns
    -------
    list of dict
        ``method``, ``other``, ``ari``, the mean adjusted Rand index over ``n_pairs`` pairs of runs: of one method, over
        all pairs of seeds (its stability); of two, over the seeds that both have.
    """
    rows = []
    for method, own in labels.items():
        pairs = [*combinations(own.values(), 2)]
        rows += [{"method": method, "other": method, **mean_agreement(pairs)}]
    for (method, own), (other, theirs) in combinations(labels.items(), 2):
        pairs = [(own[seed], theirs[seed]) for seed in own if seed in theirs]
        rows += [{"method": method, "other": other, **mean_agreement(pairs)}]
    return rows


def mean_agreement(pairs):
    """Return the mean adjusted Rand index of pairs of labels on the samples of both, ``ari``, and ``n_pairs``.

    Pairs that share fewer than two samples are left out; of none, ``ari`` is NaN.
    """
    shared = [[labels[np.min(pair, axis=0) != NOT_DRAWN] for labels in pair] for pair in pairs]
    values = [adjusted_rand_index(contingency(*pair)) for pair in shared if len(pair[0]) > 1]
    return {"ari": float(np.mean(values)) if values else np.nan, "n_pairs": len(values)}
