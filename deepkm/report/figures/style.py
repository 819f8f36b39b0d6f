"""How figures look: one style, and one colour, line and marker per method; what a figure is, and how it is saved."""

from dataclasses import dataclass
from itertools import cycle
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from sklearn.isotonic import isotonic_regression

# Of methods whose entry names none; those of config.yaml are told apart by colour-blind readers (P. Tol's schemes).
SPARE_COLORS = ("#000000", "#ee3377", "#009988", "#cc3311", "#33bbee")
# Beside its colour, a method is told by its line and its marker: so many hues are too many for any eye.
# Without a common factor, so that each of 5 x 13 methods has a pair of its own.
DASHES = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (5, 1.2, 1.2, 1.2)), (0, (9, 1.5)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "*", "d")
CLASS_COLORS = (
    "#332288 #88ccee #44aa99 #117733 #999933 #ddcc77 #cc6677 #882255 #aa4499 #222222".split()  # P. Tol's muted ones
)
OTHERS = "#dddddd"
WIDTH = 7.16  # inches: a page of two columns
STYLE: dict[Any, Any] = {
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
class Method:
    """How a method of a study is shown, the same in all of its figures.

    Attributes
    ----------
    title, color : str
    place : int
        Among the study's methods: it gives dashes and marker.
    """

    title: str
    color: str
    place: int

    @property
    def line(self):
        """Colour and dashes of its lines."""
        return {"color": self.color, "linestyle": DASHES[self.place % len(DASHES)]}

    @property
    def marker(self):
        """Colour and marker of its points."""
        return {"color": self.color, "marker": MARKERS[self.place % len(MARKERS)]}


def methods_of(titles, colors):
    """Return each `Method` of a study by its key, in order.

    Parameters
    ----------
    titles : dict of str to str
    colors : dict of str to str
        Of those methods that have one of their own.
    """
    spare = cycle(SPARE_COLORS)
    return {
        key: Method(title=title, color=colors.get(key) or next(spare), place=place)
        for place, (key, title) in enumerate(titles.items())
    }


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
        What is shown and what to look for, on any number of lines.
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
        said = {name: value for name, value in vars(self).items() if name != "figure"}
        return said | {"caption": " ".join(self.caption.split())}


@styled
def save(figure, stem):
    """Write a figure as `stem`.png and `stem`.svg: the same bytes each time."""
    figure.savefig(f"{stem}.png")
    figure.savefig(f"{stem}.svg", metadata={"Date": None})


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


def in_words(values, methods, *, unit=" %", digits=1):
    """Return "CT 86.1 %, DKM 83.0 %" of a mapping of methods to numbers, largest first."""
    ranked = sorted(values.items(), key=lambda item: -item[1])
    return ", ".join(f"{methods[key].title} {value:.{digits}f}{unit}" for key, value in ranked)


def new_figure(height, *, title=None, width=WIDTH, layout="constrained"):
    """Return an empty figure with a title; `layout` "none" leaves places to the caller."""
    figure = Figure(figsize=(width, height), layout=layout)
    if title:
        figure.suptitle(title)
    return figure


def panel_axes(figure, count, *, columns, **options):
    """Return `count` axes in rows of so many columns, from the upper left."""
    axes = figure.subplots(-(-count // columns), columns, squeeze=False, **options).flatten()
    for axis in axes[count:]:
        axis.set_visible(False)
    return axes[:count]
