"""Files: each appears whole or not at all, has one writer, and is HDF5 without pickles where it holds arrays.

No other room is imported here, and all others may use it.
"""

import errno
import hashlib
import io
import json
import os
import re
import socket
import stat
import time
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
        with open(temporary, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # on the disk before it takes the name: whole even after a power cut
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def regular(path):
    """Return a path, or raise an OSError where it is a pipe or a device: whoever opened it would wait for ever."""
    mode = os.stat(path).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise OSError(errno.EINVAL, "got a pipe, socket or device, expected a file; remove it", str(path))
    return path


def sha256_of(path):
    """Return the checksum of a file, in hexadecimal."""
    with open(regular(path), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# How a file of `write_hdf5` begins: the size of HDF5's user block, and a digest of the rest of the block.
_HEAD = re.compile(rb"DeepKM 1 (\d{8}) ([0-9a-f]{64})\n")
_HEAD_BYTES = 83


def write_hdf5(path, *, arrays, attributes):
    """Write arrays and JSON attributes to `path` through a temporary file beside it.

    The file is HDF5 behind a user block, a place at its start that HDF5 leaves to its users. The block holds digests of
    itself and of all that follows, and the attributes once more: a reader knows that every bit is as it was written
    before HDF5 interprets any, and reads attributes without the arrays.

    Parameters
    ----------
    path : path-like
        Its folder is created.
    arrays : dict of str to array_like
        ``"group/name"`` makes a group.
    attributes : dict of str to object
        Each is stored as JSON text.
    """
    text = json.dumps(attributes, sort_keys=True, default=_as_json).encode()
    size = max(512, 1 << (_HEAD_BYTES + 65 + len(text) - 1).bit_length())  # HDF5 wants a power of two
    # Made in memory and written in one go: a full disk is then an OSError and not a crash within HDF5.
    content = _content(arrays, attributes, size)[size:]
    sealed = f"{hashlib.sha256(content).hexdigest()}\n".encode() + text
    sealed = sealed.ljust(size - _HEAD_BYTES, b"\n")
    with replacing(path) as file:
        file.write(f"DeepKM 1 {size:08d} {hashlib.sha256(sealed).hexdigest()}\n".encode() + sealed)
        file.write(content)


def _as_json(value):
    """Return a NumPy scalar, also one within a list, as Python's number."""
    if isinstance(value, np.generic):
        plain = value.item()
        return float(plain) if isinstance(plain, np.generic) else plain  # a longdouble is none of Python's numbers
    raise TypeError(f"got {type(value).__name__}, which JSON does not hold")


def _content(arrays, attributes, block_size):
    memory = io.BytesIO()
    with h5py.File(memory, "w", userblock_size=block_size) as file:
        for name, array in arrays.items():
            # Labels of all epochs hardly change and shrink well; weights do not shrink at all.
            labels = np.ndim(array) > 0 and np.asarray(array).dtype.kind in "iu"
            file.create_dataset(name, data=array, compression="gzip" if labels else None)
        for name, value in attributes.items():
            file.attrs[name] = json.dumps(value, sort_keys=True, default=_as_json)
    return memory.getbuffer()


def read_hdf5(path, prefix=""):
    """Return (arrays, attributes) of a file that `write_hdf5` made.

    Parameters
    ----------
    path : path-like
    prefix : str or tuple of str
        Only arrays whose name starts with it, or with one of them.

    Raises
    ------
    OSError
        One line, when the file cannot be read or any bit of it is not what was written.
    """
    attributes, arrays = check_hdf5(path), {}

    def collect(name, item):
        if isinstance(item, h5py.Dataset) and name.startswith(prefix):
            arrays[name] = item[()]

    with h5py.File(path, "r", locking=False) as file:  # nobody changes it; not all file systems have locks
        file.visititems(collect)
    return arrays, attributes


def check_hdf5(path):
    """Return the attributes of a file that `write_hdf5` made, once all of it is checked; raises as `read_hdf5`."""
    return _read_block(path, whole=True)


def read_attributes(path):
    """Return the same without a look at the arrays: the attributes alone are checked."""
    return _read_block(path, whole=False)


def digest_at_head(path):
    """Return a digest of all of a file that `write_hdf5` made, as noted at its start; raises as `read_hdf5`."""
    try:
        with open(regular(path), "rb") as file:
            head = _HEAD.fullmatch(file.read(_HEAD_BYTES))
    except OSError as error:
        raise _unreadable(path, error.strerror) from None
    if not head:
        raise _unreadable(path, "damaged, not what was written")
    return head[2].decode()


def _read_block(path, *, whole):
    try:
        with open(regular(path), "rb") as file:
            head = _HEAD.fullmatch(start := file.read(_HEAD_BYTES))
            sealed = file.read(int(head[1]) - _HEAD_BYTES) if head else b""
            content = hashlib.file_digest(file, "sha256").hexdigest() if head and whole else None
    except OSError as error:
        raise _unreadable(path, error.strerror) from None
    if start.startswith(b"\x89HDF"):
        raise _unreadable(path, "made by another version of DeepKM")
    digest, _, text = sealed.partition(b"\n")
    if not head or hashlib.sha256(sealed).hexdigest() != head[2].decode() or content not in (None, digest.decode()):
        raise _unreadable(path, "damaged, not what was written")
    return json.loads(text)


def _unreadable(path, reason):
    return OSError(f"{path}: got an unreadable HDF5 file ({reason}); delete it and run again")


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


def bring_to_now(path):
    """Date a file now that is dated in the future: Snakemake would refuse whatever is made from it until then.

    Raises
    ------
    OSError
        One line, when it cannot be dated otherwise.
    """
    for follow in (False, True):  # a link has a date of its own
        dated = os.stat(path, follow_symlinks=follow).st_mtime
        try:
            if dated > time.time():
                os.utime(path, follow_symlinks=follow)
        except OSError as error:
            raise OSError(
                f"{path}: got a file dated {time.ctime(dated)}, in the future, expected the past; Snakemake would "
                f"refuse what is made from it: touch it, or correct the clock ({error.strerror})"
            ) from None


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
