"""Convert one data set to data/{dataset}.npz, and describe it in a small .meta.json."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np

from deepkm.datasets.arrays import check_clusters
from deepkm.datasets.images import image_files
from deepkm.datasets.sources import load_source


def add_arguments(parser):
    parser.add_argument("--input", nargs="*", default=[], type=Path, help="the raw files, or the user's file or folder")
    parser.add_argument("--output", required=True, type=Path, help="the .npz to write")
    parser.add_argument("--meta", required=True, type=Path, help="the .json to write")


def main(args):
    spec = args.spec
    arrays = load_source(spec, args.input)
    feature, target = arrays.feature, arrays.target
    check_clusters(len(feature), spec["n_clusters"], spec["name"])
    values = {"feature": feature} if target is None else {"feature": feature, "target": target}
    about = {
        "image_shape": np.array(arrays.image_shape, np.int64),
        "class_names": np.array(arrays.class_names, np.str_),
        "source": np.array(spec["source"]),
        "source_sha256": np.array([f"{_sha256(path)}  {path.name}" for path in args.input], np.str_),
    }
    _replace(args.output, lambda file: np.savez_compressed(file, **values, **about))
    # Nothing of where the data came from: the same numbers from another file rerun nothing.
    meta = {
        "shape": feature.shape,
        "type": str(feature.dtype),
        "class_counts": None if target is None else np.bincount(target).tolist(),
        "sha256": {
            name: hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest() for name, array in values.items()
        },
    }
    _replace(args.meta, lambda file: file.write((json.dumps(meta, indent=2) + "\n").encode()))
    classes = "no labels" if target is None else f"{len(meta['class_counts'])} classes"
    print(f"{spec['name']}: {len(feature)} samples of shape {feature.shape[1:]}, {classes}")


def _sha256(path):
    """Return the checksum of a file, or of all images in a folder with their names."""
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    lines = [f"{_sha256(image)}  {image.relative_to(path)}\n" for image in image_files(path)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _replace(path, write):
    """Write a file that appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    try:
        with open(temporary, "wb") as file:
            write(file)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
