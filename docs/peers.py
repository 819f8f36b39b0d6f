"""The table of published rows of benchmarks/clustpy_comparison.py."""

from pathlib import Path

from deepkm.numerics.metrics import PRIMARY_METRIC, title_of
from deepkm.report.frames import read_frame
from deepkm.report.statistics.spread import describe_runs
from deepkm.report.tables.layout import NOTHING, Cell, Table, spread

ROWS = Path(__file__).parent / "results" / "clustpy"
COLUMNS = {"deepkm": "DeepKM", "settings": "ClustPy, settings used here", "defaults": "ClustPy, its own defaults"}
METHODS = {"aekm": "AE + k-means", "dcn": "DCN", "dkm": "DKM", "dec": "DEC", "idec": "IDEC"}
READ_OUTS = ("own", "k-means on top")
METRICS = (PRIMARY_METRIC, "acc")


def beside_clustpy(dataset):
    """Return the table of one data set: a row per method, metric and read-out, the number of seeds in brackets."""
    rows = read_frame(ROWS / f"{dataset}.csv")
    found = dict(iter(rows.groupby(["method", "labels", "column"])))
    present = {(method, labels) for method, labels, _ in found}
    lines = [
        [
            *map(Cell, (title, title_of(metric), labels)),
            *(_cell(found.get((method, labels, column)), metric) for column in COLUMNS),
        ]
        for method, title in METHODS.items()
        for labels in READ_OUTS
        for metric in METRICS
        if (method, labels) in present
    ]
    notes = [
        "In %, mean ± sample standard deviation of (n) seeds, of fewer than five each one. Own: the labels that the "
        "method trains with; k-means on top: those that ClustPy returns, of a new k-means on the final code."
    ]
    return Table(f"clustpy-{dataset}", "", ["Method", "Metric", "Labels", *COLUMNS.values()], lines, notes, "lll")


def _cell(runs, metric):
    if runs is None:
        return Cell(NOTHING)
    told = describe_runs(100 * runs[metric])
    return Cell(f"{spread(told['mean'], told['std'], told['runs'])} ({told['n']})", told["mean"])
