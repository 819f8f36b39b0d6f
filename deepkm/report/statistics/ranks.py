"""Whether methods differ over data sets: average ranks, the tests of Friedman and of Nemenyi (Demsar 2006)."""

from itertools import combinations
from math import factorial

import numpy as np
import pandas as pd
import scikit_posthocs
from scipy import stats

from deepkm.numerics.metrics import METRICS
from deepkm.report.statistics.paired import LEVEL

# Of each method, by metric: its average rank (1 is best), and what the Friedman test says of all of them.
FRIEDMAN = "metric method average_rank n_datasets n_methods statistic p critical_difference verdict reason".split()
# Of each pair of methods, by metric. The difference is the average rank of `method` minus that of `other`.
NEMENYI = "metric method other rank_difference p verdict".split()


def compare_over_datasets(scores, *, datasets, methods, nemenyi=False):
    """Compare all methods over data sets by the ranks of their means over seeds (Demsar 2006).

    Parameters
    ----------
    scores, datasets, methods
        As in `deepkm.report.statistics.over_seeds.compare_over_seeds`.
    nemenyi : bool
        Whether to compare all pairs by Nemenyi's test, whose answer about a pair depends on the other methods.

    Returns
    -------
    DataFrames with the columns `FRIEDMAN` and `NEMENYI`
        The latter is empty unless asked for. Methods without any score have no rank; data sets on which another method
        has no score are left out.
    """
    friedman, pairs = [], []
    for metric in METRICS:
        means = scores.groupby(["dataset", "method"])[metric].mean().mul(100).round(9).unstack()
        means = means.reindex(index=datasets, columns=methods).dropna(axis=1, how="all")
        complete = means.dropna()
        left_out = [dataset for dataset in datasets if dataset not in complete.index]
        ranks = complete.rank(axis=1, ascending=False).mean()
        result = _friedman(complete, left_out)
        if nemenyi and np.isfinite(result["p"]):
            result["critical_difference"] = critical_difference(len(ranks), len(complete))
            pairs += [{"metric": metric, **row} for row in _nemenyi(complete, ranks, differ=result["p"] < LEVEL)]
        friedman += [{"metric": metric, "method": key, "average_rank": ranks.get(key), **result} for key in methods]
    return pd.DataFrame(friedman, columns=FRIEDMAN), pd.DataFrame(pairs, columns=NEMENYI)


def iman_davenport(means):
    """Return statistic and p of Friedman's test in the form of Iman and Davenport (1980).

    Parameters
    ----------
    means : ndarray of shape (n_datasets, n_methods)

    Returns
    -------
    statistic, p : float
        F = (n - 1) chi2 / (n (k - 1) - chi2), of Friedman's chi2, which by itself is too conservative for few data
        sets. Where F is beyond all bounds, since all data sets agree, p is how often they do by chance.
    """
    n, k = means.shape
    chi2 = stats.friedmanchisquare(*means.T).statistic
    rest = n * (k - 1) - chi2
    statistic = (n - 1) * chi2 / rest if rest > 1e-9 else np.inf
    return statistic, max(stats.f.sf(statistic, k - 1, (k - 1) * (n - 1)), least_p(n, k))


def least_p(n_datasets, n_methods):
    """Return how often so many data sets rank so many methods alike by chance: no test gives a smaller p."""
    return 1 / factorial(n_methods) ** (n_datasets - 1)


def critical_difference(n_methods, n_datasets):
    """Return how far two average ranks must lie apart by Nemenyi's test at 5 % (Demsar 2006, section 3.2.2)."""
    q = stats.studentized_range.ppf(1 - LEVEL, n_methods, np.inf) / np.sqrt(2)
    return q * np.sqrt(n_methods * (n_methods + 1) / (6 * n_datasets))


def _friedman(complete, left_out):
    """Return the test of means (n_datasets, n_methods), with a verdict and its reason."""
    n, k = complete.shape
    row = {"n_datasets": n, "n_methods": k, "statistic": np.nan, "p": np.nan, "critical_difference": np.nan}
    without = f"left out: {' '.join(left_out)}" if left_out else ""
    if n < 2 or k < 3:
        few = f"{n} data set{'s' * (n != 1)} and {k} methods, expected at least 2 and 3"
        return row | {"verdict": "cannot conclude", "reason": "; ".join(filter(None, [few, without]))}
    if (complete.nunique(axis=1) == 1).all():
        return row | {"statistic": 0.0, "p": 1.0, "verdict": "no difference found", "reason": "all methods are equal"}
    row["statistic"], row["p"] = iman_davenport(complete.to_numpy())
    if least_p(n, k) >= LEVEL:
        few = f"{n} data sets and {k} methods: the smallest possible p is {least_p(n, k):.2g}"
        return row | {"verdict": "cannot conclude", "reason": "; ".join(filter(None, [few, without]))}
    return row | {"verdict": "methods differ" if row["p"] < LEVEL else "no difference found", "reason": without}


def _nemenyi(complete, ranks, *, differ):
    """Yield a row per pair; no pair differs where the Friedman test finds no difference at all."""
    if (complete.nunique(axis=1) == 1).all():
        p = np.ones((len(ranks), len(ranks)))
    else:
        p = scikit_posthocs.posthoc_nemenyi_friedman(complete.to_numpy()).to_numpy()
    for i, j in combinations(range(len(ranks)), 2):
        gap = ranks.iloc[i] - ranks.iloc[j]
        found = differ and p[i, j] < LEVEL
        verdict = "no difference found" if not found else "better" if gap < 0 else "worse"
        yield {
            "method": ranks.index[i],
            "other": ranks.index[j],
            "rank_difference": gap,
            "p": p[i, j],
            "verdict": verdict,
        }
