"""Runs on all samples beside runs whose seeds each drew a share of them: the start's spread, and that of both."""

import pandas as pd

from deepkm.numerics.metrics import title_of
from deepkm.report.tables.layout import NOTHING, Cell, Table, spread
from deepkm.report.tables.overall import ORDER

_TOLD = ["mean", "std", "n", "runs", "one_run"]
_ABOUT = (
    "All: every seed trains on all samples, so that runs differ in their start alone. Share: each on samples that it "
    "draws by itself, without replacement and the same for all methods, so that they differ in start and data. Mean ± "
    "sample standard deviation, of (n) runs."
)


def set_side_by_side(summaries, resampled):
    """Return what runs reach on all samples and, in the next row, on those that their seeds drew.

    Parameters
    ----------
    summaries : dict of str to DataFrame
        By metric: from `deepkm.report.tables.scores.summarize`.
    resampled : dict of str to (float, str)
        Of each data set whose seeds draw samples: the share, and the data set of all of them; "" where there is none.

    Returns
    -------
    DataFrame
        Of each such pair of data sets, by metric and method: ``share`` is 1 for all samples.
    """
    columns = ["dataset", "share", "metric", "method", *_TOLD]
    rows = []
    for metric in ORDER:
        found = summaries[metric].set_index("dataset")
        for key, (share, whole) in resampled.items():
            if whole:
                sides = [found.loc[[of]].assign(dataset=whole, share=part) for of, part in ((whole, 1.0), (key, share))]
                rows.append(pd.concat(sides).assign(metric=metric))
    return pd.concat(rows, ignore_index=True)[columns] if rows else pd.DataFrame(columns=columns)


def resampled_table(numbers, *, datasets, methods):
    """Return a row per data set, share and method; of each metric all samples, then those that the seeds drew."""
    cells = {key: _cell(rows.iloc[0]) for key, rows in numbers.groupby(["dataset", "share", "method", "metric"])}
    metrics = list(dict.fromkeys(numbers["metric"]))
    shares = numbers.loc[numbers["share"] < 1, ["dataset", "share"]].drop_duplicates()
    rows = [
        [
            Cell(datasets[dataset]),
            Cell(title, method=method),
            Cell(f"{100 * share:g} %", share),
            *(cells[dataset, part, method, metric] for metric in metrics for part in (1.0, share)),
        ]
        for dataset, share in shares.itertuples(index=False)
        for method, title in methods.items()
        if any(cells[dataset, part, method, metric].value is not None for metric in metrics for part in (1.0, share))
    ]
    header = ["Data set", "Method", "Share", *(text for key in metrics for text in (f"{title_of(key)}, all", "share"))]
    notes = [_ABOUT if rows else "No data set of this study stands beside one with `resample`."]
    return Table("resampled", "Start alone, start and data", header, rows, notes, align="ll")


def _cell(row):
    if not row["n"]:
        return Cell(NOTHING)
    text = f"{row['mean']:.1f}, 1 run" if row["one_run"] else spread(row["mean"], row["std"], row["runs"])
    return Cell(f"{text} ({row['n']})", row["mean"])
