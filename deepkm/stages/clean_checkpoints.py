"""Delete checkpoints and temporary files that no job of the study will use; keep those of unfinished jobs."""

from deepkm.files import is_held
from deepkm.study.inventory import foreign_files, jobs_of
from deepkm.study.plan import Study


def add_arguments(parser):
    pass


def main(args):
    study = Study(args.spec)
    kept, freed = [], 0
    side_files = [path for path in foreign_files(study) if path.suffix != ".h5"]
    for job in jobs_of(study):
        checkpoint = job.side_file("checkpoint")
        if checkpoint.exists():
            (side_files if job.state()[0] == "done" else kept).append(checkpoint)
    for path in side_files:
        if not is_held(path.with_suffix(".lock")):
            freed += path.stat().st_size * (path.stat().st_nlink == 1)  # else it is another name of a result
            path.unlink()
            print(f"deleted {path}")
    print(f"freed {freed / 2**20:.1f} MiB; kept {len(kept)} checkpoints of unfinished jobs")
