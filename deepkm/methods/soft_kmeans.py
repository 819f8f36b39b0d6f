"""Soft k-means in input space by stochastic gradient descent (Chen 2020)."""

from dataclasses import dataclass

import torch

from deepkm.methods.base import DeepClustering
from deepkm.numerics.centers import expanded_distances, softmin
from deepkm.values import AutoencoderKind, InitialCenters, NonNegativeInt, OptimizerName, Positive


@dataclass(kw_only=True, eq=False, repr=False)
class SoftKMeans(DeepClustering):
    """Soft k-means: the clustering term of DKM alone, on the data; SGD moves the centers and nothing else.

        L = mean_i sum_k w_ik d_ik,   d_ik = ||x_i - r_k||^2,   w_ik = exp(-alpha d_ik) / sum_j exp(-alpha d_ij)

    Its gradient, dL_i/dd_ik = w_ik (1 - alpha (d_ik - L_i)), is negative for a center farther than L_i + 1/alpha: such
    a center is pushed away. At the default the memberships of high-dimensional data are all but hard, and the start
    decides.

    Parameters
    ----------
    alpha : float
        Inverse temperature, in units of 1/distance^2: it depends on the scale of the data.
    initial_centers : str
        As in `DeepClustering`. "uniform" and "normal" show how centers far from the data die: one takes all samples.
    autoencoder : {"mlp", "conv", "conv_sigmoid", "conv_dcec", None}
        None: input space. With an autoencoder its pretrained code is clustered and stays as it is.

    Other parameters are those of `DeepClustering`.

    Notes
    -----
    Differs from the report: the memberships are a softmax, which cannot be 0/0; the report's exponentials underflow for
    all centers at once, hence its NaN losses. Learning rate, batch size, epochs and start, which it does not state, are
    ours.

    References
    ----------
    Z. Chen. Project 1, CIS 5525, course report, 2020.
    M. Moradi Fard, T. Thonet, E. Gaussier. Deep k-means. Pattern Recognition Letters 138, 2020.
    """

    epochs: NonNegativeInt = 40
    optimizer: OptimizerName = "sgd"
    learning_rate: Positive = 0.05
    autoencoder: AutoencoderKind | None = None
    alpha: Positive = 10.0
    initial_centers: InitialCenters = "kmeans++"

    def init(self, z, run):
        super().init(z, run)
        run.centers.requires_grad_()

    def loss(self, batch, run):
        with torch.no_grad():
            z = batch.z  # only the centers are trained
        distance = expanded_distances(z, run.centers)  # (S, B, K)
        membership = softmin(distance, self.alpha)
        return batch.log(clustering=(membership * distance).sum(-1).mean(-1))  # (S,)

    def membership(self, z, index, run):
        return softmin(expanded_distances(z, run.centers), self.alpha)
