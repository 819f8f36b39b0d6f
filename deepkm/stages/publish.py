"""Keep a study's raw numbers for a repository: a row per run, what made it, checksums of the data, the study itself."""

from pathlib import Path
from tempfile import TemporaryDirectory

from deepkm.report.frames import read_frame
from deepkm.report.tables.exported import CRATE, RANKING, export
from deepkm.report.tables.recorded import DATA, RUNS, SCORES, STUDY, data_of, record, runs_of
from deepkm.stages.partial import score_done
from deepkm.study.inventory import load_study
from deepkm.study.options import add_study_arguments
from deepkm.study.paths import JOBS, path_of
from deepkm.study.paths import SCORES as ALL_SCORES


def add_arguments(parser):
    parser.add_argument("folder", type=Path, help="where to, as docs/results/usps; rows that are there stay")
    parser.add_argument(
        "--exports",
        action="store_true",
        help="write for other programs: ranking.csv (method, task, metric_error), Croissant and RO-Crate metadata",
    )
    add_study_arguments(parser)


def main(args):
    study = load_study(args.configfile, args.config)
    with TemporaryDirectory() as scratch:
        if not score_done(study, scratch):
            raise ValueError("got no result of this study, expected some of its jobs; run it first, or a part of it")
        scores, jobs = (read_frame(path_of(pattern, results=scratch)) for pattern in (ALL_SCORES, JOBS))
    tables = {SCORES: scores, RUNS: runs_of(jobs), DATA: data_of(study, jobs["dataset"])}
    for line in record(args.folder, tables, study.config):
        print(line)
    exports: list[str] = []
    if args.exports or (args.folder / CRATE).exists():  # its checksums are of the rows that were there
        exports, left_out = export(study, args.folder)
        for line in left_out:
            print(f"not in {RANKING}: {line}")
    files = ", ".join([SCORES, RUNS, DATA, STUDY, *exports])
    print(f"{len(read_frame(args.folder / SCORES))} runs in {args.folder}: {files}")
