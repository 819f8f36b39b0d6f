"""The svmlight format of USPS."""

import numpy as np
from sklearn.datasets import load_svmlight_file

from deepkm.datasets.archives import open_compressed
from deepkm.datasets.arrays import Arrays

LIMIT = 2**28  # bytes of one unpacked file; the largest has 20 MB


def convert(paths, *, shape, class_names):
    """Return training and test images, in this order.

    The files hold numbers in [-1, 1] and labels 1 to 10, of which 1 is the digit 0. Pixels are stored as bytes, 0 to
    255, as in the other versions of the data set: `round(127.5 * (x + 1))`.
    """
    parts = [_read(path, shape[1] * shape[2]) for path in paths]
    feature = np.concatenate([feature for feature, _ in parts]).reshape(-1, *shape[1:])
    return Arrays(feature, np.concatenate([target for _, target in parts]) - 1, class_names)


def read_svmlight(path, n_features, *, limit):
    """Return (x, y) of a compressed svmlight file, x sparse (N, F); raise a ValueError when it is damaged or empty."""
    try:
        with open_compressed(path, limit=limit) as stream:
            x, y = load_svmlight_file(stream, n_features=n_features)
    except ValueError as error:
        if str(path) in str(error):
            raise
        raise ValueError(f"{path}: is no svmlight file of {n_features} features ({error}); download it again") from None
    if len(y) == 0:
        raise ValueError(f"{path}: got no samples, expected some; delete it and download it again")
    return x, y


def _read(path, n_features):
    feature, target = read_svmlight(path, n_features, limit=LIMIT)
    x = feature.toarray()
    if x.min() < -1 or x.max() > 1 or target.min() < 1:
        raise ValueError(f"{path}: got numbers outside [-1, 1] or labels below 1, expected neither; download it again")
    return np.rint(127.5 * (x + 1)).astype(np.uint8), target.astype(np.int64)
