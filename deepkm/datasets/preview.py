"""A few samples of a converted data set, to be looked at."""

import math
from dataclasses import dataclass

import numpy as np

from deepkm.datasets.converted import read_converted
from deepkm.datasets.hdf5 import SOURCE, open_converted

N_SHOWN = 12


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What a data set looks like.

    Attributes
    ----------
    shape : tuple of int
        (N, ...) of its features.
    target : ndarray of shape (N,) or None
    samples : ndarray of shape (M, ...)
        As they are stored, at most `N_SHOWN`.
    image_shape : tuple of int
        Of images, as the file says; empty when it does not.
    """

    shape: tuple
    target: np.ndarray | None
    samples: np.ndarray
    image_shape: tuple

    @property
    def picture_shape(self):
        """The shape to draw samples in: that of images, or of rows of bytes that are most likely square grey ones."""
        side = math.isqrt(math.prod(self.samples.shape[1:]))
        square = self.samples.dtype == np.uint8 and self.samples.shape[1:] == (side**2,) and side > 1
        return self.image_shape or ((side, side) if square else ())


def preview(path):
    """Return the `Preview` of ``data/{dataset}.npz``.

    Raises
    ------
    OSError
        One line, when the file cannot be read or is not what was written.
    """
    found = read_converted(path, optional=("feature", "target", "image_shape", *SOURCE))
    shape = tuple(found["feature_shape"] if "feature_shape" in found else found["feature"].shape)
    target = found.get("target")
    index = shown_samples(target, shape[0])
    feature = found["feature"] if "feature" in found else open_converted(found, path)
    samples = np.stack([feature[int(i)] for i in index])
    image_shape = tuple(int(size) for size in found.get("image_shape", shape[1:] if len(shape) > 2 else ()))
    return Preview(shape=shape, target=target, samples=samples, image_shape=image_shape)


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
