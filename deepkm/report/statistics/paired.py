"""Whether two methods differ on one data set: a test paired over seeds.

Methods share their seeds, and with them autoencoders and batches, so differences are taken seed by seed. What so many
seeds and comparisons cannot decide, whatever the results, is said to be so.
"""

from functools import cache
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.multitest import multipletests

LEVEL = 0.05
# The smallest n with 2 / 2**n < 0.05: below, no result of a two-sided signed-rank test is significant.
MIN_SEEDS = 6

# Of each pair of methods on a data set, by metric. Differences are `method` minus `other`, in points.
PAIRWISE = "dataset metric method other n mean_difference low high effect statistic p p_holm verdict reason".split()


def compare_pairs(values, *, stream, pairs=None, n_diverged=None):
    """Compare pairs of columns by Wilcoxon's signed-rank test, with Holm's correction for their number.

    Parameters
    ----------
    values : DataFrame of shape (n_seeds, n_methods)
        In points; NaN where a run is missing.
    stream : str
        Names the random draws of the bootstrap.
    pairs : list of [str, str], optional
        Those that are compared; by default, all.
    n_diverged : mapping of str to int, optional
        Of each method, to be mentioned.

    Returns
    -------
    DataFrame with the columns `PAIRWISE`, without data set and metric
    """
    pairs = list(combinations(values.columns, 2)) if pairs is None else pairs
    differences = [paired_differences(values[method], values[other]) for method, other in pairs]
    names = pd.DataFrame(pairs, columns=["method", "other"])
    table = names.join(compare_differences(differences, stream=stream, n_seeds=len(values)))
    if values.isna().all(axis=None):
        table["reason"] = "no labels"
    for row in table.itertuples() if n_diverged is not None else ():
        if count := n_diverged.get(row.method, 0) + n_diverged.get(row.other, 0):
            table.loc[row.Index, "reason"] += f"{'; ' if row.reason else ''}{count} diverged, counted as they ended"
    return table


def compare_differences(differences, *, stream, n_seeds):
    """Test each of several samples of paired differences against zero, with Holm's correction for their number.

    Parameters
    ----------
    differences : list of ndarray
        In points, without NaN.
    stream : str
        Names the random draws of the bootstrap.
    n_seeds : int
        How many differences there are where no run is missing.

    Returns
    -------
    DataFrame with the columns from ``n`` on of `PAIRWISE`
    """
    table = pd.DataFrame([describe_differences(sample) for sample in differences])
    table[["low", "high"]] = bootstrap_intervals(differences, stream)
    tested = table["p"].notna()
    table["p_holm"] = np.nan
    if tested.any():
        table.loc[tested, "p_holm"] = multipletests(table.loc[tested, "p"], method="holm")[1]
    judged = [_judge(row, n_seeds, tested.sum()) for row in table.itertuples()]
    table["verdict"], table["reason"] = zip(*judged, strict=True)
    return table


def paired_differences(first, second):
    """Return the differences of two series in points where both have a value, rounded so that equals are equal."""
    return np.round((first - second).dropna().to_numpy(float), 9)


def smallest_p(n_seeds, n_comparisons=1):
    """Return the smallest corrected p-value that a two-sided signed-rank test over so many seeds can give."""
    return min(1.0, n_comparisons * 2 / 2**n_seeds)


def describe_differences(differences):
    """Return what one pair's differences (n,) say, before correction."""
    row = {"n": len(differences), "mean_difference": np.nan, "effect": np.nan, "statistic": np.nan, "p": np.nan}
    if not len(differences):
        return row
    row["mean_difference"] = differences.mean()
    if not differences.any():
        return row | {"effect": 0.0, "statistic": 0.0, "p": 1.0}
    if len(differences) > 1 and not np.ptp(differences):  # copies of one: no test
        return row | {"effect": rank_biserial(differences)}
    statistic, p = signed_rank_test(differences)
    return row | {"effect": rank_biserial(differences), "statistic": statistic, "p": p}


