"""S convolutional autoencoders side by side, by grouped convolutions: the channels are (S, C) flattened."""

from itertools import pairwise

from torch import nn

from deepkm.networks.images import image_side, smallest_side
from deepkm.networks.layers import KERNEL, StackedConv, StackedConvTranspose, StackedLinear

CHANNELS = (1, 16, 32, 64)
# A layer halves the side of its images while they have at least this many pixels: 28 -> 13 -> 6 -> 4.
HALVED_FROM = 13


class ConvAutoencoder(nn.Module):
    """S convolutional autoencoders of square grey images, given as rows of pixels.

    Three convolutions with 3 x 3 windows and 16, 32 and 64 channels, ReLU after each, and a linear layer to the code;
    the decoder mirrors them. Without padding 28 x 28 images shrink to 13, 6 and 4 pixels. A layer has stride 2 where
    its images have at least 13 pixels a side, so 16 x 16 images shrink to 7, 5, 3 and 8 x 8 images to 6, 4, 2.

    Parameters
    ----------
    n_runs, n_features, n_latent : int
        S, F and D; F is the square of at least 7.
    bounded : bool
        Code through ReLU and output through a sigmoid, for data in [0, 1]. Otherwise both are linear, so that any
        scaling of the data can be reconstructed and codes may have any sign, as with `MLPAutoencoder`.
    """

    def __init__(self, *, n_runs: int, n_features: int, n_latent: int, bounded: bool = False):
        super().__init__()
        self.n_runs = n_runs
        sides = [image_side(n_features, least=smallest_side("conv", convolutional=False) or 1)]
        strides = []
        for _ in CHANNELS[1:]:
            strides.append(2 if sides[-1] >= HALVED_FROM else 1)
            sides.append((sides[-1] - KERNEL) // strides[-1] + 1)
        # Numbers per sample in the widest layer.
        self.widest = max(channels * side**2 for channels, side in zip(CHANNELS, sides, strict=True))
        n_flat = CHANNELS[-1] * sides[-1] ** 2
        encoder: list[nn.Module] = []
        decoder: list[nn.Module] = []
        shapes = zip(pairwise(CHANNELS), pairwise(sides), strides, strict=True)
        for (n_in, n_out), (before, after), stride in shapes:
            padding = before - (after - 1) * stride - KERNEL  # pixels that the stride had dropped
            encoder += [StackedConv(n_runs, n_in, n_out, stride=stride), nn.ReLU()]
            layer = StackedConvTranspose(n_runs, n_out, n_in, stride=stride, output_padding=padding)
            decoder = [nn.ReLU(), layer, *decoder]
        encoder += [MapsToRows(n_runs), StackedLinear(n_runs, n_flat, n_latent)]
        decoder = [StackedLinear(n_runs, n_latent, n_flat), RowsToMaps(sides[-1]), *decoder, MapsToRows(n_runs)]
        self.encoder = nn.Sequential(RowsToMaps(sides[0]), *encoder, *([nn.ReLU()] if bounded else []))
        self.decoder = nn.Sequential(*decoder, *([nn.Sigmoid()] if bounded else []))

    def encode(self, x):
        """Return the code, (S, B, D), of x, (S, B, F)."""
        return self.encoder(x)

    def decode(self, z):
        """Return the reconstruction, (S, B, F), of z, (S, B, D)."""
        return self.decoder(z)


class RowsToMaps(nn.Module):
    """Rows (S, B, C * side * side) as maps, (B, S * C, side, side)."""

    def __init__(self, side: int):
        super().__init__()
        self.side = side

    def forward(self, x):
        return x.transpose(0, 1).reshape(x.shape[1], -1, self.side, self.side)


class MapsToRows(nn.Module):
    """Maps (B, S * C, H, W) as rows, (S, B, C * H * W)."""

    def __init__(self, n_runs: int):
        super().__init__()
        self.n_runs = n_runs

    def forward(self, maps):
        return maps.reshape(len(maps), self.n_runs, -1).transpose(0, 1)
