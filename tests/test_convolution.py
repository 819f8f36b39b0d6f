"""Stacked convolutional autoencoders: sizes, independence of runs, and the methods that train on their code."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from deepkm import CT
from deepkm.networks.autoencoder import build_autoencoder, encode_all
from deepkm.networks.layers import StackedConv, StackedConvTranspose, exact_convolutions


def build(kind, side, seeds=(0,), n_latent=10):
    return build_autoencoder(kind, seeds=seeds, n_features=side**2, n_latent=n_latent, hidden_widths=())


def watch(model, shapes):
    """Note what each convolution gives."""
    for layer in model.modules():
        if isinstance(layer, StackedConv | StackedConvTranspose):
            layer.register_forward_hook(lambda layer, _, out: shapes.append(tuple(out.shape)))


def weights(model):
    count = dict.fromkeys(("encoder", "decoder"), 0)
    for name, tensor in model.named_parameters():
        count[name.split(".")[0]] += tensor.numel()
    return count


@pytest.fixture
def x():
    return torch.tensor(load_digits().data[:150] / 16)


def test_architecture_of_28_pixels():
    model, shapes = build("conv_sigmoid", 28), []
    watch(model, shapes)
    x = torch.rand(1, 2, 784)
    z = model.encode(x)
    x_hat = model.decode(z)
    assert shapes == [
        (2, 16, 13, 13), (2, 32, 6, 6), (2, 64, 4, 4), (2, 32, 6, 6), (2, 16, 13, 13), (2, 1, 28, 28),
    ]  # fmt: skip
    assert weights(model) == {"encoder": 33_546, "decoder": 34_497}
    assert x_hat.shape == x.shape
    assert (z >= 0).all()
    assert ((x_hat > 0) & (x_hat < 1)).all()


@pytest.mark.parametrize(
    ("side", "sides", "count"), [(28, [14, 7, 3], 275_979), (16, [8, 4, 2], 262_539), (32, [16, 8, 4], 294_795)]
)
def test_architecture_of_dcec(side, sides, count):
    model, shapes = build("conv_dcec", side), []
    watch(model, shapes)
    x = torch.rand(1, 2, side**2)
    z = model.encode(x)
    assert model.decode(z).shape == x.shape
    assert (z < 0).any()
    down = [(2, n, after, after) for n, after in zip((32, 64, 128), sides, strict=True)]
    assert shapes == [*down, *down[-2::-1], (2, 1, side, side)]
    assert sum(weights(model).values()) == count
    assert side != 28 or weights(model)["encoder"] == 137_482


@pytest.mark.parametrize("side", [8, 12, 16, 20, 28, 32])
def test_dcec_against_pytorchs_own_layers(side):
    model = build("conv_dcec", side, seeds=(3, 4)).double()
    x = torch.rand(2, 5, side**2, dtype=torch.float64)
    *convolutions, to_code = (layer for layer in model.encoder if hasattr(layer, "weight"))
    from_code, *transposed = (layer for layer in model.decoder if hasattr(layer, "weight"))
    even = side % 8 == 0
    maps = x[1].reshape(5, 1, side, side)
    for layer, padding in zip(convolutions, (2, 2, int(even)), strict=True):
        maps = torch.nn.functional.conv2d(maps, layer.weight[1], layer.bias[1], stride=2, padding=padding).relu()
    z = maps.flatten(1) @ to_code.weight[1] + to_code.bias[1]
    torch.testing.assert_close(model.encode(x)[1], z, rtol=0, atol=1e-12)
    maps = (z @ from_code.weight[1] + from_code.bias[1]).view_as(maps)
    for layer, (padding, more) in zip(transposed, ((int(even), int(even)), (2, 1), (2, 1)), strict=True):
        options = {"stride": 2, "padding": padding, "output_padding": more}
        maps = torch.nn.functional.conv_transpose2d(maps.relu(), layer.weight[1], layer.bias[1], **options)
    torch.testing.assert_close(model.decode(model.encode(x))[1], maps.flatten(1), rtol=0, atol=1e-12)


def test_dcec_takes_sides_that_halve_alone():
    with pytest.raises(ValueError, match="n_features=900 should be the square of a multiple of 4"):
        build("conv_dcec", 30)
    with pytest.raises(ValueError, match="n_features=16 should be at least 64: images of 8 x 8"):
        build("conv_dcec", 4)


@pytest.mark.parametrize("side", [7, 8, 12, 13, 14, 16, 28, 32, 128])
def test_every_side_comes_back(side):
    model = build("conv", side, seeds=(0, 1))
    x = torch.rand(2, 3, side**2)
    z = model.encode(x)
    assert z.shape == (2, 3, 10)
    assert model.decode(z).shape == x.shape
    assert (z < 0).any()  # linear


@pytest.mark.parametrize(
    ("n_features", "message"), [(60, "n_features=60 should be a square"), (36, "n_features=36 should be at least 49")]
)
def test_wrong_sizes_get_one_clear_line(n_features, message):
    with pytest.raises(ValueError, match=message):
        build_autoencoder("conv", seeds=[0], n_features=n_features, n_latent=2, hidden_widths=())
    with pytest.raises(ValueError, match=message):
        CT(autoencoder="conv").fit(np.random.default_rng(0).normal(size=(20, n_features)))


def test_stacked_equals_plain_layers():
    """Run 1 of three against PyTorch's own layers with its weights."""
    model = build("conv_sigmoid", 16, seeds=(3, 4, 5)).double()
    x = torch.rand(3, 6, 256, dtype=torch.float64)
    convolve, transpose = torch.nn.functional.conv2d, torch.nn.functional.conv_transpose2d
    maps = x[1].reshape(6, 1, 16, 16)
    *convolutions, to_code = (layer for layer in model.encoder if hasattr(layer, "weight"))
    from_code, *transposed = (layer for layer in model.decoder if hasattr(layer, "weight"))
    for layer, stride in zip(convolutions, (2, 1, 1), strict=True):
        maps = convolve(maps, layer.weight[1], layer.bias[1], stride=stride).relu()
    z = (maps.flatten(1) @ to_code.weight[1] + to_code.bias[1]).relu()
    torch.testing.assert_close(model.encode(x)[1], z, rtol=0, atol=1e-12)
    maps = (z @ from_code.weight[1] + from_code.bias[1]).view(6, 64, 3, 3)
    for layer, stride in zip(transposed, (1, 1, 2), strict=True):
        maps = transpose(maps.relu(), layer.weight[1], layer.bias[1], stride=stride, output_padding=stride - 1)
    torch.testing.assert_close(model.decode(model.encode(x))[1], maps.flatten(1).sigmoid(), rtol=0, atol=1e-12)


