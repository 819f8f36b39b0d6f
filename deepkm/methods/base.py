"""The base of every method: a scikit-learn estimator whose fields are the method's whole configuration."""

import os
from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import Annotated, get_args, get_type_hints

from deepkm.networks.autoencoder import build_autoencoder
from deepkm.networks.products import PRECISIONS
from deepkm.numerics.centers import nearest
from deepkm.numerics.kmeans import kmeans
from deepkm.numerics.seeding import permutations
from deepkm.training.loop import pretrain, train
from deepkm.training.run import Run

if "DEEPKM_JOB" in os.environ:  # it calls hooks alone, and importing scikit-learn takes as long as importing PyTorch
    Estimator = object
else:
    from deepkm.methods.estimator import Estimator

Positive = Annotated[float, "> 0"]
Negative = Annotated[float, "< 0"]
AtLeastOne = Annotated[float, ">= 1"]
NonNegative = Annotated[float, ">= 0"]
Fraction = Annotated[float, "in [0, 1)"]
PositiveInt = Annotated[int, "> 0"]
NonNegativeInt = Annotated[int, ">= 0"]

_HOLDS = {
    "> 0": lambda value: value > 0,
    ">= 0": lambda value: value >= 0,
    "< 0": lambda value: value < 0,
    ">= 1": lambda value: value >= 1,
    "in [0, 1)": lambda value: 0 <= value < 1,
}


@dataclass(kw_only=True, eq=False, repr=False)
class DeepClustering(Estimator):
    """Deep clustering with an autoencoder; a method overrides the hooks that differ.

    Parameters
    ----------
    n_clusters : int
        K.
    epochs : int
        Fine-tuning epochs; 0 clusters the pretrained code.
    batch_size : int
        Samples per step.
    optimizer : {"adam", "sgd"}
    learning_rate : float
        Of fine-tuning.
    momentum : float
        Of SGD.
    n_init : int
        k-means restarts where the method starts from k-means centers.
    autoencoder : {"mlp", "conv", "conv_sigmoid", None}
        As in `deepkm.networks.autoencoder.build_autoencoder`; None clusters in input space.
    hidden_widths : sequence of int
        Hidden layers of the encoder of "mlp"; the decoder mirrors them.
    n_latent : int, optional
        D, the length of the code; `n_clusters` by default.
    pretraining_epochs, pretraining_batch_size, pretraining_learning_rate
        Reconstruction alone by Adam, before clustering.
    precision : {"tf32", "float32", "bfloat16"}
        Of the network's products on a GPU; see `deepkm.networks.products.perceptron`.
    random_state : int, RandomState or None
        The run's seed.
    device : str, optional
        A PyTorch device; by default a GPU where there is one.

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,)
        The method's own assignment on the final code.
    cluster_centers_ : ndarray of shape (n_clusters, n_latent)
        Final centers, in the code's space.
    history_ : dict of str to ndarray
        Per epoch: each loss term, and the labels (from before the first epoch on).
    n_iter_ : int
        Fine-tuning epochs done, up to the method's stopping rule where it has one.
    n_features_in_ : int
        F.
    """

    n_clusters: PositiveInt = 8
    epochs: NonNegativeInt = 100
    batch_size: PositiveInt = 256
    optimizer: str = "adam"
    learning_rate: Positive = 1e-3
    momentum: NonNegative = 0.0
    n_init: PositiveInt = 10
    autoencoder: str | None = "mlp"
    hidden_widths: tuple = (500, 500, 2000)
    n_latent: PositiveInt | None = None
    pretraining_epochs: NonNegativeInt = 50
    pretraining_batch_size: PositiveInt = 256
    pretraining_learning_rate: Positive = 1e-3
    precision: str = "tf32"
    random_state: object = None
    device: str | None = None

    # Whether all batches of an epoch take the same operations, so that a GPU may replay them (`RecordedStep`).
    recordable = False

    # The five hooks; `deepkm.training.loop.train` says when each is called.

    def init(self, z, run):
        """Start from the centers of k-means on the code."""
        run.centers = kmeans(z, self.n_clusters, seeds=run.seeds, n_init=self.n_init)

    def before_epoch(self, z, run):
        """Nothing."""

    def loss(self, batch, run):
        """Return the reconstruction alone, (S,)."""
        return batch.reconstruction

    def after_step(self, batch, run):
        """Nothing."""

    def assign(self, z, run):
        """Return the nearest center of each sample, (S, N)."""
        return nearest(self.embed(z, run), run.centers)

    def order(self, n_samples, run):
        """Return the samples of the next epoch, (S, M): each once, shuffled."""
        return permutations(run.seeds, n_samples, stream="batches", epoch=run.epoch)

    # What snapshots and estimators read; training does not.

    def embed(self, z, run):
        """Return where the centers lie, (S, N, D): the code itself."""
        return z

    def membership(self, z, index, run):
        """Return the soft memberships (S, M, K) of the samples `index` (M,) with codes z (S, M, D); None: hard ones."""

    def decode_centers(self, run):
        """Return the reconstructed centers, (S, K, F); None where the centers are no codes."""
        return run.autoencoder.decode(run.centers)

    # How an estimator and the pipeline train.

    def train_runs(self, x, *, seeds):
        """Pretrain and train S = len(seeds) runs side by side on x (N, F); return them as one `Run`."""
        run = self.start(x, seeds=seeds)
        for _ in pretrain(x, run, **self.pretraining()):
            pass
        run = Run(run.seeds, run.autoencoder)
        for _ in train(self, x, run):
            pass
        return run

    def start(self, x, *, seeds):
        """Return a fresh run of S = len(seeds) autoencoders for x (N, F), on its device and in its type."""
        autoencoder = build_autoencoder(
            self.autoencoder,
            seeds=seeds,
            n_features=x.shape[1],
            n_latent=self.n_latent or self.n_clusters,
            hidden_widths=self.hidden_widths,
            precision=self.precision,
        )
        return Run(seeds, autoencoder.to(x))

    def optimizer_options(self):
        """Return the keywords of `deepkm.training.loop.make_optimizer`."""
        return {"name": self.optimizer, "learning_rate": self.learning_rate, "momentum": self.momentum}

    def pretraining(self):
        """Return the keywords of `deepkm.training.loop.pretrain`; no epochs without an autoencoder."""
        return {
            "epochs": self.pretraining_epochs if self.autoencoder else 0,
            "batch_size": self.pretraining_batch_size,
            "learning_rate": self.pretraining_learning_rate,
        }

    def check_parameters(self):
        """Raise a ValueError or TypeError that names the first parameter out of its range."""
        hints = get_type_hints(type(self), include_extras=True)
        for field in fields(self):
            _check_parameter(field.name, getattr(self, field.name), hints[field.name])
        if self.optimizer not in ("adam", "sgd"):
            raise ValueError(f"optimizer={self.optimizer!r} should be 'adam' or 'sgd'")
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision={self.precision!r} should be one of {', '.join(PRECISIONS)}")


def _check_parameter(name, value, hint):
    options = [hint] if hasattr(hint, "__metadata__") or not get_args(hint) else get_args(hint)
    if value is None and type(None) in options:
        return
    (bounded, bound) = next(((o.__origin__, o.__metadata__[0]) for o in options if hasattr(o, "__metadata__")), (0, 0))
    if not bounded:
        return
    kind = Integral if bounded is int else Real
    if isinstance(value, bool) or not isinstance(value, kind):
        raise TypeError(f"{name}={value!r} should be {'an integer' if kind is Integral else 'a number'} {bound}")
    if not _HOLDS[bound](value):
        raise ValueError(f"{name}={value!r} should be {bound}")
