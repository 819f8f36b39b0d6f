"""What a run of each method takes, and what it reaches."""

from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

from deepkm.numerics.metrics import MAIN_METRIC, title_of
from deepkm.report.figures.style import Drawing, label_beside, new_figure, styled

CAPTION = """
CPU seconds of one run, or its seconds of a GPU, with the pretraining of its autoencoder; seeds that were trained side
by side share their job's time equally. The time axis is logarithmic. Large marks are means, small ones single seeds.
Look to the upper left: methods below and to the right of another take longer for less. Times compare only where all
jobs ran on the same device.
"""


@styled
def draw_cost(scores, jobs, methods, autoencoders, *, dataset):
    """Draw the first metric against the seconds of its device that one run took, its pretraining included.

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
    scores = scores.dropna(subset=[MAIN_METRIC])
    if scores.empty:
        return None
    title = f"{dataset[1]}: time and {title_of(MAIN_METRIC)}"
    seconds = scores["device_seconds"] + scores.apply(_pretraining(jobs, autoencoders), axis=1)
    scores = scores.assign(total=seconds.clip(lower=1e-3), percent=100 * scores[MAIN_METRIC])
    shown = [method for method in methods if (scores["method"] == method).any()]
    figure = new_figure(max(2.8, 0.7 + 0.145 * len(shown)), title=title, width=5.2)
    axis, ends = figure.subplots(), []
    for method in shown:
        rows, look = scores[scores["method"] == method], methods[method].marker
        axis.plot(rows["total"], rows["percent"], ls="", ms=2.5, alpha=0.45, **look)
        center = rows["total"].mean(), rows["percent"].mean()
        axis.plot(*center, ms=6, mec="white", mew=0.6, ls="", label=methods[method].title, **look)
        ends.append((*center, methods[method].title, {**look, "linestyle": ""}))
    axis.set(xscale="log", xlabel="Seconds per run, with pretraining", ylabel=f"{title_of(MAIN_METRIC)} [%]")
    low, high = axis.get_xlim()
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 1000 * low else (1,)))  # more would not fit
    axis.xaxis.set_major_formatter(FormatStrFormatter("%g"))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.margins(x=0.06, y=0.06)
    label_beside(axis, ends)
    means = scores.groupby("method")[["total", "percent"]].mean().loc[shown]
    said = [f"{methods[row.Index].title} {row.total:.3g} s, {row.percent:.1f} %" for row in means.itertuples()]
    return Drawing(
        figure=figure,
        stem=f"{dataset[0]}_cost",
        title=title,
        group="Cost",
        caption=CAPTION,
        alt=f"Scatter chart of seconds and {title_of(MAIN_METRIC)}. {'; '.join(said)}.",
        datasets=(dataset[0],),
        methods=tuple(shown),
    )


def _pretraining(jobs, autoencoders):
    """Return a function of a row of scores: the seconds that its autoencoder's pretraining took, per seed."""
    rows = jobs[jobs["stage"] == "autoencoder"]
    seconds = {
        (row.key, int(seed)): row.device_seconds / len(str(row.seeds).split())
        for row in rows.itertuples()
        for seed in str(row.seeds).split()
    }
    return lambda row: seconds.get((autoencoders.get(row["method"]), row["seed"]), 0.0)
