"""What runs are like at their first and at their last read-out, by measures that need no classes."""

import numpy as np
import torch

from deepkm.networks.layers import exact_convolutions
from deepkm.numerics.memory import CHUNK_NUMEL


def keep_ends(runs, method):
    """Pass on what a training generator yields, and note in ``run.ends`` what the runs are like at both ends.

    - ``unexplained``: of the code, the sum of squared distances to the means of clusters over that to the mean of all:
      k-means' objective, whatever the scale of the code; 1 where all samples are one cluster. NaN where centers lie
      elsewhere: whitened features have one variance, before training and after it.
    - ``reconstruction``: squared error summed over features, mean over all samples; NaN without a decoder.

    Parameters
    ----------
    runs : iterator of Run
        From `deepkm.training.loop.train`.
    method : DeepClustering

    Yields
    ------
    Run
        With its end already noted, so that a checkpoint holds it.
    """
    for run in runs:
        if run.epoch in (0, method.epochs):
            _look(method, run)
        yield run


@torch.no_grad()
def _look(method, run):
    z = run.encode(run.x) if run.z is None else run.z  # None: restored after all of its runs had stopped
    labels = torch.from_numpy(run.history["labels"][-1]).to(z.device).long()  # (S, N)
    shares = torch.stack([unexplained(*part) for part in zip(z, labels, strict=True)])
    measured = {"unexplained": shares if method.embed(z, run) is z else torch.full_like(shares, torch.nan)}
    measured["reconstruction"] = _reconstruction(run.x, z, run.autoencoder)
    for name, values in measured.items():
        run.ends.setdefault(name, []).append(values.numpy(force=True))


def end_arrays(run):
    """Return what a result keeps: ``ends/{measure}``, (S, 2), or (S, 1) of runs that trained for no epoch."""
    return {f"ends/{name}": np.stack(values, axis=1) for name, values in run.ends.items()}


def unexplained(code, labels):
    """Return the share of the variance of a code (N, D) that labels (N,) leave unexplained, float64."""
    n_clusters = int(labels.max()) + 1
    step = max(1, CHUNK_NUMEL // max(code.shape[1], n_clusters))
    sums = torch.zeros(n_clusters, code.shape[1], dtype=torch.float64, device=code.device)
    for part, found in zip(code.split(step), labels.split(step), strict=True):
        member = torch.nn.functional.one_hot(found, n_clusters).double()  # index_add is not repeatable on a GPU
        sums += member.mT @ part.double()
    means = sums / labels.bincount().clamp_min(1).unsqueeze(1)
    mean = sums.sum(0) / len(code)
    within, total = torch.zeros(2, dtype=torch.float64, device=code.device)
    for part, found in zip(code.split(step), labels.split(step), strict=True):
        within = within + (part.double() - means[found]).square().sum()
        total = total + (part.double() - mean).square().sum()
    return torch.where(total == 0, 1.0, within / total)


@exact_convolutions()
def _reconstruction(x, z, autoencoder):
    """Return the mean squared error of the reconstructions of all samples, (S,), float64."""
    error = torch.zeros(len(z), dtype=torch.float64, device=z.device)
    if not getattr(autoencoder, "has_decoder", True):
        return error / error
    step = max(1, CHUNK_NUMEL // (len(z) * x.shape[1]))
    for part, code in zip(x.split(step), z.split(step, dim=1), strict=True):
        error += (autoencoder.decode(code) - part).square().sum((1, 2))
    return error / len(x)
