"""A whole study beside ClustPy, as users run both: ``python -m benchmarks.study --usps usps.npz``.

AE + k-means, DCN, DKM, DEC and IDEC, two seeds, one autoencoder per seed shared by all; the same widths, batches and
epochs. Here that is one `snakemake` call from nothing to scores, there one process (benchmarks/clustpy_comparison.py).
Whole processes, imports and scoring included. On one core CPU times are compared. On two cores the clock counts, on an
idle machine: here two jobs run side by side, there PyTorch splits each product over both cores, as it does by itself.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from benchmarks.epochs import SHAPES, has_clustpy
from benchmarks.measure import write_rows
from deepkm.files import read_attributes

ROOT = Path(__file__).parents[1]
METHODS = ["aekm", "dcn", "dkm", "dec", "idec"]
SEEDS = [8905, 9129]
PAPER = {"pretraining_epochs": 50, "epochs": 100}


def study_of(dataset, entry, *, seeds_per_job, pretraining_epochs, epochs):
    """Return the study; DEC and IDEC train all epochs, as ClustPy's do."""
    methods = {key: {"epochs": epochs, "per_dataset": {dataset: {"epochs": epochs}}} for key in METHODS[1:]}
    for key in ("dec", "idec"):
        methods[key]["tol"] = 0.0
    return {
        "study": {"datasets": [dataset], "methods": METHODS, "seeds": SEEDS},
        "seeds_per_job": seeds_per_job,
        "training": {"pretraining_epochs": pretraining_epochs},
        "datasets": {dataset: entry},
        "methods": methods,
    }


def run_study(folder, study, *, cores, target="score"):
    """Run a study from nothing; return (seconds by the clock, CPU seconds, CPU seconds of training alone)."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    command = [sys.executable, "-m", "snakemake", *([target] if target else []), "-s", ROOT / "Snakefile"]
    command += ["--cores", cores, "--resources", "gpu=0", "--configfile", "study.yaml", "--quiet", "all"]
    command += ["--workflow-profile", ROOT / "profiles" / "default"]
    clock, cpu = timed(command, folder)
    trained = [read_attributes(path)["provenance"]["seconds"] for path in folder.glob("results/*/*/*/*.h5")]
    return clock, cpu, sum(trained)


def run_clustpy(folder, npz, scaling, *, cores, hidden_widths, pretraining_epochs, epochs):
    """Run the same by ClustPy on so many threads; return (seconds by the clock, CPU seconds)."""
    command = [sys.executable, "-m", "benchmarks.clustpy_comparison", npz, "--scaling", scaling, "--columns=settings"]
    command += ["--pretraining-epochs", pretraining_epochs, "--epochs", epochs, "--output", folder / "clustpy.csv"]
    return timed([*command, "--seeds", *SEEDS, "--hidden-widths", *hidden_widths], ROOT, threads=cores)


def timed(command, folder, *, threads=1):
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    variables = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(
        list(map(str, command)), cwd=folder, env=variables, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        sys.exit(done.stdout + done.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.monotonic() - started, cpu


def compare(folder, dataset, entry, *, widths, seeds_per_job, lengths, peer, cores):
    """Return a row: one data set on one core, on two or on both, and by ClustPy."""
    study = study_of(dataset, entry, seeds_per_job=seeds_per_job, **lengths)
    npz = entry.get("path", folder / f"{cores[0]}/data/{dataset}.npz")  # which our study has made when ClustPy reads it
    row, clocks = {"study": f"{entry.get('title', dataset)}, 5 methods", **lengths}, {}
    for n in cores:
        clocks[n], cpu, training = run_study(folder / str(n), study, cores=n)
        row["training / all"] = training / cpu
        if peer:
            theirs, their_cpu = run_clustpy(folder, npz, entry["scaling"], cores=n, hidden_widths=widths, **lengths)
            ratio = their_cpu / cpu if n == 1 else theirs / clocks[n]
            row[f"ClustPy / ours, {n} core{'s' * (n > 1)}"] = ratio
        print(row, flush=True)
    if len(clocks) > 1:
        row["1 core / 2 cores"] = clocks[1] / clocks[2]
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--usps", help="an .npz with `feature` (9298, 256) and `target`")
    parser.add_argument("--pretraining-epochs", type=int, default=10, help="on USPS (default 10, to save an hour)")
    parser.add_argument("--epochs", type=int, default=20, help="on USPS (default 20); digits: the paper's 50 and 100")
    parser.add_argument("--cores", type=int, nargs="+", choices=(1, 2), default=[1, 2])
    parser.add_argument("--no-digits", dest="digits", action="store_false", help="USPS alone")
    parser.add_argument("--default-study", action="store_true", help="the whole default study too")
    args = parser.parse_args()
    lengths = {"pretraining_epochs": args.pretraining_epochs, "epochs": args.epochs}
    peer = has_clustpy()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        default = yaml.safe_load((ROOT / "config.yaml").read_text())
        digits = default["datasets"]["digits"]
        how = {"peer": peer, "cores": args.cores}
        options = {"widths": SHAPES["Digits"][2], "seeds_per_job": len(SEEDS)}  # small data: few processes
        rows = [compare(folder, "digits", digits, **options, **how, lengths=PAPER)] if args.digits else []
        if args.usps:
            entry = {"title": "USPS", "path": str(Path(args.usps).resolve()), "n_clusters": 10, "scaling": "symmetric"}
            options = {"widths": SHAPES["USPS"][2], "seeds_per_job": 1}
            rows.append(compare(folder, "usps", entry, **options, **how, lengths=lengths))
        if args.default_study:
            clock, cpu, training = run_study(folder / "default", {}, cores=2, target=None)
            title = (
                f"default: Digits, {len(default['study']['methods'])} methods, {len(default['study']['seeds'])} seeds"
            )
            rows.append({"study": title, "training / all": training / cpu})
            print(f"the default study: {clock:.0f} s by the clock")
    write_rows("study", rows)


if __name__ == "__main__":
    main()
