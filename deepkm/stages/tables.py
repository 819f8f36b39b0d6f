"""Make the tables of a study: results/tables/{acc,nmi,ari}.{csv,md}."""

from pathlib import Path

import pandas as pd

from deepkm.report.tables import summarize, to_markdown


def add_arguments(parser):
    parser.add_argument("--scores", required=True, help="results/scores.csv")
    parser.add_argument("--output", nargs="+", required=True, type=Path, help="files to write, such as tables/acc.md")


def main(args):
    scores = pd.read_csv(args.scores)
    titles = {kind: dict(args.spec[kind]) for kind in ("datasets", "methods")}
    for path in args.output:
        summary = summarize(scores, path.stem)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".csv":
            summary.to_csv(path, index=False, float_format="%.4f")
        else:
            text = to_markdown(summary, path.stem, **titles)
            path.write_text(text, encoding="utf-8")
