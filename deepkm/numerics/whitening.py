"""Principal components and whitening; DeepCluster's k-means, its sampling and its agreement of labelings."""

import torch

from deepkm.numerics.centers import nearest

SMALLEST = 1e-5  # added to eigenvalues and norms
ITERATIONS = 20  # of Lloyd


def principal_components(z, n_components):
    """Return the mean (S, 1, D), the first axes (S, D, P), of length 1, and the variances (S, P) of z (S, N, D).

    P is `n_components`, D or N - 1, whichever is least. Axes and variances are float64 on the CPU.
    """
    n_components = max(1, min(n_components, z.shape[2], z.shape[1] - 1))
    mean = z.mean(1, keepdim=True)
    covariance = ((z - mean).mT @ (z - mean) / z.shape[1]).double().cpu()
    # A run that diverged has no eigenvectors; it must not stop the runs beside it.
    values, vectors = torch.linalg.eigh(covariance.nan_to_num(posinf=0, neginf=0))  # ascending
    values, vectors = values.flip(-1)[:, :n_components], vectors.flip(-1)[..., :n_components]
    largest = vectors.gather(1, vectors.abs().argmax(1, keepdim=True))  # (S, 1, P)
    return mean, vectors * largest.sign(), values.clamp_min(0)


def fit_whitening(z, n_components):
    """Return the mean (S, 1, D) and the projection (S, D, P) that whiten z (S, N, D).

    Component j of the `principal_components` is divided by the root of its variance plus 1e-5.
    """
    mean, axes, variances = principal_components(z, n_components)
    return mean, (axes / (variances + SMALLEST).sqrt().unsqueeze(1)).to(z)


def whiten(z, mean, projection):
    """Return whitened features of unit length, (S, N, P)."""
    white = (z - mean) @ projection
    return white / (white.norm(dim=-1, keepdim=True) + SMALLEST)


def cluster(features, n_clusters, generators):
    """Return the labels (S, N) of 20 iterations of k-means from random samples, no cluster empty.

    Parameters
    ----------
    features : Tensor of shape (S, N, P)
    n_clusters : int
        k, at most N.
    generators : sequence of torch.Generator, length S
    """
    runs = [_cluster_run(z, n_clusters, random) for z, random in zip(features, generators, strict=True)]
    return torch.stack(runs)


def split_empty(z, labels, n_clusters, random):
    """Give each empty cluster half of another one, in place.

    The donor is drawn with probability proportional to its size less one; a hyperplane of random direction halves it.

    Parameters
    ----------
    z : Tensor of shape (N, P)
    labels : Tensor of shape (N,)
    n_clusters : int
        k, at most N.
    random : torch.Generator
    """
    counts = torch.bincount(labels, minlength=n_clusters).cpu()
    for empty in (counts == 0).nonzero().flatten().tolist():
        donor = int(torch.multinomial((counts - 1).clamp_min(0).double(), 1, generator=random))
        direction = torch.randn(z.shape[1], dtype=torch.float64, generator=random).to(z)
        members = (labels == donor).nonzero().flatten()
        moved = members[(z[members] @ direction).argsort()[len(members) // 2 :]]
        labels[moved] = empty
        counts[empty], counts[donor] = len(moved), counts[donor] - len(moved)


def draw_evenly(labels, generators):
    """Return as many samples of each run as it has labels, (S, N), drawn evenly from its clusters and shuffled.

    Of each of the k+ clusters in use floor(N / k+) + 1 are drawn, with replacement where it has no more than that; the
    few surplus ones of all that were drawn are dropped at random.
    """
    rows = []
    for run_labels, random in zip(labels.cpu(), generators, strict=True):
        drawn = draw_from_each(run_labels, random)
        rows.append(drawn[torch.randperm(len(drawn), generator=random)[: len(run_labels)]])
    return torch.stack(rows)


def draw_from_each(labels, random):
    """Return floor(N / k+) + 1 samples of each cluster in use, cluster by cluster."""
    groups = [(labels == label).nonzero().flatten() for label in labels.unique()]
    size = len(labels) // len(groups) + 1
    return torch.cat([group[_draw(len(group), size, random)] for group in groups])


def agreement(first, second):
    """Return the normalized mutual information of two labelings (S, N), (S,); 1 when both have one group."""
    return torch.stack([_agreement_run(*pair) for pair in zip(first, second, strict=True)])


def _cluster_run(z, n_clusters, random):
    centers = z[torch.randperm(len(z), generator=random)[:n_clusters].to(z.device)]
    for _ in range(ITERATIONS):
        labels = nearest(z.unsqueeze(0), centers.unsqueeze(0))[0]
        split_empty(z, labels, n_clusters, random)
        counts = torch.bincount(labels, minlength=n_clusters).to(z)
        member = torch.nn.functional.one_hot(labels, n_clusters).to(z)  # (N, k): index_add is not repeatable on a GPU
        centers = member.T @ z / counts.unsqueeze(1)
    return labels


def _draw(n_samples, size, random):
    if n_samples <= size:
        return torch.randint(n_samples, (size,), generator=random)
    return torch.randperm(n_samples, generator=random)[:size]


def _agreement_run(first, second):
    n_groups = int(torch.maximum(first.max(), second.max())) + 1
    table = torch.bincount(first * n_groups + second, minlength=n_groups**2).double().view(n_groups, n_groups)
    joint, rows, columns = (_entropy(part / len(first)) for part in (table.flatten(), table.sum(1), table.sum(0)))
    both = rows + columns
    return 2 * (both - joint) / both if both > 0 else torch.ones_like(both)


def _entropy(share):
    return -torch.xlogy(share, share).sum()
