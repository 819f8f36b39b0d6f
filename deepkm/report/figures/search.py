"""What a search tried: its criterion, which knows no classes, and beside it what classes say of each setting."""

import json

import numpy as np
import pandas as pd

from deepkm.numerics.metrics import PRIMARY_METRIC, title_of
from deepkm.report.figures.sensitivity import draw_map, name_of, spread_ticks
from deepkm.report.figures.style import Drawing, new_figure, styled
from deepkm.report.tables.search import CRITERION_TITLES
from deepkm.study.search import setting_text

GROUP = "Choice without classes"
CAPTION = """
Left, what the choice went by; right, where classes are known, {metric} on the same search seeds, which it never saw.
The circle is what was chosen{failed}. Look whether both sides rise together: where they do not, the criterion is no
guide for this method on these data.
"""
CHOSEN = "#ee3377"
MOST_NAMED = 40  # settings that a figure can list by name


@styled
def draw_search(choice, peeked, method, methods, *, dataset):
    """Draw what the settings of one method on one data set came to; None where there is nothing to draw.

    Parameters
    ----------
    choice, peeked : DataFrame
        Rows of ``results/search/{choice,peeked}.csv`` for the data set and the method.
    method : str
        Its key.
    methods : dict of str to Method
    dataset : (str, str)
        Key and title.
    """
    criterion = choice["criterion"].iloc[0]
    means = 100 * peeked.groupby("setting")[PRIMARY_METRIC].mean()
    values = pd.DataFrame([json.loads(text) for text in choice["values"]], index=choice.index)
    rows = choice[["setting", criterion, "chosen", "n_failed"]].assign(classes=choice["setting"].map(means))
    rows = rows.assign(**{name: values[name] for name in values})
    panels = {criterion: (CRITERION_TITLES[criterion], ".2f"), "classes": (f"{title_of(PRIMARY_METRIC)} [%]", ".1f")}
    panels = {name: about for name, about in panels.items() if rows[name].notna().any()}
    varying = [name for name in values if values[name].map(str).nunique() > 1]
    if not panels or not varying or len(rows) > MOST_NAMED:
        return None
    numbers = all(pd.api.types.is_numeric_dtype(values[name]) and values[name].dtype != bool for name in varying)
    title = f"{dataset[1]}: search of {methods[method].title} by {' and '.join(map(name_of, varying))}"
    shown = _draw_map if numbers and len(varying) == 2 else _draw_line if numbers and len(varying) == 1 else _draw_list
    figure = new_figure(2.8 if shown is not _draw_list else 1.2 + 0.2 * len(rows), title=title)
    axes = figure.subplots(1, 2, sharey=shown is _draw_list)
    said = []
    for axis, (name, (label, form)) in zip(axes, panels.items(), strict=False):
        said.append(
            f"{label}: {shown(axis, rows, values, varying, value=name, title=label, form=form, look=methods[method])}"
        )
    for axis in axes[len(panels) :]:
        axis.set_visible(False)
    failed = "; a cross is where runs failed" if rows["n_failed"].any() else ""
    return Drawing(
        figure=figure,
        stem=f"{dataset[0]}_search_{method}",
        title=title,
        caption=CAPTION.format(metric=title_of(PRIMARY_METRIC), failed=failed),
        alt=". ".join(said) + f". Chosen: {setting_text(values[choice['chosen'].astype(bool)].iloc[0].to_dict())}.",
        datasets=(dataset[0],),
        methods=(method,),
    )


def _draw_map(axis, rows, values, varying, *, value, title, form, look):
    said = draw_map(axis, rows, varying, value, title=title, form=form)
    x, y = (values[name].rank(method="dense") - 1 for name in varying)
    mine, failed = rows["chosen"].astype(bool), rows["n_failed"] > 0
    axis.plot(x[mine], y[mine], "o", ms=24, mfc="none", mec=CHOSEN, mew=1.5)
    axis.plot(x[failed] + 0.38, y[failed] + 0.35, "x", ms=5, color=CHOSEN)
    return said


def _draw_line(axis, rows, values, varying, *, value, title, form, look):
    [name] = varying
    line = rows.sort_values(name)
    axis.plot(line[name], line[value], "o-", color=look.color)
    _mark(axis, rows, rows[name], rows[value])
    spread_ticks(axis, sorted(values[name]))
    axis.set(xlabel=name_of(name), ylabel=title)
    return ", ".join(f"{name} {x:g}: {y:{form}}" for x, y in zip(line[name], line[value], strict=True))


def _draw_list(axis, rows, values, varying, *, value, title, form, look):
    names = [setting_text(setting) for setting in values[varying].to_dict("records")]
    places = np.arange(len(rows))
    axis.plot(rows[value], places, "o", color=look.color)
    _mark(axis, rows, rows[value], pd.Series(places, index=rows.index))
    axis.set_yticks(places, names)
    axis.set(xlabel=title)
    axis.set_ylim(len(rows) - 0.5, -0.5)
    return ", ".join(f"{name}: {x:{form}}" for name, x in zip(names, rows[value], strict=True))


def _mark(axis, rows, x, y):
    """Mark the chosen setting, and those with failed runs."""
    mine, failed = rows["chosen"].astype(bool), rows["n_failed"] > 0
    axis.plot(x[mine], y[mine], "o", ms=11, mfc="none", mec=CHOSEN, mew=1.5)
    axis.plot(x[failed], y[failed], "x", ms=7, color="black")
