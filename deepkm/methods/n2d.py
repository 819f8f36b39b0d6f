"""N2D (McConville et al. 2020): UMAP of a code, or of the data, and a mixture or k-means on the embedding."""

from dataclasses import dataclass
from typing import Annotated, Literal

from deepkm.methods.control import Control, fit_mixture, new_mixture
from deepkm.numerics.manifold import UMAP_NEIGHBORS, new_umap, umap_kmeans
from deepkm.values import NonNegative, PositiveInt


@dataclass(kw_only=True, eq=False, repr=False)
class N2D(Control):
    """Not too deep clustering: the code of a pretrained autoencoder is embedded by UMAP, the embedding clustered.

    Nothing is trained jointly. UMAP with a seed works in one thread: the same seed gives the same on the same machine
    with the same libraries, and hardly elsewhere. Another seed may move the result by tens of points of accuracy: one
    seed says nothing. Any number of samples; `predict` embeds new ones approximately. Needs umap-learn.

    Parameters
    ----------
    clustering : {"mixture", "kmeans"}
        What is fitted to the embedding: K Gaussians of full covariance, or k-means.
    n_neighbors : int
        Of UMAP, fewer than there are samples.
    min_dist : float
        Of UMAP; 0 lets islands be dense.
    n_components : int, optional
        Dimensions of the embedding; K by default.
    max_iterations : int
        Of the mixture.
    autoencoder : {"mlp", "conv", "conv_sigmoid", "conv_dcec", None}
        None: the data themselves are embedded.

    Other parameters are those of `deepkm.methods.control.Control`.

    References
    ----------
    R. McConville et al. N2D: (not too) deep clustering via clustering the local manifold of an autoencoded embedding.
    ICPR 2020.
    L. McInnes, J. Healy, J. Melville. UMAP. arXiv 1802.03426, 2018.
    """

    clustering: Literal["mixture", "kmeans"] = "mixture"
    n_neighbors: Annotated[int, "> 1", "< n_samples"] = UMAP_NEIGHBORS
    min_dist: NonNegative = 0.0
    n_components: PositiveInt | None = None
    max_iterations: PositiveInt = 100
    package = "umap-learn"

    def cluster(self, z, seed):
        options = {"n_neighbors": self.n_neighbors, "min_dist": self.min_dist}
        options["n_components"] = self.n_components or self.n_clusters
        if self.clustering == "kmeans":
            return umap_kmeans(z, seed, n_clusters=self.n_clusters, n_init=self.n_init, **options)
        from sklearn.pipeline import make_pipeline  # noqa: PLC0415  no other job should wait for it

        mixture = new_mixture(self.n_clusters, seed, covariance="full", max_iterations=self.max_iterations)
        return fit_mixture(make_pipeline(new_umap(seed, **options), mixture), z)
