"""Pairs of methods that differ in one part alone, as bars."""

import numpy as np

from deepkm.numerics.metrics import MAIN_METRIC, METRICS, title_of
from deepkm.report.figures.style import Drawing, in_words, new_figure, styled

CAPTION = """
Each pair differs in one part alone, which the one on the right has: centers that k-means gives anew after every epoch,
random views of the images, or a warm start of the optimizer. Bars are means, points single seeds. Look for differences
that are larger than the spread of the points.
"""


@styled
def draw_ablations(scores, methods, ablations, *, dataset):
    """Draw all metrics with and without a part: bars are means, points are seeds.

    Parameters
    ----------
    scores : DataFrame
        Rows of ``results/scores.csv`` for one data set.
    methods : dict of str to Method
        In order.
    ablations : list of [str, str, str]
        Methods with a part, the same without it, and the part in words.
    dataset : (str, str)
        Key and title.
    """
    scores = scores.dropna(subset=[MAIN_METRIC])
    pairs = [pair for *pair, _ in ablations if set(pair) <= set(scores["method"])]
    if not pairs:
        return None
    title = f"{dataset[1]}: with and without a part"
    figure = new_figure(2.6, title=title)
    shown = [method for pair in pairs for method in reversed(pair)]
    places = [i + 0.5 * (i // 2) for i in range(len(shown))]  # a gap between pairs
    metrics, means = [metric for metric in METRICS if metric in scores], {}
    for axis, metric in zip(figure.subplots(1, len(metrics)), metrics, strict=True):
        for x, method in zip(places, shown, strict=True):
            values = 100 * scores.loc[scores["method"] == method, metric].to_numpy()
            means[metric, method] = values.mean()
            axis.bar(x, values.mean(), color=methods[method].color, alpha=0.8)
            axis.text(x, 3, f"{values.mean():.1f}", ha="center", weight="bold", color="black", bbox=_BEHIND)
            spread = np.linspace(-0.25, 0.25, len(values)) if len(values) > 1 else np.zeros(1)
            axis.plot(x + spread, values, "o", ms=3.5, mfc="white", mec="black", mew=0.8)
        axis.set_xticks(places, [methods[method].title for method in shown], rotation=20, ha="right")
        axis.set(title=f"{title_of(metric)} [%]", ylim=(0, 100))
    return Drawing(
        figure=figure,
        stem=f"{dataset[0]}_ablation",
        title=title,
        group="Scores",
        caption=CAPTION,
        alt=f"Bar chart. {title_of(MAIN_METRIC)}: {in_words({m: means[MAIN_METRIC, m] for m in shown}, methods)}.",
        datasets=(dataset[0],),
        methods=tuple(dict.fromkeys(shown)),
    )


_BEHIND = {"facecolor": "white", "alpha": 0.75, "lw": 0, "pad": 1}
