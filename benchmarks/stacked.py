"""Time per run against the number of stacked runs, seeds or values of a parameter: ``python -m benchmarks.stacked``.

One core, or the GPU where there is one. A run of a stack costs more than alone where this column exceeds 1, less below.
"""

import argparse

import torch

from benchmarks.epochs import BATCH, SHAPES, K
from benchmarks.measure import cpu_seconds, interleaved, write_rows
from deepkm import DKM
from deepkm.training.loop import pretrain, train
from deepkm.training.run import Run

STACKS = (1, 2, 5, 10)


def epoch_of(x, hidden_widths, n_runs, *, clock, grid=False):
    """Return a function that measures one DKM epoch of `n_runs` stacked runs, per run."""
    method = DKM(n_clusters=K, hidden_widths=hidden_widths, epochs=10**6, batch_size=BATCH)
    if grid:  # of lambda, all with one seed
        method.clustering_weight = torch.logspace(-2, 1, n_runs, device=x.device)
    run = method.start(x, seeds=[0] * n_runs if grid else range(n_runs))
    next(pretrain(x, run, epochs=1, batch_size=BATCH, learning_rate=1e-3))
    epochs = train(method, x, Run(run.seeds, run.autoencoder))
    next(epochs)
    return lambda: clock(lambda: next(epochs)) / n_runs


def measure(shape, rounds, *, clock, device="cpu"):
    """Yield a row for one shape of data."""
    n_samples, n_features, hidden = SHAPES[shape]
    x = torch.rand(n_samples, n_features, generator=torch.Generator().manual_seed(0)).to(device)
    for grid in (False, True):
        cases = {n: epoch_of(x, hidden, n, clock=clock, grid=grid) for n in STACKS}
        seconds = interleaved(cases, rounds=rounds)
        ratios = {f"S = {n}": seconds[n] / seconds[1] for n in STACKS}
        yield {"data": shape, "stacked": "lambda" if grid else "seeds", **ratios}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = [row for shape in ("USPS", "Digits") for row in measure(shape, args.rounds, clock=cpu_seconds)]
    write_rows("stacked", rows)


if __name__ == "__main__":
    main()
