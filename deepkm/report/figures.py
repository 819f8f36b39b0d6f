"""Figures of a study: a function takes a table and returns a Matplotlib figure, or None if there is nothing to draw."""

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

# Colours that colour-blind readers tell apart (after P. Tol's schemes), one per method and the same in every figure.
COLORS = {
    "km": "#888888",
    "aekm": "#88ccee",
    "aekm_long": "#332288",
    "dkm": "#ddaa33",
    "dkm_reinit": "#882255",
    "ct": "#117733",
    "ct_no_reinit": "#cc6677",
}
SPARE_COLORS = ("#44aa99", "#999933", "#aa4499", "#661100", "#6699cc", "#000000")
STYLE = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.constrained_layout.use": True,
    "font.size": 9,
    "legend.frameon": False,
    "savefig.dpi": 200,
    "svg.hashsalt": "deepkm",
}


def draw_losses(curves, titles, *, title):
    """Draw the reconstruction and the clustering loss over epochs.

    Parameters
    ----------
    curves : DataFrame
        Rows of ``results/epochs.csv`` for one data set.
    titles : dict of str to str
        Titles of the methods by key, in order.
    title : str
        The data set's.

    Returns
    -------
    Figure or None
        Lines are means over seeds, bands reach from the lowest to the highest seed.
    """
    terms = {
        "reconstruction": "Squared error per sample",
        "clustering": "Clustering term, before its weight",
    }
    trained = curves.dropna(subset=["loss"]) if "loss" in curves else curves.iloc[:0]
    if trained.empty:
        return None
    figure, axes = _panels(len(terms), title=f"{title}: losses while fine-tuning")
    for axis, (term, label) in zip(axes, terms.items(), strict=True):
        for method in _present(titles, trained.dropna(subset=[term]) if term in trained else trained.iloc[:0]):
            _curve(axis, trained[trained["method"] == method], term, titles, method)
        axis.set(title=term.capitalize(), xlabel="Fine-tuning epoch", ylabel=label, yscale="log")
    _legend(figure, axes)
    return figure


def draw_scores(curves, titles, *, title):
    """Draw ACC and NMI over epochs; methods that do not fine-tune are dotted levels. See `draw_losses`."""
    scored = curves.dropna(subset=["acc"])
    if scored.empty:
        return None
    figure, axes = _panels(2, title=f"{title}: agreement with the true classes")
    last = scored["epoch"].max()
    for axis, metric in zip(axes, ("acc", "nmi"), strict=True):
        for method in _present(titles, scored):
            rows = scored[scored["method"] == method]
            if rows["epoch"].max() == 0:
                level = 100 * rows[metric].mean()
                axis.plot([0, last], [level, level], ":", lw=1.6, color=color_of(method, titles), label=titles[method])
            else:
                _curve(axis, rows.assign(**{metric: 100 * rows[metric]}), metric, titles, method)
        axis.set(title=metric.upper(), xlabel="Fine-tuning epoch", ylabel=f"{metric.upper()} [%]")
    _legend(figure, axes)
    return figure


def draw_ablations(scores, titles, ablations, *, title):
    """Draw ACC and NMI with and without re-initialisation: bars are means, points are seeds.

    Parameters
    ----------
    scores : DataFrame
        Rows of ``results/scores.csv`` for one data set.
    titles, title
        As in `draw_losses`.
    ablations : list of [str, str]
        Methods with re-initialisation and the same without it.
    """
    scores = scores.dropna(subset=["acc"])
    if scores.empty or not ablations:
        return None
    figure, axes = _panels(2, title=f"{title}: center re-initialisation")
    shown = [method for pair in ablations for method in reversed(pair)]
    place = {method: i + 0.5 * (i // 2) for i, method in enumerate(shown)}  # a gap between pairs
    for axis, metric in zip(axes, ("acc", "nmi"), strict=True):
        for method in shown:
            values = 100 * scores.loc[scores["method"] == method, metric].to_numpy()
            axis.bar(place[method], values.mean(), color=color_of(method, titles), alpha=0.75, width=0.8)
            offset = np.linspace(-0.2, 0.2, len(values)) if len(values) > 1 else [0]
            axis.plot(place[method] + np.asarray(offset), values, "o", ms=3.5, mfc="white", mec="black", mew=0.8)
        axis.set_xticks(list(place.values()), [titles[method] for method in shown], rotation=20, ha="right")
        low = scores.loc[scores["method"].isin(shown), metric].min() * 100
        axis.set(
            title=metric.upper(), ylabel=f"{metric.upper()} [%]", ylim=(max(0, np.floor(low / 10) * 10 - 10), None)
        )
    return figure


def color_of(method, methods):
    """Return the colour of a method: its own, or a spare one by its place among the methods without one."""
    others = [other for other in methods if other not in COLORS]
    return COLORS.get(method) or SPARE_COLORS[others.index(method) % len(SPARE_COLORS)]


def save(figure, stem):
    """Write a figure as `stem`.png and `stem`.svg."""
    with mpl.rc_context(STYLE):
        figure.savefig(f"{stem}.png")
        figure.savefig(f"{stem}.svg", metadata={"Date": None})


def _panels(count, *, title):
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(3.6 * count, 3.2))
        axes = figure.subplots(1, count)
    figure.suptitle(title, fontsize=10)
    return figure, axes


def _present(titles, curves):
    return [method for method in titles if (curves["method"] == method).any()]


def _curve(axis, rows, column, titles, method):
    table = rows.pivot(index="epoch", columns="seed", values=column).dropna(how="all")
    color = color_of(method, titles)
    axis.plot(table.index, table.mean(axis=1), color=color, lw=1.6, label=titles[method])
    axis.fill_between(table.index, table.min(axis=1), table.max(axis=1), color=color, alpha=0.15, lw=0)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))


def _legend(figure, axes):
    """One legend below all panels, holding each label once."""
    entries = {}
    for axis in axes:
        entries |= dict(zip(*reversed(axis.get_legend_handles_labels()), strict=True))
    figure.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=4, fontsize=8)
