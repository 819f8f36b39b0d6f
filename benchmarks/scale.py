"""How time and memory grow: ``python -m benchmarks.scale``.

With the number of samples N (streamed from a file while training), of features F, of clusters K, and of jobs in a dry
run. Each point is a process of its own, so that its memory is its own. The slope is that of log time over log size
between the two largest points: 1 is linear.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import torch

from benchmarks.measure import cpu_seconds, write_rows
from benchmarks.workflow_overhead import ROOT, cpu_seconds_of, write_study
from deepkm import DKM
from deepkm.datasets.large import scan
from deepkm.datasets.streaming import StreamedFeatures
from deepkm.numerics.centers import nearest
from deepkm.training.loop import train
from deepkm.training.run import Run

SIZES = {
    "samples, streamed, N": (10_000, 100_000, 1_000_000, 10_000_000),
    "features, F": (64, 256, 1024, 4096, 16_384),
    "clusters, K": (10, 100, 1000, 10_000),
    "jobs of a dry run": (100, 1000, 10_000),
}


def dkm_epoch(x, hidden_widths):
    """Return the CPU seconds of one epoch of DKM, its labels included."""
    method = DKM(n_clusters=10, n_init=1, hidden_widths=hidden_widths, epochs=1)
    run = method.start(x[:0], seeds=[0])
    epochs = train(method, x, Run(run.seeds, run.autoencoder))
    next(epochs)
    return cpu_seconds(lambda: next(epochs))


def samples(n):
    """N samples of 8 numbers, read from an HDF5 file."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "large.h5")
        with h5py.File(path, "w") as file:
            feature = file.create_dataset("feature", (n, 8), np.float32)
            for start in range(0, n, 100_000):
                random = np.random.default_rng(start)
                feature[start : start + 100_000] = random.random((min(100_000, n - start), 8), np.float32)
        np.savez(Path(name, "large.npz"), **scan(path)[0])
        return dkm_epoch(StreamedFeatures(Path(name, "large.npz"), "unit"), (16,))


def features(n):
    """5000 samples of F numbers, by the published network."""
    return dkm_epoch(torch.rand(5000, n), (500, 500, 2000))


def clusters(n):
    """The nearest of K centers of each of 20,000 codes of length 10."""
    z, centers = torch.rand(1, 20_000, 10), torch.rand(1, n, 10)
    nearest(z, centers[:, :10])
    return cpu_seconds(lambda: nearest(z, centers))


def jobs(n):
    """What Snakemake takes to plan n training jobs."""
    with tempfile.TemporaryDirectory() as name:
        arguments = write_study(Path(name), n_seeds=n // 8)  # 7 methods and an autoencoder per seed
        return cpu_seconds_of(Path(name), *arguments, "-n", "--quiet")


POINTS = dict(zip(SIZES, (samples, features, clusters, jobs), strict=True))


def measure(kind, size):
    """Measure one point in a process of its own; return CPU seconds and its peak memory in MiB."""
    command = [sys.executable, "-m", "benchmarks.scale", "--point", kind, str(size)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--point", nargs=2, metavar=("CURVE", "SIZE"), help="measure one point and print it")
    parser.add_argument("--largest", type=int, default=10**9, help="leave out larger sizes")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.point:
        kind, size = args.point
        seconds = POINTS[kind](int(size))
        print(
            json.dumps({"seconds": seconds, "memory [MiB]": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024})
        )
        return
    rows = []
    for kind, sizes in SIZES.items():
        points = pd.DataFrame([{"size": n, **measure(kind, n)} for n in sizes if n <= args.largest])
        growth = np.log(points[["size", "seconds"]]).diff().iloc[-1] if len(points) > 1 else None
        slope = None if growth is None else growth["seconds"] / growth["size"]
        for n, row in points.iterrows():
            times = row["seconds"] / points["seconds"][0]
            rows.append({"curve": kind, "size": f"{int(row['size']):,}", "time / first": times})
            if not kind.startswith("jobs"):  # Snakemake's memory is another process's
                rows[-1]["memory [MiB]"] = round(row["memory [MiB]"])
            rows[-1]["slope"] = slope if n == len(points) - 1 else None
            print(rows[-1], flush=True)
    write_rows("scale", rows)


if __name__ == "__main__":
    main()
