"""Published figures, as they were printed, beside a study's own."""

import math
from pathlib import Path

import pandas as pd

from deepkm.numerics.metrics import METRICS, title_of
from deepkm.report.frames import read_frame
from deepkm.report.statistics.published import WIDEST, compare_with_published
from deepkm.report.tables.layout import Cell, Table, number_cell, spread, spread_cell

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
    """Return the published figures: source, table, method, printed_name, dataset, metric, mean, std, n, note, views.

    ``n`` is the number of runs behind a mean, where the source states it. ``views`` tells whether the network was
    trained on shifted, turned or otherwise changed images too: it was told more than the data.
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
        ``difference``, ``margin`` and ``verdict`` as `deepkm.report.statistics.published.compare_with_published` has
        them; the verdict on a method of the study without any run is "not run". ``remark`` says where data, settings or
        the reading of a method differ, or a figure is doubtful.
    """
    published = load_published()
    found = published[published["metric"].isin(METRICS)].drop_duplicates(["source", "method", "dataset", "metric"])
    by_key = dict(iter(found.groupby(["method", "dataset", "metric"])))
    settings = published[published["metric"].isin(SETTINGS)]
    rows = []
    for metric, summary in summaries.items():
        for here in summary[(summary["n"] > 0) | (summary["note"] == "no runs")].itertuples():
            origin = origins[here.dataset]
            for row in by_key.get((here.method, origin["source"], metric), found[:0]).itertuples():
                remarks = [row.note, origin["departs"] and f"data: {origin['departs']}"]
                if row.source.startswith("Roy2024"):
                    remarks.append(_other_settings(parameters, settings, here, origin["source"]))
                rows.append({**_difference(here, row), "remark": "; ".join(filter(None, remarks))})
    columns = "dataset method metric source table views mean std n runs published published_std published_n".split()
    columns += ["difference", "margin", "verdict", "remark"]
    places = zip(*(next(iter(summaries.values()))[name] for name in ("dataset", "method")), strict=True)
    order = {place: number for number, place in enumerate(places)}
    rows.sort(key=lambda row: order[row["dataset"], row["method"]])
    return pd.DataFrame(rows, columns=columns)


def _difference(here, row):
    std = here.standard_error * math.sqrt(here.n)
    known = (row.mean, row.std, 1 if math.isnan(row.n) else row.n)
    compared = compare_with_published((here.mean, std, here.n), known) if here.n else {"verdict": "not run"}
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
        "runs": here.runs,
        "published": row.mean,
        "published_std": row.std,
        "published_n": row.n,
        **compared,
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
        published = spread(row.published, row.published_std) + (", views" if row.views else "")
        rows.append(
            [
                Cell(datasets[row.dataset]),
                Cell(methods[row.method], method=row.method),
                Cell(title_of(row.metric)),
                Cell(row.source),
                spread_cell(row.mean, row.std, row.runs),
                Cell(published, row.published),
                number_cell(row.difference, "+z.1f"),
                number_cell(row.margin, ".1f"),
                Cell(row.verdict),
                Cell(" ".join(map(str, sorted(numbers)))),
            ]
        )
    header = ["Data set", "Method", "Metric", "Source", "Here, %", "Published, %", "Difference", "Margin", "Verdict"]
    notes = _notes(summary) + [f"{number}: {text}." for text, number in remarks.items()]
    title = "Beside published figures"
    return Table("published", title, [*header, "Remarks"], rows, notes, align="llllrrrrll")


def _notes(summary):
    """Return what is compared, and how."""
    if summary.empty:
        return ["No figures are published for these data sets and methods."]
    notes = [
        "Difference in points, here minus published. Margin: how far both may lie apart by chance in 95 % of cases, "
        "from the standard error of the difference. Within it, a figure is reproduced; a margin of more than "
        f"{WIDEST:g} points leaves that open.",
        "Published deviations are read as sample deviations over the runs that their source states, figures of an "
        "unstated number of runs as one run; where no deviation was published, ours stands for it.",
    ]
    if summary["views"].any():
        told = "trained on changed images (shifted, turned) beside the data, which tells more than they do"
        notes.append(f"Views: {told}.")
    return notes
