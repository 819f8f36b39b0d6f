"""Where the CPU time of a study goes: ``python -m benchmarks.parts --results results``, after ``make run``.

Training is what results say that it took, a stage what Snakemake noted of its processes, which misses up to half a
second of each. Of a study of 1,000 jobs the plan is measured; what they take themselves is a thousand times the mean.
"""

import argparse
import json
import tempfile
from collections import Counter
from pathlib import Path

import pandas as pd

from benchmarks.measure import write_rows
from benchmarks.workflow_overhead import ROOT, cpu_seconds_of, first_line, write_study

JOBS = "training jobs: imports, reading, writing"
TITLES = {"autoencoder": JOBS, "cluster": JOBS, "dataset": "data", "report": "page"}
OPTIONS = ["-s", ROOT / "Snakefile", "--configfile", "study.yaml", "--workflow-profile", ROOT / "profiles" / "default"]


def parts_of(results):
    """Return CPU seconds by part of a study that is done, and the number of its training jobs."""
    jobs = pd.read_csv(results / "jobs.csv")
    training = jobs["cpu_seconds"].sum()
    parts = Counter({"training": training, JOBS: -training})
    for file in (results / "benchmarks").rglob("*.jsonl"):
        rule = file.relative_to(results / "benchmarks").with_suffix("").parts[0]
        parts[TITLES.get(rule, rule)] += json.loads(file.read_text().splitlines()[-1])["cpu_time"]
    return parts, len(jobs)


def rows_of(study, parts):
    """Yield a row per part of a study, the largest first, and one of all."""
    everything = sum(parts.values())
    for part, seconds in [*Counter(parts).most_common(), ("all", everything)]:
        yield {"study": study, "part": part, "CPU seconds": seconds, "share": seconds / everything}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, required=True, help="of the default study, done")
    args = parser.parse_args()
    parts, n_jobs = parts_of(args.results)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "study.yaml").write_text("{}\n")
        parts["Snakemake: the plan"] = cpu_seconds_of(folder, *OPTIONS, "-n", "--quiet")
        _, told = first_line(folder, *OPTIONS)
        plan = cpu_seconds_of(folder, *write_study(folder, n_seeds=125), "-n", "--quiet")
    many = {part: 1000 * parts[part] / n_jobs for part in ("training", JOBS)} | {"Snakemake: the plan": plan}
    rows = [*rows_of("default", parts), *rows_of("1,000 jobs, each the mean of those", many)]
    rows.append({"study": "default", "part": "Snakemake: until its first line about a job", "CPU seconds": told})
    write_rows("parts", rows)


if __name__ == "__main__":
    main()
