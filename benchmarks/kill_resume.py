"""Kill a study at random moments, again and again; it must end with the results of an uninterrupted one.

python -m benchmarks.kill_resume --rounds 200
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import yaml
from tqdm import tqdm

from deepkm.files import read_hdf5

ROOT = Path(__file__).parents[1]
STUDY = {
    "study": {"datasets": ["blobs"], "methods": ["km", "dkm", "ct"], "seeds": [0]},
    "training": {"pretraining_epochs": 40, "epochs": 60},
    "datasets": {"blobs": {"n_samples": 2000, "n_features": 4, "n_clusters": 3}},
    "autoencoders": {"mlp": {"hidden_widths": [8]}},
    "seeds_per_job": 1,
}
FAULTS = ("everything killed", "Snakemake killed", "a job killed", "Ctrl-C", "SIGTERM to all")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped by SIGTERM"))
    faults, studies = Counter(), Counter()
    try:
        with (
            tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name,
            tqdm(total=args.rounds, unit="round") as progress,
        ):
            torment(Path(name), args.rounds, random.Random(args.seed), faults, studies, progress)
    finally:  # also when results differ, and when someone stops it
        told = ", ".join(f"{faults[fault]} x {fault}" for fault in FAULTS)
        print(
            f"{faults.total()} rounds: {told};"
            f" {studies['identical']} studies ended, bit-identical to an uninterrupted one"
        )


def torment(folder, rounds, moments, faults, studies, progress):
    """Run studies to their ends against so many faults; count both as they come."""
    whole, broken = folder / "whole", folder / "broken"
    started = time.monotonic()
    finish(whole)
    seconds = time.monotonic() - started
    while faults.total() < rounds:
        shutil.rmtree(broken, ignore_errors=True)
        while faults.total() < rounds and not (broken / "results" / "scores.csv").exists():
            if fault := strike(broken, moments, seconds):
                faults[fault] += 1
                progress.set_postfix(studies=studies.total(), refresh=False)
                progress.update()
        finish(broken)
        compare(whole, broken)
        studies["identical"] += 1


def strike(folder, moments, seconds):
    """Start the study, stop it at a random moment in one of five ways, and return which; None when it ended before."""
    fault = moments.choice(FAULTS)
    process = start(folder)
    with suppress(subprocess.TimeoutExpired):
        wait(process, moments.uniform(0, seconds / 3))  # several times per study
        return None  # it was done before
    if fault == "a job killed" and not _kill_a_job(process):
        fault = "everything killed"
    _stop(process, fault)
    process.wait()
    if fault != "Snakemake killed":  # its jobs live on and meet the next round
        _signal_group(process, signal.SIGKILL)
    return fault


def _kill_a_job(process):
    """Kill a job of a Snakemake and return True; False where none runs, or it ends this very moment."""
    with suppress(psutil.NoSuchProcess, StopIteration):
        children = psutil.Process(process.pid).children(recursive=True)
        next(child for child in children if "deepkm" in child.cmdline()).kill()
        return True
    return False


def _stop(process, fault):
    if fault == "Snakemake killed":
        process.kill()
    elif fault != "a job killed":
        numbers = {"everything killed": signal.SIGKILL, "Ctrl-C": signal.SIGINT, "SIGTERM to all": signal.SIGTERM}
        _signal_group(process, numbers[fault])


def _signal_group(process, number):
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def finish(folder):
    """Run the one documented command to its end."""
    process = start(folder)
    if wait(process) != 0:
        sys.exit((folder / "snakemake.txt").read_text())


def wait(process, seconds=None):
    """Return the exit status; who stops this benchmark meanwhile stops the study too."""
    try:
        return process.wait(seconds)
    except (KeyboardInterrupt, SystemExit):
        _signal_group(process, signal.SIGKILL)
        raise


def start(folder):
    folder.mkdir(exist_ok=True)
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY))
    command = [sys.executable, "-m", "snakemake", "tables", "--cores", "2", "--resources", "gpu=0"]
    command += ["-s", ROOT / "Snakefile", "--configfile", "study.yaml"]
    command += ["--workflow-profile", ROOT / "profiles" / "default"]
    variables = os.environ | {"PYTHONPATH": str(ROOT), "DEEPKM_CHECKPOINT_SECONDS": "0.2"}
    with open(folder / "snakemake.txt", "w") as output:
        return subprocess.Popen(
            list(map(str, command)), cwd=folder, env=variables, stdout=output, stderr=output, start_new_session=True
        )


def compare(first, second):
    """Exit unless both folders hold the same results, bit for bit, and nothing else is left over."""
    paths = sorted(path.relative_to(first) for path in first.glob("results/*/*/blobs/*.h5"))
    for path in paths:
        one, other = read_hdf5(first / path)[0], read_hdf5(second / path)[0]
        if one.keys() != other.keys() or any(not np.array_equal(one[key], other[key], equal_nan=True) for key in one):
            sys.exit(f"{path} differs")
    left = [path for suffix in ("checkpoint", "lock", "tmp") for path in second.glob(f"results/**/.*.{suffix}")]
    if not paths or left:
        sys.exit(f"{len(paths)} results, left over: {left}")


if __name__ == "__main__":
    main()
