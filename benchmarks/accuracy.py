"""What each joint method reaches in a short run: ``python -m benchmarks.accuracy usps.npz`` writes accuracy.csv here.

A guard, not a result: with so few epochs, figures say only whether a change of the code made a method worse. A test
runs two other seeds and holds them against what is recorded.
"""

import argparse
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.datasets import load_digits

from deepkm.methods.ct import CT
from deepkm.methods.dcn import DCN
from deepkm.methods.dec import DEC
from deepkm.methods.dkm import DKM
from deepkm.methods.idec import IDEC
from deepkm.methods.km import KMeans
from deepkm.numerics.metrics import PRIMARY_METRIC, scores
from deepkm.training.loop import final_labels

FILE = Path(__file__).with_name("accuracy.csv")
METHODS = {"aekm_long": partial(KMeans, autoencoder="mlp"), "dcn": DCN, "dec": DEC, "idec": IDEC, "dkm": DKM, "ct": CT}
LENGTHS = {"pretraining_epochs": 10, "epochs": 20, "hidden_widths": (128, 128, 512), "batch_size": 64}
SEEDS = range(24)  # the spread of eight is itself too uncertain for a test of three standard errors


def digits():
    """Return the 1797 digits, (N, 64) in [0, 1], and their classes."""
    x, target = load_digits(return_X_y=True)
    return (x / 16).astype(np.float32), target


def usps(path):
    """Return the first 2000 images of USPS, (N, 256) in [-1, 1], and their classes."""
    with np.load(path) as file:
        x, target = file["feature"][:2000].astype(np.float32), file["target"][:2000]
    return 2 * (x - x.min()) / (x.max() - x.min()) - 1, target


def reached(method, x, target, seeds):
    """Return the score in % of each of some seeds, trained side by side."""
    run = METHODS[method](n_clusters=10, **LENGTHS).train_runs(torch.from_numpy(x), seeds=list(seeds))
    return np.array([100 * scores(target, labels)[PRIMARY_METRIC] for labels in final_labels(run)])


def shortfall(values, recorded):
    """Return by how many standard errors of the difference a mean is below the recorded one.

    Parameters
    ----------
    values : ndarray of shape (n,)
    recorded : mapping
        ``mean``, ``std`` (sample deviation) and ``n`` of the recorded runs.
    """
    error = recorded["std"] * np.sqrt(1 / len(values) + 1 / recorded["n"])
    return (recorded["mean"] - values.mean()) / error


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("usps", help="an .npz with `feature` (9298, 256) and `target`")
    rows = []
    for name, (samples, classes) in {"digits": digits(), "usps": usps(parser.parse_args().usps)}.items():
        for key in METHODS:
            found = reached(key, samples, classes, SEEDS)
            rows.append(
                {"dataset": name, "method": key, "mean": found.mean(), "std": found.std(ddof=1), "n": len(found)}
            )
            print(rows[-1], flush=True)
    pd.DataFrame(rows).to_csv(FILE, index=False, float_format="%.3f")
