"""The IDX format of MNIST and Fashion-MNIST."""

import hashlib
import math
import struct

import numpy as np

from deepkm.datasets.archives import open_compressed
from deepkm.datasets.arrays import Arrays

LIMIT = 2**27  # bytes of one unpacked file; the largest has 47 MB
UNSIGNED_BYTE = 8


def convert(paths, *, shape, class_names, content_md5=()):
    """Return training and test images, in this order.

    Parameters
    ----------
    paths : sequence of path
        Training images, training labels, test images, test labels.
    shape : sequence of int
        Not used.
    content_md5 : sequence of str
        Of the unpacked files, where they are known.
    """
    expected = [*content_md5, *[None] * (len(paths) - len(content_md5))]
    parts = [read_idx(path, md5) for path, md5 in zip(paths, expected, strict=True)]
    images, labels = parts[::2], parts[1::2]
    for image, label, path in zip(images, labels, paths[::2], strict=True):
        if image.ndim != 3 or label.shape != (len(image),):
            raise ValueError(
                f"{path}: got images of shape {image.shape} and labels of shape {label.shape}, expected one each"
            )
    return Arrays(np.concatenate(images), np.concatenate(labels).astype(np.int64), class_names)


def read_idx(path, md5=None):
    """Return the array of unsigned bytes in an IDX file; raise a ValueError when it is damaged or another file."""
    with open_compressed(path, limit=LIMIT) as stream:
        content = stream.read()
    got = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if md5 is not None and got != md5:
        raise ValueError(f"{path}: got md5 {got} once unpacked, expected {md5}; delete it and download it again")
    if len(content) < 4 or content[:3] != bytes([0, 0, UNSIGNED_BYTE]):
        raise ValueError(f"{path}: got no IDX file of bytes; delete it and download it again")
    start = 4 + 4 * content[3]
    if len(content) < start:
        raise ValueError(f"{path}: got {len(content)} bytes, expected a whole header; delete it and download it again")
    shape = struct.unpack(f">{content[3]}I", content[4:start])
    if len(content) - start != math.prod(shape):
        raise ValueError(
            f"{path}: got {len(content) - start} bytes, expected {math.prod(shape)}; delete it and download it again"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
