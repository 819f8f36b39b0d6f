"""Deep embedded k-means (Guo, Lin, Ye 2021)."""

from dataclasses import dataclass
from typing import Literal

import torch

from deepkm.methods.base import DeepClustering
from deepkm.methods.self_training import is_due
from deepkm.numerics.alignment import fresh_kmeans
from deepkm.numerics.centers import nearest
from deepkm.numerics.kmeans import warm_kmeans
from deepkm.values import PositiveInt, Share


@dataclass(kw_only=True, eq=False, repr=False)
class DEKM(DeepClustering):
    """Deep embedded k-means: the encoder pulls samples onto their centers along the one axis of largest spread.

        L = mean_i ||delta_i||^2 - (v . delta_i)^2 + (v . (z_i - r_{s_i}))^2,   delta_i = z_i - h_i

    At each refresh, every `update_interval` steps, k-means on the code h of all samples gives centers r and labels s,
    and v is the eigenvector of the largest eigenvalue of the scatter sum_i (h_i - r_{s_i})(h_i - r_{s_i})'. All of
    them are constant until the next one: a sample keeps its code but along v. The decoder is not used.

    Labels are those of k-means on the final code, started from the last refresh's centers.

    Parameters
    ----------
    n_init : int
        Restarts of the first k-means; later ones have half as many.
    update_interval : int, optional
        Steps between two refreshes. None: one before each epoch.
    tol : float
        A run stops at a refresh that finds at most this fraction of labels changed since the one before. 0: never.
    reinit : {"fresh", "warm"}
        Whether k-means at a refresh starts anew, its clusters numbered to agree best with the last ones, or from the
        last centers.

    Other parameters are those of `DeepClustering`.

    Notes
    -----
    Differs from the paper's implementation: batches are shuffled; eigenvectors are those of a symmetric matrix; the
    squared error is summed over the code's coordinates, not averaged, which Adam ignores; labels at a refresh are
    aligned before they are compared, without which the stopping rule hardly ever holds.

    References
    ----------
    W. Guo, K. Lin, W. Ye. Deep embedded k-means clustering. ICDM Workshops 2021.
    """

    n_init: PositiveInt = 20
    update_interval: PositiveInt | None = 40
    tol: Share = 0.005
    reinit: Literal["fresh", "warm"] = "fresh"
    reconstruction = "none"

    @property
    def recordable(self):
        """A refresh within an epoch is no operation that a recording can hold."""
        return True if self.update_interval is None else "loss"

    @property
    def needs_code(self):
        return self.update_interval is None  # else what it does there is for labels alone

    def init(self, z, run):
        super().init(z, run)
        run.state["stopped"] = torch.zeros(len(z), dtype=torch.bool, device=z.device)
        run.state["anchors"] = run.centers.clone()
        run.state |= _constants(z, run.centers)

    def before_epoch(self, z, run):
        if self.update_interval is None and run.epoch > 0:
            self._refresh(z, run, number=run.epoch)
        run.centers = warm_kmeans(z, run.state["anchors"])  # what is read out; training never sees it

    def loss(self, batch, run):
        runs = torch.arange(len(batch.z), device=batch.z.device).unsqueeze(1)
        axis = run.state["axis"]  # (S, D, 1)
        moved = batch.z - run.state["reference"][runs, batch.index]  # (S, B, D)
        pulled = batch.z - run.state["anchors"][runs, run.state["assigned"][runs, batch.index]]
        along, apart = (moved @ axis).squeeze(-1), (pulled @ axis).squeeze(-1)  # (S, B)
        clustering = (moved.square().sum(-1) - along.square() + apart.square()).mean(-1)
        return batch.log(clustering=clustering)

    def after_step(self, batch, run):
        if self.update_interval and (steps := is_due(self, batch, run)):
            self._refresh(run.encode(run.x), run, number=steps // self.update_interval)

    def _refresh(self, z, run, *, number):
        """Cluster the code z (S, N, D) anew for all runs that still train, and stop those whose labels have settled."""
        active = (~run.state["stopped"]).nonzero().flatten()
        if not len(active):
            return
        z, old = z[active], run.state["anchors"][active]
        if self.reinit == "fresh":
            how = {"seeds": [run.seeds[s] for s in active], "n_init": max(1, self.n_init // 2), "epoch": number}
            anchors = fresh_kmeans(z, nearest(z, old), self.n_clusters, **how)
        else:
            anchors = warm_kmeans(z, old)
        found = {"anchors": anchors} | _constants(z, anchors)
        changed = (found["assigned"] != run.state["assigned"][active]).double().mean(1)
        for name, value in found.items():  # in place: a recorded step holds their addresses
            run.state[name][active] = value
        settled = torch.zeros_like(run.state["stopped"])
        settled[active] = (changed <= self.tol) & (self.tol > 0)
        run.stop(settled)


def _constants(z, anchors):
    """Return what the loss holds constant, by the code z (S, N, D) and its centers (S, K, D)."""
    assigned = nearest(z, anchors)
    apart = (z - anchors.gather(1, assigned.unsqueeze(-1).expand_as(z))).double().cpu()
    # A run that diverged has no eigenvectors; it must not stop the runs beside it.
    scatter = (apart.mT @ apart).nan_to_num(posinf=0, neginf=0)
    _, vectors = torch.linalg.eigh(scatter)  # eigenvalues ascending
    return {"reference": z.clone(), "assigned": assigned, "axis": vectors[..., -1:].to(z)}
