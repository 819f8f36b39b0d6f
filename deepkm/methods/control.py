"""The base of controls: clusterings without training, which show what the data or a code give away by themselves."""

import warnings
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn.functional import one_hot

from deepkm.methods.base import DeepClustering
from deepkm.methods.values import AutoencoderKind, NonNegativeInt
from deepkm.numerics.seeding import random_state


class Found(NamedTuple):
    """What a control found in the code of one run.

    Attributes
    ----------
    labels : ndarray of shape (N,)
    model : object, optional
        Labels new samples by its `predict`.
    doubt : str
        What people should know of it; empty where there is nothing.
    """

    labels: np.ndarray
    model: Any = None
    doubt: str = ""


@dataclass(kw_only=True, eq=False, repr=False)
class Control(DeepClustering):
    """Labels from another library, found for one run after the other, on the CPU in float64.

    A control overrides `cluster`. Centers are the means of the clusters; an empty one's is the mean of all samples.

    Parameters
    ----------
    autoencoder : {None, "mlp", "conv", "conv_sigmoid"}
        None: z = x.
    epochs : int
        Further epochs of reconstruction before the code is clustered.

    Other parameters are those of `DeepClustering`.
    """

    autoencoder: AutoencoderKind | None = None
    epochs: NonNegativeInt = 0
    recordable = True
    # Whether seeds decide anything on the same code.
    seeded = True

    def cluster(self, z: np.ndarray, seed: int) -> Found:
        """Return what is found in the code z (N, D), float64, of the run with a seed."""
        raise NotImplementedError

    def init(self, z, run):
        codes = z if self.seeded or self.autoencoder else z[:1]  # else one answer is that of all runs
        found = [self._found(*pair) for pair in zip(codes, run.seeds, strict=False)]
        found = found if len(found) == len(z) else found * len(z)
        run.models = [part.model for part in found]
        run.doubts = [f"seed {seed}: {part.doubt}" for part, seed in zip(found, run.seeds, strict=True) if part.doubt]
        run.state["labels"] = torch.stack([torch.from_numpy(np.asarray(part.labels, np.int64)) for part in found]).to(
            z.device
        )
        run.centers = cluster_means(z, run.state["labels"], self.n_clusters)

    def before_epoch(self, z, run):
        if run.epoch == self.epochs > 0:  # the final code
            self.init(z, run)

    def assign(self, z, run):
        """Return the labels that were found, (S, N)."""
        return run.state["labels"]

    def assign_new(self, z, run):
        """Return the label that each run's model gives new samples, (S, N)."""
        labels = [model.predict(_array(code)) for model, code in zip(run.models, z, strict=True)]
        return torch.from_numpy(np.stack(labels).astype(np.int64)).to(z.device)

    def _found(self, z, seed):
        if not z.isfinite().all():  # a run that diverged must not stop the runs beside it
            return Found(np.zeros(len(z)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what matters of them is a `doubt`
            return self.cluster(_array(z), seed)


def cluster_means(z, labels, n_clusters):
    """Return the mean of each cluster, (S, K, D), of z (S, N, D); of an empty one that of all samples."""
    means = []
    for code, label in zip(z, labels, strict=True):
        member = one_hot(label, n_clusters).to(code)  # (N, K)
        count = member.sum(0).unsqueeze(1)
        means.append(torch.where(count > 0, member.T @ code / count.clamp_min(1), code.mean(0)))
    return torch.stack(means)


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


def _array(z):
    return z.double().numpy(force=True)
