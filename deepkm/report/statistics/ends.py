"""Whether a run ended below its own start, by measures that need no classes: docs/STATISTICS.md."""

import numpy as np

MOST = 2.0  # a measure may grow so much where another one falls
SLIGHT = 1.01  # and so much in any case
UNKNOWN = {"unexplained": np.nan, "reconstruction": np.nan}


def compare_ends(first, last):
    """Return why a run ended below its own start; "" where it did not.

    Parameters
    ----------
    first, last : dict
        Of the first and the last read-out: ``n_clusters_used``, and ``unexplained`` and ``reconstruction`` of
        `deepkm.training.ends.look`; NaN is not looked at.

    Examples
    --------
    >>> first = {"n_clusters_used": 10, "unexplained": 0.4, "reconstruction": 5.0}
    >>> compare_ends(first, {"n_clusters_used": 10, "unexplained": 0.1, "reconstruction": 7.0})
    ''
    >>> compare_ends(first, {"n_clusters_used": 9, "unexplained": 0.1, "reconstruction": 11.0})
    'fewer clusters, reconstruction'
    >>> compare_ends(first, {"n_clusters_used": 10, "unexplained": 0.4, "reconstruction": 5.2})
    'nothing better'
    """
    reasons = ["fewer clusters"] if last["n_clusters_used"] < first["n_clusters_used"] else []
    measured = [name for name in UNKNOWN if np.isfinite(first[name])]
    lost = [name for name in measured if not last[name] <= MOST * first[name]]
    better = any(last[name] < first[name] for name in measured)
    worse = any(last[name] > SLIGHT * first[name] for name in measured)
    return ", ".join([*reasons, *lost, *(["nothing better"] if worse and not better and not lost else [])])
