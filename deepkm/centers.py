"""Cluster centers of S runs at once: distances, memberships, k-means.

Shapes: z (S, N, D), centers (S, K, D), distances and memberships (S, N, K). k-means adds R restarts: (S, R, K, D).
A run's result does not depend on the other runs: each draws from its own streams and stops by its own criterion.
"""

import math

import torch

from deepkm.seeding import generator

# Numbers held at once by one chunk of a pass over the data: 64 MiB in float32.
CHUNK_NUMEL = 2**24


def squared_distances(z, centers):
    """Return the squared Euclidean distances, shape (S, N, K), computed by differences.

    The expanded form ||z||^2 - 2 z.r + ||r||^2 is faster but loses small distances between large codes to cancellation.
    Holds (S, N, K, D) numbers: meant for batches of a low-dimensional code.
    """
    return (z.unsqueeze(-2) - centers.unsqueeze(-3)).square().sum(-1)


def expanded_distances(z, centers):
    """Return the squared Euclidean distances, shape (S, N, K), by ||z||^2 - 2 z.r + ||r||^2.

    Holds (S, N, K) numbers: meant for whole data sets and for many features. Taken from the mean of the centers, so
    that little is lost to cancellation; never negative.
    """
    origin = centers.detach().mean(-2, keepdim=True)
    z, centers = z - origin, centers - origin
    norms = z.square().sum(-1).unsqueeze(-1) + centers.square().sum(-1).unsqueeze(-2)
    return (norms - 2 * z @ centers.mT).clamp_min(0)


def softmin(distance, alpha):
    """Return exp(-alpha d_k) / sum_j exp(-alpha d_j) over the last axis: memberships that sum to 1, never 0/0."""
    return torch.softmax(-per_run(alpha) * distance, dim=-1)


def per_run(value):
    """Return a parameter in a form that meets (S, N, K): a number as it is, one per run, (S,), as (S, 1, 1)."""
    return value.view(-1, 1, 1) if torch.is_tensor(value) and value.dim() else value


def inverse_power(distance, alpha, *, smallest=1e-12):
    """Return d_k^-alpha / sum_j d_j^-alpha over the last axis: a scale-free membership.

    Taken in logarithms, since d^-alpha overflows near a center; distances below `smallest` count as `smallest`.
    """
    return softmin(distance.clamp_min(smallest).log(), alpha)


def student_t(distance, alpha=1.0):
    """Return DEC's Student-t memberships (1 + d/alpha)^(-(alpha+1)/2), normalised over the last axis."""
    return torch.softmax(-(alpha + 1) / 2 * torch.log1p(distance / alpha), dim=-1)


def log_student_t(distance, alpha=1.0):
    """Return the logarithm of `student_t`, finite where the membership itself underflows to zero."""
    return torch.log_softmax(-(alpha + 1) / 2 * torch.log1p(distance / alpha), dim=-1)


def log_power_mean(distance, exponent):
    """Return log M_s(d), M_s(d) = ((1/K) sum_k d_k^s)^(1/s), over the last axis.

    s = 1 is the arithmetic mean; M_s falls to the smallest distance as s goes to -inf. Taken in logarithms, since d^s
    leaves the range of numbers at once; a distance of zero counts as the smallest normal number.

    Parameters
    ----------
    distance : Tensor of shape (..., K)
    exponent : float
        s, not 0.
    """
    log_distance = distance.clamp_min(torch.finfo(distance.dtype).tiny).log()
    return (torch.logsumexp(exponent * log_distance, dim=-1) - math.log(distance.shape[-1])) / exponent


