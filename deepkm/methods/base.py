"""The base of every method: the hooks that it may override."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from deepkm.numerics.alignment import fresh_kmeans
from deepkm.numerics.centers import nearest
from deepkm.numerics.kmeans import draw_centers, warm_kmeans
from deepkm.numerics.manifold import manifold_centers
from deepkm.numerics.seeding import permutations
from deepkm.training.run import Run
from deepkm.training.steps import Batch
from deepkm.training.trainable import Trainable
from deepkm.values import (  # noqa: F401  methods import them from here
    STARTS,
    AtLeastOne,
    AutoencoderKind,
    Fraction,
    InitialCenters,
    Negative,
    NonNegative,
    NonNegativeInt,
    OptimizerName,
    Positive,
    PositiveInt,
)


@dataclass(kw_only=True, eq=False, repr=False)
class DeepClustering(Trainable):
    """Deep clustering with an autoencoder; a method overrides the hooks that differ.

    Its parameters are those of `deepkm.training.trainable.Trainable`.
    """

    # Whether all batches of an epoch take the same operations, which a GPU replays; "loss": all but `after_step`.
    recordable: ClassVar[bool | str] = False
    # Whether later epochs build on what `before_epoch` does: true of a class with one of its own, if it does not say.
    needs_code = False
    # Whether rows are square grey images to it without an autoencoder too.
    convolutional = False
    # Whether a rule labels samples that were not trained on; without one its estimator has no `predict`.
    labels_new_samples = True
    # Whether its autoencoder may be any pair of modules: whether it asks for nothing but codes and reconstructions.
    takes_modules = True
    # What random centers are drawn from.
    centers_stream = "{kind} centers"

    # The six hooks; `deepkm.training.loop.train` says when each is called.

    def init(self, z: Tensor, run: Run) -> None:
        """Start from the centers that `initial_centers` names."""
        how = {"seeds": run.seeds, "n_init": self.n_init}
        if self.initial_centers in STARTS:
            run.centers, run.doubts = manifold_centers(self.initial_centers, z, self.n_clusters, **how)
        else:
            how["stream"] = self.centers_stream
            run.centers = draw_centers(self.initial_centers, z, self.n_clusters, **how)

    def before_epoch(self, z: Tensor, run: Run) -> None:
        """Nothing."""

    def start_epoch(self, run: Run) -> None:
        """Nothing."""

    def loss(self, batch: Batch, run: Run) -> Tensor:
        """Return the reconstruction alone, (S,)."""
        return batch.reconstruction

    def after_step(self, batch: Batch, run: Run) -> None:
        """Nothing."""

    def assign(self, z: Tensor, run: Run) -> Tensor:
        """Return the nearest center of each sample, (S, N)."""
        return nearest(self.embed(z, run), run.centers)

    def order(self, n_samples: int, run: Run) -> Tensor:
        """Return the samples of the next epoch, (S, M): each once, shuffled."""
        return permutations(run.seeds, n_samples, stream="batches", epoch=run.epoch)

    def recenter(self, how: bool | str, z: Tensor, run: Run, before: Tensor | None = None) -> None:
        """Take the centers anew by k-means: started from them, or "fresh"; labels go on as those `before`, (S, N)."""
        if how == "fresh" and run.epoch > 0:
            before = nearest(z, run.centers) if before is None else before
            fresh = {"seeds": run.seeds, "n_init": self.n_init, "epoch": run.epoch}
            run.centers = fresh_kmeans(z, before, self.n_clusters, **fresh)
        elif how:
            run.centers = warm_kmeans(z, run.centers)

    # What snapshots and estimators read; training does not.

    def assign_new(self, z: Tensor, run: Run) -> Tensor:
        """Return the label of each sample that was not trained on, (S, N).

        A method that overrides it knows more of training samples than of others: of these, an estimator takes no
        `membership`.
        """
        return self.assign(z, run)

    def embed(self, z: Tensor, run: Run) -> Tensor:
        """Return where the centers lie, (S, N, D): the code itself."""
        return z

    def membership(self, z: Tensor, index: Tensor, run: Run) -> Tensor | None:
        """Return the soft memberships (S, M, K) of the samples `index` (M,) with codes z (S, M, D); None: hard ones."""

    def decode_centers(self, run: Run) -> Tensor | None:
        """Return the reconstructed centers, (S, K, F); None where the centers are no codes."""
        return run.autoencoder.decode(run.centers)
