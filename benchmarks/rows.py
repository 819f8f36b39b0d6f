"""What each row takes on large data, by the whole workflow: ``python -m benchmarks.rows --mnist mnist.npz``.

MNIST's 70,000 images in a file, and a million samples that a program makes, with the methods of each kind, from the
file to the page, one seed. Pretraining and training take one epoch each: most of it grows with their number. Then come
the methods that such data are refused by, with the line that says so. Minutes are CPU minutes of a row's job.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import yaml

from benchmarks.measure import write_rows
from benchmarks.study import ROOT

TRAINED = ["dcn", "dkm", "dkm_reinit", "ct", "dec", "idec"]
TAKEN = ["random", "km", "pca_km", "gmm", "aekm", "aegmm", *TRAINED]
REFUSED = ["ward", "spectral", "aeward", "aespectral"]
N_MADE, F_MADE = 1_000_000, 32
WIDTHS = {"MNIST": [500, 500, 2000], "made": [128, 128, 512]}


def make(path):
    """Write a million samples in ten clusters, with their classes, piece by piece."""
    random = np.random.default_rng(0)
    centers = random.normal(size=(10, F_MADE))
    with h5py.File(path, "w") as file:
        feature, target = (
            file.create_dataset("feature", (N_MADE, F_MADE), "f4"),
            file.create_dataset("target", N_MADE, "i4"),
        )
        for start in range(0, N_MADE, 100_000):
            part = slice(start, start + 100_000)
            target[part] = random.integers(10, size=100_000)
            feature[part] = centers[target[part]] + random.normal(size=(100_000, F_MADE))


def study_of(name, path, methods):
    """Return the study of one data set."""
    scaling = "unit" if name == "MNIST" else "standard"
    return {
        "study": {"datasets": ["large"], "methods": methods, "seeds": [0]},
        "training": {"pretraining_epochs": 1, "epochs": 1},
        "datasets": {"large": {"title": name, "path": str(path), "n_clusters": 10, "scaling": scaling}},
        "autoencoders": {"mlp": {"hidden_widths": WIDTHS[name]}},
        "methods": {method: {"epochs": 1} for method in TRAINED},
    }


def run(folder, study, *targets, cores):
    """Run a study in a folder, or go on with it; return whether all was made, and what it said."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    command = [sys.executable, "-m", "snakemake", *targets, "-s", ROOT / "Snakefile", "--cores", cores]
    command += ["--resources", "gpu=0", "--configfile", "study.yaml", "--workflow-profile", ROOT / "profiles/default"]
    options = {"env": os.environ | {"PYTHONPATH": str(ROOT)}, "capture_output": True, "text": True}
    done = subprocess.run(list(map(str, command)), cwd=folder, check=False, **options)
    return done.returncode == 0, done.stdout + done.stderr


def row_of(made):
    """Return what a stage or a job took, as Snakemake noted it."""
    return {"CPU minutes": made["cpu_time"] / 60, "memory [MiB]": round(made["max_rss"])}


def measure(name, path, folder, *, cores):
    """Yield a row per method and per stage of one data set, and those that are refused."""
    ended, said = run(folder, study_of(name, path, TAKEN), cores=cores)
    if not ended:
        sys.exit(said)
    for file in sorted((folder / "results" / "benchmarks").rglob("*.jsonl")):
        rule, *place = file.relative_to(folder / "results" / "benchmarks").with_suffix("").parts
        yield {"data": name, "row": place[0] if rule == "cluster" else rule, **row_of(json.loads(file.read_text()))}
    for method in REFUSED:
        ended, said = run(folder, study_of(name, path, [method]), "-n", cores=cores)
        [line] = [line for line in said.splitlines() if f"methods.{method}" in line]
        yield {"data": name, "row": method, "refused": line.partition("config: ")[2]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mnist", help="MNIST as .npz with `feature` and `target`")
    parser.add_argument("--folder", default="build/rows", help="where the studies lie; a second call goes on")
    parser.add_argument("--cores", type=int, default=1)
    args = parser.parse_args()
    folder = Path(args.folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    data = {"MNIST": Path(args.mnist).resolve()} if args.mnist else {}
    data["made"] = folder / "made.h5"
    if not data["made"].exists():
        make(data["made"])
    write_rows("rows", [row for name in data for row in measure(name, data[name], folder / name, cores=args.cores)])


if __name__ == "__main__":
    main()
