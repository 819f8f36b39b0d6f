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


def _read(path, n_features):
    try:
        with open_compressed(path, limit=LIMIT) as stream:
            feature, target = load_svmlight_file(stream, n_features=n_features)
    except ValueError as error:
        if str(path) in str(error):
            raise
        raise ValueError(f"{path}: got no libsvm file of {n_features} features ({error}); download it again") from None
    x = feature.toarray()
    if x.size == 0 or x.min() < -1 or x.max() > 1 or target.min() < 1:
        raise ValueError(f"{path}: got numbers outside [-1, 1] or labels below 1, expected neither; download it again")
    return np.rint(127.5 * (x + 1)).astype(np.uint8), target.astype(np.int64)