def signed_rank_test(differences):
    """Return statistic and two-sided p of Wilcoxon's signed-rank test, zeros left out, as `scipy.stats.wilcoxon` does.

    Of up to 13 differences, p comes from all their sign patterns, in one product: studies have thousands of pairs, and
    accuracies are counts, so that ties are common.
    """
    differences = differences[differences != 0]
    n, ranks = len(differences), stats.rankdata(np.abs(differences))
    if n > 13:
        test = stats.wilcoxon(differences)
        return test.statistic, test.pvalue
    off_center = np.abs(_sign_patterns(n) @ ranks)
    observed = np.abs(np.sign(differences) @ ranks)
    return (ranks.sum() - observed) / 2, float(np.mean(off_center >= observed - 1e-9))


@cache
def _sign_patterns(n):
    """Return all ways to give n numbers a sign, (2**n, n)."""
    return 1.0 - 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)


def rank_biserial(differences):
    """Return the matched-pairs rank-biserial correlation: (W+ - W-) / (W+ + W-), from -1 to 1 (Kerby 2014).

    Examples
    --------
    >>> rank_biserial(np.array([3.0, 2.0, -1.0, 0.0]))
    0.6666666666666666
    """
    differences = differences[differences != 0]
    ranks = stats.rankdata(np.abs(differences))
    return float(np.sign(differences) @ ranks / ranks.sum()) if len(ranks) else 0.0


def bootstrap_intervals(differences, stream):
    """Return 95 % bootstrap intervals of the means, (n_pairs, 2); NaN for fewer than `MIN_SEEDS` differences.

    A pair's interval depends on its own differences and the stream alone, not on the methods beside it.
    """
    intervals = np.full((len(differences), 2), np.nan)
    counts = np.array([len(d) for d in differences])
    for n in {count for count in counts if count >= MIN_SEEDS}:
        index = np.flatnonzero(counts == n)
        found = stats.bootstrap(
            (np.stack([differences[i] for i in index]),),
            np.mean,
            axis=-1,
            vectorized=True,
            batch=500,
            method="percentile",
            rng=np.random.default_rng(list(f"bootstrap/{stream}".encode())),
        ).confidence_interval
        intervals[index] = np.stack([found.low, found.high], axis=1)
    return intervals


def copies(row):
    """Return a verdict and its reason where all differences are one, else None."""
    copied = row.n > 1 and np.isnan(row.p)
    return ("cannot conclude", f"one difference in {_seeds(row.n)}: neither depends on its seed") if copied else None


def cannot_conclude(n, n_seeds, n_comparisons):
    """Return a verdict and its reason where n pairs of values cannot show anything, else None."""
    if n == 0 or smallest_p(n, n_comparisons) < LEVEL:
        return ("cannot conclude", "no seed has both") if n == 0 else None
    seeds = _share(n, n_seeds) or _seeds(n)
    corrected = "" if n < MIN_SEEDS else " corrected"
    least = smallest_p(n) if n < MIN_SEEDS else smallest_p(n, n_comparisons)
    many = "" if n < MIN_SEEDS else f", {n_comparisons} comparisons"
    return "cannot conclude", f"{seeds}{many}: the smallest possible{corrected} p is {least:.2g}"


def _judge(row, n_seeds, n_comparisons):
    """Return a verdict on one sample of differences, and its reason."""
    if row.n and row.effect == 0 and row.statistic == 0:
        return "no difference found", f"equal in {_seeds(row.n)}"
    if doubt := copies(row) or cannot_conclude(row.n, n_seeds, n_comparisons):
        return doubt
    verdict = "no difference found" if row.p_holm >= LEVEL else "better" if row.effect > 0 else "worse"
    return verdict, _share(row.n, n_seeds)


def _seeds(n):
    return f"{n} seed{'s' * (n > 1)}"


def _share(n, n_seeds):
    return f"{n} of {n_seeds} seeds have both" if n < n_seeds else ""
