"""Methods over all runs of all data sets: interquartile means, average ranks, probabilities of improvement."""

import pandas as pd

from deepkm.numerics.metrics import METRICS, PRIMARY_METRIC, title_of
from deepkm.report.tables.layout import NOTHING, Cell, Table, number_cell

SIDES = ("better", "equal", "worse")
ORDER = [PRIMARY_METRIC, *(metric for metric in METRICS if metric != PRIMARY_METRIC)]


def describe_overall(overall, friedman):
    """Return each method's interquartile mean and average rank, a row per metric and method.

    Parameters
    ----------
    overall, friedman : DataFrame
        ``results/statistics/{overall,friedman}.csv``.
    """
    tested = friedman.rename(columns={"statistic": "friedman", "p": "friedman_p"})
    columns = ["metric", "method", "average_rank", "friedman", "friedman_p", "verdict", "reason"]
    return overall.merge(tested[columns], on=["metric", "method"], how="left")


def overall_table(summary, *, methods):
    """Return methods as rows; of each metric the interquartile mean, its interval and the average rank."""
    found, shown = summary.set_index(["metric", "method"]), _in_order(summary)
    rows = [
        [Cell(title, method=key), *(cell for metric in shown for cell in _cells(found.loc[metric, key]))]
        for key, title in methods.items()
    ]
    header = [text for metric in shown for text in (f"{title_of(metric)}, %", "95 % interval", "Rank")]
    notes = [
        "Interquartile mean: of the middle half of all runs on all data sets, of methods that have all of them; its "
        "interval is a bootstrap of the runs of each data set, of five at least. Average rank of the means over seeds, "
        "1 is best.",
        *_friedman_notes(summary[summary["metric"] == metric].iloc[0] for metric in shown),
    ]
    return Table("overall", "Over runs and data sets", ["Method", *header], rows, notes)


def improvement_table(improvement, *, methods):
    """Return how probably a run of one method beats one of another, for planned contrasts by the primary metric."""
    rows = [
        [
            Cell(methods[row.method], method=row.method),
            Cell(methods[row.other], method=row.other),
            number_cell(row.probability, ".2f"),
            _interval(row.low, row.high, ".2f"),
            *(number_cell(value, ".2f") for value in (row.p_better, row.p_equal, row.p_worse)),
            Cell(str(row.n_datasets), row.n_datasets),
        ]
        for row in improvement.itertuples()
    ]
    header = ["Method", "Compared with", "P(improvement)", "95 % interval", *(f"P({name})" for name in SIDES)]
    notes = [
        "P(improvement): how often a run of the method beats a run of the other on the same data set, the mean over "
        "data sets; 0.5 is neither. P(better), P(equal), P(worse): how probably the method is ahead by more than one "
        "point, within one, or behind on most data sets (Bayesian signed-rank test of the means, from five on)."
    ]
    title = f"Planned contrasts over data sets, {title_of(PRIMARY_METRIC)}"
    return Table("improvement", title, [*header, "Data sets"], rows, notes, align="ll")


def _in_order(frame):
    return [metric for metric in ORDER if (frame["metric"] == metric).any()]


def _cells(row):
    return number_cell(row.iqm, ".1f"), _interval(row.low, row.high, ".1f"), number_cell(row.average_rank, ".2f")


def _interval(low, high, form):
    return Cell(NOTHING) if pd.isna(low) else Cell(f"{low:{form}} to {high:{form}}", float(low))


def _friedman_notes(rows):
    """Return what Friedman's test says, once of metrics of which it says the same."""
    metrics = {}
    for row in rows:
        reason = "" if pd.isna(row.reason) or not row.reason else f" ({row.reason})"
        p = "" if pd.isna(row.friedman_p) else f", p = {row.friedman_p:.2g}"
        metrics.setdefault(f"{row.verdict}{reason}{p}", []).append(title_of(row.metric))
    return [f"{', '.join(titles)}, by Friedman's test of the ranks: {said}." for said, titles in metrics.items()]
