"""The base of controls: clusterings without training, which show what the data or a code give away by themselves."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from deepkm.methods.base import DeepClustering
from deepkm.numerics.manifold import Found, cluster_means, find, labels_and_doubts
from deepkm.numerics.seeding import random_state
from deepkm.values import AutoencoderKind, NonNegativeInt


@dataclass(kw_only=True, eq=False, repr=False)
class Control(DeepClustering):
    """Labels from another library, found for one run after the other, on the CPU in float64.

    A control overrides `cluster`. Centers are the means of the clusters; an empty one's is the mean of all samples.

    Parameters
    ----------
    autoencoder : {"mlp", "conv", "conv_sigmoid", "conv_dcec", None}
        None: z = x.
    epochs : int
        Further epochs of reconstruction before the code is clustered.

    Other parameters are those of `DeepClustering`.
    """

    initial_centers: Literal["kmeans"] = "kmeans"
    autoencoder: AutoencoderKind | None = None
    epochs: NonNegativeInt = 0
    needs_code = False  # but that of the end
    recordable = True
    # Whether seeds decide anything on the same code.
    seeded = True

    def cluster(self, z: np.ndarray, seed: int) -> Found:
        """Return what is found in the code z (N, D), float64, of the run with a seed."""
        raise NotImplementedError

    def init(self, z, run):
        codes = z if self.seeded or self.autoencoder else z[:1]  # else one answer is that of all runs
        found = find(self.cluster, codes, run.seeds)
        found = found if len(found) == len(z) else found * len(z)
        run.models = [part.model for part in found]
        run.state["labels"], run.doubts = labels_and_doubts(found, run.seeds, device=z.device)
        run.centers = cluster_means(z, run.state["labels"], self.n_clusters)

    def before_epoch(self, z, run):
        if run.epoch == self.epochs > 0:  # the final code
            self.init(z, run)

    def assign(self, z, run):
        """Return the labels that were found, (S, N)."""
        return run.state["labels"]

    def assign_new(self, z, run):
        """Return the label that each run's model gives new samples, (S, N)."""
        codes = z.double().numpy(force=True)
        labels = [model.predict(code) for model, code in zip(run.models, codes, strict=True)]
        return torch.from_numpy(np.stack(labels).astype(np.int64)).to(z.device)


def fit_mixture(model, z):
    """Fit a pipeline that ends in one of scikit-learn's mixtures to z (N, D), and return what it found."""
    labels, mixture = model.fit_predict(z), model[-1]
    doubt = f"the mixture did not converge in {mixture.max_iter} iterations; raise max_iterations"
    return Found(labels, model, "" if mixture.converged_ else doubt)


def new_mixture(n_clusters, seed, *, covariance, max_iterations):
    """Return scikit-learn's mixture of K Gaussians, with draws from the stream (seed, "mixture")."""
    from sklearn.mixture import GaussianMixture  # noqa: PLC0415  no job should wait for it that has no mixture

    options = {"covariance_type": covariance, "max_iter": max_iterations, "init_params": "kmeans", "n_init": 1}
    return GaussianMixture(n_clusters, random_state=random_state(seed, "mixture"), **options)
