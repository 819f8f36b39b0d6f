"""Breaking the reclustering barrier: an option of methods with centers (Miklautz et al. 2025)."""

import copy
import math
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import nn

from deepkm.methods.base import DeepClustering
from deepkm.numerics.centers import nearest
from deepkm.numerics.seeding import generator
from deepkm.values import NonNegativeInt


@dataclass(kw_only=True, eq=False, repr=False)
class Resetting(DeepClustering):
    """A method whose encoder is moved towards a fresh one every so many epochs, and its code clustered anew.

    Before an epoch e > 0 that `reset_interval` divides, all weights and biases of the encoder's hidden layers become

        theta <- a theta + (1 - a) phi,   phi a fresh draw

    Then k-means on the new code, whatever `initial_centers` says, gives the centers, numbered so that labels agree best
    with those before, and the optimizer forgets the centers' moments. Decoder and embedding layer stay. Labels,
    snapshots and history of epoch e precede all this.

    Parameters
    ----------
    reset_interval : int
        Epochs between two resets; 0: never. Let it divide `epochs`, so that a long way follows the last one.
    reset_keep : float
        a.
    reset_draw : {"glorot", "kaiming"}
        What phi is drawn from: as the first weights were, or uniform on +- sqrt(6 / inputs of a unit), biases on
        +- sqrt(1 / inputs), as published.
    recluster : bool
        False: the centers stay, and what is kept of them.

    References
    ----------
    L. Miklautz et al. Breaking the reclustering barrier in centroid-based deep clustering. ICLR 2025.
    """

    reset_interval: NonNegativeInt = 0
    reset_keep: Annotated[float, "in [0, 1]", "if reset_interval"] = 0.8  # a
    reset_draw: Annotated[Literal["glorot", "kaiming"], "if reset_interval"] = "glorot"
    recluster: Annotated[bool, "if reset_interval"] = True

    def start_epoch(self, run):
        super().start_epoch(run)
        if not self.reset_interval or run.epoch == 0 or run.epoch % self.reset_interval:
            return
        before = nearest(run.encode(run.x), run.centers) if self.recluster else None
        move_to_fresh(run, keep=self.reset_keep, draw=self.reset_draw)
        if self.recluster:
            z = run.encode(run.x)
            self.recenter("fresh", z, run, before=before)
            if run.optimizer is not None:  # SGD without momentum remembers nothing that a checkpoint could hold
                run.optimizer.reset("centers")
            self.follow_centers(z, run)

    def follow_centers(self, z, run):
        """Bring what the method keeps beside the centers in line with new ones, and with the code z, (S, N, D)."""


def move_to_fresh(run, *, keep, draw):
    """Move the hidden layers of the encoders towards fresh ones, keeping the share `keep` of themselves."""
    generators = [generator(seed, "reset weights", run.epoch) for seed in run.seeds]
    encoder = getattr(run.autoencoder, "encoder", nn.Module())  # without an autoencoder there is none
    layers = [layer for layer in encoder.modules() if hasattr(layer, "initialize")]
    for layer in layers[:-1]:  # the last one embeds
        for tensor, drawn in zip(layer.parameters(), _fresh(layer, draw, generators).parameters(), strict=True):
            tensor.mul_(keep).add_(drawn, alpha=1 - keep)


def _fresh(layer, draw, generators):
    """Return a layer like this one with weights drawn anew, each run's from its own generator."""
    fresh = copy.deepcopy(layer)
    if draw == "glorot":
        fresh.initialize(generators)
        return fresh
    inputs = layer.weight[0].numel() // layer.bias[0].numel()  # of a unit
    for tensor, squared in ((fresh.weight, 6), (fresh.bias, 1)):
        for one, random in zip(tensor, generators, strict=True):
            drawn = 2 * torch.rand(one.shape, dtype=torch.float64, generator=random) - 1
            one.copy_(drawn * math.sqrt(squared / inputs))
    return fresh
