"""Both terms of the loss over fine-tuning epochs, each method beside its like."""

import textwrap

import numpy as np
import pandas as pd
from matplotlib.ticker import FormatStrFormatter, LogLocator, MaxNLocator, NullLocator

from deepkm.report.figures.curves import by_method, draw_band, scale_epochs
from deepkm.report.figures.style import WIDTH, Drawing, legend_below, new_figure, styled

TERMS = {"reconstruction": "Reconstruction", "clustering": "Clustering term"}
MOST_COLUMNS = 6
CAPTION = """
Both terms of the loss over fine-tuning epochs, on logarithmic scales; lines are means over seeds, bands their standard
deviation, or all of fewer than five. A column holds the methods of one class, whose terms are one quantity; squared
errors of reconstruction, summed over features, compare between all columns, and begin before training. Look for a
reconstruction that holds or keeps falling: where it rises while the clustering term falls to nothing, the code
collapses.
"""


@styled
def draw_losses(curves, methods, *, dataset, estimators, starts=None):
    """Draw the reconstruction and the clustering term over epochs, a column per class of methods.

    Parameters
    ----------
    curves : DataFrame
        Rows of ``results/epochs.csv`` for one data set.
    methods : dict of str to Method
        In order.
    dataset : (str, str)
        Key and title.
    estimators : dict of str to str
        The class of each method.
    starts : DataFrame, optional
        Rows of ``results/scores.csv`` for the data set: ``reconstruction_start`` is that before training.

    Returns
    -------
    Drawing or None
        Lines are means over seeds, bands their sample deviation, or from the lowest to the highest of fewer than five.
    """
    panels = {term: _positive(curves, term, methods, starts) for term in TERMS if term in curves}
    panels = {term: rows for term, rows in panels.items() if rows}
    if not panels:
        return None
    shown = {key: method for key, method in methods.items() if any(key in rows for rows in panels.values())}
    families = {}
    for key in shown:
        families.setdefault(estimators.get(key, key), []).append(key)
    first = next(iter(panels.values()))
    terms = {family: sum(keys[0] in rows for rows in panels.values()) for family, keys in families.items()}
    families = dict(
        sorted(families.items(), key=lambda item: (-terms[item[0]], item[1][0] not in first))
    )  # no holes between those with both
    title = f"{dataset[1]}: losses while fine-tuning"
    figure, axes = _grid(len(panels), len(families), n_methods=len(shown), title=title)
    longest = max(rows["epoch"].max() for found in panels.values() for rows in found.values())
    for column, (family, keys) in zip(axes, families.items(), strict=True):
        for axis, (term, found) in zip(column, panels.items(), strict=True):
            _draw_term(axis, {key: found[key] for key in keys if key in found}, term, methods)
            scale_epochs(axis, longest, room=0.3)
        drawn = [axis for axis in column if axis.get_visible()]
        name = family.rpartition(":")[2] if len(keys) > 1 else textwrap.fill(methods[keys[0]].title, 16)
        drawn[0].set_title(name, fontsize=7)
        drawn[-1].set_xlabel("Epoch", fontsize=7)
    for row, term in zip(zip(*axes, strict=True), panels, strict=True):
        _name_row([axis for axis in row if axis.get_visible()], term)
    legend_below(figure, {key: shown[key] for keys in families.values() if len(keys) > 1 for key in keys})
    said = [f"{TERMS[term]}: {_changes(found, term, methods)}" for term, found in panels.items()]
    return Drawing(
        figure=figure,
        stem=f"{dataset[0]}_losses",
        title=title,
        caption=CAPTION,
        alt=f"Line charts over epochs, from first to last. {'. '.join(said)}.",
        datasets=(dataset[0],),
        methods=tuple(shown),
    )


def _positive(curves, term, methods, starts):
    """Return the rows of each method that has values of a term, which a logarithm takes."""
    rows = curves[["method", "seed", "epoch", term, *({"stopped"} & set(curves))]]
    found = dict(by_method(rows[np.isfinite(rows[term]) & (rows[term] > 0)], methods))
    if term == "reconstruction" and starts is not None and "reconstruction_start" in starts:
        first = starts.assign(epoch=0, **{term: starts["reconstruction_start"]})[["method", "seed", "epoch", term]]
        first = first[np.isfinite(first[term]) & (first[term] > 0)]
        found = {key: pd.concat([first[first["method"] == key], rows]) for key, rows in found.items()}
    return found


def _grid(n_terms, n_families, *, n_methods, title):
    """Return a figure, and of each family its axes, one below the other."""
    rows = -(-n_families // MOST_COLUMNS)
    columns = -(-n_families // rows)
    height = 0.45 + rows * (0.3 + 0.9 * n_terms) + 0.14 * -(-n_methods // 4)
    figure = new_figure(height, title=title, width=max(3.5, WIDTH * columns / MOST_COLUMNS))
    axes = figure.subplots(rows * n_terms, columns, squeeze=False)
    for axis in axes.flat:
        axis.set_visible(False)
    return figure, [axes[n_terms * (i // columns) :, i % columns][:n_terms] for i in range(n_families)]


def _draw_term(axis, found, term, methods):
    """Draw a term of methods of one class; nothing where they have none."""
    axis.set_visible(bool(found))
    for key, rows in found.items():
        draw_band(axis, rows, term, methods[key].line | {"label": methods[key].title})
    axis.set_yscale("log")
    _tick(axis)


def _tick(axis):
    low, high = axis.get_ylim()
    decades = LogLocator(subs=(1, 2, 5)) if high < 50 * low else LogLocator(numticks=4)
    axis.yaxis.set_major_locator(MaxNLocator(3) if high < 4 * low else decades)
    axis.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    axis.yaxis.set_minor_locator(NullLocator())


def _name_row(axes, term):
    """Name a term at its first panel in each line of the figure; reconstructions compare: they get the same limits."""
    lines = {axis.get_subplotspec().rowspan.start: axis for axis in reversed(axes)}
    for axis in lines.values():
        axis.set_ylabel(TERMS[term], fontsize=7)
    lows, highs = zip(*(axis.get_ylim() for axis in axes), strict=True)
    for axis in axes if term == "reconstruction" else ():
        axis.set_ylim(min(lows), max(highs))
        _tick(axis)


def _changes(found, term, methods):
    means = {methods[key].title: rows.groupby("epoch")[term].mean() for key, rows in found.items()}
    return ", ".join(f"{title} {mean.iloc[0]:.3g} to {mean.iloc[-1]:.3g}" for title, mean in means.items())
