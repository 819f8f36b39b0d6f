"""Labels of a user's file: one class per sample, or a line that says what else they could be."""

import math
import unicodedata

import numpy as np

# Text that stands for a missing label in what people and programs write, whatever the other labels are ...
_MISSING = {"nan", "<na>", "nat", "?", "n/a", "#n/a", "missing", "unknown", "undefined"}
_MISSING |= {"unlabeled", "unlabelled", "unassigned", "unclassified"}
# ... or where all other labels are numbers: `NA` is a country, too.
_MISSING_AMONG_NUMBERS = {"na", "null", "none"}
# So many times farther than the others are spread lies a number that is a code and no class: 999 beside 0, 1 and 2.
_FAR = 10
# Fewer samples than this say nothing about how many classes there can be.
_ENOUGH = 20


def encode_target(target, n_samples, path, drop_labels=None):
    """Return the classes numbered 0, 1, ... in sorted order, and their names.

    Parameters
    ----------
    target : ndarray
        Whole numbers or names.
    n_samples : int
    path : path-like
    drop_labels : list of str or int, optional
        Labels that are no classes.

    Returns
    -------
    codes : ndarray of shape (N,), int64
        -1 for samples to leave out.
    names : list of str

    Raises
    ------
    ValueError
        Unless each sample has one label and it is clear that it is a class.
    """
    classes, codes, counts = np.unique(_plain(target, n_samples, path), return_inverse=True, return_counts=True)
    names = [str(name) for name in classes]
    check_alike(names, path)
    dropped = _dropped(names, drop_labels or [], path)
    _check_named(names, counts, dropped, path)
    if drop_labels is None:
        _check_clear(classes, names, counts, path)
    _check_few(classes, n_samples, path)
    kept = np.array([name not in dropped for name in names])
    if not kept.any():
        raise ValueError(f"{path}: got drop_labels {', '.join(names)}, which are all there are; keep some")
    numbers = np.where(kept, kept.cumsum() - 1, -1)
    return numbers[codes].astype(np.int64), [name for name in names if name not in dropped]


def _plain(target, n_samples, path):
    """Return labels as whole numbers, truth values or text."""
    if target.ndim == 2 and len(target) == n_samples and target.shape[1] > 1:
        raise ValueError(
            f"{path}: got target of shape {target.shape}, one column per class?, expected ({n_samples},); number the "
            "classes, as by target.argmax(1)"
        )
    if target.shape != (n_samples,):
        raise ValueError(
            f"{path}: got target of shape {target.shape}, expected ({n_samples},); give one label per sample"
        )
    if target.dtype.kind == "S":
        try:
            return np.char.decode(target, "utf-8")
        except UnicodeDecodeError:
            raise ValueError(f"{path}: got target with names that are no UTF-8 text; save them as such") from None
    if target.dtype.kind == "f":
        return _whole(target, path)
    if target.dtype.kind not in "biuU":
        raise ValueError(f"{path}: got target of type {target.dtype}, expected one whole number or name per sample")
    return target.astype(target.dtype.newbyteorder("="))


def _whole(target, path):
    if not np.isfinite(target).all():
        raise ValueError(
            f"{path}: got target of type {target.dtype} with {np.count_nonzero(~np.isfinite(target))} NaN or infinite "
            "numbers, expected one whole number or name per sample; drop those samples"
        )
    target = target.astype(np.float64)
    if (target != np.floor(target)).any() or (np.abs(target) > 2**53).any():
        value = target[(target != np.floor(target)) | (np.abs(target) > 2**53)][0]
        raise ValueError(
            f"{path}: got target with numbers such as {value}, expected classes: whole numbers or names; where these "
            "are no classes, set `target_column: null`"
        )
    return target.astype(np.int64)


def _dropped(names, drop_labels, path):
    dropped = {str(label) for label in drop_labels}
    if unknown := sorted(dropped - set(names)):
        raise ValueError(f"{path}: got no label {unknown[0]!r} (`drop_labels`), expected one of {listed(names)}")
    return dropped


def _check_named(names, counts, dropped, path):
    for name, count in zip(names, counts, strict=True):
        if not name.strip() and name not in dropped:
            raise ValueError(
                f"{path}: got {count} rows without a label in the target, expected one each; `drop_labels: [{name!r}]` "
                "leaves them out"
            )


def _check_clear(classes, names, counts, path):
    """Raise a ValueError where a label may mean that there is none: -1, 999, nan, unknown, noise among numbers."""
    doubtful = {name for name in names if name.lower() in _MISSING} | _codes(classes, names) | _odd_one_out(names)
    others = [name for name in names if name.lower() not in _MISSING | _MISSING_AMONG_NUMBERS]
    if others and all(map(_is_number, others)):
        doubtful |= {name for name in names if name.lower() in _MISSING_AMONG_NUMBERS}
    if found := {name: count for name, count in zip(names, counts, strict=True) if name in doubtful}:
        listing = ", ".join(map(repr, found))
        raise ValueError(
            f"{path}: got {sum(found.values())} samples with the label {listing}: a class, or none? `drop_labels: "
            f"[{listing}]` leaves these samples out, `drop_labels: []` says that it is a class like any other"
        )


def _codes(classes, names):
    """Return the numbers that may stand for no label: those below zero beside others, one far above, an unsigned -1."""
    if classes.dtype.kind == "u" and len(classes) > 1 and classes[-1] == np.iinfo(classes.dtype).max > len(classes):
        return {names[-1]}
    numbers = [float(name) for name in names if _is_number(name)]
    if len(numbers) < len(names) or max(numbers) < 0 or sorted(numbers) == [-1, 1]:
        return set()
    *others, last = sorted(numbers)
    spread = others[-1] - others[0] if others else 0
    is_far = 0 < spread == len(others) - 1 and last - others[-1] > _FAR * spread
    return {name for name, number in zip(names, numbers, strict=True) if number < 0 or (is_far and number == last)}


def _odd_one_out(names):
    """Return the only word among numbers, the only number among words, or the only mark, such as -, among either."""
    kinds = {"number": set(), "word": set(), "mark": set(), "other": set()}
    for name in names:
        kinds[_kind_of(name)].add(name)
    found = sorted(filter(None, kinds.values()), key=len)
    return found[0] if len(found) == 2 and len(found[0]) == 1 < len(found[1]) and not kinds["other"] else set()


def _kind_of(name):
    if _is_number(name):
        return "number"
    if name[:1].isdigit():
        return "other"  # 10+, 3a
    return "word" if any(map(str.isalnum, name)) else "mark"


def _check_few(classes, n_samples, path):
    most = n_samples // 3 if classes.dtype.kind in "iu" else n_samples - 1
    if n_samples >= _ENOUGH and len(classes) > most:
        raise ValueError(
            f"{path}: got {len(classes)} different labels of {n_samples} samples, expected classes; where these are "
            "none (an index, a measurement), set `target_column: null` or name another column"
        )


def _is_number(text):
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def check_alike(names, path, what="labels"):
    """Raise a ValueError where different names look the same."""
    if len(set(map(_looks, names))) < len(names):
        raise ValueError(
            f"{path}: got {what} that differ by blanks alone, or by how an accent is stored, or by what is hardly "
            "seen; make them equal"
        )


def _looks(name):
    """Return what is seen of a name: its letters in one way of storing them, single blanks, nothing invisible."""
    seen = [letter for letter in unicodedata.normalize("NFKC", name) if unicodedata.category(letter) != "Cf"]
    return " ".join("".join(seen).split())


def listed(names, most=12):
    """Return names in one line; of many, the first."""
    shown = ", ".join(map(repr, names[:most]))
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown or "(none)"
