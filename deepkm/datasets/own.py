"""A user's own data: a file of arrays, a table, or a folder of images. Nothing in them is unpickled."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from deepkm.datasets.arrays import Arrays, check_feature, check_form, check_rounding, check_size, image_shape_of
from deepkm.datasets.columns import split_array
from deepkm.datasets.hdf5 import array_at, array_names, labels_at, more_at, open_hdf5
from deepkm.datasets.images import read_folder
from deepkm.datasets.labels import encode_target
from deepkm.datasets.matlab import read_own_mat
from deepkm.datasets.numpy_files import read_npy, read_npz
from deepkm.datasets.roles import TABLES, UNSAID, Options, check_used, pick_arrays, unused_by
from deepkm.datasets.samples import check_names, name_classes
from deepkm.datasets.tables import read_columns, read_table
from deepkm.datasets.unreadable import check_regular, reading


def read_own(path, **options):
    """Return the data set in a user's file or folder.

    Parameters
    ----------
    path : path-like
    **options
        The fields of `deepkm.datasets.roles.Options`.

    Raises
    ------
    OSError, ValueError
        One line: got, expected, remedy.
    """
    path, options = Path(path), Options(**options)
    check_regular(path)
    check_size(options.image_size, path)
    kind = kind_of(path)
    check_used(options, kind, path)
    if path.is_dir():
        return read_folder(path, options)
    if kind not in _READERS or (path.suffix.lower() == ".gz" and kind not in (".csv", ".tsv")):
        raise ValueError(
            f"{path}: got a file of kind {path.suffix!r}, expected {' '.join(filter(None, _READERS))} or a folder of "
            "images; save it as one of them"
        )
    feature, target, more = _READERS[kind](path, options)
    check_feature(feature, path)
    feature = _plain(feature, path)
    called = check_names(more, feature, path)
    if kind not in TABLES:
        n_features = feature.shape[1]
        feature, target = split_array(feature, target, options, path)
        called["feature_names"] = called["feature_names"] if feature.shape[1] == n_features else []
    codes, names = None, []
    if target is not None:
        codes, names = encode_target(target, len(feature), path, options.drop_labels)
        if not (kept := codes >= 0).all():
            feature, codes = feature[kept], codes[kept]
            called["sample_ids"] = np.array(called["sample_ids"])[kept].tolist() if called["sample_ids"] else []
    shape = image_shape_of(feature.shape, options.image_size, path, stored=more.get("image_shape"))
    feature = _upright(feature, shape, path) if options.columnwise else feature
    return Arrays(feature, codes, name_classes(more, names), shape, **called)


def kind_of(path):
    """Return the suffix of a file in lower case, without that of its compression."""
    return path.suffix.lower() if path.suffix.lower() != ".gz" else Path(path.stem).suffix.lower()


def read_new(path, *, feature_names=(), said=None, **options):
    """Return samples in a user's file that a model was not trained on. Labels in it do not matter.

    Parameters
    ----------
    path : path-like
    feature_names : sequence of str
        Where the features have names: of a table, the columns to take, in this order.
    said : dict, optional
        What is said of this file, as in `deepkm.datasets.roles.Options`; labels of the training data stay none.
    **options
        Those that the training data were read with.

    Raises
    ------
    OSError, ValueError
        As `read_own`.
    """
    path = Path(path)
    of_labels = ("target_column", "drop_labels", "n_clusters")
    unused = (*unused_by(kind_of(path), path), *of_labels)
    said = said or {}
    check_used(Options(**said), kind_of(path), path)
    given, options = options | said, {name: value for name, value in options.items() if name not in unused}
    tabled = kind_of(path) in TABLES and not path.is_dir()
    if not tabled:  # of a table without known columns, those of labels are told apart as ever
        options["target_column"] = None
    if not tabled and not path.is_dir():  # what is no feature was settled with the training data
        options["ignore_columns"] = said.get("ignore_columns", []) if feature_names else _left_out(given)
    options |= {name: value for name, value in said.items() if name != "ignore_columns" or tabled}
    turned = options.pop("columnwise", False)
    if not (tabled and feature_names):
        found = read_own(path, **options)
        return _turned(found, options["image_size"], path) if turned else found
    if said.get("ignore_columns"):
        raise ValueError(
            f"{path}: got `ignore_columns`, expected none: the columns of a table are found by their names"
        )
    check_regular(path)
    feature, ids = read_columns(path, list(feature_names), Options(**{"header": True, **options}))
    check_feature(feature, path)
    found = Arrays(feature, feature_names=list(feature_names), sample_ids=ids)
    return _turned(found, options["image_size"], path) if turned else found


def _turned(arrays, size, path):
    """Turn rows of pixels as those of the training data; what has the form of images is upright."""
    return arrays if arrays.feature.ndim > 2 else replace(arrays, feature=_upright(arrays.feature, size, path))


def _left_out(options):
    """Return the columns of an array that are no features, by their numbers: the training data's labels among them."""
    target = Options(target_column=options.get("target_column", UNSAID))
    return [*(options.get("ignore_columns") or []), *([target.target_column] if target.target_is_counted() else [])]


def _read_hdf5(path, options):
    with open_hdf5(path) as file:
        names = array_names(file, path)
        name, labels = pick_arrays(names, options, path)
        dataset = array_at(file, name, path)
        check_form(dataset.shape, dataset.dtype, path)
        with reading(path, name):
            feature = np.asarray(dataset[()])
        return feature, None if labels is None else labels_at(file, labels, path), more_at(file, names, path)


def _plain(feature, path):
    """Return features in a type that every machine has, in its own order of bytes."""
    kind = feature.dtype.newbyteorder("=")
    if kind.kind != "f" or kind.itemsize <= 8:
        return np.asarray(feature, kind)
    check_rounding(feature, path)
    return feature.astype(np.float64)


def _upright(feature, shape, path):
    """Return images whose pixels stood column by column, turned upright."""
    if feature.ndim != 2 or len(shape) != 2:
        raise ValueError(
            f"{path}: got `columnwise` for features of shape {feature.shape}, expected one row per image and an "
            "`image_size: [height, width]`; name it"
        )
    return np.ascontiguousarray(feature.reshape(len(feature), *shape[::-1]).transpose(0, 2, 1))


_READERS = {
    ".npz": read_npz,
    ".npy": read_npy,
    ".csv": read_table,
    ".tsv": read_table,
    ".parquet": read_table,
    ".h5": _read_hdf5,
    ".hdf5": _read_hdf5,
    ".mat": read_own_mat,
    "": read_npz,
}
