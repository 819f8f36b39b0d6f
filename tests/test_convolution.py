"""Stacked convolutional autoencoders: sizes, independence of runs, and the methods that train on their code."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from deepkm.autoencoder import build_autoencoder, encode_all
from deepkm.layers import StackedConv, StackedConvTranspose
from deepkm.methods.ct import CT
from deepkm.methods.dkm import DKM
from deepkm.training import Batch, Run, pretrain, train


def build(kind, side, seeds=(0,), n_latent=10):
    return build_autoencoder(kind, seeds=seeds, n_features=side**2, n_latent=n_latent, hidden_widths=())


@pytest.fixture
def x():
    return torch.tensor(load_digits().data[:150] / 16)


def test_architecture_of_28_pixels():
    model, shapes = build("conv_sigmoid", 28), []
    for layer in model.modules():
        if isinstance(layer, StackedConv | StackedConvTranspose):
            layer.register_forward_hook(lambda layer, _, out: shapes.append(tuple(out.shape)))
    x = torch.rand(1, 2, 784)
    z = model.encode(x)
    x_hat = model.decode(z)
    assert shapes == [
        (2, 16, 13, 13), (2, 32, 6, 6), (2, 64, 4, 4), (2, 32, 6, 6), (2, 16, 13, 13), (2, 1, 28, 28),
    ]  # fmt: skip
    count = dict.fromkeys(("encoder", "to_code", "from_code", "decoder"), 0)
    for name, tensor in model.named_parameters():
        count[name.split(".")[0]] += tensor.numel()
    assert count["encoder"] + count["to_code"] == 33_546
    assert count["decoder"] + count["from_code"] == 34_497
    assert x_hat.shape == x.shape
    assert (z >= 0).all()
    assert ((x_hat > 0) & (x_hat < 1)).all()


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
    for layer, stride in zip(model.encoder[::2], (2, 1, 1), strict=True):
        maps = convolve(maps, layer.weight[1], layer.bias[1], stride=stride).relu()
    z = (maps.flatten(1) @ model.to_code.weight[1] + model.to_code.bias[1]).relu()
    torch.testing.assert_close(model.encode(x)[1], z, rtol=0, atol=1e-12)
    maps = (z @ model.from_code.weight[1] + model.from_code.bias[1]).view(6, 64, 3, 3)
    for layer, stride in zip(model.decoder[1::2], (1, 1, 2), strict=True):
        maps = transpose(maps.relu(), layer.weight[1], layer.bias[1], stride=stride, output_padding=stride - 1)
    torch.testing.assert_close(model.decode(model.encode(x))[1], maps.flatten(1).sigmoid(), rtol=0, atol=1e-12)


def test_weights_are_glorot_uniform_and_those_of_the_seed():
    model, alone = build("conv", 28, seeds=(1, 2)), build("conv", 28, seeds=(2,))
    for (name, stacked), single in zip(model.named_parameters(), alone.parameters(), strict=True):
        assert torch.equal(stacked[1], single[0]), name
    weight = model.encoder[4].weight  # 32 -> 64 channels
    limit = (6 / (9 * (32 + 64))) ** 0.5
    assert limit * 0.99 < weight.abs().max() <= limit
    assert (model.encoder[4].bias == 0).all()


def test_encoding_in_parts_changes_nothing(x, monkeypatch):
    model = build("conv", 8).double()
    whole = encode_all(model, x, n_runs=1)
    monkeypatch.setattr("deepkm.autoencoder.CHUNK_NUMEL", 16 * 36 * 40)  # parts of 40 samples
    torch.testing.assert_close(encode_all(model, x, n_runs=1), whole, rtol=0, atol=1e-12)


@pytest.mark.parametrize("method", [DKM, CT])
def test_methods_train_on_its_code(method, x):
    def fit(seeds):
        estimator = method(n_clusters=5, epochs=2, batch_size=64, autoencoder="conv", n_init=2)
        run = estimator.start(x, seeds=seeds)
        for _ in pretrain(x, run, epochs=2, batch_size=64, learning_rate=1e-3):
            pass
        run = Run(seeds, run.autoencoder)
        for _ in train(estimator, x, run):
            pass
        return run

    seeds = [5, 6, 7]
    stacked = fit(seeds)
    for s, seed in enumerate(seeds):
        single = fit([seed])
        torch.testing.assert_close(stacked.centers[s], single.centers[0], rtol=0, atol=1e-10)
        np.testing.assert_array_equal(stacked.history["labels"][-1][s], single.history["labels"][-1][0])
        for name, tensor in single.autoencoder.state_dict().items():
            torch.testing.assert_close(stacked.autoencoder.state_dict()[name][s], tensor[0], rtol=0, atol=1e-10)


def test_a_run_has_no_gradient_on_another(x):
    method = DKM(n_clusters=5, autoencoder="conv")
    run = method.start(x, seeds=[0, 1, 2])
    method.init(run.encode(x), run)
    loss = method.loss(Batch(x, torch.arange(20).expand(3, -1), run.autoencoder), run)
    for gradient in torch.autograd.grad(loss[1], list(run.parameters().values())):
        assert gradient[1].any()
        assert not gradient[[0, 2]].any()
