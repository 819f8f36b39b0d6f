"""Test which methods differ: results/statistics/{pairwise,friedman,nemenyi}.csv."""

from pathlib import Path

import pandas as pd

from deepkm.report.statistics import compare_over_datasets, compare_over_seeds


def add_arguments(parser):
    parser.add_argument("--scores", required=True, help="results/scores.csv")
    parser.add_argument("--output", nargs="+", required=True, type=Path, help="{pairwise,friedman,nemenyi}.csv")


def main(args):
    scores, order = pd.read_csv(args.scores), {key: args.spec[key] for key in ("datasets", "methods")}
    friedman, nemenyi = compare_over_datasets(scores, **order)
    tables = {"pairwise": compare_over_seeds(scores, **order), "friedman": friedman, "nemenyi": nemenyi}
    for path in args.output:
        path.parent.mkdir(parents=True, exist_ok=True)
        tables[path.stem].to_csv(path, index=False)
