"""A user's table, .csv, .tsv or .parquet: its columns are features, but for labels and an index."""

import re
from collections import Counter
from contextlib import suppress

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet

from deepkm.datasets.arrays import check_rounding
from deepkm.datasets.columns import check_columns, is_distinct, is_whole
from deepkm.datasets.labels import check_alike, listed
from deepkm.datasets.roles import UNSAID, is_label_like
from deepkm.datasets.samples import ids_among
from deepkm.datasets.text_tables import read_text
from deepkm.datasets.unreadable import as_yaml, reading

_PANDAS_INDEX = "__index_level_"  # an index without a name, in Parquet; in .csv it is the first column
# Whole numbers and others as labels, in the one way of writing them that loses no digit.
_USUAL = {r"-?(?!0\d)\d{1,15}": np.int64, r"-?(?!0\d)(\d{1,15}\.?|\d{0,15}\.\d{1,15})([eE][-+]?\d{1,2})?": np.float64}
_MOST_LETTERS = 200  # of a label: each takes as much memory as the longest


def read_table(path, options):
    """Return the features and the labels of a table, and what columns and rows are called.

    Parameters
    ----------
    path : Path
    options : deepkm.datasets.roles.Options

    Returns
    -------
    feature : ndarray of shape (N, F)
    target : ndarray of shape (N,), or None
    names : dict of str to list of str
        ``feature_names``, and ``sample_ids`` where a column that is left out names the rows.

    Raises
    ------
    ValueError
        Where it is no table, a feature is no number, or a column's role is in doubt.
    """
    names, columns = _read(path, options)
    target, features = _assign(names, options, path)
    labels = None if target is None else _labels(columns[target], names[target], path)
    values = {i: _numbers(columns[i], names[i], path) for i in features if not _is_void(names[i], columns[i])}
    for i in [i for i in values if not names[i] or names[i].startswith(_PANDAS_INDEX)]:
        _check_nameless(i, names[i], values.pop(i), path)
    found, said = [(names[i], column) for i, column in values.items()], options.target_among(names)
    check_columns(found, labels, said, options, path)
    rest = [i for i in range(len(names)) if i not in values and i != target]
    called = {"feature_names": [names[i] for i in values], "sample_ids": _ids(rest, names, columns)}
    return _stacked(found, path) if found else np.zeros((len(columns[0]), 0)), labels, called


def read_columns(path, wanted, options):
    """Return the features of a table by the names of their columns, in that order, and the ids of its rows.

    What else the table holds is not asked.

    Parameters
    ----------
    path : Path
    wanted : list of str
    options : deepkm.datasets.roles.Options

    Returns
    -------
    feature : ndarray of shape (N, F)
    sample_ids : list of str

    Raises
    ------
    ValueError
        Where it is no table, a column is missing or there twice, or a feature is no number.
    """
    names, columns = _read(path, options)
    counts, places = Counter(names), {name: i for i, name in enumerate(names)}
    for name in wanted:
        if counts[name] != 1:
            raise ValueError(
                f"{path}: got {counts[name] or 'no'} columns {name!r} among {listed(names)}, expected one; name the "
                "columns as in the training data"
            )
    found = [(name, _numbers(columns[places[name]], name, path)) for name in wanted]
    taken = {places[name] for name in wanted}
    rest = [i for i in range(len(names)) if i not in taken]
    return _stacked(found, path), _ids(rest, names, columns)


def _read(path, options):
    return _read_parquet(path) if path.suffix.lower() == ".parquet" else read_text(path, options)


def _ids(places, names, columns):
    return ids_among([("" if names[i].startswith(_PANDAS_INDEX) else names[i], columns[i]) for i in places])


def _read_parquet(path):
    with reading(path, "the table"):  # as it is stored: pandas would take columns for its index
        table = pyarrow.parquet.ParquetFile(path).read()
        table.validate(full=True)  # of text, that it is UTF-8
        names, columns = [name.strip() for name in table.column_names], table.columns
        for index in (table.schema.pandas_metadata or {}).get("index_columns", ()):
            if isinstance(index, dict) and index["name"]:  # of evenly spaced numbers, pandas stores the ends alone
                names.append(str(index["name"]).strip())
                columns.append(pa.chunked_array([index["start"] + np.arange(table.num_rows) * index["step"]]))
    if not columns:
        raise ValueError(f"{path}: got a table without columns, expected one per feature; save it again")
    return names, columns


