"""S convolutional autoencoders side by side, by grouped convolutions: the channels are (S, C) flattened."""

from collections.abc import Iterator
from typing import NamedTuple

from torch import nn

from deepkm.networks.images import image_side, sides_of
from deepkm.networks.layers import StackedConv, StackedConvTranspose, StackedLinear

# A layer of "conv" halves the side of its images while they have at least this many pixels: 28 -> 13 -> 6 -> 4.
HALVED_FROM = 13


class Convolution(NamedTuple):
    """A layer of an encoder, and of the decoder that mirrors it."""

    n_in: int
    n_out: int
    side: int  # of its images
    window: int
    stride: int
    padding: int

    @property
    def side_out(self) -> int:
        return (self.side + 2 * self.padding - self.window) // self.stride + 1

    @property
    def output_padding(self) -> int:
        """Pixels that the stride had dropped, which the transposed convolution adds."""
        return self.side + 2 * self.padding - (self.side_out - 1) * self.stride - self.window


class ConvAutoencoder(nn.Module):
    """S convolutional autoencoders of square grey images, given as rows of pixels.

    Three convolutions with ReLU after each, and a linear layer to the code; the decoder mirrors them.

    ``"conv"``: 3 x 3 windows without padding, and 16, 32 and 64 channels. A layer has stride 2 where its images have at
    least 13 pixels a side: 28 x 28 images shrink to 13, 6 and 4 pixels, 16 x 16 images to 7, 5, 3, 8 x 8 images to 6,
    4, 2. ``"conv_sigmoid"``: the same with the code through ReLU and the output through a sigmoid, for data in [0, 1].
    The others are linear in both, so that any scaling of the data can be reconstructed and codes may have any sign, as
    with `MLPAutoencoder`.

    ``"conv_dcec"``: windows of 5, 5 and 3, stride 2, and 32, 64 and 128 channels; sides 28, 14, 7, 3 or 16, 8, 4, 2.
    Where the published network pads by one pixel more on one side, this one pads both alike.

    Parameters
    ----------
    kind : {"conv", "conv_sigmoid", "conv_dcec"}
    n_runs, n_features, n_latent : int
        S, F and D; F is the square of at least 7, for "conv_dcec" of a multiple of 4 from 8 on.

    References
    ----------
    X. Guo, X. Liu, E. Zhu, J. Yin. Deep clustering with convolutional autoencoders. ICONIP 2017: "conv_dcec".
    """

    def __init__(self, kind: str, *, n_runs: int, n_features: int, n_latent: int):
        super().__init__()
        self.n_runs = n_runs
        side = image_side(n_features, sides=sides_of(kind))
        layers = [*(_dcec_layers if kind == "conv_dcec" else _narrow_layers)(side)]
        first, last = layers[0], layers[-1]
        # Numbers per sample in the widest layer.
        self.widest = max(n_features, *(layer.n_out * layer.side_out**2 for layer in layers))
        n_flat = last.n_out * last.side_out**2
        encoder: list[nn.Module] = []
        decoder: list[nn.Module] = []
        for layer in layers:
            options = {"window": layer.window, "stride": layer.stride, "padding": layer.padding}
            encoder += [StackedConv(n_runs, layer.n_in, layer.n_out, **options), nn.ReLU()]
            options["output_padding"] = layer.output_padding
            decoder = [nn.ReLU(), StackedConvTranspose(n_runs, layer.n_out, layer.n_in, **options), *decoder]
        encoder += [MapsToRows(n_runs), StackedLinear(n_runs, n_flat, n_latent)]
        decoder = [StackedLinear(n_runs, n_latent, n_flat), RowsToMaps(last.side_out), *decoder, MapsToRows(n_runs)]
        bounded = kind == "conv_sigmoid"
        self.encoder = nn.Sequential(RowsToMaps(first.side), *encoder, *([nn.ReLU()] if bounded else []))
        self.decoder = nn.Sequential(*decoder, *([nn.Sigmoid()] if bounded else []))
        self.n_hidden = len(encoder)  # layers before that to the code, with `RowsToMaps`

    def encode(self, x):
        """Return the code, (S, B, D), of x, (S, B, F)."""
        return self.encoder(x)

    def hidden(self, x):
        """Return the encoder's last maps as rows, (S, B, H), of x, (S, B, F)."""
        return self.encoder[: self.n_hidden](x)

    def to_code(self, hidden):
        """Return the code, (S, B, D), of these rows."""
        return self.encoder[self.n_hidden :](hidden)

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
        return maps.flatten(1).unflatten(1, (self.n_runs, -1)).transpose(0, 1)


def _narrow_layers(side: int) -> Iterator[Convolution]:
    """Yield the layers of "conv" for images of a side."""
    for n_in, n_out in ((1, 16), (16, 32), (32, 64)):
        yield (layer := Convolution(n_in, n_out, side, window=3, stride=2 if side >= HALVED_FROM else 1, padding=0))
        side = layer.side_out


def _dcec_layers(side: int) -> Iterator[Convolution]:
    """Yield the layers of "conv_dcec" for images of a side."""
    last = 1 if side % 8 == 0 else 0
    for n_in, n_out, window, padding in ((1, 32, 5, 2), (32, 64, 5, 2), (64, 128, 3, last)):
        yield (layer := Convolution(n_in, n_out, side, window=window, stride=2, padding=padding))
        side = layer.side_out
