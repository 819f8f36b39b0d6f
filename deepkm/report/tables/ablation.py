"""Methods with a part beside the same without it."""

import numpy as np
import pandas as pd

from deepkm.numerics.metrics import METRICS, title_of
from deepkm.report.tables.layout import NOTHING, Cell, Table, interval_cell, number_cell, spread


def summarize_ablations(scores, pairwise, ablations, *, datasets):
    """Return each method with a part, without it, and the paired difference, in points.

    Parameters
    ----------
    scores, pairwise : DataFrame
        ``results/scores.csv`` and ``results/statistics/pairwise.csv``.
    ablations : list of [str, str, str]
        Methods with a part, the same without it, and the part in words.
    datasets : iterable of str

    Returns
    -------
    DataFrame
        ``n`` seeds have both. The p-value is that of one comparison planned beforehand: not corrected.
    """
    tested = {(row.dataset, row.metric, row.method, row.other): row for row in pairwise.itertuples()}
    values = {key: rows.set_index("seed") for key, rows in scores.groupby(["dataset", "method"])}
    rows = []
    for dataset in datasets:
        for metric in METRICS:
            for *pair, part in ablations:
                row = {"dataset": dataset, "metric": metric, "method": pair[0], "without": pair[1], "part": part}
                for side, method in zip(("with", "without"), pair, strict=True):
                    found = 100 * values.get((dataset, method), pd.DataFrame(columns=[metric]))[metric].dropna()
                    row |= {f"mean_{side}": found.mean(), f"std_{side}": found.std(ddof=0), f"n_{side}": len(found)}
                rows.append(row | _difference(tested, (dataset, metric), pair))
    return pd.DataFrame(rows)


def _difference(tested, place, pair):
    """Return the paired difference of two methods, whichever way round it was tested."""
    if test := tested.get((*place, *pair)):
        low, high, sign = test.low, test.high, 1
    elif test := tested.get((*place, *reversed(pair))):
        low, high, sign = -test.high, -test.low, -1
    else:
        return {"n": 0, "difference": np.nan, "low": np.nan, "high": np.nan, "effect": np.nan, "p": np.nan}
    sides = {"difference": sign * test.mean_difference, "low": low, "high": high, "effect": sign * test.effect}
    return {"n": test.n, **sides, "p": test.p}


def ablation_table(summary, *, datasets, methods):
    """Return each method with a part, without, and the paired difference."""
    rows = [
        [
            Cell(datasets[row.dataset]),
            Cell(title_of(row.metric)),
            Cell(methods[row.method], method=row.method),
            Cell(row.part),
            _side(row.mean_with, row.std_with, row.n_with),
            _side(row.mean_without, row.std_without, row.n_without),
            number_cell(row.difference, "+z.1f"),
            interval_cell(row.low, row.high),
            number_cell(row.p, ".2g"),
            Cell(str(row.n), row.n),
        ]
        for row in summary.itertuples()
    ]
    header = [
        "Data set",
        "Metric",
        "Method",
        "Part",
        "With, %",
        "Without, %",
        "Difference",
        "95 % interval",
        "p",
        "Seeds",
    ]
    notes = [
        "Pairs of methods that differ in one part alone, with it and without. The difference is a mean over the seeds "
        "that have both, in points; its interval is a percentile bootstrap over seeds; p is Wilcoxon's signed-rank "
        "test, not corrected."
    ]
    if len(summary) and (summary["n"] < 6).any():
        notes.append("Fewer than 6 seeds can show no difference at 5 %: no interval is given.")
    return Table("ablation", "Ablations", header, rows, notes, align="llll")


def _side(mean, std, n):
    return Cell(spread(mean, std, n), mean) if n else Cell(NOTHING)
