"""What columns hold, by their numbers: features, labels, or a count of the rows. In doubt the entry decides."""

from collections import Counter
from itertools import islice

import numpy as np

from deepkm.datasets.roles import UNSAID, is_index_like, is_key_like, is_label_like, is_part_like, starts_like_a_label
from deepkm.datasets.unreadable import as_yaml

# A column that counts this many rows is hardly a measurement ...
_ENOUGH = 10
# ... though two rows in three are left, as of a split for training.
_FEW_GAPS = 1.5
# Most columns are told apart by their first numbers.
_FIRST = slice(256)
_COUNTS, _TELLS = "counts the rows", "tells the class of each sample"


def split_array(feature, target, options, path):
    """Return the features and labels of arrays. The columns of a 2-D one are called 1, 2, ..., as of a nameless table.

    Parameters
    ----------
    feature : ndarray of shape (N, ...)
    target : ndarray or None
        Labels in an array of their own.
    options : deepkm.datasets.roles.Options
    path : path-like

    Raises
    ------
    ValueError
        As `check_columns`.
    """
    names = [str(place + 1) for place in range(feature.shape[1])] if feature.ndim == 2 else []
    said, ignored = options.target_among(names), options.ignored_among(names, path)
    if target is None and said not in (None, UNSAID):
        if said not in names:
            raise ValueError(
                f"{path}: got no column {said!r} (`target_column`), expected one of an array of shape {feature.shape}, "
                "counted from 1; correct it"
            )
        target = feature[:, int(said) - 1]
        ignored = [*ignored, said]
    kept = [place for place, name in enumerate(names) if name not in ignored]
    check_columns([(names[i], feature[:, i]) for i in kept], target, said, options, path)
    return feature[:, kept] if ignored else feature, target


def check_columns(columns, labels, said, options, path):
    """Raise a ValueError where columns may be no features, and the entry does not say so.

    Parameters
    ----------
    columns : list of (str, ndarray of shape (N,))
        The name and the numbers of each.
    labels : ndarray, or None
        As the file holds them.
    said : str or None
        What the entry says of the column of labels, as `deepkm.datasets.roles.Options.target_among` gives it.
    options : deepkm.datasets.roles.Options
    path : path-like
    """
    if columns and labels is None and said is UNSAID and options.n_clusters:
        _check_no_classes(columns, options.n_clusters, path)
    if options.ignore_columns is None:
        _check_features(columns, labels, said is not None, path)


def is_whole(values):
    """Tell whether all numbers of a column are whole."""
    parts = (values[_FIRST], values) if values.dtype.kind not in "biu" else ()
    return all(bool(np.isfinite(part).all() and (part == np.floor(part)).all()) for part in parts)


def is_distinct(values):
    """Tell whether no number of a column occurs twice."""
    return all(len(np.unique(part)) == len(part) for part in (values[_FIRST], values))


def _check_no_classes(columns, n_clusters, path):
    """Raise a ValueError where a column could hold classes as numbers, whatever it is called."""
    whole = list(islice((column for column in columns if is_whole(column[1])), 2))
    for name, values in whole if len(whole) == 1 else [columns[0], columns[-1]]:
        if not _is_grouping(values, n_clusters):
            continue
        others = [other for label, other in columns if other is not values]
        alike = [other for other in others if is_whole(other) and _same_numbers(values, other)]
        if 2 * len(alike) < len(others):
            raise ValueError(
                f"{path}: got no column 'target', but {name!r} with {n_clusters} whole numbers, as many as n_clusters: "
                f"labels? `target_column: {as_yaml([name])[1:-1]}` says so, `target_column: null` that it is a feature"
            )


def _is_grouping(values, n_clusters):
    """Tell whether a column splits the rows into as many groups as there should be clusters."""
    return len(values) >= 3 * n_clusters > 3 and is_whole(values) and len(np.unique(values)) == n_clusters


def _same_numbers(values, others):
    """Tell whether two columns hold the same set of numbers, as those of zeros and ones do."""
    ends = (values.min(), values.max()) == (others.min(), others.max())
    return ends and np.array_equal(np.unique(values), np.unique(others))


def _check_features(columns, labels, labelled, path):
    reasons = [(name, _doubt(name, values, labels, labelled)) for name, values in columns]
    counts = Counter(reason for _, reason in reasons)
    usual = {reason for reason in (_COUNTS, _TELLS) if counts[reason] > max(2, len(columns) / 2)}  # ranks; no noise
    if doubtful := [(name, reason) for name, reason in reasons if reason not in {None, *usual}][:12]:
        raise ValueError(
            f"{path}: got columns that may be no features: {'; '.join(f'{name!r} {why}' for name, why in doubtful)}. "
            f"Leave them out with `ignore_columns: {as_yaml([name for name, _ in doubtful])}`, or keep all columns as "
            "features with `ignore_columns: []`"
        )


def _doubt(name, values, labels, labelled):
    """Return why a column may be no feature, or None. Where there are no labels, one called `label` is a feature."""
    named = (
        (labelled and (is_label_like(name) or _is_one_of_several(name, values)), "could hold labels"),
        (is_index_like(name) and not is_label_like(name), "could number the rows"),
        (is_part_like(name), "could tell a part of the data, such as a fold"),
    )
    reason = next((reason for applies, reason in named if applies), None)
    if reason and is_whole(values):
        return reason
    if len(values) < _ENOUGH:
        return None
    if is_key_like(name) and is_whole(values) and is_distinct(values):
        return "has another whole number in each row, as a name has"
    if _counts(values):
        return _COUNTS
    return _TELLS if labels is not None and _tells(values, labels) else None


def _is_one_of_several(name, values):
    """Tell whether a column of zeros and ones is one class: species_setosa."""
    return starts_like_a_label(name) and np.isin(values, (0, 1)).all()


def _counts(values):
    """Tell whether a column holds N whole numbers, each once, with few gaps: a part of the rows, say, for training."""
    if not (is_distinct(values[_FIRST]) and is_whole(values)):
        return False
    return int(values.max()) - int(values.min()) < _FEW_GAPS * len(values) and is_distinct(values)


def _tells(values, labels):
    """Tell whether there is one number per class. What are no labels is refused elsewhere."""
    if labels.shape != values.shape or labels.dtype.kind not in "biufSU":
        return False
    for part in (_FIRST, slice(None)):
        numbers, codes = np.unique(values[part], return_inverse=True)
        classes, target = np.unique(labels[part], return_inverse=True)
        if len(numbers) != len(classes) or len(np.unique(codes * len(classes) + target)) != len(classes):
            return False
    return 1 < len(numbers) <= len(values) / 2
