"""Tables that only the page shows: those of one method."""

import pandas as pd

from deepkm.numerics.metrics import METRICS, title_of
from deepkm.report.tables.layout import Cell, Table, number_cell


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


def structure_table(structure, agreement, dataset, *, datasets, methods):
    """Return what is known of clusters without true classes, a row per method.

    Parameters
    ----------
    structure, agreement : DataFrame
        ``results/{structure,agreement}.csv``.
    dataset : str
        Its key.
    datasets, methods : dict of str to str
        Titles by key.
    """
    found = structure[structure["dataset"] == dataset]
    own = agreement[(agreement["dataset"] == dataset) & (agreement["method"] == agreement["other"])]
    stable = own.set_index("method")["ari"]
    kinds = {name: (text, form) for name, text, form in _MEASURES if found[name].notna().any()}
    rows = [
        [
            Cell(methods[key], method=key),
            *(number_cell(of[name].mean(), form) for name, (_, form) in kinds.items()),
            number_cell(stable.get(key), ".2f"),
            Cell(_cut(of["sizes"].iloc[0])),
        ]
        for key in methods
        if len(of := found[found["method"] == key])
    ]
    header = ["Method", *(text for text, _ in kinds.values()), "Stability", "Sizes, first seed"]
    align = f"l{'r' * (len(header) - 2)}l"
    return Table(f"structure-{dataset}", datasets[dataset], header, rows, _structure_notes(found), align)


_MEASURES = (
    ("n_clusters_used", "Clusters used", ".3g"),
    ("largest_share", "Largest", ".0%"),
    ("silhouette_data", "Silhouette, data", "z.3f"),
    ("davies_bouldin_data", "Davies-Bouldin, data", ".2f"),
    ("silhouette_code", "Silhouette, code", "z.3f"),
    ("davies_bouldin_code", "Davies-Bouldin, code", ".2f"),
)


def _structure_notes(found):
    notes = [
        "Means over seeds. Largest: its share of the samples. Stability: mean adjusted Rand index of pairs of seeds."
    ]
    n_samples = sum(map(int, found["sizes"].iloc[0].split()))
    for place, what in (("data", "data"), ("code", "codes")):
        counts = found[f"n_{place}"].dropna()
        if len(counts) and counts.max() < n_samples:
            notes.append(f"On the {what}: of {_range(counts)} samples of {n_samples}, drawn at random.")
    return notes


def _range(counts):
    low, high = int(counts.min()), int(counts.max())
    return str(low) if low == high else f"{low} to {high}"


def _cut(sizes, most=10):
    words = sizes.split()
    return " ".join(words[:most]) + (f" and {len(words) - most} more" if len(words) > most else "")
