"""Print a table of a study's data sets, and draw samples of each: results/datasets/."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
from tabulate import tabulate

from deepkm.datasets.converted import read_converted
from deepkm.datasets.hdf5 import SOURCE, open_converted
from deepkm.report.figures.samples import draw_samples, shown_samples
from deepkm.report.figures.style import save
from deepkm.report.tables.datasets import describe
from deepkm.report.tables.layout import escape_markdown
from deepkm.study.paths import DESCRIPTION_SAMPLES, DESCRIPTION_TABLE
from deepkm.study.spec import DescribeSpec


def add_arguments(parser):
    parser.add_argument("--data", nargs="+", required=True, type=Path, help="data/{dataset}.npz of each data set")
    parser.add_argument("--output", required=True, type=Path, help="the folder to write to")


def main(args):
    spec: DescribeSpec = args.spec
    table, rows = [], []
    for path, about in zip(args.data, spec["datasets"], strict=True):
        found = read_converted(path, optional=("feature", "target", "image_shape", *SOURCE))
        shape = tuple(found["feature_shape"] if "feature_shape" in found else found["feature"].shape)
        target = found.get("target")
        image_shape = found.get("image_shape", shape[1:] if len(shape) > 2 else ())
        samples = _samples(found, shown_samples(target, shape[0]), path)
        table.append(describe(about, shape, target, image_shape))
        rows.append((about["title"], samples, image_shape if len(image_shape) else _square(samples)))
    args.output.mkdir(parents=True, exist_ok=True)
    frame = pd.DataFrame(table)
    frame.to_csv(args.output / f"{DESCRIPTION_TABLE}.csv", index=False)
    # text as it is: a title like 007 or 1e3 is no number
    text = tabulate(frame.map(escape_markdown), "keys", tablefmt="pipe", showindex=False, disable_numparse=True) + "\n"
    (args.output / f"{DESCRIPTION_TABLE}.md").write_text(text, encoding="utf-8")
    save(draw_samples(rows), args.output / DESCRIPTION_SAMPLES)
    print(f"{text}\nSamples: {args.output / DESCRIPTION_SAMPLES}.png")


def _square(samples):
    """Return the shape of rows of bytes that are most likely square grey images, else nothing."""
    side = math.isqrt(samples.shape[1])
    return (side, side) if samples.dtype == np.uint8 and side**2 == samples.shape[1] and side > 1 else ()


def _samples(found, index, path):
    if "feature" in found:
        return found["feature"][index]
    feature = open_converted(found, path)
    return np.stack([feature[int(i)] for i in index])
