"""The features that methods see. True labels are never read here."""

import numpy as np

from deepkm.datasets.converted import read_converted

SCALINGS = ("unit", "symmetric", "standard", "none")


def load_features(path, scaling):
    """Return the scaled features of ``data/{dataset}.npz``, one row per sample.

    Parameters
    ----------
    path : path-like
        A file that the dataset stage wrote.
    scaling : {"unit", "symmetric", "standard", "none"}
        As in `scale`.

    Returns
    -------
    ndarray of shape (N, F), float32
    """
    feature = read_converted(path, "feature")["feature"]
    return scale(feature.reshape(len(feature), -1).astype(np.float32), scaling)


def scale(x, scaling):
    """Scale x (N, F).

    ``unit`` maps the smallest and largest number of the whole array to 0 and 1, ``symmetric`` to -1 and 1, ``standard``
    gives each feature mean 0 and standard deviation 1 (constant features become 0), ``none`` changes nothing.

    Examples
    --------
    >>> scale(np.array([[0.0, 255.0], [51.0, 0.0]]), "symmetric")
    array([[-1. ,  1. ],
           [-0.6, -1. ]])
    """
    if scaling == "none":
        return x
    if scaling == "standard":
        deviation = x.std(0)
        return (x - x.mean(0)) / np.where(deviation > 0, deviation, 1)
    if scaling not in SCALINGS:
        raise ValueError(f"scaling={scaling!r} should be one of {', '.join(SCALINGS)}")
    low, high = x.min(), x.max()
    unit = (x - low) / (high - low if high > low else 1)
    return unit if scaling == "unit" else 2 * unit - 1
