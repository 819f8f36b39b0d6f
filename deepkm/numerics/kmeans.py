"""k-means of S runs, each with R restarts: greedy k-means++, then Lloyd's algorithm.

Shapes: z (S, N, D), centers (S, K, D), restarts (S, R, K, D). A run's result does not depend on the other runs: each
draws from its own streams and stops by its own criterion.
"""

import math
from functools import partial

import torch

from deepkm.numerics.centers import exact_distances, sum_cancels
from deepkm.numerics.lloyd import lloyd, settle
from deepkm.numerics.memory import CACHE_NUMEL, CHUNK_NUMEL
from deepkm.numerics.seeding import generator


def kmeans(z, n_clusters, *, seeds, n_init=10, epoch=0, max_iter=300, tol=1e-4):
    """Return the centers (S, K, D) of the best of `n_init` k-means restarts of each run.

    Parameters
    ----------
    z : Tensor of shape (S, N, D)
    n_clusters : int
        K, at most N.
    seeds : sequence of int, length S
        Each run's restarts draw from the stream (seed, "kmeans++", epoch).
    n_init, max_iter, tol
        Restarts, and Lloyd's limits as in `lloyd`.

    Notes
    -----
    The best restart has the lowest inertia, the sum of squared distances to the nearest center. Of restarts that found
    the same optimum, equal but for rounding, the first is taken: cluster numbers do not hang on the last digit.
    """
    starts = kmeans_plus_plus(z, n_clusters, seeds=seeds, n_init=n_init, epoch=epoch)
    centers, inertia = lloyd(z, starts, max_iter=max_iter, tol=tol)
    best = (inertia <= inertia.amin(1, keepdim=True) * (1 + 1e-6)).int().argmax(1)  # (S,)
    return centers[torch.arange(len(z), device=z.device), best]


def warm_kmeans(z, centers, *, max_iter=300, tol=1e-4):
    """Return the centers (S, K, D) that Lloyd's algorithm reaches from `centers`: labels keep their meaning."""
    return settle(z, centers.unsqueeze(1), max_iter=max_iter, tol=tol).squeeze(1)