def _assign(names, options, path):
    """Return the place of the labels, or None, and those of the features."""
    target = options.target_among(names)
    if target is UNSAID:
        places = [i for i, name in enumerate(names) if name.lower() == "target"]
    else:
        places = [i for i, name in enumerate(names) if name == target]
        if target is not None and not places:
            raise ValueError(
                f"{path}: got no column {target!r}, expected the one of the labels among {listed(names)}; correct "
                "`target_column`"
            )
    if len(places) > 1:
        raise ValueError(f"{path}: got {len(places)} columns {names[places[0]]!r}, expected one of labels; rename one")
    ignored = options.ignored_among(names, path)
    features = [i for i, name in enumerate(names) if i not in places and name not in ignored]
    doubtful = [names[i] for i in features if is_label_like(names[i])]
    if target is UNSAID and not places and doubtful:
        raise ValueError(
            f"{path}: got columns {listed(names)}, of which {listed(doubtful)} could be the labels; name them in "
            "`target_column`, or set it to null where there are none and these are features"
        )
    return places[0] if places else None, features


def _check_nameless(place, name, values, path):
    """Raise a ValueError unless a column without a name is an index that pandas wrote."""
    if (name or place == 0) and is_whole(values) and is_distinct(values):
        print(f"{path}: column {place + 1} has no name and numbers the rows: left out")
        return
    raise ValueError(
        f"{path}: got no name for column {place + 1}, expected one; write one into the file, or leave the column out "
        f"with `ignore_columns: {as_yaml([name])}`"
    )


def _stacked(columns, path):
    """Return columns side by side, in a type that holds the numbers of all."""
    feature = np.column_stack([values for _, values in columns])
    for name, values in columns:
        if feature.dtype.kind == "f" and values.dtype.kind in "iu":
            check_rounding(values, path, f"column {name!r}")
    return feature


def _is_void(name, column):
    """Tell whether a column has neither name nor content, as by a separator at the end of each line."""
    return not name and pa.types.is_string(column.type) and pa.compute.max(pa.compute.utf8_length(column)).as_py() == 0


def _numbers(column, name, path):
    """Return a column as numbers; what is missing becomes NaN, which is refused with all other such numbers."""
    column, kind = _decoded(column)
    if _is_text(kind):
        return _parsed(column, name, path)
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        if not (pa.types.is_decimal(kind) or pa.types.is_null(kind)):
            raise ValueError(f"{path}: got column {name!r} of type {kind}, expected numbers{_REMEDY}")
        column = column.cast(pa.float64())
    if column.null_count:
        plain = column.cast(pa.uint8()) if pa.types.is_boolean(kind) else column
        column = plain.cast(pa.float64(), safe=False).fill_null(np.nan)
    return column.to_numpy()


_REMEDY = "; encode it, or name it in `target_column` (labels) or `ignore_columns` (left out)"


def _parsed(column, name, path):
    """Return a column of text as numbers; true and false are 1 and 0."""
    for kind in (pa.int64(), pa.uint64(), pa.float64()):
        with suppress(pa.ArrowInvalid):
            return column.cast(kind).to_numpy()
    text = pa.compute.utf8_trim_whitespace(column)
    with suppress(pa.ArrowInvalid):
        return pa.compute.if_else(pa.compute.equal(text, ""), None, text).cast(pa.float64()).to_numpy()
    lower = pa.compute.utf8_lower(text)
    if pa.compute.all(pa.compute.is_in(lower, pa.array(["true", "false"]))).as_py():
        return pa.compute.equal(lower, "true").to_numpy()
    row, value = next((i, value) for i, value in enumerate(text.to_pylist()) if value and not _is_number(value))
    remedy = "; write numbers with a point" if re.fullmatch(r"[-+]?[\d.]+,\d+", value) else _REMEDY
    raise ValueError(f"{path}: got {value[:40]!r} in column {name!r}, row {row + 1}, expected numbers{remedy}")


def _is_number(value):
    try:
        pa.scalar(value).cast(pa.float64())
    except pa.ArrowInvalid:
        return False
    return True


def _labels(column, name, path):
    """Return a column of labels as numbers or text; a missing one is empty text."""
    column, kind = _decoded(column)
    if (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)) and not column.null_count:
        return column.to_numpy()
    with reading(path, f"the labels in column {name!r}", "give numbers or names"):
        column = column.cast(pa.string()).fill_null("")
        longest = pa.compute.max(pa.compute.utf8_length(column)).as_py() or 0
        lines = pa.compute.any(pa.compute.match_substring_regex(column, "[\r\n]")).as_py()
    if longest > _MOST_LETTERS or lines:
        raise ValueError(
            f"{path}: got labels of up to {longest} letters or several lines in column {name!r}, expected names; "
            "a quote that is not closed?"
        )
    text = np.array(column.to_pylist(), str)
    check_alike(np.unique(text), path, f"labels in column {name!r}")
    return _as_numbers(np.char.strip(text))


def _as_numbers(text):
    """Return text as numbers where each is written in the one usual way: 001 and 1 are two names."""
    labels = np.unique(text)
    for pattern, kind in _USUAL.items():
        if all(re.fullmatch(pattern, label) for label in labels) and len(set(map(float, labels))) == len(labels):
            return text.astype(kind)
    return text


def _decoded(column):
    """Return a column without a dictionary of its values (pandas: a categorical), and its type."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return column, column.type


def _is_text(kind):
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
