"""Convert one data set to data/{dataset}.npz, and describe it in a small .meta.json."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np

from deepkm.datasets.sources import check_clusters, load_source


def add_arguments(parser):
    parser.add_argument("--input", nargs="*", help="the user's .npz, for source: file")
    parser.add_argument("--output", required=True, type=Path, help="the .npz to write")
    parser.add_argument("--meta", required=True, type=Path, help="the .json to write")


def main(args):
    spec = args.spec
    feature, target = load_source(spec, *args.input or [])
    check_clusters(len(feature), spec["n_clusters"], spec["name"])
    arrays = {"feature": feature} if target is None else {"feature": feature, "target": target}
    _replace(args.output, lambda file: np.savez_compressed(file, **arrays))
    meta = {
        "shape": feature.shape,
        "type": str(feature.dtype),
        "class_counts": None if target is None else np.bincount(target).tolist(),
        "sha256": {
            name: hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest() for name, array in arrays.items()
        },
    }
    _replace(args.meta, lambda file: file.write((json.dumps(meta, indent=2) + "\n").encode()))
    classes = "no labels" if target is None else f"{len(meta['class_counts'])} classes"
    print(f"{spec['name']}: {len(feature)} samples of shape {feature.shape[1:]}, {classes}")


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
