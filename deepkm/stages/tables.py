"""Make the tables of a study: results/tables/*.{csv,md,tex}."""

from pathlib import Path

from deepkm.report.frames import read_frame
from deepkm.report.tables.layout import to_latex, to_markdown
from deepkm.report.tables.study import make_tables
from deepkm.study.spec import ReportSpec

INPUTS = ("scores", "jobs", "parameters", "contrasts", "pairwise", "best", "overall", "improvement", "friedman")
FORMATS = {".md": to_markdown, ".tex": to_latex}


def add_arguments(parser):
    parser.add_argument("--tables", nargs="+", required=True, type=Path, help="the .csv of scores and of statistics")
    parser.add_argument("--output", nargs="+", required=True, type=Path, help="files to write, such as tables/acc.md")


def main(args):
    spec: ReportSpec = args.spec
    read = {path.stem: read_frame(path) for path in args.tables if path.stem in INPUTS}
    made = make_tables(spec, **read)
    for path in args.output:
        summary, table = made[path.stem]
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".csv":
            summary.to_csv(path, index=False, float_format="%.6g")
        else:
            path.write_text(FORMATS[path.suffix](table), encoding="utf-8")
