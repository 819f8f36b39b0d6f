"""Performance profiles: how many runs reach a score, for every score."""

import numpy as np

from deepkm.numerics.metrics import PRIMARY_METRIC, title_of
from deepkm.report.figures.style import FAINT, Drawing, in_color, in_words, new_figure, styled
from deepkm.report.statistics.pooled import runs_of
from deepkm.report.statistics.spread import FEWEST

CAPTION = """
Share of runs that reach each {metric} or more, each data set counting alike. Look for lines that leave the top early:
some of their runs collapse, which a mean hides. A method whose line lies above another's everywhere is ahead whatever
one asks for; where lines cross, one is safer and the other reaches higher.
"""


@styled
def draw_profiles(scores, methods, datasets, *, chosen=()):
    """Draw the share of runs that reach each score.

    Parameters
    ----------
    scores : DataFrame
        ``results/scores.csv``.
    methods : dict of str to Method
    datasets : dict of str to str
        Titles by key, in order.
    chosen : iterable of str
        Methods in colour where they are too many; the others are grey.

    Returns
    -------
    Drawing or None
        None of one data set, whose runs the differences show; or where no method has `FEWEST` runs.

    References
    ----------
    R. Agarwal et al. Deep reinforcement learning at the edge of the statistical precipice. NeurIPS 2021, section 4.2.
    """
    found = runs_of(scores, PRIMARY_METRIC, datasets=list(datasets), methods=list(methods))
    runs = {method: list(map(np.asarray, series)) for method, series in found.items() if series}
    n_datasets = max((len(values) for values in runs.values()), default=0)
    if n_datasets < 2 or max(sum(map(len, values)) for values in runs.values()) < FEWEST:
        return None
    levels = np.unique([value for series in runs.values() for values in series for value in values])
    levels = np.append(levels, levels[-1] + 0.01)  # which none reaches
    metric, shares = title_of(PRIMARY_METRIC), {method: share_reaching(runs[method], levels) for method in runs}
    title = f"Runs by the {metric} that they reach"
    figure = new_figure(2.8, title=title, width=5.6)
    axis = figure.subplots()
    medians = {method: levels[share >= 50].max() for method, share in shares.items()}
    ordered = sorted(medians, key=medians.get, reverse=True)
    colored = in_color(ordered, chosen)
    for method in (method for method in ordered if method not in colored):
        axis.step(levels, shares[method], where="pre", label="_faint", **FAINT)
    for method in colored:
        axis.step(levels, shares[method], where="pre", label=methods[method].title, **methods[method].line)
    if len(colored) < len(ordered):
        axis.plot([], [], label="other methods", **FAINT)
    axis.set(xlabel=f"{metric} [%]", ylabel="Share of runs that reach it [%]", ylim=(0, 103))
    axis.margins(x=0.02)
    figure.legend(loc="outside right center")
    return Drawing(
        figure=figure,
        stem="profiles",
        title=title,
        caption=CAPTION.format(metric=metric),
        alt=f"Line chart. {metric} that half of all runs reach: {in_words(medians, methods)}.",
        datasets=tuple(datasets),
        methods=tuple(runs),
    )


def share_reaching(runs, levels):
    """Return the percentage of runs at or above each level, the mean over data sets.

    Examples
    --------
    >>> share_reaching([np.array([10.0, 30.0]), np.array([30.0])], np.array([10.0, 20.0, 40.0])).tolist()
    [100.0, 75.0, 0.0]
    """
    return 100 * np.mean([(values[:, None] >= levels).mean(axis=0) for values in runs], axis=0)
