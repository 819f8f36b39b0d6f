"""Print a table of a study's data sets, and draw samples of each: results/datasets/."""

from pathlib import Path

import pandas as pd
from tabulate import tabulate

from deepkm.datasets.preview import preview
from deepkm.report.figures.samples import draw_samples
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
        seen = preview(path)
        table.append(describe(about, seen.shape, seen.target, seen.image_shape))
        rows.append((about["title"], seen.samples, seen.picture_shape))
    args.output.mkdir(parents=True, exist_ok=True)
    frame = pd.DataFrame(table)
    frame.to_csv(args.output / f"{DESCRIPTION_TABLE}.csv", index=False)
    # text as it is: a title like 007 or 1e3 is no number
    text = tabulate(frame.map(escape_markdown), "keys", tablefmt="pipe", showindex=False, disable_numparse=True) + "\n"
    (args.output / f"{DESCRIPTION_TABLE}.md").write_text(text, encoding="utf-8")
    save(draw_samples(rows), args.output / DESCRIPTION_SAMPLES)
    print(f"{text}\nSamples: {args.output / DESCRIPTION_SAMPLES}.png")
