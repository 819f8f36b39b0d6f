"""Improved deep embedded clustering (Guo, Gao, Liu, Yin 2017)."""

from dataclasses import dataclass
from typing import Literal

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
from deepkm.values import NonNegative, Positive, PositiveInt, Share


@dataclass(kw_only=True, eq=False, repr=False)
class IDEC(Resetting):
    """Improved deep embedded clustering: `DEC` with the reconstruction kept, so that the code keeps its structure.

        L = mean_i ||x_hat_i - x_i||^2 + gamma w v mean_i sum_k p_ik log(p_ik / q_ik)

    with p, q and v of `DEC`, and w = F (the number of features) or 1.

    Parameters
    ----------
    clustering_weight : float
        gamma.
    loss_scale : {"keras", "sum"}
        "keras": gamma belongs to a squared error averaged over the F features, as published; here it is summed, so that
        w = F. "sum": w = 1.
    relative_weights : bool
        Whether gamma and alpha count relative to the data's scale, so that they mean on any data what they mean on the
        published ones, whose v is about 1. SGD then follows L / (w v), which takes the published learning rate. False:
        v = 1, whatever the data, and SGD follows L, for which with "keras" the published learning rate must be divided
        by F. Adam is the same either way.
    alpha, update_interval, tol
        As in `DEC`.
    balance : float
        beta: added to the loss is beta w v times the `imbalance` of the batch's memberships q.

    `reset_interval`, `reset_keep`, `reset_draw` and `recluster` are those of `Resetting`, other parameters those of
    `DeepClustering`.

    Notes
    -----
    Differs from the paper: as `DEC`, and the squared error is summed over features (see `loss_scale`).

    References
    ----------
    X. Guo, L. Gao, X. Liu, J. Yin. Improved deep embedded clustering with local structure preservation. IJCAI 2017,
    eqs. 1-6.
    """

    n_init: PositiveInt = 20
    alpha: Positive = 1.0
    relative_weights: bool = True
    update_interval: PositiveInt = 30
    tol: Share = 0.001
    balance: NonNegative = 0.0  # beta
    clustering_weight: NonNegative = 0.1  # gamma
    loss_scale: Literal["keras", "sum"] = "keras"
    recordable = "loss"

    def init(self, z, run):
        super().init(z, run)
        start_target(self, z, run)

    def follow_centers(self, z, run):
        refresh_target(self, z, run)

    def start_epoch(self, run):
        super().start_epoch(run)
        take_relative_steps(self, run)

    def loss(self, batch, run):
        weight = batch.x.shape[-1] if self.loss_scale == "keras" else 1
        if self.relative_weights:
            weight = weight * run.state["mean_square"]
        clustering = batch.log(clustering=divergence(self, batch, run))  # (S,)
        value = batch.reconstruction + self.clustering_weight * weight * clustering
        if self.balance:
            value = value + self.balance * weight * batch.log(imbalance=unevenness(self, batch, run))
        # Not for Adam, which ignores a loss's scale: the moments that it may start with are those of the summed error.
        return value / weight if self.relative_weights and self.optimizer == "sgd" else value

    def after_step(self, batch, run):
        refresh_now_and_then(self, batch, run)

    def membership(self, z, index, run):
        return memberships(self, z, run)
