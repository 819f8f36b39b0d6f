"""S convolutional feature extractors side by side: what DeepCluster trains."""

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

from deepkm.networks.convolution import MapsToRows, RowsToMaps
from deepkm.networks.images import image_side, sides_of
from deepkm.networks.layers import StackedConv, StackedLinear
from deepkm.numerics.seeding import generator, uniform

CHANNELS = (1, 32, 64, 128)
POOLED = 2  # side of the last maps after pooling
N_FLAT = CHANNELS[-1] * POOLED**2


class StackedBatchNorm(nn.Module):
    """S batch normalisations of C channels each: (B, S * C, H, W), statistics per run and channel."""

    def __init__(self, n_runs: int, n_channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(n_runs, n_channels))
        self.bias = nn.Parameter(torch.zeros(n_runs, n_channels))
        self.register_buffer("running_mean", torch.zeros(n_runs, n_channels))
        self.register_buffer("running_var", torch.ones(n_runs, n_channels))

    def forward(self, maps, *, learn):
        """Normalise by the batch and update the running statistics (`learn`), or by the running statistics."""
        running = self.running_mean.view(-1), self.running_var.view(-1)
        return functional.batch_norm(maps, *running, self.weight.flatten(), self.bias.flatten(), training=learn)


class ConvNet(nn.Module):
    """S convolutional networks from square grey images to D features.

    Three blocks of 3 x 3 convolution, batch normalisation and ReLU with 32, 64 and 128 channels; 2 x 2 max pooling
    after the first two, average pooling to 2 x 2 after the last; dropout; a linear layer.

    Parameters
    ----------
    n_runs, n_features, n_latent : int
        S, F and D; F is the square of at least 8.
    """

    has_decoder = False

    def __init__(self, *, n_runs: int, n_features: int, n_latent: int):
        super().__init__()
        side = image_side(n_features, sides=sides_of(None, convolutional=True))
        self.widest = CHANNELS[1] * n_features  # numbers per sample in the widest layer
        pairs = list(pairwise(CHANNELS))
        self.convolutions = nn.ModuleList(StackedConv(n_runs, *pair, padding=1) for pair in pairs)
        self.norms = nn.ModuleList(StackedBatchNorm(n_runs, n_out) for _, n_out in pairs)
        self.to_maps, self.to_rows = RowsToMaps(side), MapsToRows(n_runs)
        self.to_code = StackedLinear(n_runs, N_FLAT, n_latent)

    @torch.no_grad()
    def initialize(self, generators):
        """Draw normal weights: variance 2 / (9 C_out) for convolutions, deviation 0.01 for the linear layer."""
        for layer in (*self.convolutions, self.to_code):
            deviation = 0.01 if layer is self.to_code else (2 / (9 * layer.weight.shape[1])) ** 0.5
            layer.bias.zero_()
            for weight, random in zip(layer.weight, generators, strict=True):
                weight.copy_(torch.randn(weight.shape, dtype=torch.float64, generator=random) * deviation)

    def encode(self, x, keep=None):
        """Return the features, (S, B, D), of x, (S, B, F).

        Parameters
        ----------
        x : Tensor of shape (S, B, F)
        keep : Tensor of shape (S, B, 512), optional
            Training: normalise by the batch, update the running statistics, and multiply the last maps by `keep`
            (dropout). Without it the running statistics are used, and the same x gives the same features.
        """
        *_, maps = self.blocks(x, learn=keep is not None)
        flat = self.to_rows(maps)
        return self.to_code(flat if keep is None else flat * keep)

    def blocks(self, x, *, learn=False):
        """Yield the maps of each block after its pooling, (B, S * C, H, W); `learn` as in `StackedBatchNorm`."""
        maps = self.to_maps(x)
        for index, (convolution, norm) in enumerate(zip(self.convolutions, self.norms, strict=True)):
            maps = norm(convolution(maps), learn=learn)
            maps = _halve(maps).relu() if index < 2 else _average(maps.relu())  # the maximum first: ReLU keeps order
            yield maps

    def decode(self, z):
        raise ValueError("this network has no decoder: set pretraining_epochs=0")


def build_convnet(seeds, *, n_features, n_latent):
    """Return freshly initialised networks; run s draws its weights from the stream (seeds[s], "weights")."""
    network = ConvNet(n_runs=len(seeds), n_features=n_features, n_latent=n_latent)
    network.initialize([generator(seed, "weights") for seed in seeds])
    return network


def new_head(seeds, n_in, n_out, *, epoch):
    """Return linear layers with the bias as last row, (S, n_in + 1, n_out): deviation 0.01, biases zero."""
    weights = [torch.randn(n_in, n_out, dtype=torch.float64, generator=generator(s, "head", epoch)) for s in seeds]
    return functional.pad(0.01 * torch.stack(weights), (0, 0, 0, 1))


def head_logits(z, head):
    """Return what the head says of features z (S, B, D) through ReLU, (S, B, k)."""
    return _head_inputs(z) @ head


def head_loss(z, head, label):
    """Return each run's mean cross-entropy of the head with the labels (S, B), (S,)."""
    error = functional.cross_entropy(head_logits(z, head).flatten(0, 1), label.flatten(), reduction="none")
    return error.view_as(label).mean(-1)


def step_head(head, z, label, *, learning_rate, weight_decay):
    """Take the head's step of gradient descent on the cross-entropy, in place, by its closed form."""
    error = head_logits(z, head).softmax(-1) - functional.one_hot(label, head.shape[-1])  # (S, B, k)
    gradient = _head_inputs(z).mT @ error / label.shape[1]
    head -= learning_rate * (gradient + weight_decay * head)


def dropout_mask(x, rate, *, seeds, step, epoch):
    """Return what the last maps of the batch x (S, B, F) are multiplied with, (S, B, 512)."""
    draws = uniform(seeds, x.shape[1], N_FLAT, stream=f"dropout {step}", epoch=epoch)
    return ((draws >= rate) / (1 - rate)).to(x)


def _head_inputs(z):
    """Features through ReLU, and 1 for the bias."""
    return functional.pad(z.relu(), (0, 1), value=1.0)


def _halve(maps):
    """Max pooling by 2, without an atomic sum in its gradient; an odd last row or column is dropped."""
    height, width = maps.shape[2] // 2, maps.shape[3] // 2
    rows = torch.maximum(*maps[..., : 2 * height, : 2 * width].unflatten(2, (height, 2)).unbind(3))
    return torch.maximum(*rows.unflatten(3, (width, 2)).unbind(4))


def _average(maps):
    """Average pooling to 2 x 2: halves that share the middle row or column when it is odd."""
    half = (maps.shape[-1] + 1) // 2
    rows = torch.stack([maps[..., :half, :].mean(-2), maps[..., -half:, :].mean(-2)], dim=-2)
    return torch.stack([rows[..., :half].mean(-1), rows[..., -half:].mean(-1)], dim=-1)
