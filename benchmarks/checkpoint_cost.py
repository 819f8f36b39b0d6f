"""What a checkpoint costs: the published autoencoder on data of MNIST's size, one run and ten stacked.

python -m benchmarks.checkpoint_cost
"""

import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from deepkm import DKM
from deepkm.training.checkpoint import save_run
from deepkm.training.loop import train

N, F, EPOCHS = 70_000, 784, 100


def main():
    torch.set_num_threads(1)
    for n_runs in (1, 10):
        run = trained(n_runs)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "checkpoint")
            seconds = min(timed(path, run) for _ in range(3))
            size = path.stat().st_size / 2**20
        print(f"{n_runs} runs: {size:.0f} MiB in {seconds:.2f} s, {100 * seconds / 60:.2f} % of 60 s")


def trained(n_runs):
    """Return stacked runs after one epoch over a few samples, with the history of a whole training."""
    x = torch.rand(512, F)
    method = DKM(n_clusters=10, epochs=1)
    run = method.start(x, seeds=range(n_runs))
    for _ in train(method, x, run):
        pass
    labels = np.random.default_rng(0).integers(10, size=(n_runs, N), dtype=np.uint8)  # the least compressible
    run.history["labels"] = [labels] * EPOCHS
    return run


def timed(path, run):
    started = time.perf_counter()
    save_run(path, run, spec={})
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
