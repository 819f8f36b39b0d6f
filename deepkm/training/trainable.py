"""How methods train: the fields that are their whole configuration, and the runs that follow from these."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal, Self

from torch import Tensor

from deepkm.networks.autoencoder import build_autoencoder
from deepkm.networks.views import LIMITS
from deepkm.training.lengths import whole_epochs
from deepkm.training.loop import check_enough_samples, pretrain, train
from deepkm.training.optimizers import make_optimizer
from deepkm.training.run import Run
from deepkm.values import (
    AutoencoderKind,
    Fraction,
    InitialCenters,
    NonNegativeInt,
    OptimizerName,
    Positive,
    PositiveInt,
    Views,
    check_at_most,
    check_fields,
    check_installed,
    check_start,
)

WARM_UP_STEPS = 50


@dataclass(kw_only=True, eq=False, repr=False)
class Trainable:
    """What trains an autoencoder alone, then with a loss of its own: the base of `deepkm.methods.base.DeepClustering`.

    Parameters
    ----------
    n_clusters : int
        K.
    epochs : int
        Fine-tuning epochs; 0 clusters the pretrained code.
    steps, min_steps : int
        Steps of fine-tuning: in place of epochs, as many as hold them; or at least so many, where `epochs` is not 0.
    batch_size : int
        Samples per step.
    optimizer : {"adam", "sgd"}
    learning_rate : float
        Of fine-tuning.
    momentum : float
        Of SGD.
    initial_centers : {"kmeans", "kmeans++", "data", "uniform", "unit", "normal", "spectral", "umap"}
        Where the centers start: see `deepkm.numerics.kmeans.draw_centers`. "spectral" and "umap": at the means of the
        clusters that the control `Spectral`, or `N2D` with ``clustering="kmeans"``, finds in the code.
    n_init : int
        k-means restarts where the method starts from k-means centers, or from those of a control.
    autoencoder : {"mlp", "conv", "conv_sigmoid", "conv_dcec", None}
        As in `deepkm.networks.autoencoder.build_autoencoder`; None clusters in input space.
    hidden_widths : sequence of int
        Hidden layers of the encoder of "mlp"; the decoder mirrors them.
    n_latent : int, optional
        D, the length of the code; `n_clusters` by default.
    pretraining_epochs, pretraining_batch_size, pretraining_learning_rate
        Reconstruction alone by Adam, before clustering.
    pretraining_steps, pretraining_min_steps : int
        As `steps` and `min_steps`.
    warm_start : {"steps", "moments", "none", False}
        How fine-tuning starts after pretraining, which a new Adam can undo: its first steps move each weight by about
        the learning rate. "steps": that rate rises linearly over the first `WARM_UP_STEPS` steps. "moments": Adam
        starts with those that pretraining ended with; SGD has no use for them. Without pretraining, as "none". So is
        False, scikit-learn's word: no fit goes on from the last one.
    views : {None, "target", "both"}
        Fine-tuning on random views of square grey images, new ones in each epoch: centers, targets and labels come from
        the images as they are, and the loss is that of the view ("target"), or the mean of both losses ("both").
    view_limits : dict, optional
        ``shift`` at most, as a share of the side, ``rotation`` in degrees and ``zoom``, a relative change of size; 0.1,
        10 and 0 where they are left out.
    pretraining_views : dict, optional
        Limits of the same kind: pretraining reconstructs views, each from itself. None: it sees the images as they are.
    pretraining_denoising : float
        Share of each sample's numbers that pretraining masks at random before it encodes them.
    precision : {"float32", "tf32", "bfloat16"}
        Of the network's products on a GPU; see `deepkm.networks.products.perceptron`.
    read_out : {"schedule", "all"}
        After which epochs labels are read (`deepkm.training.loop.reads`). What comes out at the end is the same.
    random_state : int, RandomState or None
        The run's seed.
    device : str, optional
        The name of a PyTorch device; by default a GPU where there is one.
    """

    n_clusters: PositiveInt = 8
    epochs: NonNegativeInt = 100
    steps: PositiveInt | None = None
    min_steps: NonNegativeInt = 0
    batch_size: PositiveInt = 256
    optimizer: OptimizerName = "adam"
    learning_rate: Positive = 1e-3
    momentum: Annotated[Fraction, "if optimizer == 'sgd'"] = 0.0
    initial_centers: InitialCenters = "kmeans"
    n_init: PositiveInt = 10
    autoencoder: AutoencoderKind | None = "mlp"
    hidden_widths: tuple[PositiveInt, ...] = (500, 500, 2000)
    n_latent: PositiveInt | None = None
    pretraining_epochs: NonNegativeInt = 50
    pretraining_steps: PositiveInt | None = None
    pretraining_min_steps: NonNegativeInt = 0
    pretraining_batch_size: PositiveInt = 256
    pretraining_learning_rate: Positive = 1e-3
    warm_start: Literal["none", "moments", "steps", False] = "steps"
    views: Literal["target", "both"] | None = None
    view_limits: Annotated[Views | None, "if views"] = None
    pretraining_views: Views | None = None
    pretraining_denoising: Fraction = 0.0
    precision: Literal["float32", "tf32", "bfloat16"] = "float32"
    read_out: Literal["schedule", "all"] = "schedule"
    random_state: object = None
    device: str | None = None

    # How its own loss has pretraining's: as a "sum" over features, their "mean", or "none". Adam's moments follow it.
    reconstruction = "sum"
    # Limits of views where nobody gives others.
    own_limits: ClassVar[Mapping[str, float]] = LIMITS
    # Most samples that it takes; None: any number.
    most_samples: ClassVar[int | None] = None
    # A package that it needs beside those that all methods do.
    package: ClassVar[str | None] = None

    def train_runs(self, x: Tensor, *, seeds: Sequence[int]) -> Run:
        """Pretrain and train S = len(seeds) runs side by side on x (N, F); return them as one `Run`."""
        method = self.in_epochs(len(x))
        run = method.start(x, seeds=seeds)
        options = method.pretraining()
        for _ in method.follow(pretrain(x, run, **options), epochs=options["epochs"], stage="pretraining"):
            pass
        moments = run.optimizer.moments if method.starts_warm("moments") else {}
        run = Run(run.seeds, run.autoencoder)
        method.carry_over(moments, run, n_features=x.shape[1])
        for _ in method.follow(train(method, x, run), epochs=method.epochs, stage="training"):
            pass
        return run

    def follow(self, runs: Iterator[Run], *, epochs: int, stage: str) -> Iterator[Run]:
        """Return the runs that training yields, epoch by epoch; an estimator shows them."""
        return runs

    def in_epochs(self, n_samples: int) -> Self:
        """Return the same method with lengths in epochs alone: what its steps are with so many samples."""
        lengths = {"epochs": self.epochs, "steps": self.steps, "min_steps": self.min_steps}
        own = whole_epochs(n_samples, batch_size=self.batch_size, **lengths)
        before = {name: getattr(self, f"pretraining_{name}") for name in (*lengths, "batch_size")}
        changed = {"epochs": own, "pretraining_epochs": whole_epochs(n_samples, **before)}
        if changed == {name: getattr(self, name) for name in changed}:
            return self
        return replace(self, **changed, steps=None, min_steps=0, pretraining_steps=None, pretraining_min_steps=0)

    def start(self, x: Tensor, *, seeds: Sequence[int]) -> Run:
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

    def optimizer_options(self) -> dict[str, Any]:
        """Return the keywords of `deepkm.training.optimizers.make_optimizer`."""
        options = {"name": self.optimizer, "learning_rate": self.learning_rate, "momentum": self.momentum}
        return options | ({"warm_up": WARM_UP_STEPS} if self.starts_warm("steps") else {})

    def starts_warm(self, how: str) -> bool:
        """Tell whether fine-tuning has a pretrained code to spare, and starts in this way."""
        return self.warm_start == how and self.epochs > 0 and self.pretraining()["epochs"] > 0

    def carry_over(self, moments: dict[str, dict[str, Tensor]], run: Run, *, n_features: int) -> None:
        """Let the fine-tuning of a fresh run start with Adam's moments of pretraining, by tensor; none: do nothing."""
        scale = {"sum": 1.0, "mean": 1 / n_features, "none": 0.0}[self.reconstruction]
        if moments and scale:
            run.optimizer = make_optimizer(run.parameters(), **self.optimizer_options())
            run.optimizer.take_over(moments, scale=scale)

    def pretraining(self) -> dict[str, Any]:
        """Return the keywords of `deepkm.training.loop.pretrain`; no epochs without an autoencoder."""
        return {
            "epochs": self.pretraining_epochs if self.autoencoder else 0,
            "batch_size": self.pretraining_batch_size,
            "learning_rate": self.pretraining_learning_rate,
            "denoising": self.pretraining_denoising,
            "views": None if self.pretraining_views is None else {**LIMITS, **self.pretraining_views},
        }

    def view_options(self) -> dict[str, Any] | None:
        """Return how fine-tuning sees images, ``form`` and ``limits``; None: as they are."""
        return {"form": self.views, "limits": {**self.own_limits, **(self.view_limits or {})}} if self.views else None

    def check_parameters(self) -> None:
        """Raise a ValueError that names the first parameter that is not what its field's annotation asks for."""
        self._check_values()
        if self.views and not (type(self).epochs or self.epochs or self.steps):
            raise ValueError(f"views={self.views!r} should be None where nothing is trained on them: epochs=0")

    def check_samples(self, n_samples: int) -> None:
        """Raise a ValueError for too few samples, for more than the method takes, and without its package."""
        check_installed(self.package)
        check_enough_samples(n_samples, self.n_clusters)
        self._check_values(n_samples=n_samples)
        check_at_most(n_samples, self.most_samples)
        check_start(self.initial_centers, n_samples, n_clusters=self.n_clusters)

    def _check_values(self, **known: int) -> None:
        check_fields(self, **known)
