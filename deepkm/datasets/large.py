"""Data sets larger than memory: their features stay in the user's HDF5 file, which is checked piece by piece."""

import hashlib
import math
from pathlib import Path

import numpy as np

from deepkm.datasets.arrays import check_form, encode_target
from deepkm.datasets.features import extremes, moments, pieces
from deepkm.datasets.own import open_hdf5, read_labels

# Features that are larger than this as float32 stay in their file.
IN_MEMORY_BYTES = 2**31


def stays_in_file(path, stream=None):
    """Tell whether the features in `path` are read from their file during training: `stream`, or by their size."""
    if Path(path).suffix.lower() not in (".h5", ".hdf5") or not Path(path).is_file():
        if stream:
            raise ValueError(f"{path}: got no HDF5 file, expected one with `stream: true`; save the features as HDF5")
        return False
    if stream is not None:
        return stream
    with open_hdf5(path) as file:
        return 4 * math.prod(file["feature"].shape) > IN_MEMORY_BYTES


def scan(path):
    """Return what training and scoring need to know of an HDF5 file with `feature` and, optionally, `target`.

    Returns
    -------
    about : dict of str to ndarray
        ``feature_file``, ``feature_shape``, ``feature_type``, the features' `Statistics` as ``feature_low`` to
        ``feature_deviation`` (F,), and ``target`` and ``class_names`` where there are labels.
    sha256 : str
        Of the features.

    Raises
    ------
    ValueError
        As `deepkm.datasets.own.read_own`.
    """
    with open_hdf5(path) as file:
        feature = file["feature"]
        check_form(feature.shape, feature.dtype, path)
        about = {
            "feature_file": np.array(str(Path(path).absolute())),
            "feature_shape": np.array(feature.shape),
            "feature_type": np.array(str(feature.dtype)),
        }
        statistics, digest = _scan_pieces(feature, path)
        target = read_labels(file)
    if target is not None:
        about["target"], names = encode_target(target, about["feature_shape"][0], path)
        about["class_names"] = np.array(names, np.str_)
    return about | {f"feature_{name}": value for name, value in vars(statistics).items()}, digest


def _scan_pieces(feature, path):
    """Return the `Statistics` of finite features and their digest."""
    digest = hashlib.sha256()
    low, high = extremes(_digested(feature, digest))
    if not (np.isfinite(low) & np.isfinite(high)).all():
        n_bad = sum(np.count_nonzero(~np.isfinite(x)) for _, x in pieces(feature))
        raise ValueError(f"{path}: got {n_bad} NaN or infinite numbers, expected finite ones; drop those samples")
    return moments(feature, low, high), digest.hexdigest()


def _digested(feature, digest):
    for _, x in pieces(feature):
        digest.update(np.ascontiguousarray(x))
        yield x
