"""Test which methods differ: results/statistics/*.csv."""

from pathlib import Path

from deepkm.report.frames import read_frame
from deepkm.report.statistics.study import make_statistics
from deepkm.study.spec import StatisticsSpec


def add_arguments(parser):
    parser.add_argument("--scores", required=True, help="results/scores.csv")
    parser.add_argument("--output", nargs="+", required=True, type=Path, help="the .csv to write, such as best.csv")


def main(args):
    spec: StatisticsSpec = args.spec
    tables = make_statistics(read_frame(args.scores), spec)
    for path in args.output:
        path.parent.mkdir(parents=True, exist_ok=True)
        tables[path.stem].to_csv(path, index=False)
