"""Figures of a study: a function takes a table and returns a Matplotlib figure, or None if there is nothing to draw."""

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, MaxNLocator, NullFormatter

# Colours that colour-blind readers tell apart (after P. Tol's schemes), one per method and the same in every figure.
COLORS = {
    "km": "#888888",
    "aekm": "#88ccee",
    "aekm_long": "#332288",
    "dkm": "#ddaa33",
    "dkm_reinit": "#882255",
    "ct": "#117733",
    "ct_no_reinit": "#cc6677",
    "dcn": "#44aa99",
    "dec": "#999933",
    "idec": "#aa4499",
    "dkm_annealed": "#661100",
    "power_kmeans": "#6699cc",
    "deep_power_kmeans": "#aa7744",
    "soft_kmeans": "#bbbbbb",
    "soft_kmeans_free": "#555555",
    "conv_dkm": "#ee7733",
    "deepcluster": "#0077bb",
}
SPARE_COLORS = ("#000000", "#ee3377", "#009988", "#cc3311", "#33bbee")
STYLE = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "figure.constrained_layout.use": True,
    "figure.titlesize": 10,
    "font.size": 9,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 1.5,
    "savefig.dpi": 200,
    "svg.hashsalt": "deepkm",
}
LOSSES = {"reconstruction": "Reconstruction: squared error per sample", "clustering": "Clustering term, unweighted"}


@mpl.rc_context(STYLE)
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
        Lines are means over seeds, bands their standard deviation.
    """
    terms = [term for term in LOSSES if term in curves and curves[term].notna().any()]
    if not terms:
        return None
    figure, axes = _panels(len(terms), title=f"{title}: losses while fine-tuning")
    for axis, term in zip(axes, terms, strict=True):
        for method, rows in _by_method(curves.dropna(subset=[term]), titles):
            _draw_curve(axis, rows, term, color=color_of(method, titles), label=titles[method])
        axis.set(title=LOSSES[term], yscale="log")
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.yaxis.set_major_formatter(FormatStrFormatter("%g"))
        axis.yaxis.set_minor_formatter(NullFormatter())
    _add_legend(figure, axes)
    return figure


@mpl.rc_context(STYLE)
def draw_scores(curves, titles, *, title):
    """Draw ACC and NMI over epochs; methods that do not fine-tune are dotted levels. See `draw_losses`."""
    curves = curves.dropna(subset=["acc"])
    if curves.empty:
        return None
    figure, axes = _panels(2, title=f"{title}: agreement with the true classes")
    for axis, metric in zip(axes, ("acc", "nmi"), strict=True):
        percent = curves.assign(**{metric: 100 * curves[metric]})
        for method, rows in _by_method(percent, titles):
            look = {"color": color_of(method, titles), "label": titles[method]}
            if rows["epoch"].max() > 0:
                _draw_curve(axis, rows, metric, **look)
            else:
                axis.hlines(rows[metric].mean(), 0, max(1, curves["epoch"].max()), linestyles=":", **look)
        # Methods that start from scratch would squeeze all others: the axis reaches down to what is reached in the end.
        lowest = min(_last(rows)[metric].min() for _, rows in _by_method(percent, titles))
        axis.set(title=f"{metric.upper()} [%]", ylim=(max(-2, lowest - 5), None))
    _add_legend(figure, axes)
    return figure


@mpl.rc_context(STYLE)
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
    figure, axes = _panels(2, title=f"{title}: with and without re-initialised centers")
    shown = [method for pair in ablations for method in reversed(pair)]
    place = {method: i + 0.5 * (i // 2) for i, method in enumerate(shown)}  # a gap between pairs
    for axis, metric in zip(axes, ("acc", "nmi"), strict=True):
        for method in shown:
            x, values = place[method], 100 * scores.loc[scores["method"] == method, metric].to_numpy()
            axis.bar(x, values.mean(), color=color_of(method, titles), alpha=0.8)
            axis.text(x, 3, f"{values.mean():.1f}", ha="center", weight="bold", color="white")
            spread = np.linspace(-0.25, 0.25, len(values)) if len(values) > 1 else np.zeros(1)
            axis.plot(x + spread, values, "o", ms=3.5, mfc="white", mec="black", mew=0.8)
        axis.set_xticks([*place.values()], [titles[method] for method in shown], rotation=20, ha="right")
        axis.set(title=f"{metric.upper()} [%]", ylim=(0, 100))
    return figure


def color_of(method, methods):
    """Return the colour of a method: its own, or a spare one by its place among the methods without one."""
    others = [other for other in methods if other not in COLORS]
    return COLORS.get(method) or SPARE_COLORS[others.index(method) % len(SPARE_COLORS)]


@mpl.rc_context(STYLE)
def save(figure, stem):
    """Write a figure as `stem`.png and `stem`.svg."""
    figure.savefig(f"{stem}.png")
    figure.savefig(f"{stem}.svg", metadata={"Date": None})


def _panels(count, *, title):
    figure = Figure(figsize=(7.2, 3.2))
    axes = figure.subplots(1, count, squeeze=False)[0]
    figure.suptitle(title)
    return figure, axes


def _by_method(curves, titles):
    for method in titles:
        rows = curves[curves["method"] == method]
        if len(rows):
            yield method, rows


def _last(rows):
    """Return the rows of each run's last epoch."""
    return rows.loc[rows.groupby("seed")["epoch"].idxmax()]


def _draw_curve(axis, rows, column, *, color, label):
    table = rows.pivot(index="epoch", columns="seed", values=column)
    mean, deviation = table.mean(axis=1), table.std(axis=1, ddof=0)
    axis.plot(table.index, mean, color=color, label=label)
    axis.fill_between(table.index, mean - deviation, mean + deviation, color=color, alpha=0.12, lw=0)
    axis.set_xlabel("Fine-tuning epoch")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))


def _add_legend(figure, axes):
    """One legend below all panels, each label once."""
    entries = {}
    for axis in axes:
        entries |= {label: handle for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.set_figheight(2.8 + 0.18 * -(-len(entries) // 4))  # panels keep their height
    figure.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=4)
