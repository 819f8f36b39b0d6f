"""How much scores hang on lambda and alpha: methods of a study that differ in nothing else."""

import numpy as np
import pandas as pd

from deepkm.numerics.metrics import MAIN_METRIC, title_of
from deepkm.report.figures.style import Drawing, new_figure, styled
from deepkm.report.statistics.spread import band

SYMBOLS = {"clustering_weight": "clustering weight λ", "alpha": "α"}
IDENTITY = {"dataset", "method", *SYMBOLS}
CAPTION = """
Mean {metric} of {name} over seeds; its entries in the study differ in nothing else. Look for a plateau: a single good
value amid bad ones can only be found by those who know the classes.
"""


def find_grids(parameters):
    """Return groups of methods of one data set that differ in nothing but lambda and alpha.

    Parameters
    ----------
    parameters : DataFrame
        Rows of ``results/parameters.csv`` for one data set.

    Returns
    -------
    list of DataFrame
        Rows of each group of at least three, with the columns method, estimator and those of `SYMBOLS` that vary.
    """
    known = [name for name in SYMBOLS if name in parameters]
    same = [name for name in parameters if name not in IDENTITY]
    filled = parameters[same].astype(object).where(parameters[same].notna(), "")
    groups = parameters.groupby([filled[name].map(str) for name in same], sort=False) if known else []
    grids = []
    for _, rows in groups:
        varying = [name for name in known if rows[name].nunique() > 1]
        if len(rows) >= 3 and varying and not rows[varying].isna().any(axis=None):
            grids.append(rows[["method", "estimator", *varying]])
    return grids


@styled
def draw_sensitivity(grid, scores, methods, *, dataset, stem):
    """Draw the mean of the first metric over lambda and alpha: a map, or a line where one of them alone varies.

    Parameters
    ----------
    grid : DataFrame
        From `find_grids`.
    scores : DataFrame
        Rows of ``results/scores.csv`` for one data set.
    methods : dict of str to Method
    dataset : (str, str)
        Key and title.
    stem : str
        Of the files.
    """
    scores = scores.dropna(subset=[MAIN_METRIC]).merge(grid, on="method")
    if scores.empty:
        return None
    scores = scores.assign(percent=100 * scores[MAIN_METRIC])
    varying = [name for name in SYMBOLS if name in grid]
    name = grid["estimator"].iloc[0].partition(":")[2]
    title = f"{dataset[1]}: {name} by {' and '.join(SYMBOLS[key] for key in varying)}"
    figure = new_figure(2.8, title=title, width=3.5)
    axis = figure.subplots()
    if len(varying) == 2:
        said = draw_map(axis, scores, varying, "percent", title=f"{title_of(MAIN_METRIC)} [%]", form=".1f")
    else:
        said = _draw_line(axis, scores, varying, methods[grid["method"].iloc[0]].color)
    return Drawing(
        figure=figure,
        stem=stem,
        title=title,
        caption=CAPTION.format(name=name, metric=title_of(MAIN_METRIC)),
        alt=f"{title_of(MAIN_METRIC)} by setting. {said}.",
        datasets=(dataset[0],),
        methods=tuple(grid["method"]),
    )


def draw_map(axis, rows, varying, value, *, title, form):
    """Draw the mean of a column over two others as a map, and return in words what it shows.

    Parameters
    ----------
    axis : Axes
    rows : DataFrame
    varying : (str, str)
        Columns of numbers: across, and upwards.
    value : str
    title : str
    form : str
        Of the numbers that are written into the map.
    """
    table = rows.pivot_table(index=varying[1], columns=varying[0], values=value)
    values = table.to_numpy()
    low, high = np.nanmin(values), np.nanmax(values)
    axis.imshow(values, cmap="cividis", vmin=low, vmax=high, origin="lower", aspect="auto")
    for (i, j), number in np.ndenumerate(values):
        if np.isfinite(number):
            ink = "black" if number > (low + high) / 2 else "white"
            axis.text(j, i, format(number, form), ha="center", va="center", fontsize=7, color=ink)
    axis.set_xticks(range(table.shape[1]), [f"{number:g}" for number in table.columns])
    axis.set_yticks(range(table.shape[0]), [f"{number:g}" for number in table.index])
    axis.set(xlabel=name_of(varying[0]), ylabel=name_of(varying[1]), title=title)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    unit = " %" if title.endswith("[%]") else ""
    return ", ".join(
        f"{varying[0]} {j:g} with {varying[1]} {i:g}: {number:{form}}{unit}" for (i, j), number in table.stack().items()
    )


def name_of(parameter):
    """Return how a figure calls a parameter."""
    return SYMBOLS.get(parameter, parameter)


def spread_ticks(axis, numbers):
    """Mark the numbers that were tried, and no others, where they span decades by their logarithms."""
    if min(numbers) > 0 and max(numbers) / min(numbers) >= 10:
        axis.set_xscale("log")
    axis.set_xticks(numbers, [f"{number:g}" for number in numbers])
    axis.minorticks_off()


def _draw_line(axis, scores, varying, color):
    groups = scores.groupby(varying[0])["percent"]
    mean, runs = groups.mean(), pd.DataFrame({key: pd.Series(values.to_numpy()) for key, values in groups}).T
    axis.plot(scores[varying[0]], scores["percent"], "o", ms=2.5, color=color, alpha=0.45)
    axis.plot(mean.index, mean, "o-", color=color)
    axis.fill_between(mean.index, *band(runs), color=color, alpha=0.12, lw=0)
    spread_ticks(axis, mean.index)
    axis.set(xlabel=SYMBOLS[varying[0]], ylabel=f"{title_of(MAIN_METRIC)} [%]")
    return ", ".join(f"{varying[0]} {number:g}: {value:.1f} %" for number, value in mean.items())
