"""Ward's agglomerative clustering (Ward 1963), on the data or on the code of an autoencoder."""

from dataclasses import dataclass

from deepkm.methods.control import Control, Found
from deepkm.values import Unused


@dataclass(kw_only=True, eq=False, repr=False)
class Ward(Control):
    """Ward's method: merge the two clusters whose union raises the sum of squares least, until K are left.

    Nothing in it is random: on the data all seeds give the same. It holds the distances of all pairs, 4 N^2 bytes, so
    that it takes at most 20 000 samples (1.6 GB). There is no `predict`: a new sample has no place in the tree.

    Parameters are those of `deepkm.methods.control.Control`.

    References
    ----------
    J. H. Ward. Hierarchical grouping to optimize an objective function. JASA 58, 1963.
    """

    n_init: Unused = 10
    most_samples = 20_000
    seeded = False
    labels_new_samples = False

    def cluster(self, z, seed):
        from sklearn.cluster import AgglomerativeClustering  # noqa: PLC0415  no other job should wait for it

        return Found(AgglomerativeClustering(self.n_clusters, linkage="ward").fit_predict(z))
