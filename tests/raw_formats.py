"""Small raw files in the genuine formats of the public data sets, as their distributors write them."""

import bz2
import gzip
import io
import struct
import tarfile
import zipfile

import numpy as np
import scipy.io
from PIL import Image
from sklearn.datasets import dump_svmlight_file

from deepkm.datasets.catalogue import conversion_of


def images(n, size=8, seed=0):
    """Return n different images of random bytes, (n, size, size)."""
    return np.random.default_rng(seed).integers(0, 256, (n, size, size), dtype=np.uint8)


def idx_bytes(array):
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def write_mnist(folder, feature, target, n_train):
    """Write the four files of an MNIST-like data set, training samples first; return their paths."""
    parts = {"train": slice(n_train), "t10k": slice(n_train, None)}
    paths = []
    for part, rows in parts.items():
        for kind, array in (("images-idx3", feature[rows]), ("labels-idx1", target[rows])):
            paths.append(folder / f"{part}-{kind}-ubyte.gz")
            paths[-1].write_bytes(gzip.compress(idx_bytes(array), 1, mtime=0))
    return paths


def write_usps(folder, feature, target, n_train):
    """Write bytes as libsvm does: numbers in [-1, 1], labels from 1."""
    x = feature.reshape(len(feature), -1) / 127.5 - 1
    paths = []
    for name, rows in (("usps.bz2", slice(n_train)), ("usps.t.bz2", slice(n_train, None))):
        buffer = io.BytesIO()
        dump_svmlight_file(x[rows], target[rows] + 1, buffer, zero_based=False)
        paths.append(folder / name)
        paths[-1].write_bytes(bz2.compress(buffer.getvalue()))
    return paths


def write_faces(folder, feature, target, **more):
    """Write upright images (N, H, W) as D. Cai's MATLAB files do: column by column, persons from 1, in doubles."""
    rows = feature.transpose(0, 2, 1).reshape(len(feature), -1)
    arrays = {"fea": rows.astype(float), "gnd": target[:, None] + 1, **more}
    scipy.io.savemat(folder / "PIE_pose27.mat", arrays, do_compression=True)
    return [folder / "PIE_pose27.mat"]


def write_usps_all(folder, feature):
    """Write upright images, 1/10 of them per digit in the order 1, ..., 9, 0, as S. Roweis' MATLAB file does."""
    n, height, width = feature.shape
    data = feature.transpose(0, 2, 1).reshape(10, n // 10, height * width).transpose(2, 1, 0)
    scipy.io.savemat(folder / "usps_all.mat", {"data": data}, do_compression=True)
    return [folder / "usps_all.mat"]


def png_bytes(array):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    return buffer.getvalue()


def write_coil(path, pictures, *, step, folder, more=()):
    """Write pictures[object][view] as the archives of COIL do, with a program beside the images."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{folder}/convertGroupppm2png.pl", "#!/usr/bin/perl\n")
        for number, views in enumerate(pictures, 1):
            for view, picture in enumerate(views):
                archive.writestr(f"{folder}/obj{number}__{view * step}.png", png_bytes(picture))
        for name, content in more:
            archive.writestr(name, content)
    return [path]


RCV1_FILES = [name for name, _ in conversion_of("rcv1")["files"]]


def write_rcv1(folder, vectors, stories, topics, rows):
    """Write vectors (five sparse parts), stories' numbers, (topic, story) pairs and two lists of rows."""
    for name, x, story in zip(RCV1_FILES, vectors, stories, strict=False):
        buffer = io.BytesIO()
        dump_svmlight_file(x, story, buffer, zero_based=False)
        (folder / name).write_bytes(gzip.compress(buffer.getvalue()))
    lines = "".join(f"{topic} {story} 1\n" for topic, story in topics)
    (folder / RCV1_FILES[5]).write_bytes(gzip.compress(lines.encode()))
    for name, row in zip(RCV1_FILES[6:], rows, strict=True):
        (folder / name).write_text("".join(f"{i}\n" for i in row))
    return [folder / name for name in RCV1_FILES]


def write_newsgroups(path, posts):
    """Write {name: text} as the archive of 20 Newsgroups does."""
    with tarfile.open(path, "w:gz") as archive:
        for name, text in posts.items():
            member = tarfile.TarInfo(name)
            content = text.encode("latin-1")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return [path]


def conversion(name, *, shape, class_counts, **options):
    """Return the catalogue's conversion of a data set, for a smaller one of the same form."""
    entry = conversion_of(name, checked=False)
    del entry["files"]
    names = entry["class_names"]
    n_classes = len(class_counts) if isinstance(class_counts, list) else None
    return {
        **entry,
        "shape": shape,
        "class_counts": class_counts,
        "class_names": names[:n_classes] if names else names,
        "options": {**entry["options"], **options},
    }
