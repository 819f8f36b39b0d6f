"""What a linear classifier reads from DeepCluster's features: ``python -m benchmarks.linear_probe data/mnist.npz``.

The network is trained on the first images, without their classes. Then it is frozen, and a multinomial logistic
regression (in the paper by SGD) learns the classes of the same images from each block's maps, pooled to at most 1024
numbers, and from the features. It is tested on the last images, which neither has seen. The same is done with the
untrained network, whose batch normalisation alone has seen the training images, and with the pixels.
"""

import argparse
from math import isqrt

import numpy as np
import pandas as pd
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch.nn.functional import adaptive_avg_pool2d

from deepkm import DeepCluster
from deepkm.datasets.features import load_features

MOST = 1024  # numbers per image that a probe may read
LAYERS = ("block 1", "block 2", "block 3", "features")


def probe(train, test, target_train, target_test):
    """Return the accuracy on `test` of a logistic regression fitted to `train`, both (N, P)."""
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
    return classifier.fit(train, target_train).score(test, target_test)


@torch.no_grad()
def learn_statistics(network, x):
    """Let the batch normalisation of an untrained network see the images."""
    for chunk in torch.as_tensor(x).split(256):
        list(network.blocks(chunk.unsqueeze(0), learn=True))


@torch.no_grad()
def frozen_features(network, x):
    """Return the average-pooled maps of each block of the one network in the stack, and its features: (N, P) each."""
    parts = []
    for chunk in torch.as_tensor(x).split(1000):
        blocks = network.blocks(chunk.unsqueeze(0))
        pooled = [adaptive_avg_pool2d(maps, min(maps.shape[-1], isqrt(MOST // maps.shape[1]))) for maps in blocks]
        parts.append([maps.flatten(1) for maps in pooled] + [network.encode(chunk.unsqueeze(0))[0]])
    return [torch.cat(block).numpy() for block in zip(*parts, strict=True)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("npz", help="file with `feature`, square grey images, and `target`")
    parser.add_argument("--scaling", default="unit")
    parser.add_argument("--train", type=int, default=10_000, help="first images: train the network and the probes")
    parser.add_argument("--test", type=int, default=10_000, help="last images: test the probes")
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--pseudo-labels", type=int, default=100)
    parser.add_argument("--seed", type=int, default=8905)
    parser.add_argument("--output", default="linear_probe.csv")
    args = parser.parse_args()
    x = load_features(args.npz, args.scaling)
    with np.load(args.npz, allow_pickle=False) as file:
        target = file["target"]
    train, test = slice(0, args.train), slice(len(x) - args.test, None)
    rows = [{"features": "pixels", "accuracy": probe(x[train], x[test], target[train], target[test])}]
    print(rows[-1], flush=True)
    for name, epochs in (("untrained", 0), ("trained", args.epochs)):
        method = DeepCluster(
            n_clusters=len(np.unique(target)), n_pseudo_labels=args.pseudo_labels, epochs=epochs, random_state=args.seed
        )
        method.fit(x[train])
        network = method._run.autoencoder.cpu()
        if epochs == 0:
            learn_statistics(network, x[train])
        both = zip(frozen_features(network, x[train]), frozen_features(network, x[test]), strict=True)
        for layer, (seen, unseen) in zip(LAYERS, both, strict=True):
            accuracy = probe(seen, unseen, target[train], target[test])
            rows.append({"features": f"{name}, {layer}", "n_features": seen.shape[1], "accuracy": accuracy})
            print(rows[-1], flush=True)
    pd.DataFrame(rows).to_csv(args.output, index=False)


if __name__ == "__main__":
    main()
