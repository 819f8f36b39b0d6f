import math
from functools import partial
from itertools import pairwise

import pytest
import torch

from deepkm import DKM
from deepkm.numerics.centers import softmin
from deepkm.training.run import Run
from deepkm.training.steps import Batch


class Halves(torch.nn.Module):
    """Encodes (a, b, c, d) as (a, b), and decodes it as (a, b, a, b)."""

    def encode(self, x):
        return x[..., :2]

    def decode(self, z):
        return torch.cat([z, z], dim=-1)


def make_batch(n_samples=6):
    """Return a batch of two runs, its run with three centers, and the numbers in plain lists."""
    x = torch.randn(n_samples, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    centers = torch.randn(2, 3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    run = Run([0, 1], Halves())
    run.centers = centers
    return Batch(x, torch.arange(n_samples).expand(2, -1), run.autoencoder), run, x.tolist(), centers.tolist()


def loop_loss(x, centers, *, alpha, clustering_weight):
    """The paper's equations 1 to 4, sample by sample and cluster by cluster."""
    total = 0.0
    for a, b, c, d in x:
        total += (a - c) ** 2 + (b - d) ** 2
        distance = [(a - u) ** 2 + (b - v) ** 2 for u, v in centers]
        weight = [math.exp(-alpha * value) for value in distance]
        total += clustering_weight * sum(w * f for w, f in zip(weight, distance, strict=True)) / sum(weight)
    return total / len(x)


def central_difference(function, rows, k, d, step=1e-6):
    values = []
    for sign in (1, -1):
        moved = [list(row) for row in rows]
        moved[k][d] += sign * step
        values.append(function(moved))
    return (values[0] - values[1]) / (2 * step)


def check_against_loop(method, loop_loss):
    """Compare a method's loss, and its gradients on the centers and the samples, with a loop over samples and clusters.

    A sample is its own code, so that its gradient holds that on the code.
    """
    batch, run, x, centers = make_batch()
    options = {"alpha": method.alpha, "clustering_weight": method.clustering_weight}
    loss = method.loss(batch, run)
    by_x, by_centers = torch.autograd.grad(loss.sum(), [batch.x, run.centers])
    for s in range(2):
        assert loss[s].item() == pytest.approx(loop_loss(x, centers[s], **options), abs=1e-12)
        for k in range(3):
            for d in range(2):
                expected = central_difference(lambda moved: loop_loss(x, moved, **options), centers[s], k, d)
                assert by_centers[s, k, d].item() == pytest.approx(expected, abs=1e-8)
        for i in range(len(x)):
            for d in range(4):
                expected = central_difference(partial(loop_loss, centers=centers[s], **options), x, i, d)
                assert by_x[s, i, d].item() == pytest.approx(expected, abs=1e-8)


def test_loss_and_gradient_equal_a_plain_loop():
    check_against_loop(DKM(n_clusters=3, alpha=0.7, clustering_weight=0.3), loop_loss)


def test_gradient_on_distances_is_the_closed_form():
    distance = torch.tensor([0.5, 1.0, 3.0], dtype=torch.float64, requires_grad=True)
    weight = softmin(distance, 2.0)
    loss = (weight * distance).sum()
    (gradient,) = torch.autograd.grad(loss, distance)
    torch.testing.assert_close(gradient, weight * (1 - 2.0 * (distance - loss)))
    assert gradient[2] < 0  # far centers are repelled


def test_large_alpha_is_the_k_means_loss():
    batch, run, x, centers = make_batch()
    loss = DKM(n_clusters=3, alpha=1e6, clustering_weight=1.0).loss(batch, run)
    nearest = [min((a - u) ** 2 + (b - v) ** 2 for u, v in centers[0]) for a, b, _, _ in x]
    expected = sum(nearest) / len(x) + loop_loss(x, centers[0], alpha=1, clustering_weight=0)
    assert loss[0].item() == pytest.approx(expected, abs=1e-9)


def test_one_step_by_hand():
    """One sample on a line, one center: d = 4, dL/dr = 2 (r - z) = -4; Adam's first step is the learning rate."""
    x = torch.tensor([[2.0]], dtype=torch.float64)
    method = DKM(n_clusters=1, autoencoder=None, epochs=1, learning_rate=0.1)
    run = method.start(x, seeds=[0])
    run.centers = torch.tensor([[[0.0]]], dtype=torch.float64).requires_grad_()
    loss = method.loss(Batch(x, torch.tensor([[0]]), run.autoencoder), run)
    assert loss.item() == 4.0
    loss.sum().backward()
    assert run.centers.grad.item() == -4.0
    torch.optim.Adam([run.centers], lr=0.1).step()
    assert run.centers.item() == pytest.approx(0.1)


def test_reinit_moves_the_centers_to_the_means_after_each_epoch():
    x = torch.rand(60, 4, dtype=torch.float64)
    method = DKM(n_clusters=3, reinit=True, hidden_widths=(8,), epochs=2, pretraining_epochs=1)
    run = method.train_runs(x, seeds=[0])
    z, labels = run.encode(x)[0], torch.tensor(run.history["labels"][-1][0].astype(int))
    for k in range(3):
        torch.testing.assert_close(run.centers[0, k].detach(), z[labels == k].mean(0), atol=1e-2, rtol=0)
    assert run.centers.requires_grad


def test_the_loss_falls():
    x = torch.rand(100, 4, dtype=torch.float64)
    history = DKM(n_clusters=3, hidden_widths=(8,), epochs=8, pretraining_epochs=1).fit(x.numpy()).history_
    assert all(later < earlier for earlier, later in pairwise(history["loss"]))
