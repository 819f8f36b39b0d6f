"""Compare a study that was run again with its published rows, and say whether they agree."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from deepkm.report.frames import read_frame
from deepkm.report.tables import recorded
from deepkm.report.tables.agreement import OTHER, agreement, agreement_table
from deepkm.report.tables.layout import to_markdown
from deepkm.stages.partial import score_done
from deepkm.study.inventory import load_study
from deepkm.study.options import add_study_arguments
from deepkm.study.paths import JOBS, SCORES, path_of


def add_arguments(parser):
    parser.add_argument("folder", type=Path, help="published rows, as docs/results/usps")
    add_study_arguments(parser)


def main(args):
    published, _ = recorded.read_record(args.folder)
    if not published:
        raise ValueError(f"got {args.folder} without rows, expected a folder that `publish` wrote; name it")
    study = load_study(args.configfile, args.config)
    with TemporaryDirectory() as scratch:
        if not score_done(study, scratch):
            raise ValueError("got no result of this study, expected its jobs; run it again first, or a part of it")
        again, jobs = (read_frame(path_of(pattern, results=scratch)) for pattern in (SCORES, JOBS))
    found = {recorded.RUNS: recorded.runs_of(jobs), recorded.DATA: recorded.data_of(study, jobs["dataset"])}
    rows = published[recorded.SCORES]
    compared = agreement(rows, again, made=(_made(published), _made(found)))
    if compared.empty or (compared["verdict"] == "no scores").all():
        raise ValueError(
            f"got no score that {args.folder} has too, expected the same data sets and methods, with classes; name "
            "another study"
        )
    print(to_markdown(agreement_table(compared)))
    print(f"{len(rows.merge(again, on=recorded.KEYS[recorded.SCORES]))} of {len(rows)} published runs were run again")
    if compared["verdict"].isin(["differs", *OTHER]).any():
        raise SystemExit(1)


def _made(tables):
    """Return what made runs, classes among their data."""
    runs, data = tables[recorded.RUNS], tables[recorded.DATA].set_index("dataset")
    classes = data.get("sha256_of_target", pd.Series(dtype=str)).dropna()
    return runs.assign(data=runs["data"] + runs["dataset"].map(classes).fillna(""))
