"""How much a linear classifier can read from DeepCluster's features, trained and untrained: ``python linear_probe.py``.

True classes are used to judge the features, never to train them.
"""

import argparse

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from deepkm import DeepCluster


def linear_probe(features, target, *, n_folds=5, seed=0):
    """Return the cross-validated accuracy of multinomial logistic regression on frozen features.

    Parameters
    ----------
    features : ndarray of shape (n_samples, n_features)
    target : ndarray of shape (n_samples,)
        True classes.
    """
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
    return float(cross_val_score(classifier, features, target, cv=folds).mean())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    x, target = load_digits(return_X_y=True)
    x = (x / 16).astype(np.float32)
    print(f"pixels {linear_probe(x, target):.4f}")
    for name, epochs in (("untrained", 0), ("trained", args.epochs)):
        method = DeepCluster(
            n_clusters=10, n_pseudo_labels=50, epochs=epochs, batch_size=32, shift=1.0, n_init=1, random_state=args.seed
        )
        print(f"{name} {linear_probe(method.fit_transform(x), target):.4f}")


if __name__ == "__main__":
    main()
