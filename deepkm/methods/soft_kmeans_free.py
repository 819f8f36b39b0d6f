"""Soft k-means with free weights in input space (Chen 2020)."""

from dataclasses import dataclass

import torch

from deepkm.methods.base import DeepClustering
from deepkm.numerics.centers import expanded_distances, nearest
from deepkm.values import AutoencoderKind, InitialCenters, NonNegativeInt, OptimizerName, Positive


@dataclass(kw_only=True, eq=False, repr=False)
class SoftKMeansFree(DeepClustering):
    """Soft k-means whose weights are variables of their own, found by gradient descent like the centers.

        L = mean_i sum_k w_ik d_ik,   d_ik = ||x_i - r_k||^2,   w_i = softmax(a_i)

    SGD on L moves the centers. Each sample of the batch then takes one gradient step on its own logits, at rate eta_w,
    with the centers just reached:

        a_ik <- a_ik - eta_w w_ik (d_ik - sum_j w_ij d_ij)

    L is linear in w, so that each w_i drifts to its nearest center. From an uninformed start that is the same center
    for almost all samples; the others, left without weight, stop moving.

    Parameters
    ----------
    learning_rate : float
        Of the centers.
    weight_learning_rate : float
        eta_w, per sample: not divided by the batch size, since an epoch visits each sample once.
    initial_centers : str
        As in `DeepClustering`.
    informed_weights : bool
        Start from a_ik = -d_ik / median(d). False starts from equal weights; together with ``initial_centers="normal"``
        it shows the collapse.
    autoencoder : {"mlp", "conv", "conv_sigmoid", "conv_dcec", None}
        None: input space. With an autoencoder its pretrained code is clustered and stays as it is.

    Other parameters are those of `DeepClustering`.

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,)
        The largest weight of each sample. `predict`, which knows no weights of new data, takes the nearest center.

    Notes
    -----
    Differs from the report: it leaves open how the weights are constrained, how fast they move and where they start; by
    its description they started uninformed, and all samples ended in one cluster.

    References
    ----------
    Z. Chen. Project 1, CIS 5525, course report, 2020.
    """

    epochs: NonNegativeInt = 40
    optimizer: OptimizerName = "sgd"
    learning_rate: Positive = 0.01
    autoencoder: AutoencoderKind | None = None
    weight_learning_rate: Positive = 1.0  # eta_w
    initial_centers: InitialCenters = "kmeans++"
    informed_weights: bool = True

    def init(self, z, run):
        super().init(z, run)
        distance = expanded_distances(z, run.centers)  # (S, N, K)
        median = distance.flatten(1).median(1).values.clamp_min(1e-12).view(-1, 1, 1)
        run.state["logits"] = -distance / median if self.informed_weights else torch.zeros_like(distance)
        run.centers.requires_grad_()

    def loss(self, batch, run):
        weight, distance = _weights_and_distances(batch, run)
        return batch.log(clustering=(weight * distance).sum(-1).mean(-1))  # (S,)

    def after_step(self, batch, run):
        weight, distance = _weights_and_distances(batch.clean, run)  # a sample's own, whatever view was trained on
        gradient = weight * (distance - (weight * distance).sum(-1, keepdim=True))  # of a sample's own loss
        run.state["logits"].scatter_add_(1, _per_center(batch, run), -self.weight_learning_rate * gradient)

    def assign(self, z, run):
        """Return the center of largest weight of each training sample, (S, N)."""
        return run.state["logits"].argmax(-1)

    def membership(self, z, index, run):
        return torch.softmax(run.state["logits"][:, index], dim=-1)

    def assign_new(self, z, run):
        """Return the nearest center of each sample, (S, N): there are no weights of new ones."""
        return nearest(z, run.centers)


def _weights_and_distances(batch, run):
    """Return w and d of a batch, both (S, B, K)."""
    with torch.no_grad():
        z = batch.z  # only the centers and the weights are trained
    weight = torch.softmax(run.state["logits"].gather(1, _per_center(batch, run)), dim=-1)
    return weight, expanded_distances(z, run.centers)


def _per_center(batch, run):
    """Return the batch's sample indices, (S, B), repeated for each of the K centers."""
    return batch.index.unsqueeze(-1).expand(-1, -1, run.centers.shape[1])
