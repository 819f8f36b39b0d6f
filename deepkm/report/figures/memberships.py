"""How sure a method is of each sample's cluster, before and after fine-tuning."""

import numpy as np

from deepkm.report.figures.style import Drawing, in_words, new_figure, styled

QUARTILES = (25, 50, 75)
CAPTION = """
How sure each method is of a sample's cluster, by its own memberships: bars hold the middle half of all samples, marks
their median, grey before fine-tuning, in colour after it, all seeds together. Look for marks that move to 100 %: the
code separates. One at 100 % from the start has hard memberships; one that stays at the left has overlapping clusters,
or memberships that are soft by design.
"""


@styled
def draw_memberships(memberships, methods, *, dataset):
    """Draw the quartiles of the highest membership before and after fine-tuning, a row per method.

    Parameters
    ----------
    memberships : dict of str to (ndarray, ndarray)
        Of the methods that have soft ones, all runs together.
    methods : dict of str to Method
    dataset : Dataset
    """
    finite = {m: [100 * values[np.isfinite(values)] for values in pair] for m, pair in memberships.items()}
    finite = {method: pair for method, pair in finite.items() if min(map(len, pair)) > 0}
    if not finite:
        return None
    title = f"{dataset.title}: highest membership of each sample"
    figure = new_figure(0.75 + 0.22 * len(finite), title=title, width=4.6)
    axis, medians = figure.subplots(), {}
    for row, (method, pair) in enumerate(finite.items()):
        for values, shift, color in zip(pair, (-0.14, 0.14), ("#999999", methods[method].color), strict=True):
            low, middle, high = np.percentile(values, QUARTILES)
            axis.plot([low, high], 2 * [row + shift], color=color, lw=2.5, alpha=0.5, solid_capstyle="butt")
            axis.plot(middle, row + shift, "o", ms=4, mfc=color, mec="white", mew=0.4)
            medians[method] = middle
    axis.set_yticks(range(len(finite)), [methods[method].title for method in finite])
    axis.set(xlabel="Highest membership [%]", xlim=(0, 102), ylim=(len(finite) - 0.5, -0.5))
    axis.tick_params(axis="y", length=0)
    return Drawing(
        figure=figure,
        stem=f"{dataset.key}_memberships",
        title=title,
        caption=CAPTION,
        alt=f"Range chart. Median of the highest membership after fine-tuning: {in_words(medians, methods, digits=0)}.",
        datasets=(dataset.key,),
        methods=tuple(finite),
    )
