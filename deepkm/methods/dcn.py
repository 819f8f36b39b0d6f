"""Deep clustering network (Yang, Fu, Sidiropoulos, Hong 2017)."""

from dataclasses import dataclass

import torch
from torch.nn import functional

from deepkm.methods.resets import Resetting
from deepkm.numerics.centers import nearest, squared_distances
from deepkm.values import NonNegative, Positive


@dataclass(kw_only=True, eq=False, repr=False)
class DCN(Resetting):
    """Deep clustering network: hard assignments, alternating gradient steps with running means of the clusters.

        L = mean_i ||x_hat_i - x_i||^2 + lambda mean_i ||z_i - r_s(i)||^2

    trains the autoencoder alone. After each step the batch is encoded anew, its samples move to their nearest centers,
    and each center takes in its n_k members:

        r_k <- (c_k r_k + sum of members) / (c_k + n_k),   c_k <- c_k + n_k

    This equals the paper's recursion c_k <- c_k + 1, r_k <- r_k - (r_k - z_i) / c_k over the members in any order.

    Parameters
    ----------
    clustering_weight : float
        lambda.
    initial_count : float
        c_k at the start: how many samples each k-means center stands for.

    `reset_interval`, `reset_keep`, `reset_draw` and `recluster` are those of `Resetting`, other parameters those of
    `DeepClustering`.

    Notes
    -----
    Differs from the paper: no factor 1/2 before lambda, as in the published comparisons; a batch's assignments are all
    made with the centers before the update; labels are read from the re-encoded data, not from the stored assignments.

    References
    ----------
    B. Yang, X. Fu, N. D. Sidiropoulos, M. Hong. Towards k-means-friendly spaces: simultaneous deep learning and
    clustering. ICML 2017, eqs. 5-8.
    """

    clustering_weight: NonNegative = 0.1  # lambda
    initial_count: Positive = 100.0
    recordable = True

    def init(self, z, run):
        super().init(z, run)
        run.state["assigned"] = nearest(z, run.centers)  # (S, N), by sample
        run.state["counts"] = z.new_full((len(z), self.n_clusters, 1), self.initial_count)

    def follow_centers(self, z, run):
        run.state["assigned"].copy_(nearest(z, run.centers))
        run.state["counts"].fill_(self.initial_count)  # else the new centers would hardly move again

    def loss(self, batch, run):
        center = pick(run.centers, run.state["assigned"].gather(1, batch.index))  # (S, B, D)
        clustering = batch.log(clustering=(batch.z - center).square().sum(-1).mean(-1))  # (S,)
        return batch.reconstruction + self.clustering_weight * clustering

    def after_step(self, batch, run):
        z = run.autoencoder.encode(batch.clean.x)  # batch.z is older than the step
        assigned = squared_distances(z, run.centers).argmin(-1)  # (S, B)
        run.state["assigned"].scatter_(1, batch.index, assigned)
        member = functional.one_hot(assigned, self.n_clusters).to(z)  # (S, B, K)
        counts, added = run.state["counts"], member.sum(1).unsqueeze(-1)  # (S, K, 1)
        run.centers = (counts * run.centers + member.mT @ z) / (counts + added)
        counts += added


def pick(centers, label):
    """Return the center of each label, (S, B, D)."""
    return centers[torch.arange(len(centers), device=centers.device).unsqueeze(1), label]
