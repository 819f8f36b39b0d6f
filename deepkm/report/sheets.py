"""Tables as the page shows them: text in cells, what to sort by, what stands out."""

from dataclasses import dataclass, field

import pandas as pd

from deepkm.report.tables import METRICS

NOTHING = "–"
RUN_COLUMNS = {
    "seed": "Seed",
    "acc": "ACC",
    "nmi": "NMI",
    "ari": "ARI",
    "n_clusters_used": "Clusters used",
    "epochs": "Epochs",
    "seconds": "Seconds",
    "diverged": "Diverged",
}


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What one cell shows; `value` is what it sorts by where that cannot be read from its text."""

    text: str
    value: float | None = None
    best: bool = False
    mark: str = ""


@dataclass(frozen=True, kw_only=True)
class Column:
    title: str
    numeric: bool = True


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row; its first cell names it, with a colour and the anchor of what it is about."""

    cells: list[Cell]
    color: str = ""
    link: str = ""


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A table with an anchor, a title above and a note below."""

    key: str
    title: str
    columns: list[Column]
    rows: list[Row] = field(default_factory=list)
    note: str = ""


def score_sheet(summary, metric, *, datasets, methods, colors, n_expected):
    """Return the table of one metric, methods as rows and data sets as columns.

    Parameters
    ----------
    summary : DataFrame
        From `deepkm.report.tables.summarize`.
    metric : str
        A key of `METRICS`.
    datasets, methods : dict of str to str
        Titles by key, in the order to show.
    colors : dict of str to str
        By method.
    n_expected : int
        Seeds of the study; a cell of fewer says so.
    """
    found = {(row.dataset, row.method): row for row in summary.itertuples()}
    best = summary.assign(mean=summary["mean"].round(1)).groupby("dataset")["mean"].max()
    rows = [
        Row(
            cells=[
                Cell(text=title),
                *(_score_cell(found.get((dataset, method)), best.get(dataset), n_expected) for dataset in datasets),
            ],
            color=colors[method],
            link=f"method-{method}",
        )
        for method, title in methods.items()
    ]
    columns = [Column(title="Method", numeric=False), *(Column(title=title) for title in datasets.values())]
    return Sheet(key=metric, title=f"{METRICS[metric]} [%]", columns=columns, rows=rows)


def method_sheet(summaries, method, *, datasets, n_expected):
    """Return the scores of one method, data sets as rows and metrics as columns."""
    found = {
        (metric, row.dataset): row
        for metric, table in summaries.items()
        for row in table.itertuples()
        if row.method == method
    }
    rows = [
        Row(
            cells=[
                Cell(text=title),
                *(_score_cell(found.get((metric, dataset)), None, n_expected) for metric in summaries),
            ]
        )
        for dataset, title in datasets.items()
    ]
    columns = [Column(title="Data set", numeric=False), *(Column(title=f"{METRICS[m]} [%]") for m in summaries)]
    return Sheet(key=f"scores-{method}", title="Scores", columns=columns, rows=rows)


def runs_sheet(scores, method, *, datasets):
    """Return a row per run of one method."""
    table = scores.loc[scores["method"] == method]
    table = table.assign(dataset=table["dataset"].map(datasets), diverged=table["diverged"].map({True: "yes"}))
    shown = {name: title for name, title in RUN_COLUMNS.items() if name in table}
    titled = table[["dataset", *shown]].rename(columns={"dataset": "Data set", **shown})
    scores = titled.reindex(columns=[title for title in METRICS.values() if title in titled])
    titled[scores.columns] = scores.map("{:.3f}".format, na_action="ignore")
    return frame_sheet(titled, f"runs-{method}", title="Each run, scores in [0, 1]", numeric=set(titled) - {"Diverged"})


def parameters_sheet(parameters, method, *, datasets):
    """Return the parameters of one method, a column per data set."""
    table = parameters.loc[parameters["method"] == method].set_index("dataset").drop(columns=["method", "estimator"])
    table = table.dropna(axis="columns", how="all").reindex([key for key in datasets if key in table.index]).T
    table.columns = [datasets[key] for key in table]
    named = table.reset_index(names="Parameter")
    return frame_sheet(named, f"parameters-{method}", title="Parameters", numeric=())


def frame_sheet(table, key, *, title, note="", numeric=None):
    """Return any table as it is, its first column as the rows' names.

    Parameters
    ----------
    table : DataFrame
        Columns are named as they are to be shown.
    numeric : collection of str, optional
        The columns that are aligned and sorted as numbers; by default those of a numeric type.
    """
    numeric = table.select_dtypes("number").columns if numeric is None else numeric
    kinds = [name in numeric for name in table]
    columns = [Column(title=str(name), numeric=kind) for name, kind in zip(table, [False, *kinds[1:]], strict=True)]
    rows = [Row(cells=[Cell(text=show(value)) for value in row]) for row in table.itertuples(index=False)]
    return Sheet(key=key, title=title, columns=columns, rows=rows, note=note)


def show(value):
    """Return a value as text: numbers with at most four significant digits, integers whole.

    Examples
    --------
    >>> [show(value) for value in (0.81234567, 1234567.0, 3, 0.0001, float("nan"), True, "relu")]
    ['0.8123', '1234567', '3', '0.0001', '–', 'True', 'relu']
    """
    if pd.isna(value):
        return NOTHING
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else f"{value:.4g}"
    return str(value)


def _score_cell(row, best, n_expected):
    if row is None:
        return Cell(text=NOTHING)
    text = f"{row.mean:.1f} ± {row.std:.1f}" if row.n > 1 else f"{row.mean:.1f}"
    if row.n < n_expected:
        text += f" ({row.n}/{n_expected})"
    return Cell(text=text, best=round(row.mean, 1) == best)
