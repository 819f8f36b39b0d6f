"""Files: each appears whole or not at all, has one writer, and is HDF5 without pickles where it holds arrays.

No other room is imported here, and all others may use it.
"""

import hashlib
import io
import json
import os
import socket
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
from filelock import FileLock, Timeout


@contextmanager
def replacing(path, *, shared=False):
    """Yield a binary file that takes the name `path` once the block has ended well; else nothing changes.

    Its folder is created. `shared`: there may be several writers of this name at once, and the last one wins; without
    it, what a killed writer left is overwritten by the next one.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = f".{socket.gethostname()}.{os.getpid()}" if shared else ""
    temporary = path.with_name(f"{path.name}{writer}.tmp")
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # on the disk before it takes the name: whole even after a power cut
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def sha256_of(path):
    """Return the checksum of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_hdf5(path, *, arrays, attributes):
    """Write arrays and JSON attributes to `path` through a temporary file beside it.

    Parameters
    ----------
    path : path-like
        Its folder is created.
    arrays : dict of str to array_like
        ``"group/name"`` makes a group.
    attributes : dict of str to object
        Each is stored as JSON text.
    """
    # Made in memory and written in one go: a full disk is then an OSError and not a crash within HDF5.
    content = _content(arrays, attributes)
    with replacing(path) as file:
        file.write(content)


def _content(arrays, attributes):
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        for name, array in arrays.items():
            # Labels of all epochs hardly change and shrink well; weights do not shrink at all.
            labels = np.ndim(array) > 0 and np.asarray(array).dtype.kind in "iu"
            file.create_dataset(name, data=array, compression="gzip" if labels else None)
        for name, value in attributes.items():
            file.attrs[name] = json.dumps(value, sort_keys=True)
    return memory.getbuffer()


def read_hdf5(path, prefix=""):
    """Return (arrays, attributes) of a file that `write_hdf5` made; only arrays whose name starts with `prefix`."""
    arrays = {}

    def collect(name, item):
        if isinstance(item, h5py.Dataset) and name.startswith(prefix):
            arrays[name] = item[()]

    try:
        with h5py.File(path, "r") as file:
            file.visititems(collect)
            return arrays, {name: json.loads(value) for name, value in file.attrs.items()}
    except OSError as error:
        raise OSError(f"{path}: got an unreadable HDF5 file ({error}); delete it and run again") from None


def read_attributes(path):
    """Return the attributes of a file that `write_hdf5` made, without its arrays."""
    return read_hdf5(path, prefix="\0")[1]


@contextmanager
def sole_writer(path):
    """Hold the lock of one result; yield whether another process held it first, which may then have made the result.

    A killed Snakemake leaves its jobs running; started again, it starts them a second time. The second waits here.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
        waited = False
    except Timeout:
        print(f"waiting for another process that makes the same result ({path})", flush=True)
        lock.acquire(poll_interval=0.5)
        waited = True
    try:
        yield waited
    finally:
        path.unlink(missing_ok=True)  # while held: whoever waits sees that the file is gone and makes a new one
        lock.release()


def is_held(path):
    """Tell whether a living process holds a lock."""
    if not path.exists():
        return False
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:
        return False  # a folder of someone else, or without locks
    lock.release()
    return False
