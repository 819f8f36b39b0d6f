"""Deep k-means (Moradi Fard, Thonet, Gaussier 2020)."""

import math
from dataclasses import dataclass
from typing import Literal

from deepkm.methods.balance import imbalance
from deepkm.methods.resets import Resetting
from deepkm.numerics.centers import softmin, squared_distances
from deepkm.values import NonNegative, Positive, PositiveInt


@dataclass(kw_only=True, eq=False, repr=False)
class DKM(Resetting):
    """Deep k-means: a softmax relaxation of k-means, trained jointly with the autoencoder and the centers.

        L = mean_i ||x_hat_i - x_i||^2 + lambda mean_i sum_k G_ik d_ik,
        d_ik = ||z_i - r_k||^2,   G_ik = exp(-alpha d_ik) / sum_j exp(-alpha d_ij)

    Gradients flow through d and G, into the autoencoder and the centers.

    Parameters
    ----------
    alpha : float
        Inverse temperature; at the default the memberships are hard but for near ties. The first one, if they are
        several.
    n_alphas : int
        How many inverse temperatures the epochs go through, alpha_n = alpha_(n-1) 2^(1/(ln n)^2): 1 holds alpha
        constant, and 40 from alpha 0.1 is the paper's annealing, in 5 epochs each of 200. Fewer epochs sweep the
        same range.
    clustering_weight : float
        lambda.
    reinit : bool or "fresh"
        Replace the centers after each epoch by k-means started from them (the ablation `dkm_reinit` of Roy 2024), or by
        a "fresh" one, whose clusters are numbered as those before. Adam's moments of the centers are kept.
    balance : float
        beta: added to the loss is beta times the `imbalance` of the batch's memberships. At alpha 1000 these are
        one-hot, and it acts on ties alone.
    initial_centers : str
        As in `DeepClustering`; "uniform" for training from scratch.

    `reset_interval`, `reset_keep`, `reset_draw` and `recluster` are those of `Resetting`, other parameters those of
    `DeepClustering`.

    Notes
    -----
    Differs from the paper's implementation: labels are read from the re-encoded data, not from a buffer of the batches
    seen; each epoch visits every sample once instead of drawing independent batches; fine-tuning starts with a new
    Adam, where that one goes on with pretraining's (``warm_start="moments"``). The printed schedule divides by ln(1);
    the one here starts at n = 2, as the paper's implementation does.

    References
    ----------
    M. Moradi Fard, T. Thonet, E. Gaussier. Deep k-means. Pattern Recognition Letters 138, 2020, eqs. 1-4.
    D. Roy. An approach towards learning k-means-friendly deep latent representation. arXiv 2411.19496, 2024.
    """

    alpha: Positive = 1000.0
    n_alphas: PositiveInt = 1
    clustering_weight: NonNegative = 1.0  # lambda
    reinit: bool | Literal["fresh"] = False
    balance: NonNegative = 0.0  # beta
    recordable = True
    centers_stream = "centers"

    def init(self, z, run):
        super().init(z, run)
        run.centers.requires_grad_()

    @property
    def needs_code(self):
        return bool(self.reinit)

    def before_epoch(self, z, run):
        self.recenter(self.reinit, z, run)

    def loss(self, batch, run):
        distance = squared_distances(batch.z, run.centers)  # (S, B, K)
        membership = softmin(distance, self.alpha_at(run.epoch))
        clustering = batch.log(clustering=(membership * distance).sum(-1).mean(-1))  # (S,)
        value = batch.reconstruction + self.clustering_weight * clustering
        if self.balance:
            value = value + self.balance * batch.log(imbalance=imbalance(membership))
        return value

    def membership(self, z, index, run):
        return softmin(squared_distances(z, run.centers), self.alpha_at(max(0, run.epoch - 1)))

    def alpha_at(self, epoch):
        """Return the inverse temperature of an epoch, counted from 0."""
        epochs = max(1, self.epochs)  # without any, snapshots ask for the first
        values = min(self.n_alphas, epochs)  # fewer epochs than alphas skip some in between
        place = epoch * values // epochs * (self.n_alphas - 1) // max(1, values - 1)
        return alpha_schedule(self.alpha, self.n_alphas)[place]


def alpha_schedule(first, count):
    """Return `count` growing inverse temperatures from `first` on.

    Examples
    --------
    >>> [round(alpha, 4) for alpha in alpha_schedule(0.1, 40)][::13]
    [0.1, 5.0225, 13.5663, 28.1326]
    """
    values = [first]
    for n in range(2, count + 1):
        values.append(values[-1] * 2 ** (1 / math.log(n) ** 2))
    return values
