"""One epoch on data larger than memory: ``python -m benchmarks.streaming --gigabytes 20 --limit-gigabytes 4``.

Makes an HDF5 file of random clusters, 128 x 128 float32 numbers per sample, and runs the jobs of a study on it (check,
pretraining for one epoch, DKM for one epoch), each with a limited address space. Prints their time and peak memory.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
import yaml

from deepkm.study.plan import Study
from deepkm.study.spec import dumps

N_FEATURES = 128 * 128
N_CLUSTERS = 10
PIECE = 1000


def write_clusters(path, n_samples):
    """Write samples around random centers, piece by piece; pieces share their noise, for speed."""
    random = np.random.default_rng(0)
    centers = random.random((N_CLUSTERS, N_FEATURES), np.float32)
    noise = random.random((PIECE, N_FEATURES), np.float32)
    with h5py.File(path, "w") as file:
        feature = file.create_dataset("feature", (n_samples, N_FEATURES), np.float32)
        target = random.integers(N_CLUSTERS, size=n_samples)
        for start in range(0, n_samples, PIECE):
            label = target[start : start + PIECE]
            feature[start : start + PIECE] = centers[label] + noise[: len(label)]
        file["target"] = target


def run_job(name, arguments, limit):
    """Run one stage with a limited address space; print its time and peak memory."""
    before = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "deepkm", *map(str, arguments)],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20  # of the largest job so far
    print(f"{name}: {time.monotonic() - before:.0f} s, peak resident memory so far {peak:.2f} GiB", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=20)
    parser.add_argument("--limit-gigabytes", type=float, default=4)
    parser.add_argument("--folder", help="where the file is made; it is deleted at the end")
    args = parser.parse_args()
    n_samples, limit = int(args.gigabytes * 1e9 / (4 * N_FEATURES)), int(args.limit_gigabytes * 1e9)
    config = yaml.safe_load((Path(__file__).parents[1] / "config.yaml").read_text())
    config["study"] = {"datasets": ["digits"], "methods": ["dkm"], "seeds": [0]}
    config["training"] |= {"pretraining_epochs": 1, "epochs": 1}
    config["autoencoders"]["mlp"] = {"kind": "mlp", "hidden_widths": [16]}  # reading is what is measured
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folder = Path(name)
        data, pretrained = folder / "large.npz", folder / "autoencoder.h5"
        write_clusters(folder / "large.h5", n_samples)
        size = (folder / "large.h5").stat().st_blocks * 512 / 1e9
        print(
            f"{n_samples} samples of {N_FEATURES} features: {size:.1f} GB on disk; limit {limit / 1e9:g} GB", flush=True
        )
        spec = '{"name": "large", "source": "file", "n_clusters": 10, "stream": true}'
        paths = ["--input", folder / "large.h5", "--output", data, "--meta", folder / "large.meta.json"]
        run_job("dataset", ["dataset", "--spec", spec, *paths], limit)
        study = Study(config)
        spec = dumps(study.autoencoder_spec("digits", "mlp", "seed0"))
        run_job("autoencoder", ["autoencoder", "--spec", spec, "--data", data, "--output", pretrained], limit)
        spec = dumps(study.cluster_spec("digits", "dkm", "seed0"))
        paths = ["--data", data, "--autoencoder", pretrained, "--output", folder / "dkm.h5"]
        run_job("cluster", ["cluster", "--spec", spec, *paths], limit)


if __name__ == "__main__":
    main()
