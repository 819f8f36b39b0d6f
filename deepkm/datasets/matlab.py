"""MATLAB files: those of CMU-PIE, USPS-11000 and Reuters-10K, and a user's own.

MATLAB stores images column by column; those of the two data sets are turned upright.
"""

import mmap
import struct
import warnings
import zlib

import h5py
import numpy as np
import scipy.io
import scipy.sparse

from deepkm.datasets.arrays import Arrays, check_feature, check_form
from deepkm.datasets.hdf5 import array_at, array_names, labels_at, open_hdf5
from deepkm.datasets.roles import pick_arrays
from deepkm.datasets.unreadable import reading

_NO_NUMBERS = ("cell", "struct", "object", "char", "function", "unknown", "opaque")
_MOST_BYTES = 2**33  # of a sparse array once it is dense
# Types of elements in a file of version 5; of numbers and text, too.
_ARRAY, _COMPRESSED = 14, 15
_KNOWN = {*range(1, 8), 9, 12, 13, 16, 17, 18, _ARRAY}


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
        feature = _dense(arrays["X"], path).astype(np.float32)
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
    found = _contents(path, "delete it and download it again")
    for name, shape in shapes.items():
        allowed = shape if isinstance(shape, list) else [shape]
        if found.get(name, (None,))[0] not in allowed or found[name][1] in _NO_NUMBERS:
            described = ", ".join(f"{name} {shape}" for name, (shape, _) in found.items()) or "no arrays"
            expected = f"{name} of shape {' or '.join(map(str, allowed))}"
            raise ValueError(f"{path}: got {described}, expected {expected}; the file is another version")
    return _load(path, [*shapes], "delete it and download it again")


def as_bytes(array, path):
    """Return whole numbers from 0 to 255, stored as whatever MATLAB chose, as uint8."""
    if array.dtype.kind not in "biuf" or not np.array_equal(array, array.astype(np.uint8)):
        raise ValueError(f"{path}: got numbers that are no bytes, expected whole ones from 0 to 255")
    return array.astype(np.uint8)


def read_own_mat(path, options):
    """Return (feature, target or None, {}) of a user's MATLAB file, of any version."""
    feature, target = (_read_newest if h5py.is_hdf5(path) else _read_older)(path, options)
    if target is not None:
        target = target.reshape(-1) if 1 in target.shape else target
        if len(feature) != len(target) and feature.ndim > 1 and feature.shape[-1] == len(target):
            raise ValueError(
                f"{path}: got features of shape {feature.shape} and {len(target)} labels, expected one row per sample; "
                "put the samples first with permute() in MATLAB"
            )
    return feature, target, {}


def _read_older(path, options):
    found = _contents(path, "save it again")
    names = [name for name in pick_arrays([*found], options, path) if name is not None]
    for name in names:
        if found[name][1] in _NO_NUMBERS:
            raise ValueError(f"{path}: got {name} as a {found[name][1]} array, expected numbers; convert it in MATLAB")
    arrays = _load(path, names, "save it again")
    feature, target = arrays[names[0]], arrays[names[1]] if len(names) > 1 else None
    return _dense(feature, path), None if target is None else _dense(target, path)


def _read_newest(path, options):
    """Read version 7.3, which is HDF5 with its axes in reverse."""
    with open_hdf5(path) as file:
        name, labels = pick_arrays([name for name in array_names(file, path) if name[0] != "#"], options, path)
        for wanted in filter(None, (name, labels)):
            kind = array_at(file, wanted, path).attrs.get("MATLAB_class", b"double")
            if kind in (b"cell", b"struct", b"char", b"function_handle"):
                raise ValueError(
                    f"{path}: got {wanted} as a {kind.decode()} array, expected numbers; convert it in MATLAB"
                )
        dataset = array_at(file, name, path)
        check_form((dataset.shape or ())[::-1], dataset.dtype, path)
        with reading(path, name):
            feature = np.ascontiguousarray(dataset[()].T)
        return feature, None if labels is None else labels_at(file, labels, path).T


def _contents(path, remedy):
    """Return shape and class of each array in a file, by name."""
    with reading(path, "the MATLAB file", remedy):
        return {name: (shape, kind) for name, shape, kind in scipy.io.whosmat(path)}


def _load(path, names, remedy):
    with reading(path, "the MATLAB file", remedy):
        _check_elements(path)
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # such as "returned data may be corrupt"
            return scipy.io.loadmat(path, variable_names=names)


def _check_elements(path):
    """Raise a ValueError over an element of no known type, over which SciPy ends the process."""
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        order = {b"IM": "<", b"MI": ">"}.get(content[126:128])
        for array in _arrays(content, order) if order else ():  # without: version 4
            if unknown := [kind for kind, _ in _elements(array, order) if kind not in _KNOWN]:
                raise ValueError(f"an element of unknown type {unknown[0]}")


def _arrays(content, order):
    """Yield the content of each array of a file of version 5."""
    for kind, body in _elements(content, order, start=128):
        inner = (kind, body) if kind != _COMPRESSED else next(_elements(zlib.decompress(body), order))
        if inner[0] != _ARRAY:
            raise ValueError(f"an element of type {inner[0]} where an array should be")
        yield inner[1]


def _elements(content, order, start=0):
    """Yield type and content of each element."""
    while start < len(content):
        kind, size = struct.unpack_from(f"{order}II", content, start)
        if kind >> 16:  # both in four bytes, the content in the next four
            yield kind & 0xFFFF, content[start + 4 : start + 8]
            start += 8
        else:
            yield kind, content[start + 8 : start + 8 + size]
            start += 8 + size + (0 if kind == _COMPRESSED else -size % 8)


def _dense(array, path):
    if not scipy.sparse.issparse(array):
        return array
    if array.shape[0] * array.shape[1] * array.dtype.itemsize > _MOST_BYTES:
        raise ValueError(f"{path}: got a sparse array of shape {array.shape}, too large to be dense; choose features")
    with reading(path, "a sparse array"):
        array.check_format(full_check=True)
        return array.toarray()
