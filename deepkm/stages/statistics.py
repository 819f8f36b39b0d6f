"""Test which methods differ: results/statistics/{pairwise,best,friedman,nemenyi}.csv."""

from pathlib import Path

from deepkm.report.frames import read_frame
from deepkm.report.statistics.paired import compare_over_seeds
from deepkm.report.statistics.ranks import compare_over_datasets
from deepkm.study.spec import StatisticsSpec


def add_arguments(parser):
    parser.add_argument("--scores", required=True, help="results/scores.csv")
    parser.add_argument("--output", nargs="+", required=True, type=Path, help="{pairwise,best,friedman,nemenyi}.csv")


def main(args):
    spec: StatisticsSpec = args.spec
    scores, order = read_frame(args.scores), {"datasets": spec["datasets"], "methods": spec["methods"]}
    tables = {}
    tables["pairwise"], tables["best"] = compare_over_seeds(scores, **order)
    tables["friedman"], tables["nemenyi"] = compare_over_datasets(scores, **order)
    for path in args.output:
        path.parent.mkdir(parents=True, exist_ok=True)
        tables[path.stem].to_csv(path, index=False)
