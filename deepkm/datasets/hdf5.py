"""A user's HDF5 file: its own bytes alone are read. What lies in other files has no part in its checksum."""

import hashlib
import math
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import h5py
import numpy as np

from deepkm.datasets.features import pieces
from deepkm.datasets.samples import MORE
from deepkm.datasets.unreadable import reading

# Members of a converted data set that say where its features are.
SOURCE = ("feature_file", "feature_array", "feature_stamp", "feature_shape", "sha256")
_MOST_LINKS = 16
_MOST_NAMES = 1000


@contextmanager
def open_hdf5(path):
    """Yield an open HDF5 file; its arrays are had by `array_at`."""
    with reading(path, "the HDF5 file"):
        file = h5py.File(path, "r")
    with file:
        yield file


def array_names(file, path):
    """Return the names of all that lies at the top of a file, and of the arrays in its groups: obsm/X_pca."""
    with reading(path, "the HDF5 file"):
        names = [name if isinstance(name, str) else name.decode(errors="replace") for name in file]
        file.visititems(partial(_note_nested, names))
    return names


def _note_nested(names, name, item):
    """Note an array in a group; return whether to look no further."""
    if "/" in name and isinstance(item, h5py.Dataset):
        names.append(name)
    return len(names) > _MOST_NAMES or None


def array_at(file, name, path):
    """Return an array of an open file, a Dataset that can be read piece by piece.

    Raises
    ------
    ValueError
        Where it lies in another file, was never written, or needs a compression that is not here.
    """
    with reading(path, name):
        place, found = _follow(file, name)
        dataset = file[place] if found is None else None
    if not isinstance(dataset, h5py.Dataset):
        raise ValueError(
            f"{path}: got {found or 'a group'} as {name}, expected an array in the file itself; copy it there"
        )
    with reading(path, name):
        problem = _problem(dataset) if dataset.dtype is not None else None  # some types are none of NumPy's
    if problem:
        raise ValueError(f"{path}: {name} {problem}")
    return dataset


def _follow(file, name):
    """Return where an array lies after links within its file, and None, or what stands in the way."""
    todo, place = name.split("/"), []
    for _ in range(_MOST_LINKS * 8):
        todo = [part for part in todo if part not in ("", ".")]
        if not todo:
            return "/" + "/".join(place), None
        here, part = file["/" + "/".join(place)], todo.pop(0)
        link = here.get(part, getlink=True) if isinstance(here, h5py.Group) else None
        if isinstance(link, h5py.HardLink):
            place.append(part)
        elif isinstance(link, h5py.SoftLink):
            place = [] if link.path.startswith("/") else place
            todo = link.path.split("/") + todo
        else:
            return None, "a link to another file" if link is not None else "a link that leads nowhere"
    return None, "links in a circle"


def _problem(dataset):
    """Return why the numbers of an array are not all in its file, or None."""
    plan = dataset.id.get_create_plist()
    if dataset.is_virtual:
        return "is put together from other files (a virtual data set); copy the numbers into one file"
    if dataset.external:
        return f"lies in another file, {dataset.external[0][0]}; copy the numbers into this one"
    codes = [plan.get_filter(i)[0] for i in range(plan.get_nfilters())]
    if missing := [code for code in codes if not h5py.h5z.filter_avail(code)]:
        return f"is compressed by a filter that is not here (number {missing[0]}); save it with gzip or uncompressed"
    if dataset.shape is None or 0 in dataset.shape or plan.get_layout() == h5py.h5d.COMPACT:
        return None
    if dataset.chunks is None:
        written, expected = dataset.id.get_storage_size(), dataset.size * dataset.id.get_type().get_size()
    else:
        written = dataset.id.get_num_chunks()
        expected = math.prod(-(-size // chunk) for size, chunk in zip(dataset.shape, dataset.chunks, strict=True))
    if written < expected:
        what = "bytes" if dataset.chunks is None else "chunks"
        return f"was never written in full: got {written} of {expected} {what} of shape {dataset.shape}; save it again"
    return None


def labels_at(file, name, path):
    """Return the labels in an open file as numbers or text."""
    dataset = array_at(file, name, path)
    with reading(path, name, "give numbers or names in UTF-8"):
        text = h5py.check_string_dtype(dataset.dtype) is not None
        values = dataset.asstr()[()] if text else dataset[()]
        return np.array(values, str) if text else np.asarray(values)


def more_at(file, names, path):
    """Return those of the arrays in an open file that DeepKM's own files hold beside features and labels."""
    return {name: labels_at(file, name, path) for name in MORE if name in names}


def stamp_of(path):
    """Return what a file system knows of a file's content: other numbers for a file that was changed."""
    about = Path(path).stat()
    return np.array([about.st_size, about.st_mtime_ns, about.st_ctime_ns])


def open_converted(about, path):
    """Return the features that stayed in a user's file, once they are known to be those that were converted.

    Parameters
    ----------
    about : dict of str to ndarray
        The members `SOURCE` of a converted data set.
    path : path-like
        Of that data set, for messages.

    Returns
    -------
    Dataset
        Its file closes with it.

    Raises
    ------
    OSError
        Where the file is gone, or its features are others.
    """
    source, name = str(about["feature_file"]), str(about["feature_array"])
    try:
        file = h5py.File(source, "r")
        feature = array_at(file, name, source)
    except (OSError, ValueError):
        raise OSError(f"{path}: its features should be in {source}, which cannot be read; run the data again") from None
    if list(feature.shape) != about["feature_shape"].tolist():
        raise OSError(
            f"{source}: got features of shape {feature.shape}, expected {tuple(about['feature_shape'].tolist())}; run "
            "the data again"
        )
    if stamp_of(source).tolist() != about["feature_stamp"].tolist():
        print(f"{source} was touched since it was converted: reading it through once", flush=True)
        with reading(source, name):
            digest = hashlib.sha256()
            for _, x in pieces(feature):
                digest.update(np.ascontiguousarray(x))
        if digest.hexdigest() != str(about["sha256"]):
            raise OSError(f"{source}: got other features than those of {path}; run the data again")
    return feature
