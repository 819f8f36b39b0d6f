"""Make the tables of a study: results/tables/*.{csv,md,tex}."""

from pathlib import Path

from deepkm.report.frames import read_frame
from deepkm.report.tables.layout import to_latex, to_markdown
from deepkm.report.tables.study import make_tables
from deepkm.study.spec import ReportSpec

INPUTS = ("scores", "jobs", "parameters", "pairwise", "best")
FORMATS = {".md": to_markdown, ".tex": to_latex}


def add_arguments(parser):
    for name in INPUTS:
        parser.add_argument(f"--{name}", required=True, help=f"{name}.csv of the score and statistics stages")
    parser.add_argument("--output", nargs="+", required=True, type=Path, help="files to write, such as tables/acc.md")


def main(args):
    spec: ReportSpec = args.spec
    made = make_tables(spec, **{name: read_frame(getattr(args, name)) for name in INPUTS})
    for path in args.output:
        summary, table = made[path.stem]
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".csv":
            summary.to_csv(path, index=False, float_format="%.6g")
        else:
            path.write_text(FORMATS[path.suffix](table), encoding="utf-8")
