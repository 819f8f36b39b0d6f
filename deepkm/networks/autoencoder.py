"""S autoencoders side by side: every weight has a leading run axis, every layer is one batched product."""

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

from deepkm.networks.convolution import ConvAutoencoder
from deepkm.networks.images import sides_of
from deepkm.networks.layers import StackedLinear, exact_convolutions
from deepkm.networks.products import perceptron, reconstruct
from deepkm.numerics.memory import CHUNK_NUMEL
from deepkm.numerics.seeding import generator

# Numbers of each run held at once by one layer of a pass over the whole data set on a CPU: 4 MiB in float32. Larger
# pieces take as long and more memory; a GPU wants them.
CACHE_NUMEL = 2**20


class MLPAutoencoder(nn.Module):
    """S fully connected autoencoders F-widths-D-reversed widths-F: ReLU inside, linear code and output.

    Parameters
    ----------
    n_runs, n_features, n_latent : int
        S, F and D.
    hidden_widths : sequence of int
        Widths of the encoder's hidden layers; the decoder mirrors them.
    precision : str
        As in `deepkm.networks.products.perceptron`.
    """

    def __init__(self, *, n_runs: int, n_features: int, n_latent: int, hidden_widths, precision="float32"):
        super().__init__()
        self.precision = precision
        widths = [n_features, *hidden_widths, n_latent]
        self.encoder = _layers(n_runs, widths)
        self.decoder = _layers(n_runs, widths[::-1])

    def encode(self, x):
        """Return the code, (S, B, D), of x, (S, B, F)."""
        return _pass(self.encoder, x, self.precision)

    def hidden(self, x):
        """Return the encoder's last hidden layer, (S, B, H), of x, (S, B, F)."""
        return _pass(self.encoder[:-1], x, self.precision).relu()

    def to_code(self, hidden):
        """Return the code, (S, B, D), of the encoder's last hidden layer."""
        return _pass(self.encoder[-1:], hidden, self.precision)

    def decode(self, z):
        """Return the reconstruction, (S, B, F), of z, (S, B, D)."""
        return _pass(self.decoder, z, self.precision)

    def reconstruct(self, x):
        """Return the reconstruction of x, both (S, B, F), and set the gradients of its error, without a graph."""
        return reconstruct(x, *map(_parameters, (self.encoder, self.decoder)), precision=self.precision)


class NoAutoencoder(nn.Module):
    """The identity: for methods that cluster in input space."""

    has_decoder = False

    def encode(self, x):
        return x

    def decode(self, z):
        return z


def build_autoencoder(kind, *, seeds, n_features, n_latent, hidden_widths, precision="float32"):
    """Return freshly initialised autoencoders, one per seed.

    Parameters
    ----------
    kind : {"mlp", "conv", "conv_sigmoid", "conv_dcec", None}
        Those named "conv" take rows as square grey images, see `ConvAutoencoder`. None is the identity.
    seeds : sequence of int, length S
        Run s draws its weights from the stream (seeds[s], "weights").
    n_features, n_latent, hidden_widths, precision
        As in `MLPAutoencoder`; the widths and the precision are those of "mlp" alone.
    """
    if kind is None:
        return NoAutoencoder()
    sizes = {"n_runs": len(seeds), "n_features": n_features, "n_latent": n_latent}
    if kind == "mlp":
        model = MLPAutoencoder(**sizes, hidden_widths=hidden_widths, precision=precision)
    elif sides_of(kind):
        model = ConvAutoencoder(kind, **sizes)
    else:
        raise ValueError(
            f"autoencoder={kind!r} should be 'mlp', 'conv', 'conv_sigmoid', 'conv_dcec' or None (cluster in input "
            "space)"
        )
    generators = [generator(seed, "weights") for seed in seeds]
    for layer in model.modules():
        if hasattr(layer, "initialize"):
            layer.initialize(generators)
    return model


def reconstruction_error(x, x_hat):
    """Return the squared error summed over features, mean over the batch, shape (S,)."""
    return functional.mse_loss(x_hat, x, reduction="none").sum(-1).mean(-1)


@torch.no_grad()
@exact_convolutions()
def encode_all(autoencoder, x, *, n_runs: int):
    """Return the code of the whole data set, (S, N, D), for x (N, F)."""
    widths = (weight.shape[-1] for weight in autoencoder.parameters())
    widest = getattr(autoencoder, "widest", None) or max(widths, default=x.shape[1])
    numel = CACHE_NUMEL if x.device.type == "cpu" else CHUNK_NUMEL // n_runs
    parts = x.split(max(1, numel // widest))
    return torch.cat([autoencoder.encode(part.expand(n_runs, -1, -1)) for part in parts], dim=1)


def _layers(n_runs, widths):
    return nn.ModuleList(StackedLinear(n_runs, n_in, n_out) for n_in, n_out in pairwise(widths))


def _parameters(layers):
    return [*(layer.weight for layer in layers), *(layer.bias for layer in layers)]


def _pass(layers, x, precision):
    return perceptron(x, [layer.weight for layer in layers], [layer.bias for layer in layers], precision=precision)
