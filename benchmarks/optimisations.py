"""What each optimisation is worth: ``python -m benchmarks.optimisations``.

Epochs of DKM (of pretraining, where it says so) on one core, each time without one of them, divided by an epoch with
all; and the CPU time of a whole job that trains nothing, likewise.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
import yaml

from benchmarks.epochs import BATCH, SHAPES, K
from benchmarks.measure import cpu_seconds, interleaved, write_rows
from deepkm import DKM
from deepkm.networks import autoencoder, products
from deepkm.study.plan import Study
from deepkm.study.spec import dumps
from deepkm.training import optimizers
from deepkm.training.loop import pretrain, train
from deepkm.training.run import Run

ROOT = Path(__file__).parents[1]


def plain_layers(x, weights, biases, *, precision):
    """Return what `products.perceptron` does, by PyTorch's own layers and gradients."""
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        x = torch.baddbmm(bias, x, weight).relu()
    return torch.baddbmm(biases[-1], x, weights[-1])


def layer_by_layer(a, b, bias=None, *, relu=False):
    """Return the products of all runs, stacked after each layer."""
    multiply = products._by_onednn if products.takes_onednn(a) else products._by_mkl
    biases = [None] * len(a) if bias is None else bias
    return torch.stack([multiply(*run, relu=relu) for run in zip(a, b, biases, strict=True)])


STEP = {  # an epoch's optimisations, and what undoes each
    "oneDNN: products by torch.bmm": partial(patch.object, products, "_products_for", lambda *_: products._by_torch),
    "oneDNN and the written-out backward pass": partial(patch.object, autoencoder, "perceptron", plain_layers),
    "the fused Adam": partial(patch.object, optimizers, "_is_fused", lambda _: False),
    "encoding in pieces that fit the cache": partial(patch.object, autoencoder, "CACHE_NUMEL", 2**24),
}
STACK = {
    "runs through the network one by one": partial(patch.object, products, "_products_for", lambda *_: layer_by_layer),
}
PRETRAINING = {
    "gradients of pretraining without a graph": partial(patch.object, autoencoder.MLPAutoencoder, "reconstruct", None),
}


def epoch(shape, without, *, n_seeds, pretraining=False):
    """Return a function that measures one epoch of DKM, or of pretraining, per run, without one optimisation."""
    n_samples, n_features, hidden = SHAPES[shape]
    x = torch.rand(n_samples, n_features, generator=torch.Generator().manual_seed(0))
    method = DKM(n_clusters=K, hidden_widths=hidden, epochs=10**6, batch_size=BATCH)
    run = method.start(x, seeds=range(n_seeds))
    with without():
        next(epochs := pretrain(x, run, epochs=10**6, batch_size=BATCH, learning_rate=1e-3))
        if not pretraining:
            epochs = train(method, x, Run(run.seeds, run.autoencoder))
            next(epochs)
            next(epochs)  # which makes the optimizer

    def measure():
        with without():
            return cpu_seconds(lambda: next(epochs))

    return measure


def measure_epochs(shape, rounds):
    """Return by optimisation how many times longer an epoch takes without it."""
    ratios = {}
    for cases, options in (
        (STEP, {"n_seeds": 1}),
        (STACK, {"n_seeds": 2}),
        (PRETRAINING, {"n_seeds": 1, "pretraining": True}),
    ):
        cases = {"nothing": nullcontext, **cases}  # noqa: PLW2901
        measures = {name: epoch(shape, without, **options) for name, without in cases.items()}
        seconds = interleaved(measures, rounds=rounds)
        ratios |= {name: seconds[name] / seconds["nothing"] for name in cases if name != "nothing"}
    return ratios


# A job that trains nothing; `before` is run first, in the same process.
JOB = """
import sys
sys.path.insert(0, {root!r})
{before}
import deepkm.__main__ as command
sys.exit(command.main(sys.argv[1:]))
"""
START = {
    "nothing": "",
    "leaving scikit-learn out": "import deepkm.estimators.estimator",
    "leaving PyTorch's compiler out": "import torch._dynamo",
    "taking imports for no garbage": (
        "import contextlib, deepkm.__main__\ndeepkm.__main__._imports_are_no_garbage = contextlib.nullcontext"
    ),
}


def measure_starts(rounds):
    """Return by optimisation how many times longer a job that trains nothing takes without it."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text()) | {"seeds_per_job": 1}
    config["study"] = {"datasets": ["blobs"], "methods": ["km"], "seeds": [0]}
    spec = dumps(Study(config).cluster_spec("blobs", "km", "seed0"))
    with tempfile.TemporaryDirectory() as folder:
        np.savez(f"{folder}/x.npz", feature=np.random.default_rng(0).random((500, 2), np.float32))

        def job(before):
            output = Path(folder, "a.h5")
            arguments = ["cluster", "--spec", spec, "--data", f"{folder}/x.npz", "--output", str(output)]
            code = JOB.format(root=str(ROOT), before=before)
            started = resource.getrusage(resource.RUSAGE_CHILDREN)
            variables = os.environ | {"OMP_NUM_THREADS": "1"}
            subprocess.run([sys.executable, "-c", code, *arguments], env=variables, check=True, capture_output=True)
            ended = resource.getrusage(resource.RUSAGE_CHILDREN)
            for path in Path(folder).glob("*a.*"):
                if path.suffix != ".npz":
                    path.unlink()
            return ended.ru_utime + ended.ru_stime - started.ru_utime - started.ru_stime

        seconds = interleaved({name: partial(job, before) for name, before in START.items()}, rounds=rounds)
    return {name: value / seconds["nothing"] for name, value in seconds.items() if name != "nothing"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(1)
    starts = measure_starts(args.rounds)
    write_rows("starts", [{"without": name, "a job that trains nothing": ratio} for name, ratio in starts.items()])
    by_shape = {}
    for shape in SHAPES:
        by_shape[shape] = measure_epochs(shape, args.rounds)
        print(shape, by_shape[shape], flush=True)
    rows = [
        {"without": name, "runs": 2 if name in STACK else 1}
        | {shape: ratios[name] for shape, ratios in by_shape.items()}
        for name in (*STEP, *STACK, *PRETRAINING)
    ]
    write_rows("optimisations", rows)


if __name__ == "__main__":
    main()
