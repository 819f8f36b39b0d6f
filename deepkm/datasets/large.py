"""Data sets larger than memory: their features stay in the user's HDF5 file, which is checked piece by piece."""

import hashlib
import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from deepkm.datasets.arrays import check_form, check_size, image_shape_of
from deepkm.datasets.columns import split_array
from deepkm.datasets.features import extremes, moments, pieces
from deepkm.datasets.hdf5 import array_at, array_names, labels_at, more_at, open_hdf5, stamp_of
from deepkm.datasets.labels import encode_target
from deepkm.datasets.roles import UNSAID, Options, check_used, pick_arrays
from deepkm.datasets.rows import Rows
from deepkm.datasets.samples import NAMES, check_names, name_classes
from deepkm.datasets.unreadable import reading

# Features that are larger than this as float32 stay in their file.
IN_MEMORY_BYTES = 2**31


def stays_in_file(path, stream=None, **options):
    """Tell whether the features in `path` are read from their file during training: `stream`, or by their size.

    `options` are the fields of `deepkm.datasets.roles.Options`.
    """
    if Path(path).suffix.lower() not in (".h5", ".hdf5") or not Path(path).is_file():
        if stream:
            raise ValueError(f"{path}: got no HDF5 file, expected one with `stream: true`; save the features as HDF5")
        return False
    if stream is not None:
        return stream
    with open_hdf5(path) as file:
        name, _ = pick_arrays(array_names(file, path), Options(**options), path)
        return 4 * math.prod(array_at(file, name, path).shape or ()) > IN_MEMORY_BYTES


def scan(path, **options):
    """Return what training and scoring need to know of an HDF5 file with `feature` and, optionally, `target`.

    Parameters
    ----------
    path : path-like
    **options
        The fields of `deepkm.datasets.roles.Options`.

    Returns
    -------
    about : dict of str to ndarray
        ``feature_file``, ``feature_array``, ``feature_stamp``, ``feature_shape``, ``feature_type``, the features'
        `Statistics` as ``feature_low`` to ``feature_deviation`` (F,), ``sha256``, ``image_shape`` where the file
        or an `image_size` says it, ``feature_names`` and ``sample_ids`` where the file does, and ``target`` and
        ``class_names`` where there are labels.
    sha256 : str
        Of the features.
    rows : Rows

    Raises
    ------
    ValueError
        As `deepkm.datasets.own.read_own`.
    """
    options, stamp = Options(**options), stamp_of(path)
    _check_options(options, path)
    with open_hdf5(path) as file:
        names = array_names(file, path)
        name, labels = pick_arrays(names, options, path)
        _check_labels(labels, options, path)
        feature = array_at(file, name, path)
        check_form(feature.shape, feature.dtype, path)
        more = more_at(file, names, path)
        shape = image_shape_of(feature.shape, options.image_size, path, stored=more.get("image_shape"))
        called = check_names(more, feature, path)
        about = {
            "feature_file": np.array(str(Path(path).absolute())),
            "feature_array": np.array(name),
            "feature_stamp": stamp,
            "feature_shape": np.array(feature.shape),
            "feature_type": np.array(str(feature.dtype)),
        }
        if shape:
            about["image_shape"] = np.array(shape)
        target = None if labels is None else labels_at(file, labels, path)
        _check_columns(feature, target, options, path)
        statistics, digest, rows = _scan_pieces(feature, path)
    if stamp_of(path).tolist() != stamp.tolist():
        raise ValueError(f"{path}: was changed while it was read; run the data again")
    if target is not None:
        about["target"], classes = encode_target(target, about["feature_shape"][0], path, options.drop_labels)
        about["class_names"] = np.array(name_classes(more, classes), np.str_)
    about |= {name: np.array(called[name], np.str_) for name in NAMES if called[name]}
    about |= {f"feature_{name}": value for name, value in vars(statistics).items()}
    return about | {"sha256": np.array(digest)}, digest, rows


def _check_options(options, path):
    """Raise a ValueError over options of other files, and those that would take other numbers than the file's."""
    check_size(options.image_size, path)
    check_used(options, ".h5", Path(path))
    for name in ("columnwise", "drop_labels", "ignore_columns"):
        if getattr(options, name):
            raise ValueError(
                f"{path}: got `{name}` for features that stay in their file; change the file, or set `stream: false`"
            )


def _check_labels(labels, options, path):
    if labels is None and options.target_among(()) not in (None, UNSAID):
        raise ValueError(
            f"{path}: got `target_column: {options.target_column}` for features that stay in their file, expected the "
            "name of another array; save the labels there, or set `stream: false`"
        )


def _check_columns(feature, target, options, path):
    """Raise a ValueError, as `deepkm.datasets.columns.check_columns`, over what the first piece shows of columns."""
    if feature.ndim > 2:
        return
    with reading(path, "the features"):
        _, first = next(pieces(feature))
    seen = None if target is None else target[: len(first)]
    if seen is not None and len(np.unique(seen)) < len(np.unique(target)):  # sorted by class: fewer tell themselves
        seen = None
    told = options if target is None else replace(options, target_column=None)
    split_array(first, seen, told, path)


def _scan_pieces(feature, path):
    """Return the `Statistics` of finite features, their digest, and their `Rows`."""
    digest, rows = hashlib.sha256(), Rows()
    with reading(path, "the features"):
        low, high = extremes(rows.noted(_digested(feature, digest)))
    if not (np.isfinite(low) & np.isfinite(high)).all():
        n_bad = sum(np.count_nonzero(~np.isfinite(x)) for _, x in pieces(feature))
        raise ValueError(f"{path}: got {n_bad} NaN or infinite numbers, expected finite ones; drop those samples")
    return moments(feature, low, high), digest.hexdigest(), rows


def _digested(feature, digest):
    for _, x in pieces(feature):
        digest.update(np.ascontiguousarray(x))
        yield x
