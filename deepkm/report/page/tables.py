"""Tables that only the page shows, and how it shows the others."""

import math
from dataclasses import replace

import pandas as pd

from deepkm.numerics.metrics import METRICS, title_of
from deepkm.report.tables.layout import NOTHING, Cell, Table, number_cell


def scores_tables(tables, *, datasets):
    """Return a table of scores for each data set, methods as rows and metrics as columns, and what they mean.

    Parameters
    ----------
    tables : list of Table
        From `deepkm.report.tables.scores.score_table`, one for each metric: data sets as columns.
    datasets : dict of str to str
        Titles by key.

    Returns
    -------
    list of Table, list of str
        Data sets without any score are left out.
    """
    made = []
    for place, (key, title) in enumerate(datasets.items(), 1):
        rows = [[row[0][0], *(cells[place] for cells in row)] for row in zip(*(t.rows for t in tables), strict=True)]
        if any(cell.value is not None for row in rows for cell in row[1:]):
            header = ["Method", *(table.title.replace(" in", ",") for table in tables)]
            made.append(Table(f"scores-{key}", title if len(datasets) > 1 else "Scores", header, rows))
    return made, list(dict.fromkeys(note for table in tables for note in table.notes))


def data_table(described, *, datasets):
    """Return what the data sets of a study are, a row each.

    Parameters
    ----------
    described : dict of str to dict
        By key: ``shape`` (N, ...), ``class_counts`` (None without classes), ``n_clusters`` and ``scaling``. Those of
        which nothing is known any more are left out.
    datasets : dict of str to str
        Titles by key.
    """
    rows = []
    for key in (key for key in datasets if key in described):
        about = described[key]
        (n_samples, *shape), counts = about["shape"], about["class_counts"] or []
        form = f" ({' × '.join(map(str, shape))})" if len(shape) > 1 else ""
        n_features = math.prod(shape)
        balance = f"{min(counts)} to {max(counts)}" if len(set(counts)) > 1 else str(counts[0]) if counts else NOTHING
        cells = [Cell(str(n_samples), n_samples), Cell(f"{n_features}{form}", n_features)]
        cells += [Cell(str(about["n_clusters"]), about["n_clusters"]), Cell(str(len(counts) or "none"), len(counts))]
        rows.append([Cell(datasets[key]), *cells, Cell(balance, min(counts, default=None)), Cell(about["scaling"])])
    header = ["Data set", "Samples, N", "Features, F", "Clusters, K", "Classes", "Samples per class", "Scaling"]
    return Table("data", "Data and runs", header, rows, align="lrrrrrl")


SCORES_OF_SIDES = ("Method, %", "Other, %")  # of contrasts: the table of scores has them


def compact(table):
    """Return a table without `SCORES_OF_SIDES`, and without columns in which all rows are equal: a note says those."""
    alike = {i: {row[i].text for row in table.rows} for i in range(len(table.header))}
    same = [i for i, texts in alike.items() if len(table.rows) > 1 and len(texts) == 1]
    if len(same) == len(table.header):
        return table
    left = [i for i, title in enumerate(table.header) if i not in same and title not in SCORES_OF_SIDES]
    said = [f"{table.header[i]}: {text}" for i in same for text in alike[i] - {"", NOTHING}]
    return replace(
        table,
        header=[table.header[i] for i in left],
        rows=[[row[i] for i in left] for row in table.rows],
        notes=[*([f"In all rows: {'; '.join(said)}."] if said else []), *table.notes],
        align="".join(table.columns[i] for i in left),
    )


def runs_table(scores, method, *, datasets):
    """Return a row per run of one method, from ``results/scores.csv``."""
    titles = {"seed": "Seed", **{metric: f"{title_of(metric)}, %" for metric in METRICS}}
    titles |= {"n_clusters_used": "Clusters used", "epochs": "Epochs", "device_seconds": "Seconds"}
    columns = [name for name in titles if name in scores]
    rows = [
        [
            Cell(datasets[row["dataset"]]),
            *(number_cell(100 * row[name], ".1f") if name in METRICS else number_cell(row[name]) for name in columns),
            Cell(_remark(row)),
        ]
        for row in scores[scores["method"] == method].to_dict("records")
    ]
    header = ["Data set", *(titles[name] for name in columns), "Remark"]
    return Table(f"runs-{method}", "Each run", header, rows, align="l" + "r" * len(columns) + "l")


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


def differing_parameters(parameters, method, other):
    """Return in which parameters a method differs from another on the first data set that both have, as text."""
    sides = [parameters[parameters["method"] == key].set_index("dataset") for key in (method, other)]
    shared = [dataset for dataset in sides[0].index if dataset in sides[1].index]
    if not shared:
        return ""
    first, second = (
        side.loc[shared[0]].drop(["method", "estimator"]).map(lambda v: number_cell(v).text) for side in sides
    )
    return ", ".join(f"`{name}` {first[name]}" for name in first.index if first[name] != second[name])


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
            number_cell(100 * stable.get(key, math.nan), "z.1f"),
            Cell(_cut(of["sizes"].iloc[0])),
        ]
        for key in methods
        if len(of := found[found["method"] == key])
    ]
    header = ["Method", *(text for text, _ in kinds.values()), "Stability, %", "Sizes, first seed"]
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
