"""k-means on the principal components of the data."""

from dataclasses import dataclass

from deepkm.methods.km import KMeans
from deepkm.numerics.whitening import principal_components
from deepkm.values import PositiveInt


@dataclass(kw_only=True, eq=False, repr=False)
class PCAKMeans(KMeans):
    """k-means on the first principal components, which are not whitened: what a linear code is good for.

    Any number of samples. With all components distances, and so labels, are those of `KMeans`.

    Parameters
    ----------
    n_components : int
        Principal components kept; all, where there are fewer.

    Other parameters are those of `deepkm.methods.km.KMeans`. `transform` returns the principal components, where
    `cluster_centers_` lie.
    """

    n_components: PositiveInt = 50
    needs_code = False  # but that of the end

    def init(self, z, run):
        run.state["mean"], axes, _ = principal_components(z, self.n_components)
        run.state["axes"] = axes.to(z)
        super().init(self.embed(z, run), run)

    def before_epoch(self, z, run):
        if run.epoch == self.epochs > 0:  # the final code
            self.init(z, run)

    def embed(self, z, run):
        """Return the principal components, (S, N, P)."""
        return (z - run.state["mean"]) @ run.state["axes"]

    def decode_centers(self, run):
        return run.autoencoder.decode(run.centers @ run.state["axes"].mT + run.state["mean"])
