"""The zip archives of COIL-20 and COIL-100: one PNG per object and view."""

import re

import numpy as np

from deepkm.datasets.archives import PICTURES_LIMIT, zip_members
from deepkm.datasets.arrays import Arrays
from deepkm.datasets.images import decode

NAME = re.compile(r"(?:.*/)?obj(\d+)__(\d+)\.png")


def convert(paths, *, shape, class_names, n_objects, views):
    """Return grey images ordered by object and view.

    Colours become grey by their luma, 0.299 R + 0.587 G + 0.114 B. Whatever else is in the archive is not read.

    Parameters
    ----------
    n_objects : int
        Objects are numbered from 1.
    views : (int, int, int)
        First, end and step of the views' numbers.
    """
    (path,) = paths
    images = {}
    for name, content in zip_members(path, limit=PICTURES_LIMIT):
        if match := NAME.fullmatch(name):
            images[int(match[1]), int(match[2])] = decode(content, f"{path}/{name}", size=shape[1:], formats=("PNG",))
    expected = {(number, view) for number in range(1, n_objects + 1) for view in range(*views)}
    if images.keys() != expected:
        missing, surplus = sorted(expected - images.keys()), sorted(images.keys() - expected)
        raise ValueError(
            f"{path}: got {len(images)} images, expected {len(expected)}; missing (object, view): {missing[:3]}, "
            f"surplus: {surplus[:3]}; the file is another version"
        )
    order = sorted(images)
    target = np.array([number - 1 for number, _ in order], np.int64)
    names = class_names or [f"object {number}" for number in range(1, n_objects + 1)]
    return Arrays(np.stack([images[key] for key in order]), target, names)
