"""ConvDKM against its formula, evaluated sample by sample."""

import numpy as np
import pytest
import torch
from problems import initialized
from sklearn.datasets import make_blobs

from deepkm import ConvDKM
from deepkm.numerics.seeding import uniform
from deepkm.training.loop import train
from deepkm.training.run import Run
from deepkm.training.steps import Batch

SMALL = {"n_clusters": 3, "autoencoder": "mlp", "hidden_widths": (8,), "batch_size": 32, "epochs": 4}
SMALL |= {"anneal_start": 1, "anneal_end": 3, "clustering_weight": 0.5}


@pytest.fixture
def x():
    return torch.tensor(make_blobs(n_samples=90, n_features=6, centers=3, random_state=1)[0] / 10)


def test_loss_and_gradient(x):
    """Value and gradient with respect to z, x_hat and the centers, at an epoch on the ramp: lambda = 0.5 * 2 / 5."""
    random = torch.Generator().manual_seed(0)
    sizes = {"z": (1, 12, 4), "x_hat": (1, 12, 6), "centers": (1, 3, 4)}
    given = {
        k: torch.rand(size, generator=random, dtype=torch.float64, requires_grad=True) for k, size in sizes.items()
    }
    method = ConvDKM(n_clusters=3, clustering_weight=0.5, anneal_start=2, anneal_end=7)
    run = Run([0], torch.nn.Identity())
    run.epoch, run.centers = 4, given["centers"]
    batch = Batch(x, torch.arange(12).unsqueeze(0), None)
    batch.z, batch.x_hat = given["z"], given["x_hat"]
    value = method.loss(batch, run)

    again = {name: tensor.detach()[0].requires_grad_() for name, tensor in given.items()}
    expected = 0.0
    for i in range(12):
        for f in range(6):
            expected = expected + (again["x_hat"][i, f] - x[i, f]) ** 2 / (12 * 6)
        distances = []
        for k in range(3):
            distances.append(sum((again["z"][i, d] - again["centers"][k, d]) ** 2 for d in range(4)))
        nearest = min(range(3), key=lambda k, found=distances: found[k].item())
        expected = expected + 0.2 * distances[nearest] / (12 * 4)
    torch.testing.assert_close(value[0], expected, rtol=0, atol=1e-8)
    gradients = torch.autograd.grad(value.sum(), list(given.values()))
    expectations = torch.autograd.grad(expected, list(again.values()))
    for gradient, expectation in zip(gradients, expectations, strict=True):
        torch.testing.assert_close(gradient[0], expectation, rtol=0, atol=1e-8)


def test_centers_start_uniform_in_the_unit_cube():
    x = torch.rand(20, 64)
    run = initialized(ConvDKM(n_clusters=3, n_latent=4), x, [5, 6])
    assert torch.equal(run.centers, uniform([5, 6], 3, 4, stream="centers").to(x))


def test_weight_grows_linearly_between_two_epochs():
    method = ConvDKM(clustering_weight=0.3, anneal_start=10, anneal_end=40)
    weights = np.array([method.weight(epoch) for epoch in range(60)])
    np.testing.assert_allclose(weights[:12], 0.3 / 30)
    np.testing.assert_allclose(weights[25], 0.15)
    np.testing.assert_allclose(weights[40:], 0.3)
    assert (np.diff(weights) >= 0).all()


def test_weight_needs_two_epochs_in_order():
    with pytest.raises(ValueError, match="anneal_end=5 should be > anneal_start=5"):
        ConvDKM(anneal_start=5, anneal_end=5).fit(np.zeros((10, 64)))


def test_one_step_by_hand():
    """One sample x = 0.5 in input space: only the nearest of the centers 0.2 and 0.9 moves, by SGD to 0.2 + 2 * 0.3."""
    method = ConvDKM(
        n_clusters=2, autoencoder=None, optimizer="sgd", learning_rate=1.0, epochs=1, batch_size=1, anneal_start=0,
        anneal_end=1, clustering_weight=1.0,
    )  # fmt: skip
    x = torch.tensor([[0.5]], dtype=torch.float64)
    run = method.start(x, seeds=[0])
    epochs = train(method, x, run)
    next(epochs)
    with torch.no_grad():
        run.centers = torch.tensor([[[0.2], [0.9]]], dtype=torch.float64)
    next(epochs)
    torch.testing.assert_close(run.centers.detach().flatten(), torch.tensor([0.8, 0.9], dtype=torch.float64))
    assert run.history["reconstruction"][0] == 0


def test_centers_start_uniform():
    method = ConvDKM(n_clusters=200, autoencoder=None)
    run = method.start(torch.zeros(1, 50), seeds=[0, 1])
    method.init(torch.zeros(2, 1, 50), run)
    assert run.centers.shape == (2, 200, 50)
    assert run.centers.min() >= 0
    assert run.centers.max() < 1
    assert abs(run.centers.mean().item() - 0.5) < 0.01
    assert not torch.equal(run.centers[0], run.centers[1])


def test_a_center_that_is_nobodys_nearest_stays(x):
    method = ConvDKM(**SMALL)
    run = method.start(x, seeds=[0])
    epochs = train(method, x, run)
    next(epochs)
    far = torch.full_like(run.centers[0, 0], 1e3)
    with torch.no_grad():
        run.centers[0, 0] = far
    for _ in epochs:
        pass
    assert torch.equal(run.centers[0, 0], far)


def test_images_train_and_repeat():
    x = np.random.default_rng(0).random((40, 64)).astype(np.float32)
    method = ConvDKM(n_clusters=3, epochs=2, random_state=0)
    labels = method.fit_predict(x)
    np.testing.assert_array_equal(labels, ConvDKM(n_clusters=3, epochs=2, random_state=0).fit_predict(x))
    np.testing.assert_array_equal(labels, method.predict(x))
    assert (method.transform(x) >= 0).all()
