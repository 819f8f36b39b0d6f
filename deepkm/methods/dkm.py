"""Deep k-means (Moradi Fard, Thonet, Gaussier 2020)."""

from dataclasses import dataclass

from deepkm.base import DeepClustering, NonNegative, Positive
from deepkm.centers import softmin, squared_distances, warm_kmeans


@dataclass(kw_only=True, eq=False, repr=False)
class DKM(DeepClustering):
    """Deep k-means: a softmax relaxation of k-means, trained jointly with the autoencoder and the centers.

        L = mean_i ||x_hat_i - x_i||^2 + lambda mean_i sum_k G_ik d_ik,
        d_ik = ||z_i - r_k||^2,   G_ik = exp(-alpha d_ik) / sum_j exp(-alpha d_ij)

    Gradients flow through d and G, into the autoencoder and the centers.

    Parameters
    ----------
    alpha : float
        Inverse temperature; at the default the memberships are hard but for near ties.
    clustering_weight : float
        lambda.
    reinit : bool
        Replace the centers after each epoch by k-means started from them (the ablation `dkm_reinit` of Roy 2024).
        Adam's moments of the centers are kept.

    Other parameters are those of `DeepClustering`.

    Notes
    -----
    Differs from the paper's code: labels are read from the re-encoded data, not from a buffer of the batches seen; each
    epoch visits every sample once instead of drawing independent batches; fine-tuning starts with a new Adam.

    References
    ----------
    M. Moradi Fard, T. Thonet, E. Gaussier. Deep k-means. Pattern Recognition Letters 138, 2020, eqs. 1-4.
    D. Roy. An approach towards learning k-means-friendly deep latent representation. arXiv 2411.19496, 2024.
    """

    alpha: Positive = 1000.0
    clustering_weight: NonNegative = 1.0  # lambda
    reinit: bool = False

    def init(self, z, run):
        super().init(z, run)
        run.centers.requires_grad_()

    def before_epoch(self, z, run):
        if self.reinit:
            run.centers = warm_kmeans(z, run.centers)

    def loss(self, batch, run):
        distance = squared_distances(batch.z, run.centers)  # (S, B, K)
        membership = softmin(distance, self.alpha)
        clustering = batch.log(clustering=(membership * distance).sum(-1).mean(-1))  # (S,)
        return batch.reconstruction + self.clustering_weight * clustering
