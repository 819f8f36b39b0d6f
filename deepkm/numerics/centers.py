"""Cluster centers of S runs at once: distances and memberships.

Shapes: z (S, N, D), centers (S, K, D), distances and memberships (S, N, K).
"""

import math

import torch

from deepkm.numerics.memory import CHUNK_NUMEL

# What products round off squared distances, in units of eps times the squared norms, may be this part of what matters.
ROUNDING = 1 / 128


def squared_distances(z, centers):
    """Return the squared Euclidean distances, shape (S, N, K), computed by differences.

    The expanded form ||z||^2 - 2 z.r + ||r||^2 is faster but loses small distances between large codes to cancellation.
    Holds (S, N, K, D) numbers: meant for batches of a low-dimensional code.
    """
    return (z.unsqueeze(-2) - centers.unsqueeze(-3)).square().sum(-1)


def expanded_distances(z, centers):
    """Return the squared Euclidean distances, shape (S, N, K), by ||z||^2 - 2 z.r + ||r||^2.

    Holds (S, N, K) numbers: meant for whole data sets and for many features. Taken from the mean of the centers, so
    that little is lost to cancellation; by differences where much would be. Never negative.
    """
    origin = centers.detach().mean(-2, keepdim=True)
    part, around = z - origin, centers - origin
    squares = around.square().sum(-1)  # (S, K)
    norms = part.square().sum(-1).unsqueeze(-1) + squares.unsqueeze(-2)
    distance = norms.sub(part @ around.mT, alpha=2)
    if distance.detach().min().item() * ROUNDING > norms.detach().max().item() * torch.finfo(z.dtype).eps:
        return distance  # none is as small as what is rounded off
    distance, lost = distance.clamp_min(0), products_cancel(around, squares)
    if not lost.any():
        return distance
    return torch.where(lost[..., None, None], exact_distances(z, centers).to(z.dtype), distance)


def exact_distances(z, centers):
    """Return the squared Euclidean distances, shape (S, N, K), by differences in float64: slow, and right for any z.

    In the type of z, differences would tell no more of samples far from all centers than products do.
    """
    centers, step = centers.double(), max(1, CHUNK_NUMEL // (z.numel() // z.shape[-2]))
    parts = [torch.cdist(part.double(), centers, compute_mode=_BY_DIFFERENCES) for part in z.split(step, dim=-2)]
    return torch.cat(parts, dim=-2).square()


_BY_DIFFERENCES = "donot_use_mm_for_euclid_dist"


@torch.no_grad()
def products_cancel(centers, squares):
    """Return of which runs products may give a sample to a center that is not its nearest, (...,).

    The centers (..., K, D) lie around the origin of the products, `squares` (..., K) are their squared norms. A product
    rounds off about eps ||r||^2: where that is no small part of the squared distance of two centers, or all leaves the
    range of numbers, it may decide between them.
    """
    half = squares * ((1 - torch.finfo(squares.dtype).eps / ROUNDING) / 2)
    apart = centers @ centers.mT < half.unsqueeze(-1) + half.unsqueeze(-2)  # (..., K, K), none from itself
    n_clusters = centers.shape[-2]
    return apart.sum((-2, -1)) < n_clusters * (n_clusters - 1)


def sum_cancels(total, squares, dtype):
    """Tell where a sum of squared distances by products of type `dtype` may be little but rounding.

    `squares` is the sum of the samples' squared norms around the origin of the products.
    """
    return total * ROUNDING < torch.finfo(dtype).eps * squares


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
    around = centers - origin
    squares = around.square().sum(-1)  # (S, K)
    norms, lost = squares.unsqueeze(1), products_cancel(around, squares)
    chunk = max(1, CHUNK_NUMEL // (z.shape[0] * max(z.shape[2], centers.shape[1])))
    scores = (torch.baddbmm(norms, part - origin, around.mT, alpha=-2) for part in z.split(chunk, dim=1))
    label = torch.cat([score.min(-1).indices for score in scores], dim=1)  # faster than argmin
    for run in lost.nonzero().flatten().tolist():
        label[run] = torch.cat([exact_distances(part, centers[run]).argmin(-1) for part in z[run].split(chunk)])
    return label
