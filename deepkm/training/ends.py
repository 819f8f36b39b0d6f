"""What runs are like at their first and at their last read-out, by measures that need no classes."""

import numpy as np
import torch

from deepkm.networks.layers import exact_convolutions
from deepkm.numerics.memory import CACHE_NUMEL, CHUNK_NUMEL


def keep_ends(runs, method):
    """Pass on what a training generator yields, and note in ``run.ends`` what the runs are like at both ends.

    - ``unexplained``: of the code, the sum of squared distances to the means of clusters over that to the mean of all:
      k-means' objective, whatever the scale of the code; 1 where all samples are one cluster. NaN where centers lie
      elsewhere: whitened features have one variance, before training and after it.
    - ``unexplained_data``: the same of the data, by the same labels.
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
    shares = torch.cat([unexplained(code, of.unsqueeze(0)) for code, of in zip(z, labels, strict=True)])
    measured = {"unexplained": shares if method.embed(z, run) is z else torch.full_like(shares, torch.nan)}
    measured["unexplained_data"] = unexplained(run.x, labels)
    measured["reconstruction"] = _reconstruction(run.x, z, run.autoencoder)
    for name, values in measured.items():
        run.ends.setdefault(name, []).append(values.numpy(force=True))


def end_arrays(run):
    """Return what a result keeps: ``ends/{measure}``, (S, 2), or (S, 1) of runs that trained for no epoch."""
    return {f"ends/{name}": np.stack(values, axis=1) for name, values in run.ends.items()}


def unexplained(x, labels):
    """Return the share of the variance of samples that each run's labels leave unexplained, (S,), float64.

    Parameters
    ----------
    x : Tensor or StreamedFeatures of shape (N, D)
    labels : Tensor of shape (S, N), int64
    """
    n_clusters = int(labels.max()) + 1
    numel = CACHE_NUMEL // 2 if labels.device.type == "cpu" else CHUNK_NUMEL  # of float64
    step = max(1, numel // max(x.shape[1], n_clusters))
    sums = torch.zeros(len(labels), n_clusters, x.shape[1], dtype=torch.float64, device=labels.device)
    for part, found in _parts(x, labels, step):
        for s, label in enumerate(found):
            member = torch.nn.functional.one_hot(label, n_clusters).double()  # index_add is not repeatable on a GPU
            sums[s] += member.mT @ part
    counts = torch.stack([label.bincount(minlength=n_clusters) for label in labels])
    means, mean = sums / counts.clamp_min(1).unsqueeze(2), sums[0].sum(0) / len(x)
    within, total = sums.new_zeros(len(labels)), sums.new_zeros(())
    for part, found in _parts(x, labels, step):  # again: what is far from the mean would round off what is near its own
        within += torch.stack([(part - means[s, label]).square().sum() for s, label in enumerate(found)])
        total += (part - mean).square().sum()
    return torch.where(total == 0, 1.0, within / total)


def _parts(x, labels, step):
    """Yield the samples in order, so many at a time, float64, with the labels (S, n) of each run."""
    for part, found in zip(x.split(step), labels.split(step, dim=1), strict=True):
        yield part.double(), found


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
