"""Soft k-means against the formula, its limits and the overflow of the formula as it stands."""

import math

import numpy as np
import pytest
import torch
from problems import blobs, check_resume, check_stack, first_batch, initialized, trained

from deepkm import SoftKMeans
from deepkm.numerics.centers import expanded_distances, softmin, squared_distances
from deepkm.numerics.kmeans import draw_centers


def naive_loss(x, centers, alpha):
    """L, sample by sample, as the formula stands."""
    total = 0
    for sample in x:
        distance = [((sample - center) ** 2).sum() for center in centers]
        weight = [torch.exp(-alpha * d) for d in distance]
        total = total + sum(w / sum(weight) * d for w, d in zip(weight, distance, strict=True))
    return total / len(x)


@pytest.mark.parametrize("alpha", [0.1, 1.0, 10.0])
def test_loss_and_gradient(alpha):
    x = blobs()
    method = SoftKMeans(n_clusters=3, alpha=alpha)
    run = initialized(method, x, seeds=(3, 4))
    batch = first_batch(run, x)
    loss = method.loss(batch, run)
    (gradient,) = torch.autograd.grad(loss.sum(), run.centers)
    assert list(run.parameters()) == ["centers"]
    for s in range(2):
        centers = run.centers[s].detach().clone().requires_grad_()
        expected = naive_loss(x[batch.index[s]], centers, alpha)
        assert abs(loss[s] - expected).item() < 1e-8
        assert abs(gradient[s] - torch.autograd.grad(expected, centers)[0]).max() < 1e-8


@pytest.mark.parametrize("alpha", [0.5, 1.0, 20.0])
def test_gradient_identity(alpha):
    """dL/dd_k = w_k (1 - alpha (d_k - L)): sums to 1, negative beyond L + 1/alpha."""
    distance = torch.tensor(np.random.default_rng(0).uniform(0, 3, (6, 4))).requires_grad_()
    loss = (softmin(distance, alpha) * distance).sum(1)
    (gradient,) = torch.autograd.grad(loss.sum(), distance)
    for i, row in enumerate(distance.tolist()):
        total = math.fsum(math.exp(-alpha * d) for d in row)
        weight = [math.exp(-alpha * d) / total for d in row]
        mean = math.fsum(w * d for w, d in zip(weight, row, strict=True))
        expected = [w * (1 - alpha * (d - mean)) for w, d in zip(weight, row, strict=True)]
        np.testing.assert_allclose(gradient[i], expected, rtol=0, atol=1e-10)
        assert math.fsum(expected) == pytest.approx(1)


def test_step_by_hand():
    """One sample at 0, centers at 1 and 2: each moves by -lr * 2 r_k * w_k (1 - alpha (d_k - L))."""
    x = torch.zeros(1, 1, dtype=torch.float64)
    method = SoftKMeans(n_clusters=2, alpha=0.5, epochs=1, learning_rate=0.1)
    run = method.start(x, seeds=[0])
    run.epoch, run.centers = 0, torch.tensor([[[1.0], [2.0]]], dtype=torch.float64, requires_grad=True)
    trained(method, x, run=run)
    weight = 1 / (1 + math.exp(-1.5))  # of the near one: d = 1 and 4
    mean = weight + 4 * (1 - weight)
    near = 1 - 0.1 * 2 * weight * (1 - 0.5 * (1 - mean))
    far = 2 - 0.1 * 4 * (1 - weight) * (1 - 0.5 * (4 - mean))
    np.testing.assert_allclose(run.centers.detach().flatten(), [near, far], rtol=1e-12)


