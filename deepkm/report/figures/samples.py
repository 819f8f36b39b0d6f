"""The first samples of each data set of a study."""

import numpy as np
from matplotlib.figure import Figure

from deepkm.report.figures.style import styled

N_SHOWN = 12


def shown_samples(target, n_samples):
    """Return which samples to show, in order: the first of each class in turn, or spread evenly without labels."""
    if target is None:
        return np.linspace(0, n_samples - 1, min(N_SHOWN, n_samples)).astype(int)
    order = np.argsort(target, kind="stable")
    counts = np.bincount(target)
    starts = counts.cumsum() - counts
    classes = np.linspace(0, target.max(), min(N_SHOWN, target.max() + 1)).astype(int)
    picked = [order[starts[k] + turn] for turn in range(N_SHOWN) for k in classes if turn < counts[k]]
    return np.array(picked[:N_SHOWN])


@styled
def draw_samples(rows):
    """Draw a row of samples per data set: images as such, other features as a line over their numbers.

    Parameters
    ----------
    rows : list of (title, samples, image_shape)
        Samples (M, ...) and the shape of each as an image, empty for none.

    Returns
    -------
    Figure
    """
    figure = Figure(figsize=(N_SHOWN * 0.62, 0.35 + len(rows) * 0.85))
    axes = figure.subplots(len(rows), N_SHOWN, squeeze=False)
    figure.subplots_adjust(0.01, 0.01, 0.99, 1 - 0.3 / (0.35 + len(rows) * 0.85), 0.06, 0.45)
    for line, (title, samples, image_shape) in zip(axes, rows, strict=True):
        line[0].set_title(title, loc="left", fontsize=8, pad=3)
        for axis, sample in zip(line, samples, strict=False):
            _draw_sample(axis, sample, [int(size) for size in image_shape])
        for axis in line:
            axis.set_axis_off()
    return figure


def _draw_sample(axis, sample, image_shape):
    if not image_shape:
        axis.plot(sample.ravel(), color="black", linewidth=0.4)
        axis.margins(x=0)
        return
    image = np.asarray(sample, float).reshape(image_shape)
    low, high = image.min(), image.max()
    axis.imshow((image - low) / (high - low if high > low else 1), cmap="gray", interpolation="nearest")
