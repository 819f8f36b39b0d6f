"""Differences between methods, paired over seeds, around zero: to the baseline, and with and without a part."""

import numpy as np

from deepkm.numerics.metrics import METRICS, PRIMARY_METRIC, title_of
from deepkm.report.figures.style import Drawing, new_figure, styled, without_outliers
from deepkm.report.statistics.paired import MIN_SEEDS, bootstrap_intervals, paired_differences
from deepkm.study.contrasts import BASELINES

MARKS = f"""
Differences are taken seed by seed, since methods of a seed share their autoencoder: faint points are seeds, large ones
means, and bars, from {MIN_SEEDS} seeds on, 95 % bootstrap intervals of the means, not corrected for their number
"""
BASELINE = """
How many points each method is ahead of {baseline}, or behind it; methods are ordered by {metric}. {marks}; an arrow is
a mean beyond the axis. Look for bars on one side of zero: where they cross it, or seeds lie on both sides, a difference
may be chance.
"""
PARTS = """
What a part changes: the method that has it minus the one that is the same without it. {marks}. Look for points that all
lie on one side of zero.
"""


@styled
def draw_baseline(scores, methods, *, dataset):
    """Draw how far each method is ahead of the first of `BASELINES` that the study has: a forest plot.

    Parameters
    ----------
    scores : DataFrame
        Rows of ``results/scores.csv`` for one data set.
    methods : dict of str to Method
        In order.
    dataset : (str, str)
        Key and title.

    Returns
    -------
    Drawing or None
    """
    known = [key for key in methods if key in set(scores.dropna(subset=[PRIMARY_METRIC])["method"])]
    baseline = next((key for key in BASELINES if key in known), None)
    if baseline is None:
        return None
    pairs = {(key, baseline): methods[key].title for key in known if key != baseline}
    name = methods[baseline].title
    return _draw(
        scores,
        pairs,
        methods,
        dataset=dataset,
        stem="differences",
        title=f"{dataset[1]}: differences to {name}",
        caption=BASELINE.format(baseline=name, metric=title_of(PRIMARY_METRIC), marks=" ".join(MARKS.split())),
        ordered=True,
    )


@styled
def draw_ablations(scores, methods, ablations, *, dataset):
    """Draw what a part of a method changes.

    Parameters
    ----------
    ablations : list of [str, str, str]
        Methods with a part, the same without it, and the part in words.

    Other parameters are those of `draw_baseline`.
    """
    known = set(scores.dropna(subset=[PRIMARY_METRIC])["method"])
    found = {(method, other): part for method, other, part in ablations if {method, other} <= known}
    pairs = {pair: " − ".join(methods[key].title for key in pair) for pair in found}
    what = "a part"
    if len(set(found.values())) > 1:
        pairs = {pair: f"{found[pair]}: {name}" for pair, name in pairs.items()}
    elif found:
        [what] = set(found.values())
    title, caption = f"{dataset[1]}: with and without {what}", PARTS.format(marks=" ".join(MARKS.split()))
    return _draw(scores, pairs, methods, dataset=dataset, stem="ablation", title=title, caption=caption)


def _draw(scores, pairs, methods, *, dataset, stem, title, caption, ordered=False):
    """Draw a row per pair of methods, named by `pairs`, and a column per metric."""
    if not pairs:
        return None
    metrics = [metric for metric in METRICS if metric in scores]
    found = {metric: _differences(scores, metric, pairs) for metric in metrics}
    shown = [pair for pair in pairs if len(found[PRIMARY_METRIC][pair])]
    if not shown:
        return None
    means = {pair: found[PRIMARY_METRIC][pair].mean() for pair in shown}
    shown = sorted(shown, key=means.get, reverse=True) if ordered else shown
    figure = new_figure(0.8 + 0.17 * len(shown), title=title)
    for axis, metric in zip(figure.subplots(1, len(metrics), sharey=True), metrics, strict=True):
        samples = [found[metric][pair] for pair in shown]
        _draw_metric(axis, samples, [methods[pair[0]] for pair in shown], stream=f"{dataset[0]}/{metric}")
        axis.set_title(f"{title_of(metric)} [points]")
    figure.axes[0].set_yticks(range(len(shown)), [pairs[pair] for pair in shown])
    figure.axes[0].set_ylim(len(shown) - 0.5, -0.5)
    said = "; ".join(f"{pairs[pair]} {means[pair]:+z.1f}" for pair in shown)
    return Drawing(
        figure=figure,
        stem=f"{dataset[0]}_{stem}",
        title=title,
        caption=caption,
        alt=f"Mean differences in {title_of(PRIMARY_METRIC)}, in points: {said}.",
        datasets=(dataset[0],),
        methods=tuple(dict.fromkeys(key for pair in shown for key in pair)),
    )


def _differences(scores, metric, pairs):
    values = 100 * scores.pivot(index="seed", columns="method", values=metric)
    return {pair: paired_differences(values[pair[0]], values[pair[1]]) for pair in pairs}


def _draw_metric(axis, samples, looks, *, stream):
    """Draw differences of one metric, from the top: seeds, means, intervals where there are any."""
    low, high = without_outliers([0.0, *(sample.mean() for sample in samples if len(sample))])
    inside = [sample for sample in samples if len(sample) and low <= sample.mean() <= high]
    low, high = min(0.0, *map(np.min, inside)), max(0.0, *map(np.max, inside))
    room = 0.06 * max(high - low, 0.5)
    low, high = low - room, high + room
    axis.axvline(0, color="black", lw=0.6, label="_zero")
    for row, (sample, look, ends) in enumerate(zip(samples, looks, bootstrap_intervals(samples, stream), strict=True)):
        if not len(sample):
            continue
        mean = sample.mean()
        if not low <= mean <= high:
            side, edge = ("left", low) if mean < low else ("right", high)
            text = f"◂ −{-mean:.0f}" if mean < low else f"{mean:.0f} ▸"
            axis.text(edge, row, text, ha=side, va="center", fontsize=6, color=look.color)
            continue
        axis.plot(ends, [row, row], color=look.color, lw=1.4, solid_capstyle="butt")
        axis.plot(sample, np.full(len(sample), row), "o", ms=2.2, mew=0, color=look.color, alpha=0.45)
        axis.plot(mean, row, "o", ms=4.5, color=look.color, mec="white", mew=0.5)
    axis.set_xlim(low, high)
    axis.grid(axis="y", color="#eeeeee", lw=0.5)
    axis.set_axisbelow(True)
    axis.tick_params(axis="y", length=0)
