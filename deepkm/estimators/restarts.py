"""Which of several runs of a method is kept, by its own objective, and one run of a stack by itself."""

from copy import copy
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from deepkm.methods.base import DeepClustering
from deepkm.numerics.seeding import random_state
from deepkm.training.ends import unexplained
from deepkm.training.run import Run


def restart_seeds(seed: int, n_runs: int) -> list[int]:
    """Return the seeds of a fit's runs: its own, and others that follow from it.

    Examples
    --------
    >>> restart_seeds(7, 2) == restart_seeds(7, 3)[:2], restart_seeds(7, 1)
    (True, [7])
    """
    return [seed, *(random_state(seed, f"restart {number}") for number in range(1, n_runs))]


def objectives(method: DeepClustering, run: Run, x: Tensor) -> np.ndarray:
    """Return what each run has reached, (S,), the lower the better; infinity where it diverged.

    It is the loss of the last epoch. Where there is none, or it is of the reconstruction alone and knows no clusters,
    it is the share of the variance that the clusters leave unexplained, where the centers lie.
    """
    if "loss" in run.history and type(method).loss is not DeepClustering.loss:
        found = run.history["loss"][-1]
    else:
        labels = torch.from_numpy(run.history["labels"][-1]).to(x.device).long()
        with torch.no_grad():
            z = method.embed(run.encode(x), run)
        found = np.array([float(unexplained(code, of.unsqueeze(0))) for code, of in zip(z, labels, strict=True)])
    return np.where(run.diverged, np.inf, found)


def only_run(method: DeepClustering, run: Run, s: int, x: Tensor) -> Run:
    """Return run s of a stack as one of its own, S = 1."""
    blank, part = cast(Any, copy(method)), slice(s, s + 1)
    blank.pretrained = None  # its weights follow; a file of autoencoders knows no seed of a restart
    one = blank.start(x[:0], seeds=run.seeds[s : s + 1])
    one.autoencoder.load_state_dict({name: tensor[part] for name, tensor in run.autoencoder.state_dict().items()})
    one.state = {name: tensor.detach()[part].clone() for name, tensor in run.state.items()}
    one.history = {name: [value[part] for value in values] for name, values in run.history.items()}
    one.epoch, one.diverged, one.models = run.epoch, run.diverged[part], run.models[part]
    one.doubts = [line for line in run.doubts if line.startswith(f"seed {run.seeds[s]}:")]
    return one


def squared_error(z: Tensor, centers: Tensor, labels: Tensor) -> float:
    """Return the sum of squared distances of codes z (N, D) to the centers (K, D) of their clusters."""
    parts = zip(z.split(2**16), labels.split(2**16), strict=True)
    return sum(float((part.double() - centers[found].double()).square().sum()) for part, found in parts)
