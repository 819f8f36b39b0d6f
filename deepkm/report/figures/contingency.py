"""How the clusters match the true classes."""

import numpy as np
from scipy.optimize import linear_sum_assignment

from deepkm.numerics.metrics import contingency
from deepkm.report.figures.style import WIDTH, Drawing, new_figure, panel_axes, styled

CAPTION = """
Percent of each class (row) that fell into each cluster (column), seed {seed}. Clusters stand in the order of the
classes that the Hungarian algorithm matches them with, unmatched ones last: what counts for ACC lies on the diagonal.
Look for rows with two dark cells, classes that were split, and columns with two, classes that were merged.
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
    tables = {method: align(run.labels, dataset.target) for method, run in runs.items()}
    n_classes = len(next(iter(tables.values()))[0])
    columns = min(3, len(tables))
    rows = -(-len(tables) // columns)
    side = WIDTH / 3
    figure = new_figure(
        0.35 + side * rows, title=f"{dataset.title}: classes and clusters", width=side * max(columns, 1.6)
    )
    axes, confused = panel_axes(figure, len(tables), columns=columns), []
    for axis, (method, (table, classes, clusters)) in zip(axes, tables.items(), strict=True):
        names = [dataset.class_names[k] for k in classes]
        _draw_table(axis, 100 * table / table.sum(1, keepdims=True), clusters, names)
        confused.append(f"{methods[method].title}: {_confused(table, names)}")
        axis.set_title(f"{methods[method].title}, ACC {100 * _matched(table):.1f} %", fontsize=8)
    return Drawing(
        figure=figure,
        stem=f"{dataset.key}_contingency",
        title=f"{dataset.title}: classes and clusters",
        group="Clusters",
        caption=CAPTION.format(seed=next(iter(runs.values())).seed),
        alt=f"Heatmaps of {n_classes} classes and their clusters. Largest share off the diagonal: "
        f"{'; '.join(confused)}.",
        datasets=(dataset.key,),
        methods=tuple(tables),
    )


def _draw_table(axis, percent, clusters, class_names):
    axis.imshow(percent, cmap="Blues", vmin=0, vmax=100, aspect="auto")
    if max(percent.shape) <= 12:
        for (i, j), value in np.ndenumerate(percent):
            if value >= 0.5:
                ink = "white" if value > 55 else "black"
                axis.text(j, i, f"{value:.0f}", ha="center", va="center", fontsize=7, color=ink)
    if max(percent.shape) <= 20:
        axis.set_xticks(range(len(clusters)), clusters)
        axis.set_yticks(range(len(percent)), class_names)
    axis.tick_params(length=0)
    axis.set(xlabel="Cluster", ylabel="Class")


def _matched(table):
    return np.trace(table) / table.sum() if min(table.shape) else 0.0


def _confused(table, class_names):
    percent = 100 * table / table.sum(1, keepdims=True)
    percent[np.diag_indices(min(percent.shape))] = 0
    row, column = np.unravel_index(percent.argmax(), percent.shape)
    return f"{percent[row, column]:.0f} % of class {class_names[row]}"


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
