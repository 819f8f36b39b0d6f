"""Data sets larger than memory: their features stay in the user's HDF5 file, which is checked piece by piece."""

import hashlib
import math
from pathlib import Path

import numpy as np

from deepkm.datasets.arrays import check_form, encode_target
from deepkm.datasets.own import open_hdf5, read_labels

# Features that are larger than this as float32 stay in their file.
IN_MEMORY_BYTES = 2**31
PIECE_BYTES = 2**26


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
        ``feature_file``, ``feature_shape``, ``feature_type``, ``feature_range`` (2,), ``feature_mean`` and
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
        moments, digest = _scan_pieces(feature, path)
        target = read_labels(file)
    if target is not None:
        about["target"], names = encode_target(target, about["feature_shape"][0], path)
        about["class_names"] = np.array(names, np.str_)
    return about | moments, digest


def _scan_pieces(feature, path):
    n_features = math.prod(feature.shape[1:])
    rows = max(1, PIECE_BYTES // (8 * n_features))
    low, high, count, n_bad = np.inf, -np.inf, 0, 0
    mean, squares = np.zeros(n_features), np.zeros(n_features)  # squares: of the deviations from the mean
    digest = hashlib.sha256()
    for start in range(0, len(feature), rows):
        piece = feature[start : start + rows]
        digest.update(np.ascontiguousarray(piece))
        x = piece.reshape(len(piece), -1).astype(np.float64)
        n_bad += np.count_nonzero(~np.isfinite(x))
        low, high = min(low, x.min()), max(high, x.max())
        # Chan, Golub, LeVeque 1979: the moments of two parts give those of the whole.
        shift, total = x.mean(0) - mean, count + len(x)
        squares += x.var(0) * len(x) + shift**2 * count * len(x) / total
        mean += shift * len(x) / total
        count = total
    if n_bad:
        raise ValueError(f"{path}: got {n_bad} NaN or infinite numbers, expected finite ones; drop those samples")
    moments = {"feature_range": [low, high], "feature_mean": mean, "feature_deviation": np.sqrt(squares / count)}
    return {name: np.asarray(value, np.float64) for name, value in moments.items()}, digest.hexdigest()
