"""Delete checkpoints and temporary files that no job of the study will use; keep those of unfinished jobs."""

from pathlib import Path

from deepkm.files import is_held
from deepkm.study.inventory import foreign_files, jobs_of, load_study
from deepkm.study.options import add_study_arguments
from deepkm.study.paths import LEFT_BY_JOBS, locks_of_writers

add_arguments = add_study_arguments


def main(args):
    study = load_study(args.configfile, args.config)
    freed = 0
    kept: list[Path] = []
    side_files = [path for path in foreign_files(study) if path.suffix in LEFT_BY_JOBS[1:]]
    for job in jobs_of(study):
        checkpoint = job.side_file("checkpoint")
        if checkpoint.exists():
            (side_files if job.state()[0] == "done" else kept).append(checkpoint)
    for path in side_files:
        if not any(map(is_held, locks_of_writers(path))):
            freed += path.stat().st_size * (path.stat().st_nlink == 1)  # else it is another name of a result
            path.unlink()
            print(f"deleted {path}")
    print(f"freed {freed / 2**20:.1f} MiB; kept {len(kept)} checkpoints of unfinished jobs")
