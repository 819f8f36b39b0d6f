"""Deep embedded clustering (Xie, Girshick, Farhadi 2016)."""

from dataclasses import dataclass

from deepkm.methods.resets import Resetting
from deepkm.methods.self_training import (
    divergence,
    memberships,
    refresh_now_and_then,
    refresh_target,
    start_target,
    take_relative_steps,
    unevenness,
)
from deepkm.values import Fraction, NonNegative, OptimizerName, Positive, PositiveInt, Share


@dataclass(kw_only=True, eq=False, repr=False)
class DEC(Resetting):
    """Deep embedded clustering: the encoder and the centers learn from their own confident memberships.

        L = mean_i sum_k p_ik log(p_ik / q_ik),
        q_ik = (1 + d_ik/alpha)^(-(alpha+1)/2) / sum_j (...),   d_ik = ||z_i - r_k||^2 / v,
        p_ik = (q_ik^2 / f_k) / sum_j (q_ij^2 / f_j),   f_k = sum_i q_ik over the whole data set

    with v the mean of x^2 over all samples and features. The target p is constant between refreshes, every
    `update_interval` steps. The decoder is not used. Labels are the largest q, which is the nearest center.

    Parameters
    ----------
    alpha : float
        Degrees of freedom of Student's t.
    relative_weights : bool
        Whether alpha, and the steps of SGD, count relative to the data's scale, so that they mean on any data what they
        mean on the published ones, whose v is about 1. False: v = 1, whatever the data.
    update_interval : int
        Steps between two refreshes of the target.
    tol : float
        A run stops at a refresh that finds less than this fraction of labels changed since the one before. 0: never.
    balance : float
        beta: added to the loss is beta times the `imbalance` of the batch's memberships q.

    `reset_interval`, `reset_keep`, `reset_draw` and `recluster` are those of `Resetting`, other parameters those of
    `DeepClustering`.

    Notes
    -----
    Differs from the paper: the autoencoder is that of the other methods, pretrained by Adam without layer-wise
    denoising; each epoch visits every sample once; `epochs` bounds the training, where the paper's implementation
    counts steps. A run that stopped keeps its weights and centers to the last epoch; its history tells when it stopped.

    References
    ----------
    J. Xie, R. Girshick, A. Farhadi. Unsupervised deep embedding for clustering analysis. ICML 2016, eqs. 1-5.
    """

    optimizer: OptimizerName = "sgd"
    learning_rate: Positive = 0.01
    momentum: Fraction = 0.9
    n_init: PositiveInt = 20
    alpha: Positive = 1.0
    relative_weights: bool = True
    update_interval: PositiveInt = 30
    tol: Share = 0.001
    balance: NonNegative = 0.0  # beta
    recordable = "loss"
    reconstruction = "none"

    def init(self, z, run):
        super().init(z, run)
        start_target(self, z, run)

    def follow_centers(self, z, run):
        refresh_target(self, z, run)

    def start_epoch(self, run):
        super().start_epoch(run)
        take_relative_steps(self, run)

    def loss(self, batch, run):
        value = batch.log(clustering=divergence(self, batch, run))
        if self.balance:
            value = value + self.balance * batch.log(imbalance=unevenness(self, batch, run))
        return value

    def after_step(self, batch, run):
        refresh_now_and_then(self, batch, run)

    def membership(self, z, index, run):
        return memberships(self, z, run)
