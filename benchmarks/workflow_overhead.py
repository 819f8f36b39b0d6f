"""How long Snakemake thinks about a large study: a dry run of it, a bare DAG of the same size, the first line told.

python -m benchmarks.workflow_overhead
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import yaml

ROOT = Path(__file__).parents[1]
METHODS = ["km", "aekm", "aekm_long", "dkm", "dkm_reinit", "ct", "ct_no_reinit"]
N_SEEDS = 250  # with 7 methods and 1 autoencoder: 2000 training jobs

BARE = """
rule all:
    input:
        expand("clusterings/{{m}}/seed{{s}}", m={methods}, s=range({n_seeds})),

rule data:
    output: "data",
    shell: "touch {{output}}"

rule autoencoder:
    input: "data",
    output: "autoencoders/seed{{s}}",
    log: "logs/autoencoder/{{s}}",
    shell: "touch {{output}}"

rule cluster:
    input: "data", "autoencoders/seed{{s}}",
    output: "clusterings/{{m}}/seed{{s}}",
    log: "logs/cluster/{{m}}/{{s}}",
    shell: "touch {{output}}"
"""


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "Bare").write_text(BARE.format(methods=METHODS, n_seeds=N_SEEDS))
        ours = write_study(folder, n_seeds=N_SEEDS)
        bare = min(cpu_seconds_of(folder, "-s", "Bare", "-n", "--quiet") for _ in range(3))
        full = min(cpu_seconds_of(folder, *ours, "-n", "--quiet") for _ in range(3))
        print(f"dry run, CPU seconds: bare DAG {bare:.1f}, DeepKM {full:.1f}, {full / bare:.2f} x")
        clock, cpu = first_line(folder, *ours)
        print(f"the first job is told after {clock:.1f} s, {cpu:.1f} of them CPU time of Snakemake")


def write_study(folder, *, n_seeds):
    """Write a study of 8 training jobs per seed, and return Snakemake's arguments that select it."""
    study = {"study": {"methods": METHODS, "seeds": list(range(n_seeds))}, "seeds_per_job": 1}
    (folder / "study.yaml").write_text(yaml.safe_dump({**study, "training": {"pretraining_epochs": 0}}))
    return ["-s", ROOT / "Snakefile", "--configfile", "study.yaml", "--workflow-profile", ROOT / "profiles/default"]


def cpu_seconds_of(folder, *arguments):
    """Return the CPU time of one Snakemake call: unlike the clock, it hardly depends on what else runs."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([*command(arguments), "--cores", "2"], cwd=folder, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def first_line(folder, *arguments):
    """Return the seconds until the first line about a job: by the clock, and of Snakemake's own CPU time."""
    started = time.monotonic()
    arguments = [*command(arguments), "--cores", "2", "--resources", "gpu=0"]
    process = subprocess.Popen(arguments, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    for line in process.stdout:
        if line.rstrip().endswith("begins"):
            break
    clock, cpu = time.monotonic() - started, psutil.Process(process.pid).cpu_times()
    process.terminate()
    process.communicate()
    return clock, cpu.user + cpu.system


def command(arguments):
    os.environ["PYTHONPATH"] = str(ROOT)
    return [sys.executable, "-m", "snakemake", *map(str, arguments)]


if __name__ == "__main__":
    main()
