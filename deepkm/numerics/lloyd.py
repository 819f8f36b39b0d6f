"""Lloyd's algorithm, exact, for all restarts of all runs.

Shapes: z (S, N, D), centers (S, R, K, D). Inside one run: x (N, D), and the A restarts that still move.
"""

import torch

from deepkm.numerics.centers import exact_distances, products_cancel, sum_cancels
from deepkm.numerics.memory import CACHE_NUMEL, CHUNK_NUMEL

HEAD = 64  # directions d in which a bound is exact; features up to twice as many are all taken
PATIENCE = 0.25  # samples compared in vain, of all, that cost as much as a new reference


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

    Notes
    -----
    A cluster without samples starts anew at the sample farthest from the other clusters' centers.

    On a GPU an iteration is two batched matrix products over all runs. On a CPU, run by run, a cheap bound shows of
    most samples that they stay, and only the others are compared with all centers: the answer is the same. A restart
    whose centers lie so close together, and so far from the mean of the data, that products do not tell them apart is
    settled by differences.
    """
    centers = settle(z, centers, max_iter=max_iter, tol=tol)
    return centers, inertia(z, centers)


def settle(z, centers, *, max_iter=300, tol=1e-4):
    """Return the centers of `lloyd` alone."""
    origin = z.mean(1, keepdim=True)  # (S, 1, D): around it products lose little to cancellation
    starts = centers - origin.unsqueeze(1)
    if z.is_cuda or z.shape[2] > 2 * HEAD < centers.shape[2]:
        found = settle_by_products(z, starts, origin, max_iter=max_iter, tol=tol)
    else:
        runs = zip(z, starts, origin, strict=True)
        found = torch.stack([settle_by_bounds(x - mean, start, max_iter=max_iter, tol=tol) for x, start, mean in runs])
    lost = products_cancel(starts, starts.square().sum(-1)) | products_cancel(found, found.square().sum(-1))
    found = found + origin.unsqueeze(1)
    for run, restart in lost.nonzero().tolist():
        found[run, restart] = settle_by_differences(z[run], centers[run, restart], max_iter=max_iter, tol=tol)
    return found


def inertia(z, centers):
    """Return the sum of squared distances to the nearest center, (S, R), float64."""
    origin = z.mean(1, keepdim=True)
    total, squares = 0, 0
    for part, score in _scores(z, centers - origin.unsqueeze(1), origin):
        norms = torch.linalg.vector_norm(part, dim=-1).double().square().unsqueeze(1)  # (S, 1, n)
        total, squares = total + (score.amin(2).double() + norms).sum(-1), squares + norms.sum(-1)
    for run, restart in sum_cancels(total, squares, z.dtype).nonzero().tolist():
        parts = _parts(z[run], centers.shape[2])
        total[run, restart] = sum(exact_distances(part, centers[run, restart]).amin(1).sum() for part in parts)
    return total


def assign(z, centers, origin):
    """Return the nearest center of each sample, (S, R, N), and the clusters' sums (S, R, K, D) and sizes, float64.

    The centers, and the sums, are relative to the `origin` (S, 1, D).
    """
    labels, sums, counts = [], 0, 0
    for part, score in _scores(z, centers, origin):
        labels.append(score.min(2).indices)  # (S, R, n)
        member = torch.zeros_like(score).scatter_(2, labels[-1].unsqueeze(2), 1)  # (S, R, K, n)
        sums = sums + (member.flatten(1, 2) @ part).double()
        counts = counts + member.sum(-1).double()
    return torch.cat(labels, dim=-1), sums.view_as(centers), counts


def _scores(z, centers, origin):
    """Yield parts of z, (S, n, D) around the origin, and their squared distances less ||z||^2, (S, R, K, n)."""
    flat = centers.flatten(1, 2)  # (S, R K, D)
    norms = flat.square().sum(-1, keepdim=True)
    numel = CHUNK_NUMEL if z.is_cuda else CACHE_NUMEL
    for absolute in z.split(max(1, numel // (len(z) * max(flat.shape[1:]))), dim=1):
        part = absolute - origin
        yield part, torch.baddbmm(norms, flat, part.mT, alpha=-2).unflatten(1, centers.shape[1:3])


def settle_by_products(z, centers, origin, *, max_iter, tol):
    """Settle all restarts of all runs side by side; those that are done wait for the others."""
    limit = tol * z.var(1, correction=0).mean(-1, keepdim=True)  # (S, 1)
    running = torch.ones(centers.shape[:2], dtype=torch.bool, device=z.device)  # (S, R)
    for _ in range(max_iter):
        _, sums, counts = assign(z, centers, origin)
        means = (sums / counts.clamp_min(1).unsqueeze(-1)).to(z.dtype)
        empty = (counts == 0) & running.unsqueeze(-1)
        moving, repair = torch.stack([running.any(), empty.any()]).tolist()  # the iteration's only synchronisation
        if not moving:
            break
        if repair:
            for run, x in enumerate(z):
                _repair(x - origin[run], means[run], empty[run])
        means = means.where(running[..., None, None], centers)
        running = (means - centers).square().sum((-2, -1)) > limit
        centers = means
    return centers


def _repair(x, means, empty, distances=torch.cdist):
    """Put the centers (R, K, D) that are empty, one by one, where x (N, D) is farthest from its nearest center."""
    for restart, cluster in empty.nonzero().tolist():
        used = means[restart][~empty[restart]]
        parts = x.split(max(1, CHUNK_NUMEL // len(used)))
        means[restart, cluster] = x[torch.cat([distances(part, used).amin(1) for part in parts]).argmax()]
        empty[restart, cluster] = False


def settle_by_differences(x, centers, *, max_iter, tol):
    """Settle one restart (K, D) on x (N, D) where products cannot tell its centers apart: slow, in float64."""
    limit, centers = tol * x.var(0, correction=0).double().mean(), centers.double()
    for _ in range(max_iter):
        sums, counts = 0, 0
        for part in _parts(x, len(centers)):
            label = exact_distances(part, centers).argmin(1)
            member = torch.nn.functional.one_hot(label, len(centers)).double()  # (n, K)
            sums, counts = sums + member.T @ part.double(), counts + member.sum(0)
        means = sums / counts.clamp_min(1).unsqueeze(1)
        _repair(x, means.unsqueeze(0), (counts == 0).unsqueeze(0), exact_distances)
        moved, centers = (means - centers).square().sum() > limit, means
        if not moved:
            break
    return centers


def _parts(x, n_clusters):
    """Split x (N, D) so that a part, and its distances to K centers, take a bounded memory."""
    return x.split(max(1, CHUNK_NUMEL // max(x.shape[1], n_clusters)))


def settle_by_bounds(x, centers, *, max_iter, tol):
    """Settle the restarts (R, K, D) of one run x (N, D), as many at once as fit the memory that the data need."""
    head = Head(x)
    size = max(1, CHUNK_NUMEL // len(x))  # labels
    if head.basis is not None:
        size = max(1, min(size, x.shape[1] // centers.shape[1]))  # products with the reference
    limit = tol * head.norms.mean() / x.shape[1]
    return torch.cat([_settle_together(head, group, limit, max_iter) for group in centers.split(size)])


def _settle_together(head, centers, limit, max_iter):
    found, running = centers.clone(), torch.arange(len(centers))
    clusters = Clusters(head, centers)
    for iteration in range(max_iter):
        if iteration > 0:
            clusters.move(centers)
        means = clusters.means()
        found[running] = means
        moving = (means - centers).square().sum((1, 2)) > limit
        if not moving.any():
            break
        if not moving.all():
            running, means = running[moving], means[moving]
            clusters.keep(moving)
        centers = means
    return found


class Head:
    """The data x (N, D), split into a few directions that hold most of their variance, and the rest's length.

    The product with a center is the product in the head, known exactly, and one in the tail, at most the product of
    the two tails' lengths.
    """

    def __init__(self, x):
        self.x = x
        self.norms = norms = torch.linalg.vector_norm(x, dim=1, keepdim=True).square()
        self.basis = _leading_directions(x) if x.shape[1] > 2 * HEAD else None
        head = x if self.basis is None else x @ self.basis
        self.tail = self._tail(norms, head)  # (N, 1)
        self.features = torch.cat([head, self.tail, torch.ones_like(norms)], 1)  # (N, d + 2)
        self.slack = 32 * torch.finfo(x.dtype).eps * norms.squeeze(1)

    def weights(self, shift, norms):
        """Return what the features are multiplied with, (A K, d + 2), for a lower bound of the scores; and the tail."""
        head = shift if self.basis is None else shift @ self.basis
        tail = self._tail(shift.square().sum(-1, keepdim=True), head)
        return torch.cat([-2 * head, -2 * tail, norms], -1).flatten(0, 1), tail.squeeze(-1)

    def _tail(self, norms, head):
        if self.basis is None:
            return torch.zeros_like(norms)
        rounding = 32 * torch.finfo(norms.dtype).eps
        return ((1 + rounding) * norms - head.square().sum(-1, keepdim=True)).clamp_min(0).sqrt()


def _leading_directions(x):
    """Return nearly the first principal directions of x (N, D), orthonormal, (D, d): any basis gives a valid bound."""
    sample = x[:: max(1, len(x) // 4096)]
    basis = sample[:: max(1, len(sample) // HEAD)][:HEAD].T
    for _ in range(3):
        basis = torch.linalg.qr(sample.T @ (sample @ basis)).Q
    return basis


class Clusters:
    """The clusters of A restarts: labels, sums and sizes, updated by the samples that change theirs."""

    def __init__(self, head, centers):
        self.head, self.x = head, head.x
        assigned = assign(self.x.unsqueeze(0), centers.unsqueeze(0), centers.new_zeros(1, 1, 1))
        self.label, self.sums, self.counts = (part.squeeze(0) for part in assigned)  # (A, N), (A, K, D), (A, K)
        self.reference, self.products = torch.zeros_like(centers), None  # -2 reference x^T, (A, K, N)
        self.in_vain = 0

    def keep(self, restarts):
        """Forget all but these restarts, a mask (A,)."""
        for name in ("label", "sums", "counts", "reference"):
            setattr(self, name, getattr(self, name)[restarts])
        if self.products is not None:
            self.products = self.products[restarts]

    def means(self):
        """Return the clusters' means (A, K, D)."""
        empty = self.counts == 0
        self.sums[empty] = 0  # not what rounding left
        means = (self.sums / self.counts.clamp_min(1).unsqueeze(-1)).to(self.x.dtype)
        _repair(self.x, means, empty)
        return means

    def move(self, centers):
        """Move each sample to the nearest of the centers (A, K, D)."""
        suspects = self._suspects(centers)
        for restart, suspect in enumerate(suspects):
            for index in suspect.nonzero().squeeze(1).split(min(1024, max(1, CACHE_NUMEL // self.x.shape[1]))):
                self.in_vain += len(index) - self._compare(index, restart, centers[restart])
        if self.head.basis is not None and self.in_vain > PATIENCE * suspects.numel():
            self.in_vain, self.reference = 0, centers
            self.products = (-2 * centers.flatten(0, 1) @ self.x.T).unflatten(0, centers.shape[:2])

    def _suspects(self, centers):
        """Return which samples may have a center nearer than their own, (A, N).

        With r the reference of a center c, a score ||c||^2 - 2 x.c is ||c||^2 - 2 x.r - 2 x.(c - r), whose last term is
        bounded by the head and the lengths of the tails: it suffices to compare the lowest value that another center's
        score can have with the highest of the own center's.
        """
        norms = centers.square().sum(-1, keepdim=True)
        weights, tail = self.head.weights(centers - self.reference, norms)
        slack = 32 * torch.finfo(norms.dtype).eps * norms.amax(1)  # (A, 1)
        suspects = torch.empty_like(self.label, dtype=torch.bool)
        step = max(1, CACHE_NUMEL // len(weights))
        for start in range(0, len(self.x), step):
            block = slice(start, start + step)
            label = self.label[:, block]
            lowest = self._lower_bounds(weights, block).unflatten(0, centers.shape[:2])  # (A, K, n)
            own = lowest.gather(1, label.unsqueeze(1)).squeeze(1)
            if self.head.basis is not None:
                own.addcmul_(tail.gather(1, label), self.head.tail[block, 0], value=4)
                own.add_(self.head.slack[block]).add_(slack)
                lowest.scatter_(1, label.unsqueeze(1), torch.inf)
            suspects[:, block] = lowest.amin(1) < own
        return suspects

    def _lower_bounds(self, weights, block):
        features = self.head.features[block].T
        if self.products is None:
            return weights @ features
        return torch.addmm(self.products[:, :, block].flatten(0, 1), weights, features)

    def _compare(self, index, restart, centers):
        """Compare these samples with all centers (K, D); return how many moved."""
        rows = self.x.index_select(0, index)
        score = torch.addmm(centers.square().sum(1, keepdim=True), centers, rows.T, alpha=-2)  # (K, m)
        label, old = score.min(0).indices, self.label[restart].index_select(0, index)
        moved = (label != old).nonzero().squeeze(1)
        rows, index, label, old = (part.index_select(0, moved) for part in (rows, index, label, old))
        # few at once, so that what their type rounds off stays small; the sums are float64
        change = torch.zeros_like(centers).index_add_(0, label, rows).index_add_(0, old, rows, alpha=-1)
        self.sums[restart] += change
        n_clusters = len(centers)
        self.counts[restart] += label.bincount(minlength=n_clusters) - old.bincount(minlength=n_clusters)
        self.label[restart].index_copy_(0, index, label)
        return len(index)
