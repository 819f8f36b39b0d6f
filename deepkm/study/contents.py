"""Digests of the files that a study is made from, noted beside its results: a file is read once, not at each call."""

import sys
from contextlib import suppress
from os import PathLike
from pathlib import Path
from typing import Any

from deepkm.datasets.contents import content_digest, content_stamp
from deepkm.files import check_hdf5, write_hdf5

_LARGE_BYTES = 2**30


class Contents:
    """Digests of files and of folders of images.

    Parameters
    ----------
    notes : path-like
        Where they are noted, with what the file system knew of each file at that time. Where nothing can be noted,
        files are read each time.
    """

    def __init__(self, notes: str | PathLike) -> None:
        self._path, self._notes = Path(notes), _read(notes)

    def digest_of(self, path: str | PathLike) -> str:
        """Return the digest of what a file or folder holds now; see `deepkm.datasets.contents.content_digest`."""
        key, stamp = str(Path(path).absolute()), content_stamp(path)
        noted, digest = self._notes.get(key, ["", ""])
        if stamp and noted == stamp:
            return digest
        if Path(path).stat().st_size > _LARGE_BYTES:
            print(f"{path}: reading it through once, to know it again", file=sys.stderr)
        digest = content_digest(path)
        if stamp and content_stamp(path) == stamp:
            self._notes[key] = [stamp, digest]
            with suppress(OSError):  # a folder of someone else, or another call that notes the same
                write_hdf5(self._path, arrays={}, attributes=self._notes)
        return digest


def _read(path: str | PathLike) -> dict[str, Any]:
    try:
        return check_hdf5(path)
    except OSError:  # missing, or damaged
        return {}
