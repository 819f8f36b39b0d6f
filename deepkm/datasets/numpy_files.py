"""A user's NumPy file, .npz or .npy. Nothing in it is unpickled."""

import numpy as np

from deepkm.datasets.roles import pick_arrays
from deepkm.datasets.samples import MORE
from deepkm.datasets.unreadable import reading


def read_npz(path, options):
    """Return (feature, target or None, what else DeepKM's own files hold); other members are not even read."""
    with open(path, "rb") as file:
        try:
            archive = np.load(file, allow_pickle=False)
        except Exception:
            archive = None  # said below, whatever it was
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise ValueError(
                f"{path}: got a file that is no .npz archive; make one with np.savez(path, feature=..., target=...)"
            )
        return _members(archive, options, path)


def _members(archive, options, path):
    """Return the same of an open archive."""
    with archive:
        _check_names(archive.zip, path)
        names = list(dict.fromkeys(archive.files))
        feature, target = pick_arrays(names, options, path)
        more = [name for name in MORE if name in names]
        found = {name: _member(archive, name, path) for name in (feature, target, *more) if name is not None}
    return found.pop(feature), found.pop(target, None), found


def read_npy(path, options):
    """Return the same of a single array."""
    with open(path, "rb") as file:
        if file.read(6) != b"\x93NUMPY":
            raise ValueError(f"{path}: got a file that is no .npy array; make one with np.save")
        file.seek(0)
        array = _checked(lambda: np.load(file, allow_pickle=False), "the array", path)
        if file.read(1):
            raise ValueError(
                f"{path}: got more than one array, expected one; save them with np.savez, each by its name"
            )
    return array, None, {}


def _check_names(archive, path):
    """Raise a ValueError where a name is damaged: its array would be left out, and the rest is sound."""
    with reading(path, "the archive"):
        if len(set(archive.namelist())) < len(archive.namelist()):
            raise ValueError("a name that occurs twice")
        for member in archive.infolist():
            archive.open(member).close()  # compares both names that a zip holds


def _member(archive, name, path):
    array = _checked(lambda: archive[name], name, path)
    if not isinstance(array, np.ndarray):
        raise ValueError(f"{path}: got {name} as a file that is no array, expected one; save it with np.savez")
    return array


def _checked(read, name, path):
    with reading(path, name, "save the file again"):
        try:
            return read()
        except ValueError as error:
            if "Object arrays" not in str(error):
                raise
    raise ValueError(
        f"{path}: got {name} as an array of Python objects, expected numbers; such arrays are pickles and are never "
        "loaded: convert it with .astype before saving"
    )
