import pytest
import torch
from test_dkm import check_against_loop

from deepkm import CT, DKM, KMeans
from deepkm.numerics import kmeans
from deepkm.numerics.alignment import fresh_kmeans
from deepkm.numerics.centers import inverse_power, nearest
from deepkm.training.steps import Batch


def loop_loss(x, centers, *, alpha, clustering_weight):
    """The paper's equations 10 and 11, averaged over clusters, sample by sample."""
    total = 0.0
    for a, b, c, d in x:
        total += (a - c) ** 2 + (b - d) ** 2
        distance = [(a - u) ** 2 + (b - v) ** 2 for u, v in centers]
        norm = sum(value**-alpha for value in distance)
        centering = sum(value**-alpha / norm * value for value in distance)
        total += clustering_weight * centering / len(centers)
    return total / len(x)


def test_loss_and_gradient_equal_a_plain_loop():
    check_against_loop(CT(n_clusters=3, alpha=2.5, clustering_weight=3.0), loop_loss)


def test_gradient_on_distances_is_the_closed_form():
    distance = torch.tensor([0.5, 1.0, 3.0], dtype=torch.float64, requires_grad=True)
    weight = inverse_power(distance, 3.0)
    loss = (weight * distance).sum()
    (gradient,) = torch.autograd.grad(loss, distance)
    torch.testing.assert_close(gradient, weight * (1 - 3 + 3 * loss / distance))
    torch.testing.assert_close((distance * gradient).sum(), loss)  # homogeneous of degree one
    assert gradient[2] < 0  # far centers are repelled


def test_two_centers_by_hand():
    """z = 1, r = 0 and 3: d = 1 and 4, alpha = 1: G = 4/5 and 1/5, their mean of d is 8/5, over K = 2 it is 4/5."""
    x = torch.tensor([[1.0]], dtype=torch.float64)
    method = CT(n_clusters=2, autoencoder=None, alpha=1.0, clustering_weight=10.0)
    run = method.start(x, seeds=[0])
    run.centers = torch.tensor([[[0.0], [3.0]]], dtype=torch.float64)
    batch = Batch(x, torch.tensor([[0]]), run.autoencoder)
    assert method.loss(batch, run).item() == pytest.approx(8.0)
    assert batch.logged["clustering"].item() == pytest.approx(0.8)


def test_centers_are_the_means_of_the_new_code_after_each_epoch():
    x = torch.rand(60, 4, dtype=torch.float64)
    run = CT(n_clusters=3, hidden_widths=(8,), epochs=2, pretraining_epochs=1).train_runs(x, seeds=[0])
    z, labels = run.encode(x)[0], torch.tensor(run.history["labels"][-1][0].astype(int))
    for k in range(3):
        torch.testing.assert_close(run.centers[0, k], z[labels == k].mean(0), atol=1e-2, rtol=0)
    assert not run.centers.requires_grad


def test_summed_over_clusters_the_term_is_k_times_as_large():
    """The same by hand: z = 1, r = 0 and 3, alpha = 1: the mean of d by G is 8/5."""
    x = torch.tensor([[1.0]], dtype=torch.float64)
    method = CT(n_clusters=2, autoencoder=None, alpha=1.0, clustering_weight=10.0, over_clusters="sum")
    run = method.start(x, seeds=[0])
    run.centers = torch.tensor([[[0.0], [3.0]]], dtype=torch.float64)
    batch = Batch(x, torch.tensor([[0]]), run.autoencoder)
    assert method.loss(batch, run).item() == pytest.approx(16.0)
    assert batch.logged["clustering"].item() == pytest.approx(1.6)


@pytest.mark.parametrize("method", [CT, DKM])
def test_a_fresh_k_means_draws_anew_after_each_epoch_and_keeps_the_numbers(method, monkeypatch):
    drawn, draw = [], kmeans.kmeans_plus_plus

    def spy(*args, epoch=0, n_init, **options):
        drawn.append((epoch, n_init))
        return draw(*args, epoch=epoch, n_init=n_init, **options)

    monkeypatch.setattr(kmeans, "kmeans_plus_plus", spy)
    corners = 5 * torch.eye(3, dtype=torch.float64)[torch.arange(60) % 3]
    x = corners + torch.rand(60, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    options = {
        "hidden_widths": (8,),
        "epochs": 3,
        "pretraining_epochs": 30,
        "pretraining_learning_rate": 0.01,
        "n_init": 4,
    }
    run = method(n_clusters=3, reinit="fresh", **options).train_runs(x, seeds=[0])
    assert drawn == [(epoch, 4) for epoch in range(4)]
    for labels in run.history["labels"]:
        assert (labels == run.history["labels"][0]).all()
    z = run.encode(x)
    again = fresh_kmeans(z, nearest(z, run.centers.detach()), 3, seeds=[0], n_init=4, epoch=3)
    torch.testing.assert_close(run.centers.detach(), again, rtol=0, atol=1e-8)


def test_without_reinit_the_centers_are_trained():
    x = torch.rand(60, 4, dtype=torch.float64)
    run = CT(n_clusters=3, reinit=False, hidden_widths=(8,), epochs=1, pretraining_epochs=1).train_runs(x, seeds=[0])
    assert "centers" in run.parameters()


def test_without_weight_it_is_longer_training_and_k_means():
    x = torch.rand(100, 4, dtype=torch.float64)
    common = {"n_clusters": 3, "hidden_widths": (8,), "epochs": 3, "pretraining_epochs": 2}
    centered = CT(clustering_weight=0.0, **common).train_runs(x, seeds=[0])
    plain = KMeans(autoencoder="mlp", **common).train_runs(x, seeds=[0])
    for ours, theirs in zip(centered.autoencoder.parameters(), plain.autoencoder.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
