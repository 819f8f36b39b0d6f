"""Agreement with the true classes over fine-tuning epochs."""

import numpy as np
from matplotlib.lines import Line2D

from deepkm.numerics.metrics import MAIN_METRIC, METRICS, title_of
from deepkm.report.figures.style import FAINT, Drawing, in_color, in_words, legend_below, new_figure, panel_axes, styled
from deepkm.report.statistics.spread import band

CAPTION = """
Agreement of the labels with the true classes after fine-tuning epochs, the first ones wider apart; epoch 0 is before
them. Lines are means over seeds{bands}{others}. Look for
curves that rise from their start and stay up: no method sees the classes, so a curve that falls while its loss falls
optimises something else. Lines end once the last seed has met its method's stopping rule.{restarts}
"""
MOST_BANDS = 3  # that can be told apart
BANDS = ", bands their standard deviation, or all of fewer than five"
FAINT_ONES = "; grey lines are the other methods, ticks at the right those that do not fine-tune"
RESTARTS = """
Rings are final labels that come of all restarts of k-means, where those of the epochs before come of one start.
"""
# Between epochs, these follow k-means from the centers before; their final labels are the best of all restarts.
RESTARTED = "deepkm.methods.km:KMeans"


@styled
def draw_scores(curves, methods, *, dataset, chosen=(), estimators=None):
    """Draw all metrics over epochs; methods that do not fine-tune are levels.

    Parameters
    ----------
    curves : DataFrame
        Rows of ``results/epochs.csv`` for one data set.
    methods : dict of str to Method
        In order.
    dataset : (str, str)
        Key and title.
    chosen : iterable of str
        Methods in colour where they are too many.
    estimators : dict of str to str, optional
        The class of each method.

    Returns
    -------
    Drawing or None
    """
    curves = _read_by_all(curves.dropna(subset=[MAIN_METRIC]))
    if curves.empty:
        return None
    metrics = [metric for metric in METRICS if metric in curves]
    percent = curves.assign(**{metric: 100 * curves[metric] for metric in metrics})
    groups = dict(by_method(percent, methods))
    colored = {key: methods[key] for key in in_color(groups, chosen)}
    ringed = {key for key in groups if (estimators or {}).get(key) == RESTARTED and groups[key]["epoch"].max() > 1}
    title = f"{dataset[1]}: agreement with the true classes"
    figure = new_figure(2.75 + 0.14 * -(-len(colored) // 6), title=title)
    for axis, metric in zip(panel_axes(figure, len(metrics), columns=len(metrics)), metrics, strict=True):
        _draw_metric(axis, groups, metric, colored, ringed=ringed)
        axis.set(title=f"{title_of(metric)} [%]", xlabel="Fine-tuning epoch")
    faint = len(groups) > len(colored)
    legend_below(figure, colored, more=[(Line2D([], [], **FAINT), "other methods")] if faint else [])
    final = {method: _last(rows)[MAIN_METRIC].mean() for method, rows in groups.items()}
    return Drawing(
        figure=figure,
        stem=f"{dataset[0]}_scores_over_epochs",
        title=title,
        caption=CAPTION.format(
            bands=BANDS if _are_banded(colored) else "",
            others=FAINT_ONES if faint else "",
            restarts=RESTARTS if ringed & set(colored) else "",
        ),
        alt=f"Line charts of {', '.join(map(title_of, metrics))} over epochs. {title_of(MAIN_METRIC)} at the end: "
        f"{in_words(final, methods)}.",
        datasets=(dataset[0],),
        methods=tuple(groups),
    )


def by_method(curves, methods):
    """Yield each method that has rows, up to the first of their epochs at which all of its runs have stopped."""
    for method in methods:
        rows = curves[curves["method"] == method]
        if "stopped" in rows and rows["stopped"].notna().any():
            going_on = rows.loc[rows["stopped"] != 1, "epoch"].max()  # NaN: none ever did
            rows = rows[~(rows["epoch"] > rows.loc[~(rows["epoch"] <= going_on), "epoch"].min())]
        if len(rows):
            yield method, rows


def draw_band(axis, rows, column, look, *, banded=True):
    """Draw the mean over seeds of one method and, where it is `banded`, how far these lie apart."""
    table = rows.pivot(index="epoch", columns="seed", values=column)
    if banded:
        axis.fill_between(table.index, *band(table), color=look["color"], alpha=0.1, lw=0)
    axis.plot(table.index, table.mean(axis=1), **look)


def scale_epochs(axis, longest, *, room=0.15):
    """Let an axis show square roots of epochs, which squeeze neither the first ones nor methods that train for few.

    Parameters
    ----------
    axis : Axes
    longest : int
        The last epoch.
    room : float
        Of its width, between two ticks.
    """
    axis.set_xscale("function", functions=(lambda epoch: np.sqrt(np.maximum(epoch, 0)), np.square))
    axis.set_xlim(0, longest * 1.03)
    ticks = [0]
    for epoch in (digit * 10**power for power in range(7) for digit in (1, 2, 5)):
        if epoch <= longest and np.sqrt(epoch) - np.sqrt(ticks[-1]) >= room * np.sqrt(longest):
            ticks.append(epoch)
    axis.set_xticks(ticks, [f"{epoch:g}" for epoch in ticks])


def _draw_metric(axis, groups, metric, colored, *, ringed):
    """Draw one metric: curves of methods in colour over those of others, and levels."""
    longest = max(1, *(rows["epoch"].max() for rows in groups.values()))
    for method, rows in groups.items():
        if method not in colored and rows["epoch"].max() > 0:
            mean = rows.groupby("epoch")[metric].mean()
            axis.plot(mean.index, mean, label="_faint", **FAINT)
    _limit(axis, [rows for key, rows in groups.items() if key in colored], groups, metric, banded=_are_banded(colored))
    for method, rows in groups.items():
        final = _last(rows)[metric].mean()
        if method in colored and rows["epoch"].max() > 0:
            before = rows[rows["epoch"] < rows["epoch"].max()] if method in ringed else rows
            look = colored[method].line | {"label": colored[method].title}
            draw_band(axis, before, metric, look, banded=_are_banded(colored))
            if method in ringed:
                axis.plot(rows["epoch"].max(), final, "o", ms=4, mfc="white", mec=colored[method].color, label="_ring")
        elif method in colored:
            axis.hlines(final, 0, longest, label=colored[method].title, **colored[method].line)
        elif rows["epoch"].max() == 0:
            axis.plot([0.97, 1], [final, final], transform=axis.get_yaxis_transform(), label="_level", **FAINT)
    scale_epochs(axis, longest)


def _are_banded(colored):
    return len(colored) <= MOST_BANDS


def _limit(axis, shown, groups, metric, *, banded):
    """Let the axis hold all curves in colour, with their bands and every jump; others may leave it."""
    tables = [rows.pivot(index="epoch", columns="seed", values=metric) for rows in shown]
    values = np.concatenate([table.mean(axis=1) for table in tables])
    if banded:
        values = np.concatenate([values, *(side for table in tables for side in band(table))])
    values = values[np.isfinite(values)]
    finals = np.array([_last(rows)[metric].mean() for rows in groups.values()])
    low, high = values.min(), max(values.max(), finals.max())
    room = max(1, 0.05 * (high - low))
    axis.set_ylim(low - room, high + room)


def _read_by_all(curves):
    """Return the rows of epochs that all runs of their method have, where some were read out more often than others."""
    runs = curves.groupby("method")["seed"].transform("nunique")
    return curves[curves.groupby(["method", "epoch"])["seed"].transform("nunique") == runs]


def _last(curves):
    return curves.loc[curves.groupby(["method", "seed"])["epoch"].idxmax()]
