"""How figures look: one style, and one colour, line and marker per method; what a figure is, and how it is saved."""

from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from sklearn.isotonic import isotonic_regression

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
# Beside its colour, a method is told by its line and its marker: 17 hues are too many for any eye.
DASHES = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (5, 1.2, 1.2, 1.2)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h")
CLASS_COLORS = (
    "#332288 #88ccee #44aa99 #117733 #999933 #ddcc77 #cc6677 #882255 #aa4499 #222222".split()  # P. Tol's muted ones
)
OTHERS = "#dddddd"
WIDTH = 7.16  # inches: a page of two columns
STYLE = {
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 8,
    "figure.constrained_layout.w_pad": 0.07,
    "figure.titlesize": 9,
    "font.size": 8,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "lines.linewidth": 1.2,
    "savefig.dpi": 200,
    "svg.hashsalt": "deepkm",
    "text.parse_math": False,  # a title may hold dollar signs
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
}
styled = mpl.rc_context(STYLE)


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A figure, and what the page around it says.

    Attributes
    ----------
    figure : Figure
    stem : str
        Of its files.
    group, title : str
    caption : str
        What is shown and what to look for.
    alt : str
        What the figure says, for those who cannot see it.
    datasets, methods : tuple of str
        Keys of what it shows.
    """

    figure: Figure
    stem: str
    group: str
    title: str
    caption: str
    alt: str
    datasets: tuple
    methods: tuple

    def about(self):
        """Return everything but the figure, for ``figures.json``."""
        return {name: value for name, value in vars(self).items() if name != "figure"}


@styled
def save(figure, stem):
    """Write a figure as `stem`.png and `stem`.svg: the same bytes each time."""
    figure.savefig(f"{stem}.png")
    figure.savefig(f"{stem}.svg", metadata={"Date": None})


def color_of(method, methods):
    """Return the colour of a method: its own, or a spare one by its place among the methods without one."""
    others = [other for other in methods if other not in COLORS]
    return COLORS.get(method) or SPARE_COLORS[others.index(method) % len(SPARE_COLORS)]


def place_of(method, methods):
    """Return a number that no other method has, the same in every figure of a study."""
    others = [other for other in methods if other not in COLORS]
    return list(COLORS).index(method) if method in COLORS else len(COLORS) + others.index(method)


def line_of(method, methods):
    """Return the colour and dashes of a method's lines."""
    return {"color": color_of(method, methods), "linestyle": DASHES[place_of(method, methods) % len(DASHES)]}


def marker_of(method, methods):
    """Return the colour and marker of a method's points."""
    return {"color": color_of(method, methods), "marker": MARKERS[place_of(method, methods) % len(MARKERS)]}


def label_beside(axis, ends, *, size=7):
    """Write a key at the right of an axis, in the order of the points that it names, each joined to its point.

    Parameters
    ----------
    axis : Axes
        With its final limits, in a figure of final size.
    ends : list of (x, y, text, look)
        Points in data coordinates; `look` is that of their line or marker. NaN is left out.
    size : float
        Of the font.
    """
    ends = [end for end in ends if np.isfinite(end[:2]).all()]
    axis.get_xlim(), axis.get_ylim()
    to_axes = axis.transData + axis.transAxes.inverted()
    places = np.array([to_axes.transform(end[:2]) for end in ends]).reshape(-1, 2).clip(0, 1)
    order = np.argsort(places[:, 1], kind="stable")
    inches = 0.72 * axis.figure.get_figheight() * axis.get_subplotspec().get_position(axis.figure).height
    for index, height in zip(order, spread(places[order, 1], 1.15 * size / 72 / inches), strict=True):
        (x, y), (_, _, text, look) = places[index], ends[index]
        outside = {"transform": axis.transAxes, "clip_on": False}
        axis.add_artist(Line2D([x, 1.02, 1.08], [y, y, height], lw=0.35, color=look["color"], alpha=0.7, **outside))
        axis.add_artist(Line2D([1.08, 1.13, 1.18], 3 * [height], markevery=[1], ms=4, **look, **outside))
        axis.text(1.2, height, text, fontsize=size, va="center", transform=axis.transAxes)


def spread(heights, gap):
    """Return the heights in [0, 1] nearest to sorted ones, in least squares, that lie `gap` apart.

    Examples
    --------
    >>> spread([0.5, 0.5, 0.9], 0.2).round(6).tolist()
    [0.4, 0.6, 0.9]
    """
    steps = np.arange(len(heights)) * min(gap, 1 / max(1, len(heights) - 1))
    if len(heights) == 0:
        return steps
    return isotonic_regression(np.asarray(heights) - steps, y_min=0, y_max=1 - steps[-1]) + steps


def in_words(values, titles, *, unit=" %", digits=1):
    """Return "CT 86.1 %, DKM 83.0 %" of a mapping of methods to numbers, largest first."""
    ranked = sorted(values.items(), key=lambda item: -item[1])
    return ", ".join(f"{titles[key]} {value:.{digits}f}{unit}" for key, value in ranked)


def new_figure(height, *, title=None, width=WIDTH, layout="constrained"):
    """Return an empty figure with a title; `layout` "none" leaves places to the caller."""
    figure = Figure(figsize=(width, height), layout=layout)
    if title:
        figure.suptitle(title)
    return figure