def test_large_alpha_is_kmeans_where_the_formula_is_nan():
    for x in (blobs(), blobs().float()):
        method = SoftKMeans(n_clusters=3, alpha=1000.0, epochs=3, batch_size=16, initial_centers="normal")
        run = initialized(method, x)
        batch = first_batch(run, x)
        assert naive_loss(batch.x[0], run.centers[0].detach(), 1000.0).isnan()
        loss = method.loss(batch, run)
        nearest = min_distances(batch.x[0], run.centers[0].detach()).mean()
        assert loss.item() == pytest.approx(nearest.item(), rel=1e-4)
        assert torch.autograd.grad(loss.sum(), run.centers)[0].isfinite().all()
        trained(method, x, run=run)
        assert run.centers.isfinite().all()
        assert np.isfinite(run.history["loss"]).all()


def min_distances(x, centers):
    return torch.stack([min(((sample - center) ** 2).sum() for center in centers) for sample in x])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extreme_distances(dtype):
    values = [0.0, 1e-30, 1.0, 1e6]
    distance = torch.tensor(
        [[a, b, c] for a in values for b in values for c in values], dtype=dtype, requires_grad=True
    )
    for alpha in (1e-3, 10.0, 1e4):
        loss = (softmin(distance, alpha) * distance).sum(1)
        assert loss.isfinite().all()
        assert torch.autograd.grad(loss.sum(), distance)[0].isfinite().all()


def test_expanded_distances_equal_differences():
    random = torch.Generator().manual_seed(0)
    z = torch.rand(2, 5, 3, dtype=torch.float64, generator=random) + 100
    centers = torch.cat([torch.rand(2, 3, 3, dtype=torch.float64, generator=random) + 100, z[:, :1]], 1)
    z, centers = z.requires_grad_(), centers.requires_grad_()
    found, expected = expanded_distances(z, centers), squared_distances(z, centers)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    assert (found >= 0).all()
    pick = torch.arange(40, dtype=torch.float64).view(2, 5, 4)
    for one, other in zip(
        *(torch.autograd.grad((pick * d).sum(), (z, centers)) for d in (found, expected)), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-10)


@pytest.mark.parametrize("kind", ["kmeans++", "data", "uniform", "normal"])
def test_starting_centers(kind):
    x = blobs(n_samples=40).expand(2, -1, -1)
    centers = draw_centers(kind, x, 40, seeds=[3, 4])
    assert centers.shape == (2, 40, x.shape[2])
    torch.testing.assert_close(centers[1:], draw_centers(kind, x[:1], 40, seeds=[4]), rtol=0, atol=0)
    if kind in ("kmeans++", "data"):  # every sample once
        assert torch.equal(centers[0].sort(0).values, x[0].sort(0).values)
    else:
        assert abs(centers.mean()) < 0.15
        assert centers.std() == pytest.approx(1 if kind == "normal" else 3**-0.5, rel=0.15)
        assert (centers.abs().max() > 1) == (kind == "normal")


def test_one_cluster_is_the_mean():
    x = blobs() + 3
    run = trained(SoftKMeans(n_clusters=1, epochs=200, batch_size=60), x)
    torch.testing.assert_close(run.centers[0, 0].detach(), x.mean(0), rtol=0, atol=1e-6)


def test_an_autoencoder_is_left_as_it_is():
    x = blobs()
    method = SoftKMeans(n_clusters=3, epochs=2, autoencoder="mlp", hidden_widths=(8,))
    run = initialized(method, x)
    before, centers = [p.detach().clone() for p in run.autoencoder.parameters()], run.centers.detach().clone()
    trained(method, x, run=run)
    assert all(torch.equal(a, b) for a, b in zip(before, run.autoencoder.parameters(), strict=True))
    assert not torch.equal(centers, run.centers)


@pytest.mark.parametrize("options", [{}, {"optimizer": "adam"}, {"autoencoder": "mlp", "hidden_widths": (8,)}])
def test_runs_are_independent_and_resume(options, tmp_path):
    method, x = SoftKMeans(n_clusters=3, epochs=3, batch_size=16, **options), blobs()
    check_stack(method, x)
    check_resume(method, x, tmp_path / "run.h5")
