"""The first samples of each data set of a study."""

import numpy as np
from matplotlib.figure import Figure

from deepkm.datasets.preview import N_SHOWN
from deepkm.report.figures.style import styled


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
