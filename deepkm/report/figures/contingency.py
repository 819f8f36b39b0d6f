"""How the clusters match the true classes."""

import numpy as np
from scipy.optimize import linear_sum_assignment

from deepkm.numerics.metrics import contingency
from deepkm.report.figures.style import WIDTH, Drawing, new_figure, panel_axes, styled

MOST_NUMBERS = 12  # of classes or clusters with the percentage in each cell
MOST_NAMES = 30  # of those that are named
CAPTION = """
Percent of each class (row) that fell into each cluster (column), seed {seed}. Clusters stand in the order of the
classes that the Hungarian algorithm matches them with, unmatched ones last: what counts for ACC lies on the
diagonal.{order} Look for rows with two strong cells, classes that were split, and columns with two, classes that were
merged{lost}. Clusters are numbered as in `results/labels`, from 0.
"""
LOST = ", and for blank columns at the right, clusters that no sample is in"
ORDER = """
 So many classes are not named, but stand in the order of how much of them was found: the diagonal fades downwards,
earlier where fewer classes have a cluster of their own.
"""


@styled
def draw_contingency(runs, methods, *, dataset):
    """Draw how each class is spread over the clusters, a panel per method.

    Parameters
    ----------
    runs : dict of str to ClusteringRun
        One run per method, of the same seed.
    methods : dict of str to Method
    dataset : Dataset
    """
    if dataset.target is None or not runs:
        return None
    found = {method: align(run.labels, dataset.target) for method, run in runs.items()}
    confused = [f"{methods[key].title}: {_confused(*table[:2], dataset)}" for key, table in found.items()]
    n_classes, size = len(next(iter(found.values()))[0]), max(max(table.shape) for table, *_ in found.values())
    counts = {len(clusters) for *_, clusters in found.values()}
    widest = 2 if MOST_NUMBERS < size <= MOST_NAMES else 3
    columns, side = min(widest, len(found)), WIDTH / widest
    height, width = 0.35 + side * -(-len(found) // columns), max(side * columns, 3.8)
    figure = new_figure(height, title=f"{dataset.title}: classes and clusters", width=width)
    axes = panel_axes(figure, len(found), columns=columns)
    for axis, (method, (table, classes, clusters)) in zip(axes, found.items(), strict=True):
        if size > MOST_NAMES:
            _draw_table(axis, best_first(table), clusters, None)
        else:
            _draw_table(axis, table, clusters, [dataset.class_names[k] for k in classes])
        axis.set_xlim(-0.5, max(counts) - 0.5)
        axis.set_title(f"{methods[method].title}, ACC {100 * _matched(table):.1f} %", fontsize=8)
    return Drawing(
        figure=figure,
        stem=f"{dataset.key}_contingency",
        title=f"{dataset.title}: classes and clusters",
        caption=CAPTION.format(
            seed=next(iter(runs.values())).seed,
            order=ORDER.rstrip() if size > MOST_NAMES else "",
            lost=LOST if len(counts) > 1 else "",
        ),
        alt=f"Heatmaps of {n_classes} classes and their clusters. Largest share off the diagonal: "
        f"{'; '.join(confused)}.",
        datasets=(dataset.key,),
        methods=tuple(found),
    )


def _draw_table(axis, table, clusters, class_names):
    """Draw one table; without names, with the numbers of the places."""
    percent = 100 * table / table.sum(1, keepdims=True)
    axis.imshow(percent, cmap="Blues", vmin=0, vmax=100, aspect="auto")
    size = max(percent.shape)
    if size <= MOST_NUMBERS:
        for (i, j), value in np.ndenumerate(percent):
            if value >= 0.5:
                ink = "white" if value > 55 else "black"
                axis.text(j, i, f"{value:.0f}", ha="center", va="center", fontsize=7, color=ink)
    if class_names:
        small = 7 if size <= MOST_NUMBERS else 5.5
        axis.set_xticks(range(len(clusters)), clusters, fontsize=small)
        axis.set_yticks(range(len(percent)), class_names, fontsize=small)
        axis.set(xlabel="Cluster", ylabel="Class")
    else:
        for ticked, count in ((axis.xaxis, len(clusters)), (axis.yaxis, len(percent))):
            counted = [1, *range(20, count + 1, 20)]
            ticked.set_ticks([number - 1 for number in counted], counted)
        axis.set(xlabel="Clusters, by their class", ylabel="Classes, most found first")
    axis.tick_params(length=0)


def _matched(table):
    return np.trace(table) / table.sum() if min(table.shape) else 0.0


def best_first(table):
    """Return an aligned table with its matched classes and clusters in the order of the share on the diagonal.

    Examples
    --------
    >>> best_first(np.array([[1, 3], [0, 2]])).tolist()
    [[2, 0], [3, 1]]
    """
    matched = min(table.shape)
    share = (np.diagonal(table) / table.sum(1)[:matched]).argsort(kind="stable")[::-1]
    rows, columns = (np.r_[share, matched:size] for size in table.shape)
    return table[np.ix_(rows, columns)]


def _confused(table, classes, dataset):
    percent = 100 * table / table.sum(1, keepdims=True)
    percent[np.diag_indices(min(percent.shape))] = 0
    row, column = np.unravel_index(percent.argmax(), percent.shape)
    return f"{percent[row, column]:.0f} % of class {dataset.class_names[classes[row]]}"


def align(labels, target):
    """Return the contingency table of classes (rows) and clusters (columns), matching ones on the diagonal.

    Returns
    -------
    table : ndarray of shape (n_classes, n_clusters)
        Numbers of samples, matched by the Hungarian algorithm; unmatched rows or columns last.
    classes, clusters : ndarray
        The class of each row and the label of each column.

    Examples
    --------
    >>> table, classes, clusters = align(np.array([5, 5, 5, 2, 2]), np.array([0, 0, 1, 1, 1]))
    >>> table.tolist(), classes.tolist(), clusters.tolist()
    ([[2, 0], [1, 2]], [0, 1], [5, 2])
    """
    table = contingency(target, labels).T  # (n_classes, n_clusters)
    rows, columns = linear_sum_assignment(table, maximize=True)
    rows, columns = (
        [*matched, *sorted(set(range(size)) - set(matched))]
        for matched, size in zip((rows.tolist(), columns.tolist()), table.shape, strict=True)
    )
    return table[np.ix_(rows, columns)], np.unique(target)[rows], np.unique(labels)[columns]
