"""Deep power k-means against the formula and its limits."""

import numpy as np
import pytest
import torch
from problems import blobs, check_resume, check_stack, first_batch, initialized, trained

from deepkm import DeepPowerKMeans

SMALL = {"n_clusters": 3, "hidden_widths": (8,), "batch_size": 16}


def forward(x, layers):
    """One sample through linear layers with ReLU between them, sums spelled out."""
    for number, (weight, bias) in enumerate(layers):
        x = [sum(x[i] * weight[i, o] for i in range(len(x))) + bias[0, o] for o in range(weight.shape[1])]
        if number < len(layers) - 1:
            x = [value.clamp_min(0) for value in x]
    return x


def expected_loss(x, tensors, *, exponent, weight, decay):
    """L of one run, sample by sample: x (B, F), tensors (encoder W b W b, decoder W b W b, centers)."""
    *layers, centers = tensors
    layers = list(zip(layers[::2], layers[1::2], strict=True))
    reconstruction = clustering = 0
    for sample in x:
        z = forward(list(sample), layers[:2])
        x_hat = forward(z, layers[2:])
        reconstruction = reconstruction + sum((a - b) ** 2 for a, b in zip(sample, x_hat, strict=True))
        distance = [sum((a - b) ** 2 for a, b in zip(z, center, strict=True)) for center in centers]
        clustering = clustering + (sum(d**exponent for d in distance) / len(distance)) ** (1 / exponent)
    norm = sum((tensor**2).sum() for layer in layers[2:] for tensor in layer)
    return reconstruction / len(x) + weight * clustering / len(x) + decay * norm


@pytest.mark.parametrize("autoencoder", ["mlp", "conv", "conv_sigmoid"])
def test_the_decay_takes_in_all_that_decodes(autoencoder):
    x = torch.rand(5, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    run = initialized(DeepPowerKMeans(**SMALL, autoencoder=autoencoder), x)
    batch = first_batch(run, x, size=4)
    DeepPowerKMeans(**SMALL).loss(batch, run)
    decoding = torch.autograd.grad(run.autoencoder.decode(batch.z.detach()).sum(), run.autoencoder.parameters(),
                                   allow_unused=True)  # fmt: skip
    pairs = zip(run.autoencoder.parameters(), decoding, strict=True)
    expected = sum((tensor**2).sum() for tensor, gradient in pairs if gradient is not None)
    torch.testing.assert_close(batch.logged["decay"][0], expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("epoch", "exponent"), [(0, -3.0), (3, -6.75), (5, -3 * 1.5**3)])
def test_loss_and_gradient(epoch, exponent):
    x = blobs()
    method = DeepPowerKMeans(**SMALL, epochs=6, n_exponents=4, clustering_weight=2.5, decoder_decay=0.03)
    run = initialized(method, x, seeds=(3, 4))
    run.epoch = epoch
    batch = first_batch(run, x)
    loss = method.loss(batch, run)
    assert loss.shape == (2,)
    parameters = list(run.parameters().values())
    gradients = torch.autograd.grad(loss.sum(), parameters)
    for s in range(2):
        own = [tensor[s].detach().clone().requires_grad_() for tensor in parameters]
        expected = expected_loss(x[batch.index[s]], own, exponent=exponent, weight=2.5, decay=0.03)
        assert abs(loss[s] - expected).item() < 1e-8
        for found, other in zip(gradients, torch.autograd.grad(expected, own), strict=True):
            assert abs(found[s] - other).max() < 1e-8


@pytest.mark.parametrize(("exponent", "of_distances"), [(-1e4, "min"), (1.0, "mean")])
def test_limits(exponent, of_distances):
    """The k-means loss as s -> -inf, the mean of all distances at s = 1."""
    x = blobs()
    method = DeepPowerKMeans(**SMALL, epochs=1, exponent=exponent, clustering_weight=1.0, decoder_decay=0.0)
    run = initialized(method, x)
    batch = first_batch(run, x)
    method.loss(batch, run)
    distance = torch.tensor([[((z - r) ** 2).sum().item() for r in run.centers[0]] for z in batch.z[0]], dtype=x.dtype)
    expected = getattr(distance, of_distances)(1)
    expected = expected if of_distances == "mean" else expected.values * 3 ** (1 / 1e4)
    assert abs(batch.logged["clustering"] - expected.mean()).item() < 1e-8


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_centers_on_codes_give_finite_gradients(dtype):
    x = blobs().to(dtype)
    method = DeepPowerKMeans(**SMALL, epochs=20)
    run = initialized(method, x)
    run.centers = run.encode(x)[:, :3]
    for epoch in (0, 10, 19):
        run.epoch = epoch
        loss = method.loss(first_batch(run, x), run)
        assert loss.isfinite().all()
        gradients = torch.autograd.grad(loss.sum(), list(run.parameters().values()))
        assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize(("epochs", "first", "last"), [(200, 10, 19), (30, 2, 19), (20, 1, 19), (5, 1, 16)])
def test_exponents_sweep_over_the_epochs(epochs, first, last, monkeypatch):
    """The exponents of the original: ten epochs each of 200; shorter trainings hurry through them."""
    seen = []
    monkeypatch.setattr(
        "deepkm.methods.deep_power_kmeans.log_power_mean", lambda d, s: seen.append(s) or torch.zeros_like(d[..., 0])
    )
    x = blobs(n_samples=12)
    trained(DeepPowerKMeans(n_clusters=3, hidden_widths=(2,), epochs=epochs), x)
    np.testing.assert_allclose(seen[:first], [-3.0] * first)
    assert seen[first] < -3
    assert seen[-1] == pytest.approx(-3 * 1.5**last)
    assert (np.diff(seen) <= 0).all()


def test_decay_alone_by_hand():
    """Without reconstruction or clustering one SGD step scales the decoder by 1 - 2 mu lr, and nothing else."""
    x = torch.zeros(10, 2, dtype=torch.float64)
    method = DeepPowerKMeans(**SMALL, epochs=1, optimizer="sgd", learning_rate=0.1, decoder_decay=0.5)
    method.clustering_weight = 0.0
    run = initialized(method, x)  # zero data and zero biases: code and reconstruction are zero
    before = {name: tensor.detach().clone() for name, tensor in run.parameters().items()}
    trained(method, x, run=run)
    for name, tensor in run.parameters().items():
        factor = 0.9 if "decoder" in name else 1.0
        torch.testing.assert_close(tensor.detach(), factor * before[name], rtol=1e-12, atol=0)


def test_starting_centers():
    run = initialized(DeepPowerKMeans(n_clusters=30, hidden_widths=(8,)), blobs(), seeds=(3, 4))
    assert run.centers.abs().max() < 1
    assert run.centers.std().item() == pytest.approx(3**-0.5, rel=0.1)
    assert not torch.equal(run.centers[0], run.centers[1])
    with pytest.raises(ValueError, match="initial_centers='kmean' should be"):
        initialized(DeepPowerKMeans(**SMALL, initial_centers="kmean"), blobs())


def test_runs_are_independent_and_resume(tmp_path):
    method, x = DeepPowerKMeans(**SMALL, epochs=4), blobs()
    check_stack(method, x)
    check_resume(method, x, tmp_path / "run.h5")