def nearest(z, centers):
    """Return the index of the nearest center of each sample, shape (S, N)."""
    origin = centers.mean(1, keepdim=True)  # near the data, so that the expanded form loses little to cancellation
    centers = centers - origin
    norms = centers.square().sum(-1).unsqueeze(1)  # (S, 1, K)
    chunk = max(1, CHUNK_NUMEL // (z.shape[0] * max(z.shape[2], centers.shape[1])))
    parts = [torch.baddbmm(norms, part - origin, centers.mT, alpha=-2).argmin(-1) for part in z.split(chunk, dim=1)]
    return torch.cat(parts, dim=1)


def draw_centers(kind, z, n_clusters, *, seeds):
    """Return starting centers (S, K, D) for the code z (S, N, D).

    Parameters
    ----------
    kind : {"kmeans++", "data", "uniform", "normal"}
        Samples drawn as k-means++ does; samples drawn without replacement; uniform on [-1, 1]; standard normal.
    z : Tensor of shape (S, N, D)
    n_clusters : int
        K, at most N.
    seeds : sequence of int, length S
        Each run draws from the stream (seed, "<kind> centers"), for k-means++ from (seed, "kmeans++").
    """
    if kind == "kmeans++":
        return kmeans_plus_plus(z, n_clusters, seeds=seeds, n_init=1).squeeze(1)
    generators = [generator(seed, f"{kind} centers") for seed in seeds]
    shape = (n_clusters, z.shape[2])
    if kind == "data":
        drawn = [torch.randperm(z.shape[1], generator=random)[:n_clusters] for random in generators]
        return torch.stack([code[index.to(z.device)] for code, index in zip(z, drawn, strict=True)])
    if kind == "uniform":
        draws = [2 * torch.rand(shape, dtype=torch.float64, generator=random) - 1 for random in generators]
    elif kind == "normal":
        draws = [torch.randn(shape, dtype=torch.float64, generator=random) for random in generators]
    else:
        raise ValueError(f"initial_centers={kind!r} should be 'kmeans++', 'data', 'uniform' or 'normal'")
    return torch.stack(draws).to(z)


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
    return lloyd(z, centers.unsqueeze(1), max_iter=max_iter, tol=tol)[0].squeeze(1)


def kmeans_plus_plus(z, n_clusters, *, seeds, n_init, epoch=0):
    """Draw R = `n_init` sets of starting centers per run, shape (S, R, K, D), by greedy k-means++.

    The first center is a uniformly drawn sample. For each next one a few samples are drawn with probability
    proportional to their squared distance to the nearest center so far; the one that lowers the inertia most is taken.

    References
    ----------
    D. Arthur, S. Vassilvitskii. k-means++: the advantages of careful seeding. SODA 2007, section 2.2 and conclusion.
    """
    n_runs, n_samples, _ = z.shape
    n_trials = 2 + int(math.log(n_clusters))  # L
    shape = (n_init, n_clusters, n_trials)
    draws = [torch.rand(shape, dtype=torch.float64, generator=generator(seed, "kmeans++", epoch)) for seed in seeds]
    draws = torch.stack(draws).to(z.device)  # (S, R, K, L)
    run = torch.arange(n_runs, device=z.device).unsqueeze(1)  # (S, 1), pairs with an (S, R) index of samples
    centered = z - z.mean(1, keepdim=True)
    norms = centered.square().sum(-1)  # (S, N)
    chosen = [(draws[..., 0, 0] * n_samples).long()]  # each (S, R)
    closest = _distances_to(chosen[0].unsqueeze(2), centered, norms).squeeze(2)  # (S, R, N)
    for k in range(1, n_clusters):
        mass = closest.double().cumsum(-1)
        drawn = torch.searchsorted(mass, draws[:, :, k] * mass[..., -1:], right=True)  # (S, R, L)
        drawn = drawn.clamp_max(n_samples - 1)  # N is returned where no mass is left: duplicates only
        lowered = torch.minimum(closest.unsqueeze(2), _distances_to(drawn, centered, norms))  # (S, R, L, N)
        best = lowered.sum(-1, dtype=torch.float64).argmin(-1, keepdim=True)  # (S, R, 1)
        chosen.append(drawn.gather(2, best).squeeze(2))
        closest = lowered.gather(2, best.unsqueeze(3).expand(-1, -1, -1, n_samples)).squeeze(2)
    return torch.stack([z[run, index] for index in chosen], dim=2)


def _distances_to(index, z, norms):
    """Return the squared distances (S, R, L, N) of all samples z (S, N, D) to those at `index` (S, R, L)."""
    n_runs, n_restarts, n_trials = index.shape
    flat = index.reshape(n_runs, -1)  # (S, R L)
    run = torch.arange(n_runs, device=z.device).unsqueeze(1)
    distance = norms.unsqueeze(1) - 2 * z[run, flat] @ z.mT + norms.gather(1, flat).unsqueeze(2)
    distance.clamp_min_(0).scatter_(2, flat.unsqueeze(2), 0)  # rounding must not let a sample be drawn twice
    return distance.view(n_runs, n_restarts, n_trials, -1)


def lloyd(z, centers, *, max_iter=300, tol=1e-4):
    """Run Lloyd's algorithm from each set of centers until it settles.

    Parameters
    ----------
    z : Tensor of shape (S, N, D)
    centers : Tensor of shape (S, R, K, D)
        Starting centers.
    max_iter : int
        Most iterations.
    tol : float
        A restart stops when its centers' squared shift is at most `tol` times the mean variance of the features.

    Returns
    -------
    centers : Tensor of shape (S, R, K, D)
    inertia : Tensor of shape (S, R), float64
        Sum of squared distances to the nearest center.
    """
    runs = [_lloyd_restarts(*run, max_iter=max_iter, tol=tol) for run in zip(z, centers, strict=True)]
    return tuple(torch.stack(part) for part in zip(*runs, strict=True))


def _lloyd_restarts(z, starts, *, max_iter, tol):
    """Lloyd for the R restarts of one run: z (N, D), starts (R, K, D)."""
    origin = z.mean(0)
    z, centers = z - origin, starts - origin
    limit = tol * z.var(0, correction=0).mean()
    active = torch.arange(len(centers), device=z.device)
    for _ in range(max_iter):
        current = centers[active]
        updated, _ = _lloyd_step(z, current)
        centers[active] = updated
        active = active[(updated - current).square().sum((1, 2)) > limit]
        if len(active) == 0:
            break
    _, inertia = _lloyd_step(z, centers)
    return centers + origin, inertia


def _lloyd_step(z, centers):
    """Return the means of each center's samples, (R, K, D), and the inertia of the given centers, (R,)."""
    n_restarts, n_clusters, n_features = centers.shape
    flat = centers.reshape(-1, n_features)
    norms = flat.square().sum(-1)
    sums, counts, inertia = torch.zeros_like(flat), torch.zeros_like(norms), 0
    for part in z.split(max(1, CHUNK_NUMEL // max(len(flat), n_features))):
        score = torch.addmm(norms, part, flat.T, alpha=-2).view(-1, n_restarts, n_clusters)  # distance - ||z||^2
        best, label = score.min(-1)  # (n, R)
        member = torch.zeros_like(score).scatter_(2, label.unsqueeze(2), 1).view(len(part), -1)
        sums += member.T @ part
        counts += member.sum(0)
        inertia = inertia + (best.double() + part.square().sum(-1, keepdim=True)).sum(0)
    means = (sums / counts.clamp_min(1).unsqueeze(1)).view_as(centers)
    for restart, cluster in (counts.view(n_restarts, -1) == 0).nonzero().tolist():
        means[restart, cluster] = z[_farthest(z, means[restart], counts.view(n_restarts, -1)[restart])]
        counts.view(n_restarts, -1)[restart, cluster] = 1
    return means, inertia


def _farthest(z, centers, counts):
    """Return the sample farthest from its nearest center, among the centers that have members: an empty one's seed."""
    used = centers[counts > 0]
    closest = torch.cat([torch.cdist(part, used).amin(1) for part in z.split(max(1, CHUNK_NUMEL // len(used)))])
    return closest.argmax()
