"""What the data sets of a study are."""

import math

import numpy as np


def describe(about, feature_shape, target, image_shape):
    """Return one row of the table.

    Parameters
    ----------
    about : dict
        ``title``, ``n_clusters``, ``source`` and ``licence``.
    feature_shape : sequence of int
        (N, ...).
    target : ndarray of shape (N,) or None
    image_shape : sequence of int
        Empty when the samples are no images.
    """
    n_features = math.prod(feature_shape[1:])
    counts = np.zeros(0, int) if target is None else np.bincount(target)
    balance = "no labels" if target is None else f"{counts.min()} to {counts.max()}"
    return {
        "data set": about["title"],
        "N": feature_shape[0],
        "F": n_features,
        "image": " x ".join(str(int(size)) for size in image_shape) or "-",
        "K": about["n_clusters"],
        "classes": len(counts) or "-",
        "samples per class": str(counts[0]) if len(set(counts)) == 1 else balance,
        "memory [MB]": round(4 * feature_shape[0] * n_features / 1e6, 1),  # as training holds it, float32
        "source": about["source"],
        "licence": about["licence"],
    }
