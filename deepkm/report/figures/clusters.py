"""Figures of the clusters: their centers and members as images, and how they match the true classes."""

import numpy as np
from matplotlib.patches import Rectangle
from scipy.optimize import linear_sum_assignment

from deepkm.numerics.metrics import contingency
from deepkm.report.figures.captions import caption_of
from deepkm.report.figures.style import WIDTH, Drawing, new_figure, styled

N_CLUSTERS = 10
N_MEMBERS = 8


@styled
def draw_members(method, run, titles, *, dataset):
    """Draw the decoded centers, and the members nearest to and farthest from each.

    Parameters
    ----------
    method : str
    run : ClusteringRun
    titles : dict of str to str
    dataset : Dataset

    Returns
    -------
    Drawing or None
        None for data that are no images, and for runs without snapshots.
    """
    if run.epochs is None or not dataset.image_shape:
        return None
    members = {k: sorted_members(run, k, dataset) for k in range(len(run.centers[-1]))}
    shown = sorted((k for k in members if len(members[k])), key=lambda k: -len(members[k]))[:N_CLUSTERS]
    if not shown:
        return None
    mosaic = Mosaic(dataset.image_shape, len(shown))
    remarks = []
    for row, k in enumerate(shown):
        common, wrong = _common_class(members[k], dataset)
        remarks.append([f"{(run.labels == k).sum()} samples", *common])
        center = dataset.features[members[k]].mean(0) if run.decoded_centers is None else run.decoded_centers[k]
        mosaic.put(row, "center", 0, center)
        for block, samples in (("nearest", members[k][:N_MEMBERS]), ("farthest", members[k][-N_MEMBERS:])):
            for place, sample in enumerate(samples):
                mosaic.put(row, block, place, dataset.features[sample], framed=sample in wrong)
    decoded = run.decoded_centers is not None
    heads = {"center": "center" if decoded else "mean", "nearest": "nearest members", "farthest": "farthest members"}
    title = f"{dataset.title}, {titles[method]}: clusters as images"
    left = 1.35
    figure = new_figure(0.4 + (WIDTH - left) * mosaic.height / mosaic.width, title=title, layout="none")
    top = 0.36 / figure.get_figheight()
    axis = figure.add_axes((left / WIDTH, 0.005, 0.995 - left / WIDTH, 1 - top))
    mosaic.draw(axis, heads, ["\n".join(remark) for remark in remarks])
    framed = (
        "; members of another class than their cluster's most common one are framed"
        if dataset.target is not None
        else ""
    )
    what = "its center, decoded" if decoded else "the mean of its members, since its center is no image"
    return Drawing(
        figure=figure,
        stem=f"{dataset.key}_members_{method}",
        title=title,
        **caption_of("members", seed=run.seed, center=what, framed=framed),
        alt=f"Images of {len(shown)} clusters: {'; '.join(map(', '.join, remarks))}.",
        datasets=(dataset.key,),
        methods=(method,),
    )


class Mosaic:
    """Rows of images in one array: a center, its nearest members, its farthest members.

    Parameters
    ----------
    shape : tuple of int
        (H, W) or (H, W, C) of an image.
    n_rows : int
    """

    def __init__(self, shape, n_rows):
        self._shape, self._pad = shape, max(1, shape[0] // 16)
        step = shape[1] + self._pad
        self._starts = {"center": 0, "nearest": 1.5 * step, "farthest": (2 + N_MEMBERS) * step}
        self.height, self.width = n_rows * (shape[0] + self._pad), int((2 + 2 * N_MEMBERS) * step) + 1
        self.pixels = np.full((self.height, self.width, *shape[2:]), np.nan)
        self._frames = []

    def put(self, row, block, place, image, *, framed=False):
        """Set one image, its smallest number black and its largest white."""
        image = np.asarray(image, float).reshape(self._shape)
        low, high = image.min(), image.max()
        top = row * (self._shape[0] + self._pad)
        left = int(self._starts[block] + place * (self._shape[1] + self._pad))
        area = np.s_[top : top + self._shape[0], left : left + self._shape[1]]
        self.pixels[area] = (image - low) / (high - low if high > low else 1)
        if framed:
            self._frames.append((left - 0.5, top - 0.5))

    def draw(self, axis, heads, remarks):
        """Draw all images with headings and a remark on each row."""
        pixels = self.pixels if self.pixels.ndim == 2 else np.nan_to_num(self.pixels, nan=1.0)
        axis.imshow(pixels, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        for corner in self._frames:
            axis.add_patch(Rectangle(corner, *self._shape[1::-1], fill=False, ec="#cc3311", lw=1))
        for block, text in heads.items():
            axis.text(self._starts[block], -self._pad, text, va="bottom", fontsize=7)
        for row, text in enumerate(remarks):
            middle = row * (self._shape[0] + self._pad) + self._shape[0] / 2
            axis.text(-2 * self._pad, middle, text, ha="right", va="center", fontsize=7)
        axis.set_axis_off()


def sorted_members(run, cluster, dataset):
    """Return the samples of a cluster among those with a code, the nearest to its center first."""
    places = np.flatnonzero(run.labels[run.sample] == cluster)
    z = dataset.features[run.sample[places]] if run.codes is None else run.codes[-1][places]
    distance = np.linalg.norm(z - run.centers[-1][cluster], axis=1)
    return run.sample[places[np.argsort(distance, kind="stable")]]


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


def _common_class(members, dataset):
    """Return a list of what is said of the members' most common class, and the members of other ones."""
    if dataset.target is None:
        return [], ()
    counts = np.bincount(dataset.target[members])
    most = counts.argmax()
    share = 100 * counts[most] / counts.sum()
    return [f"{share:.0f} % class {dataset.class_names[most][:12]}"], members[dataset.target[members] != most]


@styled
def draw_contingency(runs, titles, *, dataset):
    """Draw how each class is spread over the clusters, a panel per method.

    Parameters
    ----------
    runs : dict of str to ClusteringRun
        One run per method, of the same seed.
    titles : dict of str to str
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
    axes, confused = figure.subplots(rows, columns, squeeze=False), []
    for axis, (method, (table, classes, clusters)) in zip(axes.flat, tables.items(), strict=False):
        names = [dataset.class_names[k] for k in classes]
        _draw_table(axis, 100 * table / table.sum(1, keepdims=True), clusters, names)
        confused.append(f"{titles[method]}: {_confused(table, names)}")
        axis.set_title(f"{titles[method]}, ACC {100 * _matched(table):.1f} %", fontsize=8)
    for axis in axes.flat[len(tables) :]:
        axis.set_visible(False)
    return Drawing(
        figure=figure,
        stem=f"{dataset.key}_contingency",
        title=f"{dataset.title}: classes and clusters",
        **caption_of("contingency", seed=next(iter(runs.values())).seed),
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
