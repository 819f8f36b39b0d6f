"""Hard deep k-means with a convolutional autoencoder and a growing weight (Kim 2021)."""

from dataclasses import dataclass
from typing import Annotated

from deepkm.methods.base import DeepClustering
from deepkm.numerics.centers import squared_distances
from deepkm.values import AutoencoderKind, InitialCenters, NonNegative, NonNegativeInt, PositiveInt


@dataclass(kw_only=True, eq=False, repr=False)
class ConvDKM(DeepClustering):
    """Hard deep k-means, trained from scratch while the weight of the clustering grows.

        L = mean_i ||x_hat_i - x_i||^2 / F + lambda(e) mean_i min_k ||z_i - r_k||^2 / D,
        lambda(e) = lambda clip(e - T1, 1, T2 - T1) / (T2 - T1)   at epoch e = 0, 1, ...

    Both terms are means over features, so lambda here is F/D times smaller than where they are sums. Gradients reach
    the autoencoder and the nearest centers.

    Parameters
    ----------
    clustering_weight : float
        lambda, reached at epoch T2.
    anneal_start, anneal_end : int
        T1 and T2: lambda grows linearly in between.
    initial_centers : str
        As in `DeepClustering`. "unit", uniform in [0, 1), since codes through ReLU are not negative.
    autoencoder : {"mlp", "conv", "conv_sigmoid", "conv_dcec", None}
        "conv_sigmoid" is the original's, for images scaled to [0, 1].

    Other parameters are those of `DeepClustering`.

    Notes
    -----
    There is no paper. Differs from the code it is known by: all samples are clustered and none held out; the last
    epoch's weights are read out, not those of the lowest training loss; weights are Glorot-uniform.

    A center that is nobody's nearest gets no gradient and stays where it was drawn: fewer than K clusters may be used.

    References
    ----------
    Y. Kim. DeepkMeans. Source code, github.com/kimy-de/DeepkMeans, 2021.
    """

    epochs: NonNegativeInt = 300
    batch_size: PositiveInt = 128
    clustering_weight: NonNegative = 1e-3  # lambda
    anneal_start: NonNegativeInt = 50  # T1
    anneal_end: Annotated[int, "> anneal_start"] = 200  # T2
    initial_centers: InitialCenters = "unit"
    autoencoder: AutoencoderKind | None = "conv_sigmoid"
    pretraining_epochs: NonNegativeInt = 0
    recordable = True
    reconstruction = "mean"
    centers_stream = "centers"

    def weight(self, epoch):
        """Return lambda(e) of an epoch, counted from 0."""
        length = self.anneal_end - self.anneal_start
        return self.clustering_weight * min(max(epoch - self.anneal_start, 1), length) / length

    def init(self, z, run):
        super().init(z, run)
        run.centers.requires_grad_()

    def loss(self, batch, run):
        n_features, n_latent = batch.x.shape[-1], batch.z.shape[-1]
        closest = squared_distances(batch.z, run.centers).min(-1).values  # (S, B): a tie moves the first center alone
        clustering = batch.log(clustering=closest.mean(-1) / n_latent)  # (S,)
        return batch.reconstruction / n_features + self.weight(run.epoch) * clustering
