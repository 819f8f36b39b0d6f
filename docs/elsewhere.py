"""What others published, as docs/LEADERBOARD.md shows it beside own runs."""

import pandas as pd

from deepkm.numerics.metrics import METRICS, PRIMARY_METRIC, title_of
from deepkm.report.tables.layout import Cell, Table
from deepkm.report.tables.published import load_published

ORDER = [PRIMARY_METRIC, *(name for name in METRICS if name != PRIMARY_METRIC)]


def published_figures(dataset):
    """Return the table of what others published on one data set; None where there is nothing."""
    found = load_published()
    found = found[(found["dataset"] == dataset) & found["metric"].isin(METRICS)]
    if found.empty:
        return None
    rows = []
    for (source, table, name), figures in found.groupby(["source", "table", "printed_name"], sort=False, dropna=False):
        by_metric = figures.drop_duplicates("metric").set_index("metric")
        cells = [printed_cell(by_metric.loc[metric]) if metric in by_metric.index else Cell("-") for metric in ORDER]
        views = "yes" if figures["views"].any() else "no"
        rows.append(
            [Cell(str(name)), *cells, Cell(views), Cell(f"{source}, table {table}" if str(table) != "nan" else source)]
        )
    header = ["Method as printed", *map(title_of, ORDER), "Views", "Source"]
    return Table(
        f"published-{dataset}", "Published", header, rows, ["As printed, in %; other autoencoders, scalings and seeds."]
    )


def printed_cell(row):
    """Return the cell of a printed figure, with its deviation where there is one."""
    return Cell(f"{row['mean']:.1f}" if pd.isna(row["std"]) else f"{row['mean']:.1f} ± {row['std']:.1f}", row["mean"])
