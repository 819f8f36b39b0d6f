"""The clusters of one run as images: their centers, and the members nearest to and farthest from them."""

import numpy as np
from matplotlib.patches import Rectangle

from deepkm.report.figures.style import WIDTH, Drawing, new_figure, styled

N_CLUSTERS = 10
N_MEMBERS = 8
CAPTION = """
A row per cluster, the largest first, seed {seed}{which}: {center}, then the members nearest to it and farthest from
it{framed}. Look for centers that are sharp images of one kind; at the right, for what the cluster took in that does not
belong. A decoder that is not trained on, as DEC's, cannot follow its code.
"""
SOME = ", {shown} of {n} clusters that lie evenly between the largest and the smallest"
FRAMED = "; members of another class than their cluster's most common one are framed"


@styled
def draw_members(method, run, methods, *, dataset):
    """Draw the decoded centers, and the members nearest to and farthest from each.

    Parameters
    ----------
    method : str
    run : ClusteringRun
    methods : dict of str to Method
    dataset : Dataset

    Returns
    -------
    Drawing or None
        None for data that are no images, and for runs without snapshots.
    """
    if run.epochs is None or not dataset.image_shape:
        return None
    members = {k: sorted_members(run, k, dataset) for k in range(len(run.centers[-1]))}
    filled = sorted((k for k in members if len(members[k])), key=lambda k: -len(members[k]))
    if not filled:
        return None
    places = np.linspace(0, len(filled) - 1, min(N_CLUSTERS, len(filled))).round().astype(int)
    shown = [filled[place] for place in places]
    mosaic = Mosaic(dataset.image_shape, len(shown))
    remarks = []
    for row, k in enumerate(shown):
        common, wrong = _common_class(members[k], dataset)
        remarks.append([f"cluster {k}, n = {(run.labels == k).sum()}", *common])
        center = dataset.features[members[k]].mean(0) if run.decoded_centers is None else run.decoded_centers[k]
        mosaic.put(row, "center", 0, center)
        for block, samples in (("nearest", members[k][:N_MEMBERS]), ("farthest", members[k][-N_MEMBERS:])):
            for place, sample in enumerate(samples):
                mosaic.put(row, block, place, dataset.features[sample], framed=sample in wrong)
    decoded = run.decoded_centers is not None
    heads = {"center": "center" if decoded else "mean", "nearest": "nearest members", "farthest": "farthest members"}
    title = f"{dataset.title}, {methods[method].title}: clusters as images"
    left = 1.35
    figure = new_figure(0.4 + (WIDTH - left) * mosaic.height / mosaic.width, title=title, layout="none")
    top = 0.36 / figure.get_figheight()
    axis = figure.add_axes((left / WIDTH, 0.005, 0.995 - left / WIDTH, 1 - top))
    mosaic.draw(axis, heads, ["\n".join(remark) for remark in remarks])
    which = SOME.format(shown=len(shown), n=len(filled)) if len(shown) < len(filled) else ""
    framed = "" if dataset.target is None else FRAMED
    what = "its center, decoded" if decoded else "the mean of its members, since its center is no image"
    return Drawing(
        figure=figure,
        stem=f"{dataset.key}_members_{method}",
        title=title,
        caption=CAPTION.format(seed=run.seed, which=which, center=what, framed=framed),
        alt=f"Images of {len(shown)} clusters: {'; '.join(map(', '.join, remarks))}.",
        datasets=(dataset.key,),
        methods=(method,),
        pictures=True,
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
    """Return the samples of a cluster among those with a code, the nearest to its center first.

    Controls may have centers in a space of their own, such as principal components: the mean of members is taken then.
    """
    places = np.flatnonzero(run.labels[run.sample] == cluster)
    z = dataset.features[run.sample[places]] if run.codes is None else run.codes[-1][places]
    center = run.centers[-1][cluster]
    distance = np.linalg.norm(z - (center if len(center) == z.shape[1] or not len(z) else z.mean(0)), axis=1)
    return run.sample[places[np.argsort(distance, kind="stable")]]


def _common_class(members, dataset):
    """Return a list of what is said of the members' most common class, and the members of other ones."""
    if dataset.target is None:
        return [], ()
    counts = np.bincount(dataset.target[members])
    most = counts.argmax()
    share = 100 * counts[most] / counts.sum()
    return [f"{share:.0f} % class {dataset.class_names[most][:12]}"], members[dataset.target[members] != most]
