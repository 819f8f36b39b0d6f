"""Converted data sets, ``data/{dataset}.npz``: written with a seal, read only where nothing has changed since."""

import hashlib
import json
import os
import tokenize
import zipfile
import zlib

import numpy as np

from deepkm.files import replacing, sha256_of

# In the comment at the end of the archive: a digest of all that comes before it.
_SEAL = b"DeepKM sha256 "
_SEAL_BYTES = len(_SEAL) + 64
_END, _END_BYTES = b"PK\5\6", 22  # of an archive, but for its comment
_AGAIN = "delete it and run `snakemake data` again"
# What a damaged .npz without a seal raises.
_BROKEN = (
    *(zipfile.BadZipFile, zlib.error, EOFError, OSError, SyntaxError, tokenize.TokenError),
    *(ValueError, TypeError, KeyError, NotImplementedError, RuntimeError, OverflowError),
)


def write_converted(path, arrays):
    """Write arrays by name, compressed, and the seal."""
    with replacing(path) as file:
        np.savez_compressed(file, **arrays)
        with zipfile.ZipFile(file, "a") as archive:
            archive.comment = _SEAL.ljust(_SEAL_BYTES, b"0")
        file.seek(-_SEAL_BYTES, os.SEEK_END)
        end = file.tell()
        digest = _digest(file, end)
        file.seek(end)
        file.write(_SEAL + digest)


def read_converted(path, *names, optional=()):
    """Return named arrays of a converted data set. One without a seal, which DeepKM did not write, is taken as it is.

    Parameters
    ----------
    path : path-like
    *names : str
        Arrays that must be there.
    optional : sequence of str
        Arrays that are returned where they are there.

    Raises
    ------
    OSError
        One line, when the file cannot be read, is not what was written, or lacks an array.
    """
    try:
        _check_seal(path)
        with np.load(path, allow_pickle=False) as file:
            missing = ", ".join(name for name in names if name not in file.files)
            found = {name: file[name] for name in (*names, *optional) if name in file.files}
    except _BROKEN as error:
        if getattr(error, "filename", None):  # of the disk, and named
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise OSError(f"{path}: got an unreadable data set ({reason}); {_AGAIN}") from None
    if missing:
        raise OSError(f"{path}: got no {missing}, expected a data set of this version of DeepKM; {_AGAIN}")
    return found


def sample_shape_of(found):
    """Return the shape of a sample, from what there is of the arrays ``meta`` and ``image_shape`` of a data set.

    That of an image where samples are said to be images; (F,) where nothing says so; () where neither array is there.
    """
    said = found.get("image_shape", np.array([])).tolist()
    return tuple(said or (json.loads(str(found["meta"]))["shape"][1:] if "meta" in found else ()))


def digest_of(path):
    """Return the digest of a data set's features, or of the whole file where it notes none."""
    found = read_converted(path, optional=["sha256"])
    return str(found["sha256"]) if found else sha256_of(path)


def _check_seal(path):
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        start = file.seek(max(0, size - _END_BYTES - _SEAL_BYTES))
        end = file.read()
        place = end.rfind(_END) + _END_BYTES  # of the comment
        comment, n_bytes = end[place:], int.from_bytes(end[place - 2 : place], "little")
        cut_off = n_bytes == _SEAL_BYTES and _SEAL.startswith(comment)
        if cut_off or (comment.startswith(_SEAL) and comment != _SEAL + _digest(file, start + place)):
            raise ValueError("damaged, not what was written")


def _digest(file, end):
    """Return the digest of the first `end` bytes."""
    digest = hashlib.sha256()
    file.seek(0)
    while piece := file.read(min(2**20, end - file.tell())):
        digest.update(piece)
    return digest.hexdigest().encode()
