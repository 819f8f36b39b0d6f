"""A mixture of Gaussians, on the data or on the code of an autoencoder."""

from dataclasses import dataclass
from typing import Literal

from deepkm.methods.control import Control, fit_mixture, new_mixture
from deepkm.values import PositiveInt, Unused


@dataclass(kw_only=True, eq=False, repr=False)
class GaussianMixture(Control):
    """A mixture of K Gaussians, fitted by expectation and maximisation from k-means; labels are the likeliest ones.

    On the data themselves it sees their first principal components, since pixels that never change have no variance.
    Any number of samples. In a study's log, and in `doubts_`, it says where it did not converge.

    Parameters
    ----------
    covariance : {"tied", "diag", "full"}
        One covariance for all clusters, a diagonal one for each, or a full one for each (for up to 50 features).
    n_components : int, optional
        Principal components of the data that are kept; None: the data as they are. A code is always taken as it is.
    max_iterations : int

    Other parameters are those of `deepkm.methods.control.Control`.
    """

    covariance: Literal["tied", "diag", "full"] = "tied"
    n_components: PositiveInt | None = 50
    max_iterations: PositiveInt = 200
    n_init: Unused = 10

    def cluster(self, z, seed):
        from sklearn.decomposition import PCA  # noqa: PLC0415  no job should wait for it that has no mixture
        from sklearn.pipeline import make_pipeline  # noqa: PLC0415

        reduce = self.n_components if self.autoencoder is None else None
        steps = [PCA(min(reduce, *z.shape), svd_solver="full")] if reduce else []
        mixture = new_mixture(self.n_clusters, seed, covariance=self.covariance, max_iterations=self.max_iterations)
        return fit_mixture(make_pipeline(*steps, mixture), z)
