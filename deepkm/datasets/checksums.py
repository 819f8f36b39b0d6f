"""Whether a raw file is the one that the catalogue knows, by its checksum, its pictures, or a note beside it."""

import re
from contextlib import suppress

import pooch

from deepkm.datasets.archives import pictures_digest
from deepkm.files import replacing, sha256_of

NOTED = "noted"


def matches(path, known):
    """Tell whether a file has one of its known checksums; where none is known, any file is right.

    Parameters
    ----------
    path : path-like
    known : list of str
        ``"algorithm:digest"``; with the algorithm ``pictures``, the digest is that of `pictures_digest`.
    """
    return not known or any(_digest(path, checksum) == checksum.rpartition(":")[2].lower() for checksum in known)


def check_raw_file(path, known):
    """Raise a ValueError unless a raw file is the right one.

    Parameters
    ----------
    path : Path
    known : str, list of str or None
        As in `matches`; ``"noted"``: the checksum in the note beside the file, which is written where there is none.
    """
    remedy = "delete it and download it again"
    if known == NOTED:
        known = noted_checksum(path) or note_checksum(path)
        remedy += f", or delete {note_path(path)} if this version is wanted"
    known = [known] if isinstance(known, str) else known
    if not matches(path, known):
        algorithm, _, expected = known[0].partition(":")
        got = _digest(path, known[0])
        raise ValueError(f"{path}: got {algorithm} {got}, expected {expected}; {remedy}")


def note_path(path):
    """Return where the first checksum of a file is noted."""
    return path.with_name(path.name + ".sha256")


def noted_checksum(path):
    """Return the checksum in a file's note, or None without one; raise a ValueError where the note holds none."""
    note = note_path(path)
    if not note.is_file():
        return None
    match = re.match(rb"([0-9a-fA-F]{64})\b", note.read_bytes())
    if match is None:
        raise ValueError(f"{note}: got no sha256 in it, expected what `sha256sum` writes; delete it, or write it anew")
    return f"sha256:{match[1].decode().lower()}"


def note_checksum(path):
    """Note the checksum of a file beside it, so that `sha256sum --check` reads it; return it."""
    digest = sha256_of(path)
    with suppress(PermissionError), replacing(note_path(path)) as file:  # a folder of someone else
        file.write(f"{digest}  {path.name}\n".encode())
    return f"sha256:{digest}"


def _digest(path, checksum):
    algorithm = checksum.rpartition(":")[0] or "sha256"
    return pictures_digest(path) if algorithm == "pictures" else pooch.file_hash(str(path), alg=algorithm)
