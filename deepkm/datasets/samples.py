"""What the samples, the features and the classes of a user's file are called."""

import numpy as np

from deepkm.datasets.roles import is_index_like

NAMES = ("feature_names", "sample_ids")  # arrays of a file, each beside an axis of the features
MORE = ("class_names", "image_shape", *NAMES)  # what DeepKM's own files hold beside features and labels


def ids_among(columns):
    """Return what the rows of a table are called, by one of the columns that are left out of it; [] without any.

    One that tells all rows apart: called an id or without a name (pandas' index), else one of text.

    Parameters
    ----------
    columns : list of (str, column)
        Names, and values as PyArrow or NumPy hold them.
    """
    known = [column for name, column in columns if not name or is_index_like(name)]
    texts = [column for name, column in columns if name and not is_index_like(name)]
    for column in known + texts:
        ids = [_as_text(value) for value in column.to_pylist()]
        if len(set(ids)) == len(ids) and (column in known or not any(map(_is_number, ids))):
            return ids
    return []


def check_names(found, feature, path):
    """Return ``feature_names`` and ``sample_ids`` of an array (N, ...), each a list, [] where there are none.

    Raises
    ------
    ValueError
        Where a file holds them, but not one for each.
    """
    sizes = {"feature_names": int(np.prod(feature.shape[1:])), "sample_ids": len(feature)}
    called = {name: np.asarray(found.get(name, ())) for name in NAMES}
    for name, values in called.items():
        if values.size and (values.shape != (sizes[name],) or values.dtype.kind not in "Uiu"):
            raise ValueError(
                f"{path}: got {name} of shape {values.shape} and type {values.dtype}, expected {sizes[name]} names or "
                "whole numbers; leave them out, or save one for each"
            )
    return {name: [str(value) for value in values] for name, values in called.items()}


def name_classes(found, names):
    """Return the ``class_names`` in a file where they are names, one for each class, else those of its labels."""
    given = np.ravel(found.get("class_names", []))
    return [str(name) for name in given] if given.dtype.kind == "U" and len(given) == len(names) else names


def _as_text(value):
    return "" if value is None else str(value).strip()


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True
