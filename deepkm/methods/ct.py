"""The centering loss with center re-initialisation (Roy 2024)."""

from dataclasses import dataclass

from deepkm.methods.base import DeepClustering
from deepkm.methods.values import NonNegative, Positive
from deepkm.numerics.centers import inverse_power, squared_distances
from deepkm.numerics.kmeans import warm_kmeans


@dataclass(kw_only=True, eq=False, repr=False)
class CT(DeepClustering):
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
    reinit : bool
        False is the ablation `ct_no_reinit`: the centers are trained by gradient and never re-initialised.

    Other parameters are those of `DeepClustering`.

    Notes
    -----
    Differs from the paper: the term is averaged over clusters, so that the effective weight is lambda/K. Summed over
    clusters, the paper's lambda destroys the clustering in the first epoch; averaged, its tables come out.

    References
    ----------
    D. Roy. An approach towards learning k-means-friendly deep latent representation. arXiv 2411.19496, 2024,
    eqs. 10-11.
    """

    alpha: Positive = 3.0
    clustering_weight: NonNegative = 10.0  # lambda
    reinit: bool = True
    recordable = True

    def init(self, z, run):
        super().init(z, run)
        run.centers.requires_grad_(not self.reinit)

    def before_epoch(self, z, run):
        if self.reinit:
            run.centers = warm_kmeans(z, run.centers)

    def loss(self, batch, run):
        distance = squared_distances(batch.z, run.centers)  # (S, B, K)
        membership = inverse_power(distance, self.alpha)
        clustering = batch.log(clustering=(membership * distance).mean((-2, -1)))  # (S,)
        return batch.reconstruction + self.clustering_weight * clustering

    def membership(self, z, index, run):
        return inverse_power(squared_distances(z, run.centers), self.alpha)
