"""Figures over fine-tuning epochs: losses, and agreement with the true classes."""

import numpy as np
from matplotlib.ticker import FormatStrFormatter, LogLocator, MaxNLocator, NullFormatter

from deepkm.numerics.metrics import MAIN_METRIC, METRICS, title_of
from deepkm.report.figures.style import Drawing, in_words, label_beside, new_figure, panel_axes, styled
from deepkm.report.statistics.spread import band

LOSSES = {"reconstruction": "Reconstruction: squared error per sample", "clustering": "Clustering term, unweighted"}
SCORES_CAPTION = """
Agreement of the labels with the true classes after each fine-tuning epoch; lines are means over seeds, bands their
standard deviation, or all of fewer than five, dotted levels methods that do not fine-tune. Look for curves that rise
from their start and stay up: no method sees the classes, so a curve that falls while its loss falls optimises something
else. Lines end where the last seed met its method's stopping rule.
"""
LOSSES_CAPTION = """
Both terms of the loss over fine-tuning epochs, on a logarithmic scale; lines are means over seeds, bands their standard
deviation, or all of fewer than five. Look for a reconstruction that keeps falling, or at least holds: where it rises
while the clustering term falls to nothing, the code collapses. Clustering terms of different methods are different
quantities: compare their shapes, not their heights.
"""


@styled
def draw_losses(curves, methods, *, dataset):
    """Draw the reconstruction and the clustering loss over epochs.

    Parameters
    ----------
    curves : DataFrame
        Rows of ``results/epochs.csv`` for one data set.
    methods : dict of str to Method
        In order.
    dataset : (str, str)
        Key and title.

    Returns
    -------
    Drawing or None
        Lines are means over seeds, bands their sample deviation, or from the lowest to the highest of fewer than five.
    """
    terms = [term for term in LOSSES if term in curves and np.isfinite(curves[term]).any()]
    if not terms:
        return None
    finite = curves.replace([np.inf, -np.inf], np.nan)
    panels = {term: dict(_by_method(finite.dropna(subset=[term]), methods)) for term in terms}
    figure, axes = _panels(terms, title=f"{dataset[1]}: losses while fine-tuning", panels=panels)
    for axis, term in zip(axes, terms, strict=True):
        axis.set(title=LOSSES[term], yscale="log")
        ends = [_draw_curve(axis, rows, term, method, methods) for method, rows in panels[term].items()]
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.yaxis.set_major_formatter(FormatStrFormatter("%g"))
        axis.yaxis.set_minor_formatter(NullFormatter())
        label_beside(axis, ends)
    said = [f"{LOSSES[term]}: {_changes(panel, term, methods)}" for term, panel in panels.items()]
    return Drawing(
        figure=figure,
        stem=f"{dataset[0]}_losses",
        title=f"{dataset[1]}: losses while fine-tuning",
        group="Training",
        caption=LOSSES_CAPTION,
        alt=f"Line charts over epochs, from first to last. {'. '.join(said)}.",
        datasets=(dataset[0],),
        methods=tuple(method for method in methods if any(method in panel for panel in panels.values())),
    )


@styled
def draw_scores(curves, methods, *, dataset):
    """Draw all metrics over epochs; methods that do not fine-tune are levels. See `draw_losses`."""
    curves = curves.dropna(subset=[MAIN_METRIC])
    if curves.empty:
        return None
    metrics = [metric for metric in METRICS if metric in curves]
    percent = curves.assign(**{metric: 100 * curves[metric] for metric in metrics})
    groups = dict(_by_method(percent, methods))
    longest = max(1, *(rows["epoch"].max() for rows in groups.values()))
    title = f"{dataset[1]}: agreement with the true classes"
    figure, axes = _panels(metrics, title=title, panels=dict.fromkeys(metrics, groups))
    for axis, metric in zip(axes, metrics, strict=True):
        ends = []
        for method, rows in groups.items():
            if rows["epoch"].max() > 0:
                ends.append(_draw_curve(axis, rows, metric, method, methods))
            else:
                level, look = rows[metric].mean(), methods[method].line
                axis.hlines(level, 0, longest, label=methods[method].title, **look | {"linestyle": ":"})
                ends.append((longest, level, methods[method].title, look | {"linestyle": ":"}))
        axis.set(title=f"{title_of(metric)} [%]", ylim=(_lower_end(percent, metric), None))
        label_beside(axis, ends)
    named = ", ".join(map(title_of, metrics))
    final = {method: _last(rows)[MAIN_METRIC].mean() for method, rows in groups.items()}
    return Drawing(
        figure=figure,
        stem=f"{dataset[0]}_scores_over_epochs",
        title=title,
        group="Scores",
        caption=SCORES_CAPTION,
        alt=f"Line charts of {named} over epochs. {title_of(MAIN_METRIC)} at the end: {in_words(final, methods)}.",
        datasets=(dataset[0],),
        methods=tuple(groups),
    )


def _panels(names, *, title, panels):
    most = max(len(panel) for panel in panels.values())
    columns = min(2, len(names))
    rows = -(-len(names) // columns)
    figure = new_figure(rows * max(2.6, 0.7 + 0.145 * most), title=title)
    axes = panel_axes(figure, len(names), columns=columns)
    for axis in axes:
        axis.set_xlabel("Fine-tuning epoch")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
        axis.margins(x=0.02)
    return figure, axes


def _by_method(curves, methods):
    """Yield each method that has rows, up to the epoch in which the last of its runs stopped."""
    for method in methods:
        rows = curves[curves["method"] == method]
        if "stopped" in rows and rows["stopped"].notna().any():
            going_on = rows.loc[rows["stopped"] != 1, "epoch"].max()
            rows = rows[rows["epoch"] <= going_on + 1]
        if len(rows):
            yield method, rows


def _lower_end(curves, metric):
    """Return where the axis starts: below what runs reach in the end, unless all their samples share a cluster.

    Methods that start from scratch would squeeze the curves of all others.
    """
    last = _last(curves)
    lowest = last.loc[last["n_clusters_used"] > 1, metric].min()
    return None if np.isnan(lowest) else max(-2, lowest - 5)


def _last(curves):
    return curves.loc[curves.groupby(["method", "seed"])["epoch"].idxmax()]


def _changes(panel, term, methods):
    means = {methods[key].title: rows.groupby("epoch")[term].mean() for key, rows in panel.items()}
    return ", ".join(f"{title} {mean.iloc[0]:.3g} to {mean.iloc[-1]:.3g}" for title, mean in means.items())


def _draw_curve(axis, rows, column, method, methods):
    """Draw mean and band of one method; return where and how to label it."""
    table, look = rows.pivot(index="epoch", columns="seed", values=column), methods[method].line
    mean = table.mean(axis=1)
    axis.plot(table.index, mean, label=methods[method].title, **look)
    axis.fill_between(table.index, *band(table), color=look["color"], alpha=max(0.05, 0.6 / (4 + len(methods))), lw=0)
    return table.index[-1], mean.iloc[-1], methods[method].title, look
