"""Auto-encoder based data clustering (Song, Liu, Huang, Wang, Tan 2013)."""

from dataclasses import dataclass

from torch.nn import functional

from deepkm.methods.base import DeepClustering
from deepkm.methods.dcn import pick
from deepkm.numerics.centers import nearest
from deepkm.values import NonNegative


@dataclass(kw_only=True, eq=False, repr=False)
class AEC(DeepClustering):
    """Auto-encoder based clustering: codes are pulled to the means that their clusters had after the last epoch.

        L = mean_i ||x_hat_i - x_i||^2 + lambda mean_i ||z_i - r_s(i)||^2

    Within an epoch centers and assignments are constant. After it, on the code of all samples, each center becomes the
    mean of its old members, and then each sample moves to its nearest center: k-means does the reverse.

    Parameters
    ----------
    clustering_weight : float
        lambda.

    Other parameters are those of `DeepClustering`. An empty cluster keeps its center.

    Notes
    -----
    Differs from the paper: the autoencoder is that of the other methods, and the start is k-means on its pretrained
    code.

    References
    ----------
    C. Song, F. Liu, Y. Huang, L. Wang, T. Tan. Auto-encoder based data clustering. CIARP 2013.
    """

    clustering_weight: NonNegative = 0.1  # lambda
    recordable = True

    def init(self, z, run):
        super().init(z, run)
        run.state["assigned"] = nearest(z, run.centers)  # (S, N)

    def before_epoch(self, z, run):
        member = functional.one_hot(run.state["assigned"], self.n_clusters).to(z)  # (S, N, K)
        size = member.sum(1).unsqueeze(-1)  # (S, K, 1)
        run.centers = (member.mT @ z / size.clamp_min(1)).where(size > 0, run.centers)
        run.state["assigned"].copy_(nearest(z, run.centers))

    def loss(self, batch, run):
        center = pick(run.centers, run.state["assigned"].gather(1, batch.index))  # (S, B, D)
        clustering = batch.log(clustering=(batch.z - center).square().sum(-1).mean(-1))  # (S,)
        return batch.reconstruction + self.clustering_weight * clustering
