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
    unevenness,
)
from deepkm.methods.values import NonNegative, Positive, PositiveInt


@dataclass(kw_only=True, eq=False, repr=False)
class IDEC(Resetting):
    """Improved deep embedded clustering: `DEC` with the reconstruction kept, so that the code keeps its structure.

        L = mean_i ||x_hat_i - x_i||^2 + gamma w mean_i sum_k p_ik log(p_ik / q_ik)

    with p and q of `DEC`, and w = F (the number of features) or 1.

    Parameters
    ----------
    clustering_weight : float
        gamma.
    loss_scale : {"keras", "sum"}
        "keras": gamma belongs to a squared error averaged over the F features, as published; here it is summed, so that
        w = F. All of L is then F times the published loss: the same for Adam, while SGD needs the published learning
        rate divided by F. "sum": w = 1.
    alpha, update_interval, tol
        As in `DEC`.
    balance : float
        beta: added to the loss is beta w times the `imbalance` of the batch's memberships q.

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
    update_interval: PositiveInt = 30
    tol: NonNegative = 0.001
    balance: NonNegative = 0.0  # beta
    clustering_weight: NonNegative = 0.1  # gamma
    loss_scale: Literal["keras", "sum"] = "keras"

    def init(self, z, run):
        super().init(z, run)
        start_target(self, z, run)

    def follow_centers(self, z, run):
        refresh_target(self, z, run)

    def loss(self, batch, run):
        clustering = batch.log(clustering=divergence(batch, run, self.alpha))  # (S,)
        scale = batch.x.shape[-1] if self.loss_scale == "keras" else 1
        value = batch.reconstruction + self.clustering_weight * scale * clustering
        if self.balance:
            value = value + self.balance * scale * batch.log(imbalance=unevenness(batch, run, self.alpha))
        return value

    def after_step(self, batch, run):
        refresh_now_and_then(self, batch, run)

    def membership(self, z, index, run):
        return memberships(z, run.centers, self.alpha)
