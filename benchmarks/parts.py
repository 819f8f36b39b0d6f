"""Where the CPU time of a study goes: ``python -m benchmarks.parts``, for the default study and for one of 1,000 jobs.

Each Python process of the workflow notes its own CPU time as it ends (`NOTE`); what training took of it, its result
says. Of 1,000 jobs the plan is measured; what they take themselves is a thousand times that of a job of the default
study.
"""

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

import yaml

from benchmarks.measure import write_rows
from benchmarks.study import ROOT, timed
from benchmarks.workflow_overhead import cpu_seconds_of, first_line, write_study
from deepkm.files import read_attributes

NOTE = """
import atexit, pathlib, sys, time, uuid
def note():
    stage = sys.argv[1] if sys.argv[0].endswith("deepkm/__main__.py") else "Snakemake"
    pathlib.Path({folder!r}, stage + " " + uuid.uuid4().hex).write_text(str(time.process_time()))
atexit.register(note)
"""
JOBS = "training jobs: imports, reading, writing"
TITLES = {"autoencoder": JOBS, "cluster": JOBS, "dataset": "data", "report": "page"}
OPTIONS = ["-s", ROOT / "Snakefile", "--configfile", "study.yaml", "--workflow-profile", ROOT / "profiles" / "default"]


def run(folder):
    """Run the default study from nothing; return CPU seconds by part, and the number of its training jobs."""
    noted = folder / "noted"
    noted.mkdir()
    (noted / "sitecustomize.py").write_text(NOTE.format(folder=str(noted)))
    command = [sys.executable, "-m", "snakemake", *OPTIONS, "--cores", 1, "--resources", "gpu=0", "--quiet", "all"]
    timed(command, folder, paths=[noted])
    parts = Counter()
    for file in noted.glob("* *"):
        stage = file.name.partition(" ")[0]
        parts[TITLES.get(stage, stage)] += float(file.read_text())
    results = list(folder.glob("results/*/*/*/*.h5"))
    training = sum(read_attributes(path)["provenance"]["cpu_seconds"] for path in results)
    return {"training": training, **parts, JOBS: parts[JOBS] - training}, len(results)


def rows_of(study, parts):
    """Yield a row per part of a study."""
    for part, seconds in parts.items():
        yield {"study": study, "part": part, "CPU seconds": seconds, "share": seconds / sum(parts.values())}


def main():
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    study = yaml.safe_load((ROOT / "config.yaml").read_text())["study"]
    name = f"default: Digits, {len(study['methods'])} methods, {len(study['seeds'])} seeds"
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)  # noqa: PLW2901
        (folder / "study.yaml").write_text("{}\n")
        _, told = first_line(folder, *OPTIONS)
        parts, n_jobs = run(folder)
        planned = cpu_seconds_of(folder, *OPTIONS, "-n", "--forceall", "--quiet")
        (folder / "many").mkdir()
        plan = cpu_seconds_of(folder / "many", *write_study(folder / "many", n_seeds=125), "-n", "--quiet")
    of_a_job = {part: parts[part] / n_jobs for part in ("training", JOBS)}
    of_a_job["Snakemake, while they run"] = (parts["Snakemake"] - planned) / n_jobs
    many = {"Snakemake, the plan": plan, **{part: 1000 * seconds for part, seconds in of_a_job.items()}}
    rows = [*rows_of(name, parts), *rows_of("1,000 jobs, each as the mean of those", many)]
    rows.append({"study": name, "part": "until the first line about a job", "CPU seconds": told})
    write_rows("parts", rows)


if __name__ == "__main__":
    main()
