"""How far the clusters of methods agree, and those of a method's seeds."""

import numpy as np

from deepkm.report.figures.style import WIDTH, Drawing, new_figure, styled

GROUP = "Without classes"
CAPTION = """
Adjusted Rand index of the clusters of two methods, mean over the seeds that both have; on the diagonal, of the seeds of
one method, in percent: 100 where they are the same, 0 where they agree as by chance. Look for methods that agree with
others and with themselves: what many ways find is more likely there. A faint diagonal: clusters that hang on
the seed.
"""


@styled
def draw_agreement(agreement, methods, *, dataset):
    """Draw the agreement of all pairs of methods.

    Parameters
    ----------
    agreement : DataFrame
        Rows of ``results/agreement.csv`` for one data set.
    methods : dict of str to Method
    dataset : (str, str)
        Key and title.
    """
    shown = [key for key in methods if len(agreement) and key in set(agreement["method"])]
    if len(shown) < 2:
        return None
    table = np.full((len(shown), len(shown)), np.nan)
    for row in agreement.itertuples():
        if row.method in shown and row.other in shown:
            i, j = shown.index(row.method), shown.index(row.other)
            table[i, j] = table[j, i] = row.ari
    title = f"{dataset[1]}: agreement of methods"
    side = min(0.34, 5.4 / len(shown)) * len(shown)
    figure = new_figure(1.3 + side, title=title, width=min(WIDTH, 1.9 + side))
    axis = figure.subplots()
    axis.imshow(table, cmap="Blues", vmin=0, vmax=1)
    for (i, j), value in np.ndenumerate(table):
        if np.isfinite(value):
            ink = "white" if value > 0.55 else "black"
            axis.text(j, i, f"{100 * value:z.0f}", ha="center", va="center", fontsize=6, color=ink)
    names = [methods[key].title for key in shown]
    axis.set_xticks(range(len(shown)), names, rotation=45, ha="right")
    axis.set_yticks(range(len(shown)), names)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    return Drawing(
        figure=figure,
        stem=f"{dataset[0]}_agreement",
        title=title,
        caption=CAPTION,
        alt=f"Heatmap of adjusted Rand indices. {_extremes(table, names)}.",
        datasets=(dataset[0],),
        methods=tuple(shown),
    )


def _extremes(table, names):
    pairs = [(table[i, j], f"{names[i]} and {names[j]}") for i, j in zip(*np.triu_indices(len(names), 1), strict=True)]
    known = sorted(pair for pair in pairs if np.isfinite(pair[0]))
    if not known:
        return "No two methods have a seed in common"
    return f"Most alike: {known[-1][1]}, {known[-1][0]:.2f}; least: {known[0][1]}, {known[0][0]:.2f}"
