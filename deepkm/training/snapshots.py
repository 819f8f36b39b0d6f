"""Snapshots: the codes of some samples at some epochs, for figures. Nothing that trains ever reads them."""

import numpy as np
import torch

from deepkm.networks.layers import exact_convolutions
from deepkm.numerics.memory import CHUNK_NUMEL
from deepkm.numerics.seeding import generator

LARGEST_SAMPLE = 10_000
CODE_NUMEL = 2**18  # numbers per run and epoch at most: 1 MiB


def keep_snapshots(runs, method, *, epochs):
    """Pass on what a training generator yields, and note a snapshot of each of `epochs` in ``run.snapshots``.

    Parameters
    ----------
    runs : iterator of Run
        From `deepkm.training.loop.train`.
    method : DeepClustering
    epochs : sequence of int

    Yields
    ------
    Run
        With its snapshot already noted, so that a checkpoint holds it.
    """
    for run in runs:
        if run.epoch in epochs:
            _take(method, run)
        yield run


@exact_convolutions()
def snapshot_arrays(method, run):
    """Return what a result keeps, by name; nothing when no snapshot was taken.

    Returns
    -------
    dict of str to ndarray
        ``snapshots/epoch`` (E,); ``snapshots/sample`` (M,), which samples; ``snapshots/codes`` (S, E, M, D), unless the
        method clusters the data themselves; ``snapshots/centers`` (S, E, K, D); ``snapshots/membership`` (S, E, M), the
        highest of each sample, where the method has any; ``decoded_centers`` (S, K, F), where they can be decoded.
    """
    if not run.snapshots:
        return {}
    kept = {name: np.stack(values) for name, values in run.snapshots.items()}
    arrays = {f"snapshots/{name}": array if array.ndim == 1 else array.swapaxes(0, 1) for name, array in kept.items()}
    n_samples = run.history["labels"][-1].shape[1]
    arrays["snapshots/sample"] = draw_sample(n_samples, size=_sample_size(run)).numpy()
    with torch.no_grad():
        decoded = method.decode_centers(run)
    return arrays if decoded is None else arrays | {"decoded_centers": _to_numpy(decoded)}


def draw_sample(n_samples, *, size):
    """Return `size` of `n_samples` samples, (M,), in random order: the same ones for all methods and seeds.

    A smaller sample of the same data is the beginning of a larger one.
    """
    return torch.randperm(n_samples, generator=generator(0, "snapshots"))[:size]


def _take(method, run):
    z = run.encode(run.x) if run.z is None else run.z  # None: restored after all of its runs had stopped
    index = draw_sample(z.shape[1], size=_sample_size(run)).to(z.device)
    with torch.no_grad():
        z = z[:, index]  # (S, M, D)
        values = {"centers": run.centers.detach(), "membership": _highest_membership(method, run, z=z, index=index)}
        if _has_code(run):
            values["codes"] = method.embed(z, run)
    values = {name: _to_numpy(value) for name, value in values.items() if value is not None}
    for name, value in {"epoch": np.int64(run.epoch), **values}.items():
        run.snapshots.setdefault(name, []).append(value)


def _highest_membership(method, run, *, z, index):
    chunk = max(1, CHUNK_NUMEL // run.centers.numel())
    parts = [method.membership(*part, run) for part in zip(z.split(chunk, dim=1), index.split(chunk), strict=True)]
    return None if parts[0] is None else torch.cat([part.amax(-1) for part in parts], dim=1)


def _sample_size(run):
    return min(LARGEST_SAMPLE, CODE_NUMEL // run.centers.shape[-1]) if _has_code(run) else LARGEST_SAMPLE


def _has_code(run):
    """Tell whether the code is anything but the data, which need not be kept a second time."""
    return any(True for _ in run.autoencoder.parameters())


def _to_numpy(tensor):
    return tensor.numpy(force=True).astype(np.float32)  # a copy: centers change in place