def kmeans_plus_plus(z, n_clusters, *, seeds, n_init, epoch=0):
    """Draw R = `n_init` sets of starting centers per run, shape (S, R, K, D), by greedy k-means++.

    The first center is a uniformly drawn sample. For each next one a few samples are drawn with probability
    proportional to their squared distance to the nearest center so far; the one that lowers the inertia most is taken.

    References
    ----------
    D. Arthur, S. Vassilvitskii. k-means++: the advantages of careful seeding. SODA 2007, section 2.2 and conclusion.
    """
    n_trials = 2 + int(math.log(n_clusters))  # L
    shape = (n_init, n_clusters, n_trials)
    starts = []
    for x, seed in zip(z, seeds, strict=True):
        draws = torch.rand(shape, dtype=torch.float64, generator=generator(seed, "kmeans++", epoch)).to(z.device)
        groups = draws.split(max(1, CHUNK_NUMEL // (n_trials * len(x))))  # of restarts, whose distances fit the memory
        centered = x - x.mean(0)
        starts.append(x[torch.cat([_choose(x, centered, group) for group in groups])])
    return torch.stack(starts)


def _choose(x, centered, draws):
    """Return the samples that become centers, (R, K), by numbers drawn from [0, 1), (R, K, L); x is (N, D)."""
    norms = torch.linalg.vector_norm(centered, dim=1).square()
    chosen, inertia = _choose_by(partial(_lowered, centered, norms), torch.full_like(norms, torch.inf), draws)
    lost = sum_cancels(inertia, norms.double().sum(), x.dtype)  # (R,)
    if lost.any():
        start = torch.full_like(norms, torch.inf, dtype=torch.float64)
        chosen[lost], _ = _choose_by(partial(_lowered_by_differences, x), start, draws[lost])
    return chosen


def _choose_by(lowered_by, closest, draws):
    """Return what `_choose` does, and the inertia, (R,).

    `lowered_by` is `_lowered` of the data, and `closest` the distances before there are centers, (N,): infinite.
    """
    n_samples, closest, chosen = len(closest), closest.expand(len(draws), -1), []
    for k in range(draws.shape[1]):
        if k == 0:
            drawn = (draws[:, 0, :1] * n_samples).long()  # (R, 1)
        else:
            mass = closest.double().cumsum(1)
            drawn = torch.searchsorted(mass, draws[:, k] * mass[:, -1:], right=True)  # (R, L)
            drawn = drawn.clamp_max(n_samples - 1)  # N is returned where no mass is left: duplicates only
        lowered, inertia = lowered_by(drawn, closest)
        best = inertia.argmin(1, keepdim=True)  # (R, 1)
        chosen.append(drawn.gather(1, best))
        closest = lowered.gather(1, best.unsqueeze(2).expand(-1, -1, n_samples)).squeeze(1)
        closest.scatter_(1, chosen[-1], 0)  # rounding must not let a sample be drawn twice
    return torch.cat(chosen, 1), inertia.gather(1, best).squeeze(1)


def _lowered(x, norms, drawn, closest):
    """Return what the squared distances to the nearest center become with each drawn sample, (R, L, N), and their sum.

    The samples drawn are (R, L), the distances so far (R, N); x (N, D) is centered.
    """
    candidates, own = x[drawn.flatten()], norms[drawn].unsqueeze(2)  # (R L, D), (R, L, 1)
    lowered, inertia = x.new_empty(*drawn.shape, len(x)), 0
    step = max(1, (CHUNK_NUMEL if x.is_cuda else CACHE_NUMEL) // max(len(candidates), x.shape[1]))
    for start in range(0, len(x), step):
        block = slice(start, start + step)
        distance = torch.addmm(norms[block], candidates, x[block].T, alpha=-2).view(*drawn.shape, -1)
        distance.add_(own).clamp_min_(0)
        part = torch.minimum(distance, closest[:, block].unsqueeze(1), out=lowered[..., block])
        inertia = inertia + part.sum(2).double()
    return lowered, inertia


def _lowered_by_differences(x, drawn, closest):
    """Return the same, where products of x (N, D) are too rough: slow, in float64."""
    distance = exact_distances(x, x[drawn.flatten()]).T.view(*drawn.shape, -1)
    lowered = torch.minimum(distance, closest.unsqueeze(1))
    return lowered, lowered.sum(2)


def draw_centers(kind, z, n_clusters, *, seeds, n_init=10, stream="{kind} centers"):
    """Return starting centers (S, K, D) for the code z (S, N, D).

    Parameters
    ----------
    kind : {"kmeans", "kmeans++", "data", "uniform", "unit", "normal"}
        The result of k-means; samples drawn as k-means++ does; samples drawn without replacement; uniform on [-1, 1];
        uniform on [0, 1); standard normal.
    z : Tensor of shape (S, N, D)
    n_clusters : int
        K, at most N.
    seeds : sequence of int, length S
        Each run draws from the stream (seed, `stream`), for k-means and k-means++ from (seed, "kmeans++").
    n_init : int
        Restarts of k-means.
    stream : str
        May hold ``{kind}``.
    """
    if kind == "kmeans":
        return kmeans(z, n_clusters, seeds=seeds, n_init=n_init)
    if kind == "kmeans++":
        return kmeans_plus_plus(z, n_clusters, seeds=seeds, n_init=1).squeeze(1)
    generators = [generator(seed, stream.format(kind=kind)) for seed in seeds]
    if kind == "data":
        drawn = [torch.randperm(z.shape[1], generator=random)[:n_clusters] for random in generators]
        return torch.stack([code[index.to(z.device)] for code, index in zip(z, drawn, strict=True)])
    if kind not in ("uniform", "unit", "normal"):
        raise ValueError(
            f"initial_centers={kind!r} should be 'kmeans', 'kmeans++', 'data', 'uniform', 'unit' or 'normal'"
        )
    draw = torch.randn if kind == "normal" else torch.rand
    draws = [draw(n_clusters, z.shape[2], dtype=torch.float64, generator=random) for random in generators]
    centers = torch.stack(draws)
    return (2 * centers - 1 if kind == "uniform" else centers).to(z)
