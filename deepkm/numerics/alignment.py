"""Which cluster is which, after the clusters were found anew: a fresh k-means numbers them at random."""

import torch

from deepkm.numerics.centers import nearest
from deepkm.numerics.kmeans import kmeans


def align(old, new, n_clusters):
    """Return how new labels are renumbered to agree best with old ones, (S, K): new label k becomes ``[s, k]``.

    Parameters
    ----------
    old, new : Tensor of shape (S, N)
        Labels of the same samples, in [0, K).
    n_clusters : int
        K.

    References
    ----------
    H. W. Kuhn. The Hungarian method for the assignment problem. Naval Research Logistics Quarterly 2, 1955.

    Examples
    --------
    >>> align(torch.tensor([[0, 0, 1, 1, 2, 2, 2, 2]]), torch.tensor([[2, 2, 0, 0, 1, 1, 1, 0]]), 3)
    tensor([[1, 2, 0]])
    """
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415  few jobs need it, and it takes a while

    pairs = (new * n_clusters + old).cpu()
    tables = torch.stack([torch.bincount(run, minlength=n_clusters**2) for run in pairs])
    tables = tables.view(-1, n_clusters, n_clusters).numpy()
    matched = [torch.from_numpy(linear_sum_assignment(table, maximize=True)[1]) for table in tables]
    return torch.stack(matched).to(old.device)


def fresh_kmeans(z, before, n_clusters, *, seeds, n_init, epoch):
    """Return centers that k-means finds anew, (S, K, D), numbered so that labels agree best with those before.

    Parameters
    ----------
    z : Tensor of shape (S, N, D)
    before : Tensor of shape (S, N)
        Labels in [0, K), of this code or of an older one.
    n_clusters : int
        K.
    seeds, n_init, epoch
        As in `deepkm.numerics.kmeans.kmeans`.
    """
    found = kmeans(z, n_clusters, seeds=seeds, n_init=n_init, epoch=epoch)
    place = align(before, nearest(z, found), n_clusters)  # (S, K)
    return torch.empty_like(found).scatter_(1, place.unsqueeze(-1).expand_as(found), found)
