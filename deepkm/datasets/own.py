"""A user's own data: an .npz, .npy, .csv, .parquet or .h5 file, or a folder of images. Nothing in them is unpickled."""

import tokenize
import zipfile
import zlib
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from deepkm.datasets.arrays import Arrays, check_feature, encode_target
from deepkm.datasets.images import read_folder

# What a damaged array can raise.
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, SyntaxError, tokenize.TokenError, OverflowError)


def read_own(path, *, image_size=None, grey=True, target_column="target"):
    """Return the data set in a user's file or folder.

    Parameters
    ----------
    path : path-like
    image_size : (int, int), optional
        Height and width: what a folder's images are scaled to, or what the rows of a table are.
    grey : bool
        Turn a folder's images grey.
    target_column : str
        The column of a table that holds the labels, if there is one of this name.

    Raises
    ------
    OSError, ValueError
        One line: got, expected, remedy.
    """
    path = Path(path)
    if path.is_dir():
        return read_folder(path, image_size=image_size, grey=grey)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no such file; give the data set's `path:` relative to where you call snakemake"
        )
    suffix = path.suffix.lower()
    if suffix in (".csv", ".parquet"):
        feature, target = _read_table(path, target_column)
        extra = {}
    elif suffix in (".h5", ".hdf5"):
        feature, target, extra = *_read_hdf5(path), {}
    elif suffix == ".npy":
        feature, target, extra = _read_npy(path), None, {}
    else:
        feature, target, extra = _read_npz(path)
    check_feature(feature, path)
    codes, names = (None, []) if target is None else encode_target(target, len(feature), path)
    if len(extra.get("class_names", [])) == len(names):
        names = [str(name) for name in extra.get("class_names", names)]
    return Arrays(feature, codes, names, _image_shape(feature, extra.get("image_shape", image_size or ()), path))


def _image_shape(feature, shape, path):
    """Return the image shape that a file names, checked."""
    shape = tuple(int(size) for size in np.ravel(shape))
    if shape and np.prod(shape) != np.prod(feature.shape[1:]):
        raise ValueError(f"{path}: got image_shape {shape} for {np.prod(feature.shape[1:])} features; correct it")
    return shape


def _read_npz(path):
    """Return (feature, target or None, what else DeepKM's own files hold); other members are not even read."""
    try:
        archive = np.load(path, allow_pickle=False)
    except (ValueError, *BROKEN):
        archive = None
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise ValueError(
            f"{path}: got a file that is no .npz archive; make one with np.savez(path, feature=..., target=...)"
        )
    with archive:
        if "feature" not in archive.files:
            raise ValueError(
                f"{path}: got the arrays {', '.join(archive.files) or '(none)'}, expected one named 'feature' and, "
                "optionally, 'target'; save it with np.savez(path, feature=..., target=...)"
            )
        found = {
            name: _checked(lambda name=name: archive[name], name, path)
            for name in ("feature", "target", "class_names", "image_shape")
            if name in archive.files
        }
    return found.pop("feature"), found.pop("target", None), found


def _read_npy(path):
    return _checked(lambda: np.load(path, allow_pickle=False), "the array", path)


def _read_table(path, target_column):
    """Return (feature, target or None) of a table whose columns are features, but for one of labels."""
    try:
        table = pd.read_csv(path) if path.suffix.lower() == ".csv" else pd.read_parquet(path)
    except ImportError:
        raise ValueError(f"{path}: reading it needs pyarrow; install it, or save the table as .csv") from None
    except (ValueError, OSError, pd.errors.ParserError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path}: cannot be read as a table ({reason}); save it again") from None
    target = None
    if target_column in table.columns:
        column = table.pop(target_column)
        if column.isna().any():
            raise ValueError(
                f"{path}: got {column.isna().sum()} rows without a {target_column}, expected one label each"
            )
        target = column.to_numpy() if column.dtype.kind in "biuf" else column.to_numpy(dtype=str)
    elif target_column != "target":
        raise ValueError(f"{path}: got no column {target_column!r}, expected the one of the labels")
    for name, column in table.items():
        if column.dtype.kind not in "biuf":
            raise ValueError(
                f"{path}: got column {name!r} of type {column.dtype}, expected numbers; drop it, encode it, or name it "
                "target_column"
            )
    return table.to_numpy(), target


def _read_hdf5(path):
    with open_hdf5(path) as file:
        return _checked(lambda: file["feature"][()], "feature", path), read_labels(file)


def open_hdf5(path):
    """Return an open HDF5 file that has a `feature`."""
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise ValueError(f"{path}: is no HDF5 file or damaged ({error}); save it again") from None
    if not isinstance(file.get("feature"), h5py.Dataset):
        names = ", ".join(file)
        file.close()
        raise ValueError(f"{path}: got the arrays {names or '(none)'}, expected one named 'feature'; rename it")
    return file


def read_labels(file):
    """Return the labels in an open HDF5 file, or None; HDF5's byte strings become text."""
    if "target" not in file:
        return None
    target = file["target"][()]
    return np.array([name.decode() for name in target]) if target.dtype.kind in "OS" else target


def _checked(read, name, path):
    try:
        return read()
    except MemoryError:
        raise ValueError(
            f"{path}: {name} does not fit into memory; save it as HDF5, which is read in pieces (docs/DATASETS.md)"
        ) from None
    except ValueError as error:
        if "pickle" not in str(error).lower() and "object" not in str(error).lower():
            raise ValueError(f"{path}: {name} cannot be read ({error}); save the file again") from None
        raise ValueError(
            f"{path}: got {name} as an array of Python objects, expected numbers; such arrays are pickles and "
            "are never loaded: convert it with .astype before saving"
        ) from None
    except BROKEN as error:
        raise ValueError(f"{path}: {name} is damaged ({error}); save the file again") from None
