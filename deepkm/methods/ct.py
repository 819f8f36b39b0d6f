"""The centering loss with center re-initialisation (Roy 2024)."""

from dataclasses import dataclass
from typing import Literal

from deepkm.methods.balance import imbalance
from deepkm.methods.resets import Resetting
from deepkm.numerics.centers import inverse_power, squared_distances
from deepkm.values import NonNegative, Positive


@dataclass(kw_only=True, eq=False, repr=False)
class CT(Resetting):
    """Centering loss: scale-free memberships, and centers taken from k-means after each epoch.

        L = mean_i ||x_hat_i - x_i||^2 + lambda mean_i (1/K) sum_k G_ik d_ik,
        d_ik = ||z_i - r_k||^2,   G_ik = d_ik^-alpha / sum_j d_ij^-alpha

    Within an epoch the centers are constant; after it, k-means started from them gives the next ones, so that labels
    keep their meaning.

    Parameters
    ----------
    alpha : float
        Exponent of the memberships.
    clustering_weight : float
        lambda.
    over_clusters : {"mean", "sum"}
        Whether the term has the factor 1/K. "sum" is the printed equation: a weight K times as large.
    reinit : bool or "fresh"
        "fresh": each k-means starts anew, by k-means++ and `n_init` restarts, and its clusters are numbered as those
        before. False is the ablation `ct_no_reinit`: the centers are trained by gradient and never re-initialised.
    balance : float
        beta: added to the loss is beta times the `imbalance` of the batch's memberships.

    `reset_interval`, `reset_keep`, `reset_draw` and `recluster` are those of `Resetting`, other parameters those of
    `DeepClustering`.

    Notes
    -----
    Differs from the paper: the term is averaged over clusters, so that the effective weight is lambda/K. Summed over
    clusters, the paper's lambda destroys the clustering in the first epoch; averaged, its tables come out. The centers
    are constant within an epoch, where the paper minimises over them too; Adam in place of SGD; k-means starts from the
    last centers, and an empty cluster takes the sample that is farthest from its own center.

    References
    ----------
    D. Roy. An approach towards learning k-means-friendly deep latent representation. arXiv 2411.19496, 2024,
    eqs. 10-11.
    """

    alpha: Positive = 3.0
    clustering_weight: NonNegative = 10.0  # lambda
    over_clusters: Literal["mean", "sum"] = "mean"
    reinit: bool | Literal["fresh"] = True
    balance: NonNegative = 0.0  # beta
    recordable = True

    def init(self, z, run):
        super().init(z, run)
        run.centers.requires_grad_(not self.reinit)

    @property
    def needs_code(self):
        return bool(self.reinit)

    def before_epoch(self, z, run):
        self.recenter(self.reinit, z, run)

    def loss(self, batch, run):
        distance = squared_distances(batch.z, run.centers)  # (S, B, K)
        membership = inverse_power(distance, self.alpha)
        weighted = membership * distance
        term = weighted.mean((-2, -1)) if self.over_clusters == "mean" else weighted.sum(-1).mean(-1)
        clustering = batch.log(clustering=term)  # (S,)
        value = batch.reconstruction + self.clustering_weight * clustering
        if self.balance:
            value = value + self.balance * batch.log(imbalance=imbalance(membership))
        return value

    def membership(self, z, index, run):
        return inverse_power(squared_distances(z, run.centers), self.alpha)
