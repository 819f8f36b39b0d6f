"""How sure a method is of each sample's cluster, before and after fine-tuning."""

import numpy as np

from deepkm.report.figures.style import WIDTH, Drawing, in_words, new_figure, panel_axes, styled

N_BINS = 20
CAPTION = """
How sure each method is of a sample's cluster, by its own memberships: black outlines before fine-tuning, filled after
it, all seeds together. Look for mass that moves to 1: the code separates. Mass at 1 from the start means that the
memberships were hard already; mass that stays at the left, that clusters overlap, or that memberships are soft by
design.
"""


@styled
def draw_memberships(memberships, methods, n_clusters, *, dataset):
    """Draw histograms of the highest membership before and after fine-tuning, a panel per method.

    Parameters
    ----------
    memberships : dict of str to (ndarray, ndarray)
        Of the methods that have soft ones, all runs together.
    methods : dict of str to Method
    n_clusters : int
        K: no highest membership is below 1/K.
    dataset : Dataset
    """
    finite = {m: [values[np.isfinite(values)] for values in pair] for m, pair in memberships.items()}
    finite = {method: pair for method, pair in finite.items() if min(map(len, pair)) > 0}
    if not finite:
        return None
    columns = min(5, len(finite))
    rows = -(-len(finite) // columns)
    figure = new_figure(
        0.6 + 1.2 * rows,
        title=f"{dataset.title}: highest membership",  # its caption says what is before and after
        width=WIDTH * max(columns, 2) / 5,
    )
    axes = panel_axes(figure, len(finite), columns=columns, sharex=True, sharey=True)
    bins = np.linspace(min(1 / n_clusters, 0.95), 1, N_BINS + 1)
    for axis, (method, pair) in zip(axes, finite.items(), strict=True):
        shares = [100 * np.histogram(values.clip(bins[0], 1), bins)[0] / len(values) for values in pair]
        axis.stairs(shares[1], bins, fill=True, color=methods[method].color, alpha=0.8, label="after")
        axis.stairs(shares[0], bins, color="black", lw=1, label="before")
        axis.set_title(methods[method].title, fontsize=7)
    figure.supxlabel("Highest membership", fontsize=8)
    figure.supylabel("Samples [%]", fontsize=8)
    certain = {method: 100 * np.mean(pair[1] > 0.9) for method, pair in finite.items()}
    return Drawing(
        figure=figure,
        stem=f"{dataset.key}_memberships",
        title=f"{dataset.title}: highest membership of each sample",
        group="Codes",
        caption=CAPTION,
        alt="Histograms. Samples whose highest membership exceeds 0.9 after fine-tuning: "
        f"{in_words(certain, methods, digits=0)}.",
        datasets=(dataset.key,),
        methods=tuple(finite),
    )
