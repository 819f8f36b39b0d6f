"""Compressed files and archives, read in memory: bounded in size, and no name in them is ever used as a path."""

import bz2
import errno
import gzip
import hashlib
import io
import lzma
import re
import tarfile
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

OPENERS = {".gz": gzip.open, ".bz2": bz2.open}
PICTURE = re.compile(r"(?:.*/)?(\w+\.png)")
PICTURES_LIMIT = 2**30  # bytes of an unpacked archive of pictures; the largest has 130 MB
# What damaged archives raise, beside OSErrors.
DAMAGE = (
    *(EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError, UnicodeError),
    *(NotImplementedError, RuntimeError, OverflowError),
)


class _Bounded(io.RawIOBase):
    """A stream that stops with a ValueError after `limit` bytes: a small file can unpack to terabytes."""

    def __init__(self, stream, *, limit, path):
        self._stream, self._left, self._limit, self._path = stream, limit, limit, path

    def readable(self):
        return True

    def readinto(self, buffer):
        data = self._stream.read(min(len(buffer), self._left + 1))
        if len(data) > self._left:
            raise ValueError(
                f"{self._path}: unpacks to more than {self._limit:,} bytes; this is no file of its data set"
            )
        buffer[: len(data)] = data
        self._left -= len(data)
        return len(data)


@contextmanager
def open_compressed(path, *, limit):
    """Yield a binary stream of a .gz or .bz2 file's content, or of a plain file's.

    Raises
    ------
    ValueError
        When the file is damaged, or unpacks to more than `limit` bytes.
    """
    with (
        _damage_named(path),
        OPENERS.get(Path(path).suffix, open)(path, "rb") as stream,
        io.BufferedReader(_Bounded(stream, limit=limit, path=path), 2**20) as bounded,
    ):
        yield bounded


def tar_members(path, *, limit):
    """Yield (name, content) of each regular file in a .tar.gz.

    Raises
    ------
    ValueError
        When the file is damaged, unpacks to more than `limit` bytes, or has a name that leaves the folder.
    """
    with open_compressed(path, limit=limit) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            _check_name(member.name, path)
            if member.isfile() and not member.issparse():  # the holes of a sparse file would pass by the limit
                yield member.name, archive.extractfile(member).read()
            elif not member.isdir():
                raise ValueError(f"{path}: got {member.name!r}, expected files and folders alone, no links")


def zip_members(path, *, limit):
    """Yield (name, content) of each file in a .zip; raises as `tar_members`."""
    with _damage_named(path), zipfile.ZipFile(path) as archive:
        members = [member for member in archive.infolist() if not member.is_dir()]
        if sum(member.file_size for member in members) > limit:
            raise ValueError(f"{path}: unpacks to more than {limit:,} bytes; this is no file of its data set")
        for member in members:
            _check_name(member.filename, path)
        for member in members:
            yield member.filename, archive.read(member)  # never more than file_size


def pictures_digest(path):
    """Return what ``sha256sum *.png | sha256sum`` prints of the pictures in a .zip, however they are packed.

    Folders, other files and the order do not count.
    """
    found = {
        (match[1], hashlib.sha256(content).hexdigest())
        for name, content in zip_members(path, limit=PICTURES_LIMIT)
        if (match := PICTURE.fullmatch(name))
    }
    lines = (f"{digest}  {name}\n" for name, digest in sorted(found))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


@contextmanager
def _damage_named(path):
    """Turn whatever a damaged file raises into one ValueError that names it."""
    try:
        yield
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):  # of the disk; a damaged file names places outside of it
            raise
        raise _damaged(path, error) from None
    except DAMAGE as error:
        raise _damaged(path, error) from None


def _check_name(name, path):
    parts = PurePosixPath(name.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts:
        raise ValueError(
            f"{path}: got a file named {name!r}, expected names inside the archive; do not trust this file"
        )


def _damaged(path, error):
    return ValueError(f"{path}: is damaged ({' '.join(str(error).split())}); delete it and download it again")
