"""Spectral clustering of a graph of neighbours (von Luxburg 2007), on the data or on the code of an autoencoder."""

from dataclasses import dataclass
from typing import Annotated

from deepkm.methods.control import Control, Found
from deepkm.numerics.seeding import random_state


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
    n_neighbors: Annotated[int, "> 0", "<= n_samples"] = 10
    most_samples = 40_000
    labels_new_samples = False

    def cluster(self, z, seed):
        from scipy.sparse.csgraph import connected_components  # noqa: PLC0415
        from sklearn.cluster import SpectralClustering  # noqa: PLC0415  no other job should wait for it

        graph = {"affinity": "nearest_neighbors", "n_neighbors": self.n_neighbors, "eigen_solver": "arpack"}
        state = random_state(seed, "spectral")
        model = SpectralClustering(self.n_clusters, **graph, n_init=self.n_init, random_state=state).fit(z)
        parts, _ = connected_components(model.affinity_matrix_, directed=False)
        doubt = f"the graph of neighbours falls into {parts} parts, more than K={self.n_clusters}; raise n_neighbors"
        return Found(model.labels_, doubt=doubt if parts > self.n_clusters else "")
