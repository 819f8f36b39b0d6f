"""The MATLAB files of CMU-PIE, USPS-11000 and Reuters-10K.

MATLAB stores images column by column; here they are turned upright.
"""

import struct
import zlib

import numpy as np
import scipy.io
import scipy.sparse
from scipy.io.matlab import MatReadError

from deepkm.datasets.arrays import Arrays, check_feature


def convert_faces(paths, *, shape, class_names):
    """Return D. Cai's faces: `fea` (N, H * W) and `gnd` (N, 1), persons numbered from 1."""
    (path,) = paths
    n, height, width = shape
    arrays = read_mat(path, fea=(n, height * width), gnd=(n, 1))
    feature = as_bytes(arrays["fea"], path).reshape(n, width, height).transpose(0, 2, 1)
    person = as_bytes(arrays["gnd"], path)[:, 0].astype(np.int64)
    if person.min() < 1:
        raise ValueError(
            f"{path}: got persons numbered from {person.min()}, expected from 1; the file is another version"
        )
    names = class_names or [str(number) for number in range(1, person.max() + 1)]
    return Arrays(np.ascontiguousarray(feature), person - 1, names)


def convert_usps(paths, *, shape, class_names):
    """Return S. Roweis' digits: `data` (H * W, N / 10, 10), digits in the order 1, ..., 9, 0."""
    (path,) = paths
    n, height, width = shape
    data = read_mat(path, data=(height * width, n // 10, 10))["data"]
    feature = as_bytes(data, path).transpose(2, 1, 0).reshape(n, width, height).transpose(0, 2, 1)
    target = np.repeat(np.roll(np.arange(10), -1), n // 10)
    return Arrays(np.ascontiguousarray(feature), target, class_names)


def convert_documents(paths, *, shape, class_names):
    """Return VaDE's documents: tf-idf `X` (N, F), sparse or not, and classes `Y`, a row or a column."""
    (path,) = paths
    n, n_features = shape
    arrays = read_mat(path, X=(n, n_features), Y=[(n, 1), (1, n)])
    with np.errstate(over="ignore"):  # what float32 cannot hold is refused in the next line
        feature = scipy.sparse.csr_array(arrays["X"]).toarray().astype(np.float32)
    check_feature(feature, path)
    number = as_bytes(arrays["Y"], path).ravel().astype(np.int64)
    return Arrays(feature, number - number.min(), class_names)


def read_mat(path, **shapes):
    """Return the named arrays of a MATLAB file (version 4 to 7); others in it are not read.

    Parameters
    ----------
    path : path-like
    **shapes : tuple of int, or list of them
        The shape of each array, or those that it may have.

    Raises
    ------
    ValueError
        When one is missing or has another shape, or the file is damaged.
    """
    try:
        found = {name: (shape, kind) for name, shape, kind in scipy.io.whosmat(path)}
        for name, shape in shapes.items():
            allowed = shape if isinstance(shape, list) else [shape]
            if found.get(name, (None,))[0] not in allowed or found[name][1] in (
                "cell",
                "struct",
                "object",
                "char",
                "function",
            ):
                expected = f"{name} of shape {' or '.join(map(str, allowed))}"
                raise ValueError(f"{path}: got {_describe(found)}, expected {expected}; the file is another version")
        return scipy.io.loadmat(path, variable_names=list(shapes))
    except NotImplementedError:
        raise ValueError(
            f"{path}: got a MATLAB 7.3 file, expected version 7 or older; the file is another version"
        ) from None
    except (MatReadError, OSError, TypeError, KeyError, IndexError, OverflowError, struct.error, zlib.error) as error:
        raise ValueError(f"{path}: is no MATLAB file or damaged ({error}); delete it and download it again") from None
    except ValueError as error:
        if str(path) in str(error):
            raise
        raise ValueError(f"{path}: is no MATLAB file or damaged ({error}); delete it and download it again") from None


def as_bytes(array, path):
    """Return whole numbers from 0 to 255, stored as whatever MATLAB chose, as uint8."""
    if array.dtype.kind not in "biuf" or not np.array_equal(array, array.astype(np.uint8)):
        raise ValueError(f"{path}: got numbers that are no bytes, expected whole ones from 0 to 255")
    return array.astype(np.uint8)


def _describe(found):
    return ", ".join(f"{name} {shape}" for name, (shape, _) in found.items()) or "no arrays"
