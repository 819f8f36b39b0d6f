"""Pairs of methods: those that were planned, with what differs between them, and all others."""

import pandas as pd

from deepkm.numerics.metrics import PRIMARY_METRIC, title_of
from deepkm.report.statistics.spread import describe_runs
from deepkm.report.tables.layout import Cell, Table, interval_cell, number_cell, spread_cell

TOLD = ("mean", "std", "n", "runs")  # of each side
HEADER = ["Method", "Compared with", "Verdict", "Difference", "95 % interval", "p (Holm)", "P(equal)"]
HEADER += ["Method, %", "Other, %", "Seeds", "Differ in"]


def describe_contrasts(scores, contrasts, ablations):
    """Return the planned contrasts with both sides' scores in percent.

    Parameters
    ----------
    scores, contrasts : DataFrame
        ``results/scores.csv`` and ``results/statistics/contrasts.csv``.
    ablations : list of [str, str, str]
        Methods with a part, the same without it, and the part in words.
    """
    parts = {frozenset(pair): part for *pair, part in ablations}
    values = dict(iter(scores.groupby(["dataset", "method"])))
    rows = []
    for row in contrasts.to_dict("records"):
        sides = {}
        for side, method in (("method", row["method"]), ("other", row["other"])):
            found = values.get((row["dataset"], method), scores[:0])[row["metric"]]
            told = describe_runs(100 * found)
            sides |= {f"{side}_{name}": told[name] for name in TOLD}
        part = parts.get(frozenset((row["method"], row["other"])), "")
        rows.append({"part": part, **sides, **row})
    return pd.DataFrame(rows, columns=["part", *(f"{s}_{n}" for s in ("method", "other") for n in TOLD), *contrasts])


def contrast_table(summary, name, title, *, datasets, methods):
    """Return a table of planned contrasts, from `describe_contrasts`; where there are several metrics, with these."""
    several = summary["metric"].nunique() > 1
    rows = [
        [
            Cell(datasets[row.dataset]),
            *([Cell(title_of(row.metric))] if several else []),
            Cell(methods[row.method], method=row.method),
            Cell(methods[row.other], method=row.other),
            _verdict(row),
            number_cell(row.mean_difference, "+z.1f"),
            interval_cell(row.low, row.high),
            number_cell(row.p_holm, ".2g"),
            number_cell(row.p_equal, ".2f"),
            spread_cell(row.method_mean, row.method_std, row.method_runs),
            spread_cell(row.other_mean, row.other_std, row.other_runs),
            Cell(str(row.n), row.n),
            Cell(row.part),
        ]
        for row in summary.itertuples()
    ]
    header = ["Data set", *(["Metric"] if several else []), *HEADER]
    return Table(name, title, header, rows, _notes(rows), align="llll" + "l" * several + "r" * 7 + "l")


def pair_table(pairwise, *, datasets, methods):
    """Return pairs of methods, from the rows of ``results/statistics/pairwise.csv`` with the primary metric."""
    rows = [
        [
            Cell(datasets[row.dataset]),
            Cell(methods[row.method], method=row.method),
            Cell(methods[row.other], method=row.other),
            _verdict(row),
            number_cell(row.mean_difference, "+z.1f"),
            interval_cell(row.low, row.high),
            number_cell(row.effect, "+z.2f"),
            number_cell(row.p_holm, ".2g"),
        ]
        for row in pairwise.itertuples()
    ]
    header = ["Data set", "Method", "Compared with", "Verdict", "Difference", "95 % interval", "Effect", "p (Holm)"]
    notes = [
        f"{title_of(PRIMARY_METRIC)}, as planned contrasts are compared, but with Holm's correction for all pairs of a "
        "data set. The effect is the rank-biserial correlation, from −1 to 1."
    ]
    return Table("pairs", "All pairs", header, rows, notes, align="llll")


def _verdict(row):
    return Cell(f"{row.verdict} ({row.reason})" if row.reason and not pd.isna(row.reason) else row.verdict)


def _notes(rows):
    if not rows:
        return ["No contrasts are planned between methods that have been run."]
    return [
        "Planned before the results were seen. Difference: method minus other, a mean over the seeds that both have, "
        "in points; its interval is a percentile bootstrap over seeds; p is Wilcoxon's signed-rank test with Holm's "
        "correction for the contrasts of a data set and metric. P(equal): how probably both are within one point of "
        "each other (Bayesian signed-rank test); from 0.95 on they are practically equal."
    ]
