"""What a file or a folder of images holds: a digest of it, and a stamp that tells whether it may have changed."""

import hashlib
import time
from pathlib import Path

from deepkm.datasets.images import image_files
from deepkm.files import sha256_of

_SETTLED_SECONDS = 2  # file systems count time in steps: a file may change twice within one


def content_digest(path):
    """Return the checksum of a file, or of all images in a folder with their names, in hexadecimal."""
    path = Path(path)
    if path.is_file():
        return sha256_of(path)
    lines = [f"{sha256_of(image)}  {image.relative_to(path)}\n" for image in image_files(path)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def content_stamp(path):
    """Return a text that is another one once a file, or an image in a folder, was changed or replaced.

    Sizes and times alone would not do: a file that takes the place of another keeps its own time. But each change of a
    file, its name included, sets the time of its inode, which no program can choose.

    Returns
    -------
    str
        Empty where there is no file, or the last change is so young that the next one might not show.
    """
    path = Path(path)
    files = [path] if path.is_file() else image_files(path)
    about = [file.stat() for file in files]
    if not about or max(each.st_ctime for each in about) > time.time() - _SETTLED_SECONDS:
        return ""
    lines = [
        f"{each.st_size} {each.st_mtime_ns} {each.st_ino} {each.st_ctime_ns} {file}"
        for each, file in zip(about, files, strict=True)
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
