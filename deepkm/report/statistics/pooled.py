"""Which methods differ over all runs of all data sets: interquartile means and probabilities of improvement.

References
----------
R. Agarwal, M. Schwarzer, P. S. Castro, A. Courville, M. G. Bellemare. Deep reinforcement learning at the edge of the
statistical precipice. NeurIPS 2021.
"""

import numpy as np
import pandas as pd
from scipy import stats

from deepkm.numerics.metrics import METRICS
from deepkm.report.statistics.equivalence import POSTERIOR, posterior_of
from deepkm.report.statistics.spread import FEWEST

RESAMPLES = 2000
# Of each method, by metric: the interquartile mean of its runs in percent, and its 95 % interval.
OVERALL = "metric method n_datasets n_runs iqm low high".split()
# Of each planned contrast, by metric: how probably a run of `method` beats one of `other`, and its 95 % interval.
IMPROVEMENT = ["metric", "method", "other", "n_datasets", "probability", "low", "high", *POSTERIOR]


def pool_runs(scores, *, datasets, methods, contrasts):
    """Compare methods over all runs of all data sets, each data set counting by itself.

    Parameters
    ----------
    scores, datasets, methods, contrasts
        As in `deepkm.report.statistics.over_seeds.compare_over_seeds`.

    Returns
    -------
    DataFrames with the columns `OVERALL` and `IMPROVEMENT`
        Of the data sets on which all methods that have any score have one. A method that lacks a run which others have
        there has no interquartile mean: it would weigh data sets otherwise than theirs. Intervals are bootstrapped,
        runs drawn anew within each data set; there are none where a data set has fewer than `FEWEST` runs. The
        posterior is that of the means of data sets.
    """
    overall, improvement = [], []
    for metric in METRICS:
        runs = runs_of(scores, metric, datasets=datasets, methods=methods)
        most = [max(map(len, of_dataset)) for of_dataset in zip(*filter(None, runs.values()), strict=True)]
        for method in methods:
            row = _interquartile_mean(runs[method], metric, whole=list(map(len, runs[method])) == most)
            overall.append({"metric": metric, "method": method, **row})
        for method, other in contrasts:
            row = _improvement(runs[method], runs[other], f"{metric}/{method}/{other}")
            improvement.append({"metric": metric, "method": method, "other": other, **row})
    return pd.DataFrame(overall, columns=OVERALL), pd.DataFrame(improvement, columns=IMPROVEMENT)


def runs_of(scores, metric, *, datasets, methods):
    """Return the runs of each method in percent, as a list: a Series over seeds for each data set that all have."""
    labelled = scores.dropna(subset=[metric])
    found = {key: 100 * rows.set_index("seed")[metric] for key, rows in labelled.groupby(["dataset", "method"])}
    present = [method for method in methods if any((dataset, method) in found for dataset in datasets)]
    shared = [dataset for dataset in datasets if all((dataset, method) in found for method in present)]
    return {method: [found[dataset, method] for dataset in shared if method in present] for method in methods}


def _interquartile_mean(runs, stream, *, whole):
    """Return what `OVERALL` says of one method; `whole`: it has all runs that others have."""
    values = [series.to_numpy() for series in runs]
    row = {"n_datasets": len(values), "n_runs": sum(map(len, values)), "iqm": np.nan, "low": np.nan, "high": np.nan}
    if not values or not whole:
        return row
    row["iqm"] = stats.trim_mean(np.concatenate(values), 0.25)
    if min(map(len, values)) >= FEWEST:
        rng = _generator(f"overall/{stream}")
        drawn = [sample[rng.integers(len(sample), size=(RESAMPLES, len(sample)))] for sample in values]
        resampled = stats.trim_mean(np.concatenate(drawn, axis=1), 0.25, axis=1)
        row["low"], row["high"] = np.percentile(resampled, [2.5, 97.5])
    return row


def _improvement(runs, others, stream):
    """Return what `IMPROVEMENT` says of one contrast; seeds are drawn anew for both of its methods at once."""
    pairs = [pd.concat(pair, axis=1, join="inner").round(9).to_numpy() for pair in zip(runs, others, strict=False)]
    pairs = [pair for pair in pairs if len(pair)]
    row = {"n_datasets": len(pairs), "probability": np.nan, "low": np.nan, "high": np.nan}
    differences = np.array([np.mean(pair[:, 0] - pair[:, 1]) for pair in pairs])
    row |= posterior_of(differences, f"overall/{stream}")
    if not pairs:
        return row
    beaten = [(np.sign(pair[:, :1] - pair[:, 1]) + 1) / 2 for pair in pairs]  # each run against each other run
    row["probability"] = np.mean([table.mean() for table in beaten])
    if min(map(len, pairs)) >= FEWEST:
        rng = _generator(f"improvement/{stream}")
        resampled = np.mean([_resampled_means(table, rng) for table in beaten], axis=0)
        row["low"], row["high"] = np.percentile(resampled, [2.5, 97.5])
    return row


def _resampled_means(table, rng):
    """Return means of a square table whose rows and columns are drawn anew together, (RESAMPLES,)."""
    n = len(table)
    counts = rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
    return np.einsum("ri,ij,rj->r", counts, table, counts, optimize=True) / n**2


def _generator(stream):
    return np.random.default_rng(list(stream.encode()))
