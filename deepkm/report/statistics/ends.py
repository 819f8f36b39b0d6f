"""Whether a run ended below its own start, by measures that need no classes: docs/STATISTICS.md."""

import numpy as np

MOST = 2.0  # a measure may get worse by so much where another one gets better
SLIGHT = 1.01  # and so much in any case
NONE = 1e-9  # rounding: of a code that clusters explain wholly, nothing gets worse
ON_DATA = "unexplained_data"  # no method lowers it: good clusters of a code explain somewhat less of the data
MEASURES = ("unexplained", "reconstruction", ON_DATA)
UNKNOWN = dict.fromkeys(MEASURES, np.nan)


def compare_ends(first, last):
    """Return why a run ended below its own start; "" where it did not.

    Parameters
    ----------
    first, last : dict
        Of the first and the last read-out: ``n_clusters_used``, and the measures of `deepkm.training.ends.keep_ends`;
        NaN is not looked at.

    Examples
    --------
    >>> first = {"n_clusters_used": 10, "unexplained": 0.4, "reconstruction": 5.0, "unexplained_data": 0.6}
    >>> compare_ends(first, first | {"unexplained": 0.1, "reconstruction": 7.0})
    ''
    >>> compare_ends(first, first | {"n_clusters_used": 9, "unexplained": 0.1, "reconstruction": 11.0})
    'fewer clusters, reconstruction'
    >>> compare_ends(first, first | {"reconstruction": 5.2})
    'nothing better'
    >>> compare_ends(first, first | {"unexplained": 0.01, "reconstruction": 5.0, "unexplained_data": 0.85})
    'unexplained_data'
    """
    reasons = ["fewer clusters"] if last["n_clusters_used"] < first["n_clusters_used"] else []
    measured = [name for name in MEASURES if np.isfinite(first[name])]
    lost = [name for name in measured if not _kept(name, first[name], last[name])]
    trained = [name for name in measured if name != ON_DATA]
    better = any(last[name] < first[name] for name in trained)
    worse = any(last[name] > max(SLIGHT * first[name], NONE) for name in trained)
    return ", ".join([*reasons, *lost, *(["nothing better"] if worse and not better and not lost else [])])


def _kept(name, first, last):
    """Tell whether a measure did not double, nor the share that clusters do explain fall below half."""
    if name.startswith("unexplained") and not 1 - last >= (1 - first) / MOST:
        return False
    return name == ON_DATA or last <= max(MOST * first, NONE)


def describe_ends(arrays, s):
    """Return what run s of a result was like at its start and its end, and ``below_start`` (`compare_ends`)."""
    measured = {name: arrays[f"ends/{name}"][s] for name in UNKNOWN if f"ends/{name}" in arrays}
    if "history/reconstruction" not in arrays:  # no part of its loss: nothing holds the decoder
        measured.pop("reconstruction", None)
    ends = []
    for place in (0, -1):
        used = len(np.unique(arrays["history/labels"][s, place]))
        ends.append({"n_clusters_used": used, **UNKNOWN, **{name: values[place] for name, values in measured.items()}})
    changes = {f"{name}_{at}": end[name] for name in UNKNOWN for at, end in zip(("start", "end"), ends, strict=True)}
    start = {"n_clusters_used_start": ends[0]["n_clusters_used"]}
    return start | changes | {"below_start": compare_ends(*ends)}
