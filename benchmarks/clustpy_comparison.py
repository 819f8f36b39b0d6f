"""ClustPy's methods on our data: ``python -m benchmarks.clustpy_comparison data/usps.npz --scaling symmetric``.

The same widths, lengths, batches, scaling and seeds as our published studies; everything else is ClustPy's default. One
autoencoder per seed is shared by all methods. ClustPy's ``labels_`` come from a k-means put on top of the final code;
the method's own labels are scored beside them. Needs ``pip install -r benchmarks/requirements.txt``.
"""

import argparse
import copy
import time

import numpy as np
import pandas as pd
import torch
from sklearn.cluster import KMeans

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


def compare(x, target, *, n_clusters, seeds, pretraining_epochs, epochs, learning_rate, hidden_widths):
    """Yield one row of scores per method, read-out and seed.

    Parameters
    ----------
    x : ndarray of shape (N, F), float32
    target : ndarray of shape (N,)
        True classes, for the scores alone.
    """
    for seed in seeds:
        autoencoder = FeedforwardAutoencoder([x.shape[1], *hidden_widths, n_clusters], random_state=seed)
        started = time.perf_counter()
        autoencoder.fit(pretraining_epochs, {"lr": 1e-3}, batch_size=256, data=x)
        seconds = time.perf_counter() - started
        with torch.no_grad():
            z = autoencoder.encode(torch.tensor(x)).numpy()
        labels = KMeans(n_clusters, n_init=10, random_state=seed).fit_predict(z)
        yield {"method": "aekm", "labels": "own", "seed": seed, "seconds": seconds, **scores(target, labels)}
        for name, (estimator, own) in METHODS.items():
            method = estimator(
                n_clusters,
                batch_size=256,
                clustering_epochs=epochs,
                clustering_optimizer_params={"lr": learning_rate},
                neural_network=copy.deepcopy(autoencoder),
                embedding_size=n_clusters,
                random_state=seed,
            )
            started = time.perf_counter()
            method.fit(x)
            row = {"method": name, "seed": seed, "seconds": time.perf_counter() - started}
            yield {**row, "labels": "own", **scores(target, getattr(method, own))}
            yield {**row, "labels": "k-means on top", **scores(target, method.labels_)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("npz", help="file with `feature` and `target`")
    parser.add_argument("--scaling", default="unit")
    parser.add_argument("--seeds", type=int, nargs="+", default=[8905, 9129])
    parser.add_argument("--pretraining-epochs", type=int, default=50)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--learning-rate", type=float, default=1e-4, help="of fine-tuning; ClustPy's default is 1e-4")
    parser.add_argument("--hidden-widths", type=int, nargs="+", default=[500, 500, 2000])
    parser.add_argument("--output", default="clustpy.csv")
    args = parser.parse_args()
    with np.load(args.npz, allow_pickle=False) as file:
        x, target = file["feature"], file["target"]
    x = scale(x.reshape(len(x), -1).astype(np.float32), args.scaling)
    training = {
        name: getattr(args, name)
        for name in ("seeds", "pretraining_epochs", "epochs", "learning_rate", "hidden_widths")
    }
    rows = []
    for row in compare(x, target, n_clusters=len(np.unique(target)), **training):
        rows.append(row)
        print(row, flush=True)
        pd.DataFrame(rows).to_csv(args.output, index=False)
    print(pd.DataFrame(rows).groupby(["method", "labels"])[["acc", "nmi", "ari"]].agg(["mean", "std"]))


if __name__ == "__main__":
    main()
