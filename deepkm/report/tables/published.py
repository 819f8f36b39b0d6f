"""Published figures, as they were printed, beside a study's own."""

import math
from pathlib import Path

import numpy as np
import pandas as pd

from deepkm.numerics.metrics import METRICS, title_of
from deepkm.report.frames import read_frame
from deepkm.report.tables.layout import Cell, Table, number_cell, spread

FILE = Path(__file__).with_name("published.csv")
# Keys of published settings (Roy 2024, Table 4), and the parameters that they are here.
SETTINGS = {
    "alpha": "alpha",
    "lambda": "clustering_weight",
    "pretrain_epochs": "pretraining_epochs",
    "finetune_epochs": "epochs",
    "batch_size": "batch_size",
}
_SETTINGS_OF = {"dkm_reinit": "dkm", "ct_no_reinit": "ct"}


def load_published():
    """Return the published figures: source, table, method, printed_name, dataset, metric, mean, std, note, views.

    ``views`` tells whether the network was trained on shifted, turned or otherwise changed images too: it was told more
    than the data.
    """
    found = read_frame(FILE).fillna({"note": ""})
    return found.assign(views=found["views"] == "yes")


def set_beside(summaries, parameters, origins):
    """Return a study's figures beside all published ones of the same method, data and metric.

    Parameters
    ----------
    summaries : dict of str to DataFrame
        From `deepkm.report.tables.scores.summarize`, by metric.
    parameters : DataFrame
        From `deepkm.report.tables.parameters.select_parameters`.
    origins : dict
        Of each data set: the ``source`` that the figures are of, and how the data set ``departs`` from it.

    Returns
    -------
    DataFrame
        ``difference`` (here minus published) is in points, ``in_stds`` the same in published standard deviations.
        ``remark`` says where data, settings or the reading of a method differ, or a figure is doubtful.
    """
    published = load_published()
    found = published[published["metric"].isin(METRICS)].drop_duplicates(["source", "method", "dataset", "metric"])
    by_key = dict(iter(found.groupby(["method", "dataset", "metric"])))
    settings = published[published["metric"].isin(SETTINGS)]
    rows = []
    for metric, summary in summaries.items():
        for here in summary[summary["n"] > 0].itertuples():
            origin = origins[here.dataset]
            for row in by_key.get((here.method, origin["source"], metric), found[:0]).itertuples():
                remarks = [row.note, origin["departs"] and f"data: {origin['departs']}"]
                if row.source.startswith("Roy2024"):
                    remarks.append(_other_settings(parameters, settings, here, origin["source"]))
                rows.append({**_difference(here, row), "remark": "; ".join(filter(None, remarks))})
    columns = "dataset method metric source table views mean std n published published_std difference in_stds".split()
    columns.append("remark")
    places = zip(*(next(iter(summaries.values()))[name] for name in ("dataset", "method")), strict=True)
    order = {place: number for number, place in enumerate(places)}
    rows.sort(key=lambda row: order[row["dataset"], row["method"]])
    return pd.DataFrame(rows, columns=columns)


def _difference(here, row):
    difference = here.mean - row.mean
    return {
        "dataset": here.dataset,
        "method": here.method,
        "metric": row.metric,
        "source": row.source,
        "table": row.table,
        "views": row.views,
        "mean": here.mean,
        "std": here.std,
        "n": here.n,
        "published": row.mean,
        "published_std": row.std,
        "difference": difference,
        "in_stds": difference / row.std if row.std else np.nan,
    }


def _other_settings(parameters, settings, here, source):
    """Return in which published settings a run departs, such as "alpha 2 (published 3)"."""
    method = _SETTINGS_OF.get(here.method, here.method)
    used = parameters[(parameters["dataset"] == here.dataset) & (parameters["method"] == here.method)]
    printed = settings[(settings["dataset"] == source) & settings["method"].isin([method, "all"])]
    if used.empty or method not in set(printed["method"]):
        return ""
    values = [(SETTINGS[row.metric], used.iloc[0][SETTINGS[row.metric]], row.mean) for row in printed.itertuples()]
    return "; ".join(f"{name} {value:g}, published {mean:g}" for name, value, mean in values if value != mean)


def published_table(summary, *, datasets, methods):
    """Return the study's figures beside published ones, with numbered remarks."""
    remarks, rows = {}, []
    for row in summary.itertuples():
        numbers = [remarks.setdefault(text, len(remarks) + 1) for text in row.remark.split("; ") if text]
        published = (
            f"{row.published:.1f}" if math.isnan(row.published_std) else spread(row.published, row.published_std, 2)
        ) + (", views" if row.views else "")
        rows.append(
            [
                Cell(datasets[row.dataset]),
                Cell(methods[row.method], method=row.method),
                Cell(title_of(row.metric)),
                Cell(row.source),
                Cell(spread(row.mean, row.std, row.n), row.mean),
                Cell(published, row.published),
                number_cell(row.difference, "+z.1f"),
                number_cell(row.in_stds, "+z.1f"),
                Cell(" ".join(map(str, sorted(numbers)))),
            ]
        )
    header = ["Data set", "Method", "Metric", "Source", "Here, %", "Published, %", "Difference", "In std", "Remarks"]
    notes = ["Difference in points, here minus published, and in published standard deviations."]
    if len(summary) and summary["views"].any():
        notes.append(
            "Views: trained on changed images (shifted, turned) beside the data, which tells more than they do."
        )
    notes += [f"{number}: {text}." for text, number in remarks.items()]
    if not rows:
        notes = ["No figures are published for these data sets and methods."]
    return Table("published", "Beside published figures", header, rows, notes, align="llll")
