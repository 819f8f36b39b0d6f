"""Spectral clustering of a graph of neighbours (von Luxburg 2007), on the data or on the code of an autoencoder."""

from dataclasses import dataclass
from typing import Annotated

from deepkm.methods.control import Control
from deepkm.numerics.manifold import SPECTRAL_NEIGHBORS, spectral


@dataclass(kw_only=True, eq=False, repr=False)
class Spectral(Control):
    """Spectral clustering: k-means on the K leading eigenvectors of the graph of nearest neighbours.

        A_ij = 1 where j is one of the `n_neighbors` nearest of i, i itself included;   W = (A + A^T) / 2
        D^(-1/2) W D^(-1/2) u = mu u,   D = diag of the row sums of W

    There is no `predict`: eigenvectors know no new samples. At most 40 000 samples: the factors of the graph's matrix
    grow with the square of their number, and 20 000 take 1.5 GB.

    Parameters
    ----------
    n_neighbors : int
        With the sample itself; at most as many as there are samples.
    n_init : int
        Restarts of k-means on the eigenvectors.

    Other parameters are those of `deepkm.methods.control.Control`.

    References
    ----------
    U. von Luxburg. A tutorial on spectral clustering. Statistics and Computing 17, 2007.
    """

    n_clusters: Annotated[int, "> 0", "< n_samples"] = 8
    n_neighbors: Annotated[int, "> 0", "<= n_samples"] = SPECTRAL_NEIGHBORS
    most_samples = 40_000
    labels_new_samples = False

    def cluster(self, z, seed):
        options = {"n_clusters": self.n_clusters, "n_init": self.n_init, "n_neighbors": self.n_neighbors}
        found = spectral(z, seed, **options)
        return found._replace(doubt=f"{found.doubt}; raise n_neighbors" if found.doubt else "")
