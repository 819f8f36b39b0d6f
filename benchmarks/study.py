"""A whole study beside ClustPy, as users run both: ``python -m benchmarks.study --usps usps.npz``.

AE + k-means, DCN, DKM, DEC and IDEC, two seeds, one autoencoder per seed shared by all; the same widths, batches and
epochs. Here that is one `snakemake` call from nothing to scores, there one process (benchmarks/clustpy_comparison.py).
Whole processes, imports and scoring included. The default study's share of training and the gain of a second core are
measured too; those are times by the clock and need an idle machine.
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
from deepkm.hdf5 import read_attributes

ROOT = Path(__file__).parents[1]
METHODS = ["aekm", "dcn", "dkm", "dec", "idec"]
SEEDS = [8905, 9129]


def study_of(dataset, entry, *, pretraining_epochs, epochs):
    """Return the study; DEC and IDEC train all epochs, as ClustPy's do."""
    methods = {key: {"epochs": epochs, "per_dataset": {dataset: {"epochs": epochs}}} for key in METHODS[1:]}
    for key in ("dec", "idec"):
        methods[key]["tol"] = 0.0
    return {
        "study": {"datasets": [dataset], "methods": METHODS, "seeds": SEEDS},
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


def run_clustpy(folder, npz, scaling, *, hidden_widths, pretraining_epochs, epochs):
    """Run the same by ClustPy; return (seconds by the clock, CPU seconds)."""
    command = [sys.executable, "-m", "benchmarks.clustpy_comparison", npz, "--scaling", scaling]
    command += ["--pretraining-epochs", pretraining_epochs, "--epochs", epochs, "--output", folder / "clustpy.csv"]
    return timed([*command, "--seeds", *SEEDS, "--hidden-widths", *hidden_widths], ROOT)


def timed(command, folder):
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    variables = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        list(map(str, command)), cwd=folder, env=variables, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        sys.exit(done.stdout + done.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.monotonic() - started, cpu


def compare(folder, dataset, entry, npz, *, widths, lengths, peer):
    """Return a row: one data set on one core and on two, and by ClustPy."""
    study = study_of(dataset, entry, **lengths)
    one, cpu, training = run_study(folder / "one", study, cores=1)
    two, _, _ = run_study(folder / "two", study, cores=2)
    row = {"study": f"{entry.get('title', dataset)}, 5 methods", **lengths}
    row |= {"training / all CPU": training / cpu, "1 core / 2 cores": one / two}
    if peer:
        _, clustpy = run_clustpy(folder, npz, entry["scaling"], hidden_widths=widths, **lengths)
        row["ClustPy / ours, CPU"] = clustpy / cpu
    print(row, flush=True)
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--usps", help="an .npz with `feature` (9298, 256) and `target`")
    parser.add_argument("--pretraining-epochs", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--default-study", action="store_true", help="the whole default study too")
    args = parser.parse_args()
    lengths = {"pretraining_epochs": args.pretraining_epochs, "epochs": args.epochs}
    peer = has_clustpy()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        digits = yaml.safe_load((ROOT / "config.yaml").read_text())["datasets"]["digits"]
        rows = [
            compare(
                folder,
                "digits",
                digits,
                folder / "one/data/digits.npz",
                widths=SHAPES["Digits"][2],
                lengths=lengths,
                peer=peer,
            )
        ]
        if args.usps:
            npz = Path(args.usps).resolve()
            entry = {"title": "USPS", "path": str(npz), "n_clusters": 10, "scaling": "symmetric"}
            rows.append(compare(folder, "usps", entry, npz, widths=SHAPES["USPS"][2], lengths=lengths, peer=peer))
        if args.default_study:
            clock, cpu, training = run_study(folder / "default", {}, cores=2, target=None)
            rows.append({"study": "default: Digits, 17 methods, 3 seeds", "training / all CPU": training / cpu})
            print(f"the default study: {clock:.0f} s by the clock")
    write_rows("study", rows)


if __name__ == "__main__":
    main()
