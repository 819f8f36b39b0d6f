"""Which methods differ on each data set: the planned contrasts, all pairs, and each method beside the best."""

import numpy as np
import pandas as pd

from deepkm.numerics.metrics import METRICS
from deepkm.report.statistics.best import BEST, compare_with_best
from deepkm.report.statistics.equivalence import POSTERIOR, SURE, posterior_of
from deepkm.report.statistics.paired import PAIRWISE, compare_pairs, paired_differences

# Of each planned contrast on a data set, by metric.
CONTRASTS = [*PAIRWISE[:-2], *POSTERIOR, *PAIRWISE[-2:]]


def compare_over_seeds(scores, *, datasets, methods, seeds, contrasts):
    """Compare methods on each data set.

    Parameters
    ----------
    scores : DataFrame
        ``results/scores.csv``.
    datasets, methods : list of str
        Keys, in order.
    seeds : list of int
        Those that the study asks for.
    contrasts : list of [str, str]
        The pairs of methods that were to be compared before anyone saw the results: Holm's correction is for their
        number alone.

    Returns
    -------
    DataFrames with the columns `CONTRASTS`, `PAIRWISE` and `BEST`
        See docs/STATISTICS.md for each.
    """
    planned, pairwise, best = [], [], []
    groups = dict(iter(scores.groupby("dataset", sort=False)))
    for dataset in (key for key in datasets if key in groups and len(methods) > 1):
        rows = groups[dataset]
        diverged = rows.get("diverged", pd.Series(False, rows.index)).groupby(rows["method"]).sum()
        for metric in METRICS:
            values = 100 * rows.pivot(index="seed", columns="method", values=metric)
            values = values.reindex(index=sorted(seeds), columns=methods)
            place = {"dataset": dataset, "metric": metric}
            how = {"stream": f"{dataset}/{metric}", "n_diverged": diverged}
            pairs = compare_pairs(values, **how)
            pairwise.append(pairs.assign(**place))
            best += [place | row for row in compare_with_best(values, pairs)]
            if contrasts:
                found = compare_pairs(values, pairs=contrasts, **how)
                planned.append(_with_posterior(found, values, how["stream"]).assign(**place))
    return _table(planned, CONTRASTS), _table(pairwise, PAIRWISE), pd.DataFrame(best, columns=BEST)


def _with_posterior(contrasts, values, stream):
    """Return contrasts with the probabilities of `POSTERIOR`, and the verdict that only those can give."""
    rows = contrasts.to_dict("records")
    for row in rows:
        one_run = row["n"] > 0 and np.isnan(row["p"])  # neither method depends on its seed
        differences = paired_differences(values[row["method"]], values[row["other"]])
        row.update(posterior_of(differences[:0] if one_run else differences, stream))
        if row["p_equal"] >= SURE:
            also = f"{row['verdict']}, by less than a point" if row["verdict"] in ("better", "worse") else ""
            row.update(verdict="practically equal", reason="; ".join(filter(None, [also, row["reason"]])))
    return pd.DataFrame(rows)


def _table(frames, columns):
    return pd.concat(frames, ignore_index=True)[columns] if frames else pd.DataFrame(columns=columns)
