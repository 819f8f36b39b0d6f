"""How much runs scatter: a deviation where there are enough of them, else the runs themselves."""

import math

import numpy as np

FEWEST = 5  # runs, or data sets, of which a spread can be told


def describe_runs(values, digits=1):
    """Return what a table says of runs.

    Parameters
    ----------
    values : array-like of shape (n,)
        NaN is left out.
    digits : int
        Of `runs`.

    Returns
    -------
    dict
        ``mean``; ``std``, the sample standard deviation (division by n - 1), NaN for fewer than `FEWEST` values; ``n``;
        ``standard_error`` of the mean, NaN for one value; ``runs``, the values themselves as text where there are
        several, but no deviation.

    Examples
    --------
    >>> told = describe_runs([71.0, 74.0])
    >>> told["mean"], told["std"], told["runs"]
    (72.5, nan, '71.0 / 74.0')
    """
    values = np.asarray(values, dtype=float)
    values = values[~np.isnan(values)]
    n = len(values)
    std = float(values.std(ddof=1)) if n > 1 else np.nan
    return {
        "mean": float(values.mean()) if n else np.nan,
        "std": std if n >= FEWEST else np.nan,
        "n": n,
        "standard_error": std / math.sqrt(n) if n > 1 else np.nan,
        "runs": " / ".join(f"{value:z.{digits}f}" for value in values) if 1 < n < FEWEST else "",
    }


def band(table):
    """Return from where to where runs scatter: mean -+ sample deviation, or all of fewer than `FEWEST` runs.

    Parameters
    ----------
    table : DataFrame of shape (n, n_runs)

    Returns
    -------
    low, high : Series of shape (n,)
    """
    if table.shape[1] < FEWEST:
        return table.min(axis=1), table.max(axis=1)
    mean, deviation = table.mean(axis=1), table.std(axis=1)
    return mean - deviation, mean + deviation
