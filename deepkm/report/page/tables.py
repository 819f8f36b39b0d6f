"""Tables that only the page shows: one method's, and what the tests between methods say."""

import pandas as pd

from deepkm.numerics.metrics import METRICS, title_of
from deepkm.report.tables.layout import Cell, Table, interval_cell, number_cell


def method_table(score_tables, place, *, key, datasets):
    """Return the scores of one method, data sets as rows and metrics as columns.

    Parameters
    ----------
    score_tables : list of Table
        From `deepkm.report.tables.scores.score_table`: methods as rows, data sets as columns.
    place : int
        The method's among the rows.
    key : str
        The method's.
    datasets : dict of str to str
        Titles by key.
    """
    columns = [table.rows[place][1:] for table in score_tables]
    rows = [
        [Cell(title), *(Cell(column[i].text, column[i].value) for column in columns)]
        for i, title in enumerate(datasets.values())
    ]
    return Table(f"scores-{key}", "Scores", ["Data set", *(table.title for table in score_tables)], rows)


def runs_table(scores, method, *, datasets):
    """Return a row per run of one method, from ``results/scores.csv``."""
    titles = {"seed": "Seed", **{metric: title_of(metric) for metric in METRICS}}
    titles |= {"n_clusters_used": "Clusters used", "epochs": "Epochs", "device_seconds": "Seconds"}
    columns = [name for name in titles if name in scores]
    rows = [
        [
            Cell(datasets[row["dataset"]]),
            *(number_cell(row[name], ".3f" if name in METRICS else None) for name in columns),
            Cell(_remark(row)),
        ]
        for row in scores[scores["method"] == method].to_dict("records")
    ]
    header = ["Data set", *(titles[name] for name in columns), "Remark"]
    note = f"{', '.join(map(title_of, METRICS))}: 1 is full agreement."
    return Table(f"runs-{method}", "Each run", header, rows, [note], "l" + "r" * len(columns) + "l")


def _remark(row):
    below = row.get("below_start")
    said = ["diverged"] if row["diverged"] else []
    return "; ".join(said + ([f"below its start: {below}"] if below and not pd.isna(below) else []))


def method_parameters(parameters, method, *, datasets):
    """Return all parameters of one method after defaults, a column per data set, from ``results/parameters.csv``."""
    table = parameters[parameters["method"] == method].set_index("dataset").drop(columns=["method", "estimator"])
    table = table.dropna(axis="columns", how="all")
    found = [key for key in datasets if key in table.index]
    rows = [[Cell(name), *(Cell(number_cell(table.at[key, name]).text) for key in found)] for name in table]
    header = ["Parameter", *(datasets[key] for key in found)]
    return Table(f"parameters-{method}", "Parameters", header, rows, align="l" * len(header))


def pairwise_table(pairwise, dataset, metric, *, datasets, methods):
    """Return all pairs of methods on one data set, from ``results/statistics/pairwise.csv``."""
    shown = pairwise[(pairwise["dataset"] == dataset) & (pairwise["metric"] == metric)]
    rows = [
        [
            Cell(methods[row.method], method=row.method),
            Cell(methods[row.other], method=row.other),
            number_cell(row.mean_difference, "+z.1f"),
            interval_cell(row.low, row.high),
            number_cell(row.effect, "+z.2f"),
            number_cell(row.p_holm, ".2g"),
            Cell(row.verdict),
            Cell("" if pd.isna(row.reason) else row.reason),
        ]
        for row in shown.itertuples()
    ]
    header = ["Method", "Compared with", "Difference", "95 % interval", "Effect", "p (Holm)", "Verdict", "Because"]
    title = f"{datasets[dataset]}: all pairs, {title_of(metric)}"
    return Table(f"pairs-{dataset}", title, header, rows, align="llrrrrll")


def verdict_table(pairwise, *, datasets):
    """Return how many pairs of methods differ on each data set, and how many tests could not tell."""
    counts = pairwise.groupby(["dataset", "metric", "verdict"]).size()
    rows = []
    for (dataset, metric), total in pairwise.groupby(["dataset", "metric"], sort=False).size().items():
        differ = counts.get((dataset, metric, "better"), 0) + counts.get((dataset, metric, "worse"), 0)
        others = [counts.get((dataset, metric, verdict), 0) for verdict in ("no difference found", "cannot conclude")]
        here = pairwise[(pairwise["dataset"] == dataset) & (pairwise["metric"] == metric)]
        reasons = here.loc[here["verdict"] == "cannot conclude", "reason"].dropna().unique()
        cells = [Cell(str(count), count) for count in (total, differ, *others)]
        rows.append([Cell(datasets[dataset]), Cell(title_of(metric)), *cells, Cell("; ".join(reasons))])
    header = ["Data set", "Metric", "Pairs", "Differ", "No difference found", "Cannot conclude", "Because"]
    return Table("verdicts", "Pairs of methods, over seeds", header, rows, align="llrrrrl")


def rank_table(friedman, *, methods):
    """Return each method's average rank over data sets, from ``results/statistics/friedman.csv``."""
    ranks = friedman.pivot(index="method", columns="metric", values="average_rank")
    shown = [metric for metric in METRICS if metric in ranks]
    rows = [
        [Cell(title, method=key), *(number_cell(ranks.at[key, m], ".2f") for m in shown)]
        for key, title in methods.items()
    ]
    notes = [
        f"{title_of(row.metric)}: {row.verdict}{'' if pd.isna(row.reason) else f' ({row.reason})'}"
        f"{'' if pd.isna(row.p) else f'; Friedman p = {row.p:.2g}, critical difference {row.critical_difference:.2f}'}."
        for row in friedman.drop_duplicates("metric").itertuples()
    ]
    return Table("ranks", "Average ranks, over data sets", ["Method", *map(title_of, shown)], rows, notes)
