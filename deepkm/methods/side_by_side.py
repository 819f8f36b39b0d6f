"""Settings side by side: a stack whose runs differ in numbers that their method's equations take by run, and in seeds.

The S runs of such a stack are those of V settings times the seeds, all seeds of the first setting first.
"""

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from deepkm.methods.base import DeepClustering
from deepkm.training.checkpoint import history_arrays
from deepkm.training.ends import end_arrays, keep_ends
from deepkm.training.loop import final_labels, pretrain, train
from deepkm.training.run import READ_OUT, Run
from deepkm.training.snapshots import keep_snapshots, snapshot_arrays

Follow = Callable[[Iterator[Run]], Iterable[Run]]


def as_one(methods: Sequence[DeepClustering], *, n_seeds: int, like: Tensor) -> DeepClustering:
    """Return one method for V methods that differ in numbers alone: for V * n_seeds runs, one number per run.

    Parameters
    ----------
    methods : list of DeepClustering
        Of one class. `deepkm.study.search.SIDE_BY_SIDE` says which numbers its equations take by run.
    n_seeds : int
    like : Tensor
        Of the type and on the device that the runs have.
    """
    stacked = copy.copy(methods[0])
    for field in fields(stacked):
        values = [getattr(method, field.name) for method in methods]
        if any(value != values[0] for value in values):
            by_run = torch.tensor(values, dtype=like.dtype, device=like.device).repeat_interleave(n_seeds)
            setattr(stacked, field.name, by_run)
    return stacked


def repeated(method: DeepClustering, run: Run, moments: dict, x: Tensor, *, times: int) -> Run:
    """Return a fresh run whose stack is that of a pretrained one, so many times, for a method that starts from there.

    Parameters
    ----------
    method : DeepClustering
        From `as_one`.
    run : Run
        Its autoencoders are pretrained.
    moments : dict of str to dict of str to Tensor
        Adam's of pretraining, if they are to be carried over; else none.
    x : Tensor of shape (N, F)
        N may be 0.
    times : int
        V.
    """
    many = method.start(x[:0], seeds=run.seeds * times)
    weights = run.autoencoder.state_dict()
    many.autoencoder.load_state_dict({name: _repeat(tensor, times) for name, tensor in weights.items()})
    own = {
        trained: {name: _repeat(tensor, times) if tensor.dim() else tensor for name, tensor in kept.items()}
        for trained, kept in moments.items()
    }
    method.carry_over(own, many, n_features=x.shape[1])
    return many


def train_settings(
    methods: Sequence[DeepClustering], x: Tensor, *, seeds: Sequence[int], follow: Follow = iter
) -> tuple[DeepClustering, Run]:
    """Pretrain once, then train V methods with all seeds side by side on x (N, F).

    Parameters
    ----------
    methods, x, seeds
    follow : callable
        Passes on what the training generator yields, to show progress.

    Returns
    -------
    (DeepClustering, Run)
        From `as_one`, and all of its runs.
    """
    methods = [method.in_epochs(len(x)) for method in methods]
    run = methods[0].start(x, seeds=seeds)
    for _ in pretrain(x, run, **methods[0].pretraining()):
        pass
    moments: dict[str, Any] = run.optimizer.moments if methods[0].starts_warm("moments") else {}
    method = as_one(methods, n_seeds=len(seeds), like=x)
    run = repeated(method, run, moments, x, times=len(methods))
    for _ in follow(keep_for_choice(train(method, x, run), method)):
        pass
    return method, run


def keep_for_choice(runs: Iterator[Run], method: DeepClustering) -> Iterator[Run]:
    """Pass on what a training generator yields, and note what `trial_arrays` needs."""
    return keep_ends(keep_snapshots(runs, method, epochs=[method.epochs]), method)


def trial_arrays(method: DeepClustering, run: Run) -> dict[str, np.ndarray]:
    """Return what a choice reads of a stack's runs: labels, both ends of each, losses, codes of some samples.

    ``diverged`` is (S,), as ``objective``: the last loss or, where that knows no clusters, what they leave unexplained.
    """
    arrays = history_arrays(run) | end_arrays(run) | snapshot_arrays(method, run)
    arrays |= {"labels": final_labels(run), "diverged": run.diverged.astype(np.uint8)}
    own, none = type(method).loss is not DeepClustering.loss, np.full((len(run.seeds), 1), np.nan)
    arrays["objective"] = (arrays.get("history/loss", none) if own else arrays["ends/unexplained"])[:, -1]
    arrays |= {f"history/{name}": arrays[f"history/{name}"][:, [0, -1]] for name in READ_OUT}
    kept = ("labels", "diverged", "objective", "history/", "ends/", "snapshots/codes", "snapshots/sample")
    return {name: array for name, array in arrays.items() if name.startswith(kept)}


def _repeat(tensor: Tensor, times: int) -> Tensor:
    return tensor.detach().repeat(times, *[1] * (tensor.dim() - 1))
