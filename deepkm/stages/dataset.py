"""Convert one data set to data/{dataset}.npz, and describe it in a small .meta.json."""

import hashlib
import json
import math
from pathlib import Path

import numpy as np

from deepkm.datasets.arrays import check_clusters
from deepkm.datasets.contents import content_digest
from deepkm.datasets.converted import read_converted, write_converted
from deepkm.datasets.features import Scaler, measure, pieces, stored_statistics
from deepkm.datasets.large import scan, stays_in_file
from deepkm.datasets.roles import own_options
from deepkm.datasets.rows import Rows
from deepkm.datasets.sources import load_source
from deepkm.files import replacing, sole_writer
from deepkm.study.paths import lock_of
from deepkm.study.spec import DatasetSpec


def add_arguments(parser):
    parser.add_argument("--input", nargs="*", default=[], type=Path, help="the raw files, or the user's file or folder")
    parser.add_argument("--output", required=True, type=Path, help="the .npz to write")
    parser.add_argument("--meta", required=True, type=Path, help="the .json to write")
    parser.add_argument("--scaling", default="none", help="of the features in training, which must hold what it gives")


def main(args):
    """Convert, unless another study that shares the folder did so while this one waited for it."""
    with sole_writer(lock_of(args.output)) as waited:
        if waited and args.meta.exists() and _is_of(args.output, args):
            print(f"{args.output} was made by the process waited for")
        else:
            convert(args)


def convert(args):
    """Write the .npz and the .meta.json."""
    spec: DatasetSpec = args.spec
    own = own_options(spec)
    if spec["source"] == "file" and stays_in_file(args.input[0], spec.get("stream"), **own):
        if "first" in spec:
            raise ValueError(f"datasets.{spec['name']}.first: got {spec['first']} with `stream`; use one of them")
        members, meta, rows = _in_file(args.input[0], own)
        statistics = stored_statistics(members)
    else:
        arrays = load_source(spec, args.input)
        statistics = measure(arrays.feature, args.scaling)
        members, meta = _in_memory(arrays)
        rows = _rows_of(arrays.feature)
        members["source_sha256"] = np.array(_source_lines(args.input), np.str_)
    is_image = _note_images(members, meta["shape"][1:], spec.get("pixels"))
    if meta["shape"][0] > 1 and (statistics.low == statistics.high).all():
        raise ValueError(
            f"datasets.{spec['name']}: got the same numbers in all {meta['shape'][0]} samples, expected samples that "
            "differ; look at what wrote them"
        )
    Scaler(statistics, args.scaling).checked(f"datasets.{spec['name']}")
    members |= {"source": np.array(spec["source"]), "sha256": np.array(meta["sha256"]["feature"])}
    members["spec"] = np.array(json.dumps(spec, sort_keys=True))
    check_clusters(meta["shape"][0], spec["n_clusters"], spec["name"])
    meta["like_text"] = rows.like_text and not is_image
    members["meta"] = np.array(text := json.dumps(meta, indent=2) + "\n")
    write_converted(args.output, members)
    with replacing(args.meta) as file:
        file.write(text.encode())
    classes = "no labels" if meta["class_counts"] is None else f"{len(meta['class_counts'])} classes"
    print(f"{spec['name']}: {meta['shape'][0]} samples of shape {tuple(meta['shape'][1:])}, {classes}")
    for line in remarks(rows, meta, args.scaling):
        print(f"{spec['name']}: {line}")


def _note_images(members, shape, pixels):
    """Tell whether samples are images, by shape, file, entry, or the public data whose place they take."""
    if list(shape) == [math.prod(pixels or [0])] and not np.size(members.get("image_shape", ())):
        members["image_shape"] = np.array(pixels)
    return len(shape) > 1 or np.size(members.get("image_shape", ())) > 0


def remarks(rows, meta, scaling):
    """Yield what to know of a scaling on these data, a line each."""
    if scaling == "rows" and rows.n_empty:
        yield f"{rows.n_empty} of {meta['shape'][0]} rows hold zeros alone, and stay so under `scaling: rows`"
    if scaling == "none" and meta["like_text"]:
        yield (
            "counts or tf-idf, as it seems (nothing below zero, most of it zero), left as they are: `scaling: rows` "
            "gives all rows length 1, so that the length of a text does not count"
        )


def _rows_of(feature):
    rows = Rows()
    for _ in rows.noted(x for _, x in pieces(feature)):
        pass
    return rows


def _is_of(path, args):
    """Tell whether a converted file is what this job would make."""
    try:
        found = read_converted(path, "spec", optional=["source_sha256"])
    except OSError:
        return False
    same = json.loads(str(found["spec"])) == args.spec
    return same and found.get("source_sha256", np.array("")).tolist() == _source_lines(args.input)


def _in_memory(arrays):
    """Return the members of the .npz, and what the .meta.json says."""
    values = (
        {"feature": arrays.feature} if arrays.target is None else {"feature": arrays.feature, "target": arrays.target}
    )
    about = {
        "image_shape": np.array(arrays.image_shape, np.int64),
        "class_names": np.array(arrays.class_names, np.str_),
    }
    called = {"feature_names": arrays.feature_names, "sample_ids": arrays.sample_ids}
    about |= {name: np.array(names, np.str_) for name, names in called.items() if names}
    digests = {name: hashlib.sha256(np.ascontiguousarray(array).data).hexdigest() for name, array in values.items()}
    return values | about, _meta(arrays.feature.shape, str(arrays.feature.dtype), arrays.target, digests)


def _in_file(path, options):
    """Return the same of a data set whose features stay in the user's file, and their `Rows`."""
    members, digest, rows = scan(path, **options)
    target = members.get("target")
    digests = {"feature": digest}
    if target is not None:
        digests["target"] = hashlib.sha256(target).hexdigest()
    print(f"{path}: larger than memory; training reads it from there")
    return members, _meta(members["feature_shape"].tolist(), str(members["feature_type"]), target, digests), rows


def _meta(shape, kind, target, digests):
    """Nothing of where the data came from: the same numbers from another file rerun nothing."""
    counts = None if target is None else np.bincount(target).tolist()
    return {"shape": shape, "type": kind, "class_counts": counts, "sha256": digests}


def _source_lines(paths):
    return [f"{content_digest(path)}  {path.name}" for path in paths]
