"""Annealed DKM: the schedule, the loss, its hard limit, random centers."""

from itertools import pairwise

import pytest
import torch
from problems import SMALL, blobs, first_batch, initialized

from deepkm.methods.dkm import DKM
from deepkm.numerics.seeding import uniform
from deepkm.training.loop import train

ANNEALED = {"alpha": 0.1, "n_alphas": 40, "initial_centers": "uniform", "clustering_weight": 0.7}
METHOD = DKM(**{**SMALL, "pretraining_epochs": 0}, **ANNEALED)


def test_schedule():
    method = DKM(epochs=200, **ANNEALED)
    alphas = [method.alpha_at(epoch) for epoch in range(200)]
    assert all(alphas[5 * n] == alphas[5 * n + i] for n in range(40) for i in range(5))
    steps = alphas[::5]
    assert steps[0] == 0.1
    assert steps[1] == pytest.approx(0.423209, abs=5e-7)
    assert steps[-1] == pytest.approx(28.1326, abs=5e-5)
    assert all(earlier < later for earlier, later in pairwise(steps))


@pytest.mark.parametrize("epochs", [2, 3, 7, 30, 40, 41, 199])
def test_other_lengths_sweep_the_same_range(epochs):
    method = DKM(epochs=epochs, **ANNEALED)
    alphas = [method.alpha_at(epoch) for epoch in range(epochs)]
    assert (alphas[0], alphas[-1]) == (0.1, pytest.approx(28.1326, abs=5e-5))
    assert alphas == sorted(alphas)
    assert len(set(alphas)) == min(epochs, 40)


def test_without_epochs_alpha_is_the_first():
    assert DKM(epochs=0, **ANNEALED).alpha_at(0) == 0.1


def test_constant_by_default():
    method = DKM(epochs=9)
    assert {method.alpha_at(epoch) for epoch in range(9)} == {1000.0}


def clustering_by_loops(z, centers, alpha):
    total = 0
    for i in range(len(z)):
        distance = [sum((z[i, d] - r[d]) ** 2 for d in range(len(r))) for r in centers]
        weight = [torch.exp(-alpha * value) for value in distance]
        total = total + sum(w * value for w, value in zip(weight, distance, strict=True)) / sum(weight)
    return total / len(z)


@pytest.mark.parametrize(("epoch", "alpha"), [(0, 0.1), (3, 28.13257814746897)])
def test_loss_and_gradient_equal_loops(epoch, alpha):
    x = blobs()
    run = initialized(METHOD, x, [0, 1])
    run.epoch = epoch
    batch = first_batch(run, x)
    loss = METHOD.loss(batch, run)
    clustering = 0.7 * batch.logged["clustering"]
    torch.testing.assert_close(loss, batch.reconstruction + clustering)
    by_z, by_centers = torch.autograd.grad(clustering.sum(), [batch.z, run.centers])
    for s in range(2):
        z, centers = (tensor[s].detach().clone().requires_grad_() for tensor in (batch.z, run.centers))
        expected = 0.7 * clustering_by_loops(z, centers, alpha)
        torch.testing.assert_close(clustering[s], expected, rtol=0, atol=1e-8)
        for found, value in zip((by_z, by_centers), torch.autograd.grad(expected, [z, centers]), strict=True):
            torch.testing.assert_close(found[s], value, rtol=0, atol=1e-8)


def test_large_alpha_is_k_means():
    x = blobs()
    method = DKM(**{**SMALL, "epochs": 1}, alpha=1e6)
    run = initialized(method, x, [0])
    batch = first_batch(run, x)
    method.loss(batch, run)
    distance = ((batch.z.unsqueeze(2) - run.centers.unsqueeze(1)) ** 2).sum(-1)
    assert torch.equal(method.assign(batch.z.detach(), run), distance.argmin(-1))
    torch.testing.assert_close(batch.logged["clustering"], distance.amin(-1).mean(-1))
    gradient = torch.autograd.grad(batch.logged["clustering"].sum(), run.centers)[0][0]
    for k in range(3):  # that of half the squared error of each center's own samples
        members = (distance[0].argmin(-1) == k).unsqueeze(1)
        torch.testing.assert_close(gradient[k], (2 / 7 * (run.centers[0, k] - batch.z[0]) * members).sum(0))


def test_random_centers():
    run = initialized(DKM(n_clusters=40, n_latent=25, hidden_widths=(8,), initial_centers="uniform"), blobs(), [0, 1])
    centers = run.centers.detach()
    assert centers.shape == (2, 40, 25)
    assert -1 <= centers.min() < -0.99 < 0.99 < centers.max() <= 1
    assert abs(centers.mean()) < 0.05
    assert not torch.equal(centers[0], centers[1])
    again = initialized(DKM(n_clusters=40, n_latent=25, hidden_widths=(8,), initial_centers="uniform"), blobs(), [1])
    assert torch.equal(centers[1], again.centers[0].detach())
    assert torch.equal(centers, 2 * uniform([0, 1], 40, 25, stream="centers") - 1)


def test_first_step_by_hand():
    # One center, one sample: the membership is 1, so the center's gradient is 2 (r - z) and SGD moves it by 0.1 of it.
    method = DKM(n_clusters=1, autoencoder=None, epochs=1, optimizer="sgd", learning_rate=0.1, **ANNEALED)
    x = torch.tensor([[0.25]], dtype=torch.float64)
    run = initialized(method, x, [0])
    start = run.centers.item()
    next(train(method, x, run))
    assert run.centers.item() == pytest.approx(start - 0.1 * 0.7 * 2 * (start - 0.25))
