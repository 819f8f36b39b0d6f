"""Keep a study's raw numbers for a repository: a row per run, what made it, checksums of the data, the study itself."""

from pathlib import Path
from tempfile import TemporaryDirectory

from deepkm.report.frames import read_frame
from deepkm.report.tables.exported import export
from deepkm.report.tables.recorded import DATA, RUNS, SCORES, STUDY, data_of, merge, merge_study, runs_of
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
            return
        scores, jobs = (read_frame(path_of(pattern, results=scratch)) for pattern in (ALL_SCORES, JOBS))
    args.folder.mkdir(parents=True, exist_ok=True)
    for line in merge(args.folder, {SCORES: scores, RUNS: runs_of(jobs), DATA: data_of(study)}):
        print(line)
    merge_study(args.folder, study.config)
    exports = export(study, args.folder) if args.exports else []
    files = ", ".join([SCORES, RUNS, DATA, STUDY, *exports])
    print(f"{len(read_frame(args.folder / SCORES))} runs in {args.folder}: {files}")
