"""What each optimisation of a training step is worth: ``python -m benchmarks.optimisations``.

Epochs of DKM on one core, each time without one of them, divided by an epoch with all.
"""

import argparse
from contextlib import nullcontext
from unittest.mock import patch

import torch

from benchmarks.epochs import BATCH, SHAPES, K
from benchmarks.measure import cpu_seconds, interleaved, write_rows
from deepkm import DKM, autoencoder, products
from deepkm.training import Run, pretrain, train


def plain_layers(x, weights, biases, *, precision):
    """Return what `products.perceptron` does, by PyTorch's own layers and gradients."""
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        x = torch.baddbmm(bias, x, weight).relu()
    return torch.baddbmm(biases[-1], x, weights[-1])


def plain_adam(parameters, *, fused, **options):
    return ADAM(parameters, **options)


ADAM = torch.optim.Adam
WITHOUT = {
    "nothing": nullcontext,
    "oneDNN: products by torch.bmm": lambda: patch.object(products, "_products_for", lambda *_: products._by_torch),
    "oneDNN and the written-out backward pass": lambda: patch.object(autoencoder, "perceptron", plain_layers),
    "the fused Adam": lambda: patch.object(torch.optim, "Adam", plain_adam),
}


def epoch(shape, without):
    """Return a function that measures one epoch without one optimisation."""
    n_samples, n_features, hidden = SHAPES[shape]
    x = torch.rand(n_samples, n_features, generator=torch.Generator().manual_seed(0))
    method = DKM(n_clusters=K, hidden_widths=hidden, epochs=10**6, batch_size=BATCH)
    run = method.start(x, seeds=[0])
    with without():
        next(pretrain(x, run, epochs=1, batch_size=BATCH, learning_rate=1e-3))
        epochs = train(method, x, Run(run.seeds, run.autoencoder))
        next(epochs)
        next(epochs)  # which makes the optimizer

    def measure():
        with without():
            return cpu_seconds(lambda: next(epochs))

    return measure


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for shape in SHAPES:
        seconds = interleaved({name: epoch(shape, without) for name, without in WITHOUT.items()}, rounds=args.rounds)
        rows.append({"data": shape, **{f"without {name}": seconds[name] / seconds["nothing"] for name in WITHOUT}})
        print(rows[-1], flush=True)
    write_rows("optimisations", [{k: v for k, v in row.items() if k != "without nothing"} for row in rows])


if __name__ == "__main__":
    main()
