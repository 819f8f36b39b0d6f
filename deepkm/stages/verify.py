"""Compare a study that was run again with its published rows, and say whether they agree."""

from pathlib import Path
from tempfile import TemporaryDirectory

from deepkm.report.frames import read_frame
from deepkm.report.tables import recorded
from deepkm.report.tables.agreement import agreement, agreement_table
from deepkm.report.tables.layout import to_markdown
from deepkm.stages.partial import score_done
from deepkm.study.inventory import load_study
from deepkm.study.options import add_study_arguments
from deepkm.study.paths import SCORES, path_of


def add_arguments(parser):
    parser.add_argument("folder", type=Path, help="published rows, as docs/results/usps")
    add_study_arguments(parser)


def main(args):
    path = args.folder / recorded.SCORES
    if not path.exists():
        raise ValueError(f"got {args.folder} without {path.name}, expected a folder that `publish` wrote; name it")
    study = load_study(args.configfile, args.config)
    with TemporaryDirectory() as scratch:
        if not score_done(study, scratch):
            raise ValueError("got no result of this study, expected its jobs; run it again first, or a part of it")
        again = read_frame(path_of(SCORES, results=scratch))
    compared = agreement(read_frame(path), again)
    if compared.empty:
        raise ValueError(f"got no run that {path} has too, expected the same data sets and methods; name another study")
    print(to_markdown(agreement_table(compared)))
    disagreeing = compared.loc[compared["verdict"] == "differs", ["method", "dataset"]]
    if len(disagreeing):
        raise SystemExit(1)
