"""ClustPy's methods beside ours, on the same data and seeds: ``python -m benchmarks.clustpy_comparison``.

Without a file, the bundled digits. Three columns: DeepKM; ClustPy with the settings used here (widths, lengths,
batches, learning rate, weights, starts of k-means); ClustPy as it comes. In the last two, all methods of a seed share
its pretrained autoencoder, as ClustPy's ``neural_network`` has it. ClustPy's ``labels_`` come from a k-means put on
top of the final code; the method's own labels are scored beside them. Needs ``pip install -r
benchmarks/requirements.txt``; `make results` makes the table of docs/RESULTS.md from the rows.
"""

import argparse
import copy
import random
import time
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits

import deepkm
from deepkm.datasets.features import scale
from deepkm.numerics.metrics import scores

# ClustPy imports torchvision, for augmentations that are not used here. Where torchvision was built for another PyTorch
# its operators are missing, and declaring them is enough for the import.
try:
    import torchvision  # noqa: F401
except RuntimeError:
    library = torch.library.Library("torchvision", "DEF")
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor boxes, Tensor scores, float threshold) -> Tensor")

from clustpy.deep import DCN, DEC, DKM, IDEC
from clustpy.deep.neural_networks import FeedforwardAutoencoder

METHODS = {  # and where each keeps its own labels
    "dcn": (DCN, "dcn_labels_"),
    "dkm": (DKM, "dkm_labels_"),  # alpha 1000, the default
    "dec": (DEC, "dec_labels_"),
    "idec": (IDEC, "dec_labels_"),
}
# ClustPy's parameter of that name which says the same as ours: its DCN has a factor 1/2 before it.
WEIGHTS = {"dcn": 2 * deepkm.DCN.clustering_weight, "dkm": deepkm.DKM.clustering_weight}
WEIGHTS |= {"dec": 1.0, "idec": deepkm.IDEC.clustering_weight}
COLUMNS = ("deepkm", "settings", "defaults")
KEY = ["column", "method", "labels", "seed"]


def deepkm_rows(x, *, n_clusters, seed, training):
    """Yield (method, labels by read-out) of ours."""
    shared = {"n_clusters": n_clusters, "random_state": seed, "device": "cpu", **training}
    yield "aekm", {"own": deepkm.KMeans(**{**shared, "autoencoder": "mlp", "epochs": 0}).fit_predict(x)}
    for name in METHODS:
        rates = {} if name in ("dcn", "dkm") else {"learning_rate": getattr(deepkm, name.upper()).learning_rate}
        yield name, {"own": getattr(deepkm, name.upper())(**{**shared, **rates}).fit_predict(x)}


def clustpy_rows(x, *, n_clusters, seed, training):
    """Yield the same of ClustPy's; `training`: what ours train with, or nothing: ClustPy's own defaults."""
    widths = training.get("hidden_widths", (500, 500, 2000))
    n_latent = n_clusters if training else 10
    lengths = {"pretraining": training.get("pretraining_epochs", 100), "clustering": training.get("epochs", 150)}
    starts = {"n_init": deepkm.KMeans.n_init if training else 1}
    seed_all(seed)
    autoencoder = FeedforwardAutoencoder([x.shape[1], *widths, n_latent], random_state=seed)
    autoencoder.fit(lengths["pretraining"], {"lr": 1e-3}, batch_size=256, data=x)
    with torch.no_grad():
        z = autoencoder.encode(torch.tensor(x)).numpy()
    yield "aekm", {"own": KMeans(n_clusters, random_state=seed, **starts).fit_predict(z)}
    for name, (estimator, own) in METHODS.items():
        given = {"clustering_loss_weight": WEIGHTS[name], "initial_clustering_params": starts} if training else {}
        given |= {"clustering_optimizer_params": {"lr": training["learning_rate"]}} if training else {}
        network = {"neural_network": copy.deepcopy(autoencoder), "embedding_size": n_latent}
        seed_all(seed)
        method = estimator(
            n_clusters, clustering_epochs=lengths["clustering"], random_state=seed, **network, **given
        ).fit(x)
        yield name, {"own": getattr(method, own), "k-means on top": method.labels_}


def seed_all(seed):
    """Seed what ClustPy draws its initial weights from: `random_state` does not reach them."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def compare(x, target, *, columns, seeds, training):
    """Yield one row of scores per column, seed, method and read-out.

    Parameters
    ----------
    x : ndarray of shape (N, F), float32
    target : ndarray of shape (N,)
        True classes, for the scores alone.
    columns : sequence of str
        Of `COLUMNS`.
    training : dict
        ``hidden_widths``, ``pretraining_epochs``, ``epochs``, ``learning_rate``, as the estimators take them.
    """
    n_clusters = len(np.unique(target))
    for column, seed in product(columns, seeds):
        make, given = deepkm_rows if column == "deepkm" else clustpy_rows, {} if column == "defaults" else training
        started = time.process_time()
        for name, found in make(x, n_clusters=n_clusters, seed=seed, training=given):
            seconds, started = time.process_time() - started, time.process_time()
            for read_out, labels in found.items():
                row = {"column": column, "method": name, "labels": read_out, "seed": seed}
                yield {**row, **scores(target, labels), "cpu_seconds": round(seconds, 2)}


def load(npz, scaling):
    """Return the scaled features (N, F) and the classes of a file, or of the bundled digits."""
    if npz is None:
        x, target = load_digits(return_X_y=True)
    else:
        with np.load(npz, allow_pickle=False) as file:
            x, target = file["feature"], file["target"]
    return scale(x.reshape(len(x), -1).astype(np.float32), scaling), target


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("npz", nargs="?", help="file with `feature` and `target` (default: the bundled digits)")
    parser.add_argument("--scaling", default="unit")
    parser.add_argument("--columns", nargs="+", choices=COLUMNS, default=COLUMNS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[8905, 9129, 291, 1, 2])
    parser.add_argument("--pretraining-epochs", type=int, default=50)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--learning-rate", type=float, default=1e-3, help="of fine-tuning")
    parser.add_argument("--hidden-widths", type=int, nargs="+", default=[128, 128, 512])
    parser.add_argument("--output", default="clustpy.csv", help="rows that are there stay, but for those run again")
    args = parser.parse_args()
    x, target = load(args.npz, args.scaling)
    names = ("pretraining_epochs", "epochs", "learning_rate", "hidden_widths")
    training = {name: getattr(args, name) for name in names}
    rows = pd.read_csv(args.output) if Path(args.output).exists() else pd.DataFrame()
    for row in compare(x, target, columns=args.columns, seeds=args.seeds, training=training):
        print(row, flush=True)
        rows = pd.concat([rows, pd.DataFrame([row])]).drop_duplicates(KEY, keep="last")
        rows.to_csv(args.output, index=False, float_format="%.9g")


if __name__ == "__main__":
    main()
