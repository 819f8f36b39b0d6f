"""Deep power k-means (Bagchi 2022, after Xu & Lange 2019)."""

from dataclasses import dataclass

from deepkm.methods.base import DeepClustering
from deepkm.numerics.centers import inverse_power, log_power_mean, squared_distances
from deepkm.values import AtLeastOne, InitialCenters, Negative, NonNegative, NonNegativeInt, PositiveInt


@dataclass(kw_only=True, eq=False, repr=False)
class DeepPowerKMeans(DeepClustering):
    """Deep power k-means: the power mean of the distances, trained jointly with the autoencoder and the centers.

        L = mean_i ||x_hat_i - x_i||^2 + lambda mean_i M_s(d_i1, ..., d_iK) + mu ||decoder||^2,
        M_s(d) = ((1/K) sum_k d_k^s)^(1/s),   d_ik = ||z_i - r_k||^2

    s falls in steps, s_j = s_0 eta^j, from a loss that involves all centers to that of k-means. Each center's pull,
    dM_s/dd_k = (1/K) (d_k / M_s)^(s - 1), is never negative. The decay of the decoder's weights and biases keeps the
    code from shrinking while the decoder grows.

    Parameters
    ----------
    exponent : float
        s_0.
    exponent_growth : float
        eta.
    n_exponents : int
        Steps j = 0, 1, ..., spread evenly over the epochs; with fewer epochs some are left out.
    clustering_weight : float
        lambda.
    decoder_decay : float
        mu.
    initial_centers : str
        As in `DeepClustering`; uniform on [-1, 1] as in the original.

    Other parameters are those of `DeepClustering`.

    Notes
    -----
    Differs from the original implementation: batches are shuffled and the last short one is kept; the weights start
    Glorot-uniform; M_s is taken in logarithms instead of patching its overflows. It was published without a paper or
    results. With its values, which are the defaults here, the code shrinks until all samples share one center; a
    lower `clustering_weight` (0.1) and centers from ``"kmeans++"`` avoid it.

    References
    ----------
    A. Bagchi. Deep power k-means. https://github.com/miccooper9/Deep-Power-K-means, 2022.
    J. Xu, K. Lange. Power k-means clustering. ICML 2019.
    """

    epochs: NonNegativeInt = 200
    batch_size: PositiveInt = 250
    pretraining_epochs: NonNegativeInt = 0
    exponent: Negative = -3.0  # s_0
    exponent_growth: AtLeastOne = 1.5  # eta
    n_exponents: PositiveInt = 20
    clustering_weight: NonNegative = 10.0  # lambda
    decoder_decay: NonNegative = 0.01  # mu
    initial_centers: InitialCenters = "uniform"
    recordable = True

    def init(self, z, run):
        super().init(z, run)
        run.centers.requires_grad_()

    def loss(self, batch, run):
        distance = squared_distances(batch.z, run.centers)  # (S, B, K)
        mean = log_power_mean(distance, self.exponent_at(run.epoch)).exp()  # (S, B)
        clustering = batch.log(clustering=mean.mean(-1))  # (S,)
        decay = batch.log(decay=_squared_norm(run.autoencoder, "decoder", like=clustering))
        return batch.reconstruction + self.clustering_weight * clustering + self.decoder_decay * decay

    def membership(self, z, index, run):
        """Return each center's share of the pull on a sample: proportional to d_k^(s - 1)."""
        return inverse_power(squared_distances(z, run.centers), 1 - self.exponent_at(max(0, run.epoch - 1)))

    def exponent_at(self, epoch):
        """Return s of an epoch, counted from 0."""
        return self.exponent * self.exponent_growth ** (epoch * self.n_exponents // max(1, self.epochs))


def _squared_norm(autoencoder, part, *, like):
    """Return the sum of squares of one part's weights and biases, (S,): zero without an autoencoder."""
    tensors = [tensor for name, tensor in autoencoder.named_parameters() if name.startswith(part)]
    return sum((tensor.square().flatten(1).sum(1) for tensor in tensors), start=like.new_zeros(like.shape))