def test_weights_are_glorot_uniform_and_those_of_the_seed():
    model, alone = build("conv", 28, seeds=(1, 2)), build("conv", 28, seeds=(2,))
    for (name, stacked), single in zip(model.named_parameters(), alone.parameters(), strict=True):
        assert torch.equal(stacked[1], single[0]), name
    layer = model.encoder[5]
    weight = layer.weight  # 32 -> 64 channels
    limit = (6 / (9 * (32 + 64))) ** 0.5
    assert limit * 0.99 < weight.abs().max() <= limit
    assert (layer.bias == 0).all()


def test_encoding_in_parts_changes_nothing(x, monkeypatch):
    model = build("conv", 8).double()
    whole = encode_all(model, x, n_runs=1)
    monkeypatch.setattr("deepkm.networks.autoencoder.CACHE_NUMEL", 16 * 36 * 40)  # parts of 40 samples
    torch.testing.assert_close(encode_all(model, x, n_runs=1), whole, rtol=0, atol=1e-12)


@pytest.mark.parametrize("asked", ["none", "tf32", "ieee"])
def test_a_gpus_convolutions_are_exact_and_then_as_they_were(asked, monkeypatch):
    """Whatever the user of PyTorch chose, by its newer names too; and the blocks of threads may end in any order."""
    cudnn = torch.backends.cudnn
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends, "fp32_precision", asked)
    before = cudnn.conv.fp32_precision, cudnn.deterministic
    first, second = exact_convolutions(), exact_convolutions()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert (cudnn.conv.fp32_precision, cudnn.deterministic) == ("ieee", True)
    second.__exit__(None, None, None)
    assert (cudnn.conv.fp32_precision, cudnn.deterministic) == before
    with pytest.raises(KeyError), exact_convolutions():
        raise KeyError
    assert (cudnn.conv.fp32_precision, cudnn.deterministic) == before
