"""How figures look: one style, and one colour, line and marker per method; what a figure is, and how it is saved."""

from dataclasses import dataclass
from io import BytesIO
from itertools import cycle
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

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
FAINT = {"color": "#c4c4c4", "linewidth": 0.7}  # lines of methods without a colour
MOST_COLORS = 7  # that a reader tells apart
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
    "pdf.fonttype": 42,  # letters that can be searched and edited
    "savefig.dpi": 200,
    "svg.fonttype": "none",
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
    figure : Figure or None
        None of one that could not be drawn.
    stem : str
        Of its files.
    title : str
    caption : str
        What is shown and what to look for, on any number of lines; or why there is no figure.
    alt : str
        What the figure says, for those who cannot see it.
    datasets, methods : tuple of str
        Keys of what it shows.
    group : str
        Which figures it stands with: the gallery says so.
    pictures : bool
        Whether it shows samples as images: those keep their black and white at night.
    """

    figure: Figure | None
    stem: str
    title: str
    caption: str
    alt: str = ""
    datasets: tuple = ()
    methods: tuple = ()
    group: str = ""
    pictures: bool = False

    def about(self):
        """Return everything but the figure, for ``figures.json``."""
        said = {name: value for name, value in vars(self).items() if name != "figure"}
        return said | {"caption": " ".join(self.caption.split()), "drawn": self.figure is not None}


@styled
def save(figure, stem):
    """Write a figure as `stem`.png, `stem`.svg, with its text as text, and `stem`.pdf: the same bytes each time.

    Returns
    -------
    list of str
        The files.
    """
    drawn = BytesIO()
    figure.savefig(drawn, format="png")
    figure.set_layout_engine("none")  # laid out: once is enough for all files
    with Image.open(drawn) as image:  # 256 colors: a third of the size
        dots = tuple(image.info["dpi"])
        image.convert("RGB").quantize(method=Image.Quantize.MEDIANCUT).save(f"{stem}.png", optimize=True, dpi=dots)
    figure.savefig(f"{stem}.svg", metadata={"Date": None})
    figure.savefig(f"{stem}.pdf", metadata={"CreationDate": None})
    return [f"{stem}{suffix}" for suffix in (".png", ".svg", ".pdf")]


def in_color(shown, chosen):
    """Return which methods get a colour, in order: all of a few; else those chosen, or the first ones.

    Parameters
    ----------
    shown : iterable of str
    chosen : iterable of str
    """
    shown = list(shown)
    if len(shown) <= MOST_COLORS:
        return shown
    return [method for method in shown if method in chosen][:MOST_COLORS] or shown[:MOST_COLORS]


def without_outliers(values):
    """Return the lowest and the highest of values that lie within three times the quartiles' distance from these.

    Controls such as random labels lie so far from all others that an axis with both shows no difference between those.

    Examples
    --------
    >>> without_outliers([1.0, 2.0, 2.5, 3.0, 90.0])
    (1.0, 3.0)
    """
    values = np.asarray(values, float)
    low, high = np.quantile(values, (0.25, 0.75))
    reach = 3 * (high - low) + 1e-9
    inner = values[(values >= low - reach) & (values <= high + reach)]
    return float(inner.min()), float(inner.max())


def legend_below(figure, methods, *, more=()):
    """Write below all panels which line is which method's, in as few rows as they fit in.

    Parameters
    ----------
    figure : Figure
    methods : dict of str to Method
    more : list of (Line2D, str)
        Other marks and what they say.
    """
    marks = [(Line2D([], [], **method.line), method.title) for method in methods.values()] + list(more)
    # A blank: labels that begin with an underscore would be left out.
    if not marks:
        return
    lines, texts = [mark for mark, _ in marks], [f" {text}" for _, text in marks]
    columns = key_columns(texts, figure.get_figwidth())
    figure.legend(lines, texts, loc="outside lower center", ncols=columns, handlelength=2.6)


def key_columns(texts, width, *, mark=0.5):
    """Return in how many columns a key fits into a width, in inches; `mark` is that of a mark and the space beside it.

    Examples
    --------
    >>> key_columns(["CT", "DKM"], 7), key_columns(["a" * 60, "b" * 60], 7)
    (2, 1)
    """

    def needed(columns):
        return sum(mark + 0.055 * max(map(len, column)) for column in np.array_split(texts, columns))

    return next((n for n in range(len(texts), 1, -1) if needed(n) < width), 1)


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
