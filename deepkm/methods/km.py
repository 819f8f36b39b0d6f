"""k-means, on the data or on the code of an autoencoder (Lloyd 1982; Arthur & Vassilvitskii 2007)."""

from dataclasses import dataclass
from typing import Literal

from deepkm.methods.base import DeepClustering
from deepkm.numerics.kmeans import kmeans, warm_kmeans
from deepkm.values import AutoencoderKind, NonNegativeInt


@dataclass(kw_only=True, eq=False, repr=False)
class KMeans(DeepClustering):
    """k-means: the centers with the least squared distances of samples to the nearest one.

        L = sum_i min_k ||z_i - r_k||^2

    The config's `km` clusters the data themselves, `aekm` the code of the pretrained autoencoder, and `aekm_long` the
    code after as many further epochs of reconstruction as the joint methods fine-tune: the fair baseline for them.

    Parameters
    ----------
    autoencoder : {"mlp", "conv", "conv_sigmoid", "conv_dcec", None}
        None: z = x.
    epochs : int
        Further epochs of reconstruction before the code is clustered.

    Other parameters are those of `DeepClustering`.

    References
    ----------
    D. Arthur, S. Vassilvitskii. k-means++: the advantages of careful seeding. SODA 2007.
    """

    initial_centers: Literal["kmeans"] = "kmeans"
    autoencoder: AutoencoderKind | None = None
    epochs: NonNegativeInt = 0
    recordable = True

    def before_epoch(self, z, run):
        if 0 < run.epoch < self.epochs:
            run.centers = warm_kmeans(z, run.centers)
        elif run.epoch > 0:  # the final code: all restarts, as if nothing had been clustered before
            run.centers = kmeans(z, self.n_clusters, seeds=run.seeds, n_init=self.n_init, epoch=run.epoch)
