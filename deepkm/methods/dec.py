"""Deep embedded clustering (Xie, Girshick, Farhadi 2016)."""

import math
from dataclasses import dataclass

import torch

from deepkm.methods.balance import imbalance
from deepkm.methods.resets import Resetting
from deepkm.methods.values import NonNegative, OptimizerName, Positive, PositiveInt
from deepkm.numerics.centers import log_student_t, nearest, squared_distances, student_t
from deepkm.numerics.memory import CHUNK_NUMEL


@dataclass(kw_only=True, eq=False, repr=False)
class DEC(Resetting):
    """Deep embedded clustering: the encoder and the centers learn from their own confident memberships.

        L = mean_i sum_k p_ik log(p_ik / q_ik),
        q_ik = (1 + d_ik/alpha)^(-(alpha+1)/2) / sum_j (...),   d_ik = ||z_i - r_k||^2,
        p_ik = (q_ik^2 / f_k) / sum_j (q_ij^2 / f_j),   f_k = sum_i q_ik over the whole data set

    The target p is constant between refreshes, every `update_interval` steps. The decoder is not used. Labels are the
    largest q, which is the nearest center.

    Parameters
    ----------
    alpha : float
        Degrees of freedom of Student's t.
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
    momentum: NonNegative = 0.9
    n_init: PositiveInt = 20
    alpha: Positive = 1.0
    update_interval: PositiveInt = 30
    tol: NonNegative = 0.001
    balance: NonNegative = 0.0  # beta
    reconstruction = "none"

    def init(self, z, run):
        super().init(z, run)
        start_target(self, z, run)

    def follow_centers(self, z, run):
        refresh_target(self, z, run)

    def loss(self, batch, run):
        value = batch.log(clustering=divergence(batch, run, self.alpha))
        if self.balance:
            value = value + self.balance * batch.log(imbalance=unevenness(batch, run, self.alpha))
        return value

    def after_step(self, batch, run):
        refresh_now_and_then(self, batch, run)

    def membership(self, z, index, run):
        return memberships(z, run.centers, self.alpha)


def target_distribution(q):
    """Return p for memberships q, both (S, N, K): q sharpened, and divided by each cluster's size."""
    weight = q.square() / q.sum(1, keepdim=True).clamp_min(torch.finfo(q.dtype).tiny)
    return weight / weight.sum(-1, keepdim=True)


def memberships(z, centers, alpha):
    """Return q of the whole data set, (S, N, K)."""
    chunk = max(1, CHUNK_NUMEL // (len(z) * centers[0].numel()))
    return torch.cat([student_t(squared_distances(part, centers), alpha) for part in z.split(chunk, dim=1)], dim=1)


def divergence(batch, run, alpha):
    """Return KL(P || Q), mean over the batch, (S,)."""
    runs = torch.arange(len(run.seeds), device=batch.index.device).unsqueeze(1)
    p = run.state["target"][runs, batch.index]  # (S, B, K)
    log_q = log_student_t(squared_distances(batch.z, run.centers), alpha)
    return (torch.xlogy(p, p) - p * log_q).sum(-1).mean(-1)


def unevenness(batch, run, alpha):
    """Return the imbalance of a batch's memberships q, (S,)."""
    return imbalance(student_t(squared_distances(batch.z, run.centers), alpha))


def start_target(method, z, run):
    """Train the centers too, and compute the first target."""
    run.centers.requires_grad_()
    run.state["stopped"] = torch.zeros(len(z), dtype=torch.bool, device=z.device)
    refresh_target(method, z, run)


def is_due(method, batch, run):
    """Return how many steps were taken with this one where `update_interval` of them are over, else 0."""
    steps = run.epoch * math.ceil(len(run.x) / method.batch_size) + batch.step + 1
    return 0 if steps % method.update_interval else steps


def refresh_now_and_then(method, batch, run):
    """Refresh the target after every `update_interval` steps, and stop the runs whose labels have settled."""
    if is_due(method, batch, run):
        before = run.state["assigned"]
        refresh_target(method, run.encode(run.x), run)
        changed = (run.state["assigned"] != before).double().mean(1)
        run.stop(changed < method.tol)


def refresh_target(method, z, run):
    """Compute the target, and note the labels that it belongs to."""
    run.state["target"] = target_distribution(memberships(z, run.centers, method.alpha))
    run.state["assigned"] = nearest(z, run.centers)  # (S, N)
