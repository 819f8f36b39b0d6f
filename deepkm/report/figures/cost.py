"""What a run of each method takes, and what it reaches."""

from matplotlib.lines import Line2D
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

from deepkm.numerics.metrics import PRIMARY_METRIC, title_of
from deepkm.report.figures.style import Drawing, new_figure, styled, without_outliers

CAPTION = """
{unit} of one run with the pretraining of its autoencoder, on a logarithmic axis, and mean {metric}, the order of the
key, which gives it for methods far away; upright bars reach from the lowest to the highest seed. Seeds that were
trained side by side share their job's time equally. {front}
"""
FRONT = """
The grey line joins the methods that none surpasses in less time, in bold letters. Look for methods far below it: they
take longer for less.
"""
NO_FRONT = (
    "Seconds of a CPU and of a GPU do not compare, so no line joins the best. Look at methods of one device alone."
)
MIXED = "Seconds of a CPU or a GPU"


@styled
def draw_cost(scores, jobs, methods, autoencoders, *, dataset):
    """Draw the primary metric against the seconds of its device that one run took, its pretraining included.

    Parameters
    ----------
    scores : DataFrame
        Rows of ``results/scores.csv`` for one data set.
    jobs : DataFrame
        Rows of ``results/jobs.csv`` for that data set.
    methods : dict of str to Method
    autoencoders : dict of str to str or None
        The key of each method's autoencoder.
    dataset : (str, str)
        Key and title.
    """
    scores = scores.dropna(subset=[PRIMARY_METRIC])
    if scores.empty:
        return None
    metric, unit = title_of(PRIMARY_METRIC), _unit(jobs)
    seconds = scores["device_seconds"] + scores.apply(_pretraining(jobs, autoencoders), axis=1)
    scores = scores.assign(total=seconds.clip(lower=1e-3), percent=100 * scores[PRIMARY_METRIC])
    runs = scores.groupby("method")
    means = runs[["total", "percent"]].mean().assign(low=runs["percent"].min(), high=runs["percent"].max())
    means = means.loc[[key for key in methods if key in means.index]].sort_values("percent", ascending=False)
    shown = means[means["percent"].between(*without_outliers(means["percent"]))]
    front = [] if unit == MIXED else pareto_front(shown)
    title = f"{dataset[1]}: time and {metric}"
    figure = new_figure(max(2.8, 0.7 + 0.15 * len(means)), title=title, width=6)
    axis = figure.subplots()
    axis.set(xscale="log", xlabel=f"{unit} per run, with pretraining", ylabel=f"{metric} [%]")
    _draw_points(axis, shown, methods, front)
    _write_key(figure, means, methods, front=front, shown=shown.index)
    said = [f"{methods[row.Index].title} {row.total:.3g} s, {row.percent:.1f} %" for row in means.itertuples()]
    return Drawing(
        figure=figure,
        stem=f"{dataset[0]}_cost",
        title=title,
        caption=CAPTION.format(unit=unit, metric=metric, front=NO_FRONT if unit == MIXED else FRONT),
        alt=f"Scatter chart of seconds and {metric}. {'; '.join(said)}.",
        datasets=(dataset[0],),
        methods=tuple(key for key in methods if key in means.index),
    )


def pareto_front(means):
    """Return the methods that no other surpasses in as little time, the fastest first.

    Parameters
    ----------
    means : DataFrame
        ``total`` seconds and ``percent`` by method.
    """
    ordered = means.sort_values(["total", "percent"], ascending=[True, False])
    best = ordered["percent"].cummax()
    return list(ordered.index[ordered["percent"] > best.shift(fill_value=-1)])


def _unit(jobs):
    """Return whose seconds the jobs took."""
    devices = jobs["device"].dropna() if "device" in jobs else []
    kinds = {str(device).startswith("CPU") for device in devices}
    return MIXED if len(kinds) > 1 else "GPU seconds" if kinds == {False} else "CPU seconds"


def _draw_points(axis, means, methods, front):
    """Draw methods by their seconds and percent, and what joins the front."""
    if front:
        edge = means.loc[front]
        steps = [*edge["total"], means["total"].max()], [*edge["percent"], edge["percent"].iloc[-1]]
        axis.step(*steps, where="post", color="#999999", lw=0.8, zorder=0, label="_front")
    for row in means.itertuples():
        look = methods[row.Index].marker
        axis.vlines(row.total, row.low, row.high, color=look["color"], lw=0.8)
        axis.plot(row.total, row.percent, ms=6, mec="white", mew=0.6, ls="", label=methods[row.Index].title, **look)
    axis.margins(x=0.06, y=0.06)
    low, high = axis.get_xlim()
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 1000 * low else (1,)))  # more would not fit
    axis.xaxis.set_major_formatter(FormatStrFormatter("%g"))
    axis.xaxis.set_minor_formatter(NullFormatter())


def _write_key(figure, means, methods, *, front, shown):
    """Name all methods at the right, the best first, those of the front in bold."""
    marks = [Line2D([], [], ls="", ms=5, mec="white", mew=0.4, **methods[key].marker) for key in means.index]
    names = [
        f" {methods[key].title}" + ("" if key in shown else f" ({percent:.0f} %)")
        for key, percent in means["percent"].items()
    ]
    key = figure.legend(marks, names, loc="outside right center")
    for text, method in zip(key.get_texts(), means.index, strict=True):
        text.set_weight("bold" if method in front else "normal")


def _pretraining(jobs, autoencoders):
    """Return a function of a row of scores: the seconds that its autoencoder's pretraining took, per seed."""
    rows = jobs[jobs["stage"] == "autoencoder"]
    seconds = {
        (row.key, int(seed)): row.device_seconds / len(str(row.seeds).split())
        for row in rows.itertuples()
        for seed in str(row.seeds).split()
    }
    return lambda row: seconds.get((autoencoders.get(row["method"]), row["seed"]), 0.0)
