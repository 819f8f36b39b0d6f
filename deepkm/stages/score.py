"""Score all results of a study against the true classes: the only stage that reads them."""

from pathlib import Path

import numpy as np
import pandas as pd

from deepkm.hdf5 import read_hdf5
from deepkm.interruption import confirm
from deepkm.metrics import scores


def add_arguments(parser):
    parser.add_argument("--data", nargs="+", required=True, type=Path, help="data/{dataset}.npz of each data set")
    parser.add_argument("--results", nargs="+", required=True, help="result files of the cluster stage")
    parser.add_argument("--scores", required=True, type=Path, help="the .csv to write: a row per run")
    parser.add_argument("--epochs", required=True, type=Path, help="the .csv to write: a row per run and epoch")


def main(args):
    compare(args)
    confirm(args.results)


def compare(args):
    """Write the scores of some results, finished for Snakemake or not."""
    targets = {path.stem: _target(path) for path in args.data}
    final, curves = [], []
    for path in args.results:
        arrays, attributes = read_hdf5(path)
        spec = attributes["spec"]
        for s, seed in enumerate(spec["seeds"]):
            key = {"dataset": spec["dataset"]["name"], "method": spec["method"], "seed": seed}
            target = targets[key["dataset"]]
            rows = [{**key, **row} for row in _epochs(arrays, s, target)]
            curves += rows
            measured = _score(target, arrays["labels"][s])
            cost = {
                "epochs": _epochs_trained(arrays, s),
                "seconds": attributes["provenance"]["seconds"] / len(spec["seeds"]),
            }
            diverged = not np.isfinite([rows[-1].get("loss", 0.0), *np.ravel(arrays["centers"][s])]).all()
            final.append({**key, **measured, **cost, "diverged": diverged})
    for path, rows in ((args.scores, final), (args.epochs, curves)):
        path.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(rows).to_csv(path, index=False)
    print(f"scored {len(final)} runs of {len(targets)} data sets")


def _target(path):
    with np.load(path, allow_pickle=False) as file:
        return file["target"] if "target" in file.files else None


def _score(target, labels):
    if target is None:  # nothing to compare with
        return {"acc": np.nan, "nmi": np.nan, "ari": np.nan, "n_clusters_used": len(np.unique(labels))}
    return scores(target, labels)


def _epochs_trained(arrays, s):
    """Return how many epochs run s trained: up to its stopping rule, where its method has one."""
    if "history/stopped" in arrays and arrays["history/stopped"][s].any():
        return int(arrays["history/stopped"][s].argmax()) + 1
    return arrays["history/labels"].shape[1] - 1


def _epochs(arrays, s, target):
    """Yield one row per epoch of run s; epoch 0 is the state before training and has no losses."""
    losses = {name.removeprefix("history/"): array[s] for name, array in arrays.items() if name.startswith("history/")}
    labels = losses.pop("labels")  # (E + 1, N)
    for epoch, found in enumerate(labels):
        yield {"epoch": epoch, **_score(target, found), **{k: v[epoch - 1] for k, v in losses.items() if epoch}}
