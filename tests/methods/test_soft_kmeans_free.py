"""Soft k-means with free weights against the formula, with its collapse."""

import math

import numpy as np
import pytest
import torch
from problems import blobs, check_resume, check_stack, first_batch, initialized, trained
from sklearn.datasets import make_blobs

from deepkm import SoftKMeansFree


def expected_losses(x, logits, centers):
    """The loss of each sample, as the formula stands."""
    losses = []
    for sample, row in zip(x, logits, strict=True):
        weight = [torch.exp(a) / sum(torch.exp(b) for b in row) for a in row]
        losses.append(sum(w * ((sample - r) ** 2).sum() for w, r in zip(weight, centers, strict=True)))
    return losses


def test_loss_and_gradients():
    x = blobs()
    method = SoftKMeansFree(n_clusters=3, weight_learning_rate=0.7)
    run = initialized(method, x, seeds=(3, 4))
    batch = first_batch(run, x)
    before = run.state["logits"].clone()
    loss = method.loss(batch, run)
    (gradient,) = torch.autograd.grad(loss.sum(), run.centers)
    with torch.no_grad():
        method.after_step(batch, run)
    for s in range(2):
        index = batch.index[s]
        centers = run.centers[s].detach().clone().requires_grad_()
        logits = before[s, index].requires_grad_()
        losses = expected_losses(x[index], logits, centers)
        by_center, _ = torch.autograd.grad(sum(losses) / len(losses), (centers, logits), retain_graph=True)
        (by_logit,) = torch.autograd.grad(sum(losses), logits)
        assert abs(loss[s] - sum(losses) / len(losses)).item() < 1e-8
        assert abs(gradient[s] - by_center).max() < 1e-8
        moved = run.state["logits"][s]
        assert abs(moved[index] - (logits.detach() - 0.7 * by_logit)).max() < 1e-8
        others = np.setdiff1d(np.arange(len(x)), index)
        assert torch.equal(moved[others], before[s, others])


def test_step_by_hand():
    """Sample 0, centers 1 and 2, equal weights: the centers move first, then the logits at the new centers."""
    x = torch.zeros(1, 1, dtype=torch.float64)
    method = SoftKMeansFree(n_clusters=2, epochs=1, learning_rate=0.1, weight_learning_rate=0.5)
    run = method.start(x, seeds=[0])
    run.epoch, run.centers = 0, torch.tensor([[[1.0], [2.0]]], dtype=torch.float64, requires_grad=True)
    run.state["logits"] = torch.zeros(1, 1, 2, dtype=torch.float64)
    trained(method, x, run=run)
    near, far = 1 - 0.1 * 0.5 * 2, 2 - 0.1 * 0.5 * 4  # 0.9 and 1.8
    np.testing.assert_allclose(run.centers.detach().flatten(), [near, far], rtol=1e-12)
    mean = (near**2 + far**2) / 2
    expected = [-0.5 * 0.5 * (near**2 - mean), -0.5 * 0.5 * (far**2 - mean)]
    np.testing.assert_allclose(run.state["logits"].flatten(), expected, rtol=1e-12)


def test_informed_start():
    x = blobs()
    run = initialized(SoftKMeansFree(n_clusters=3), x)
    distance = [[((sample - r) ** 2).sum().item() for r in run.centers[0].detach()] for sample in x]
    median = sorted(d for row in distance for d in row)[(len(x) * 3 - 1) // 2]
    np.testing.assert_allclose(run.state["logits"][0], -np.array(distance) / median, rtol=0, atol=1e-10)
    uninformed = initialized(SoftKMeansFree(n_clusters=3, informed_weights=False), x)
    assert (uninformed.state["logits"] == 0).all()


def test_logits_of_one_sample_move_once_per_epoch():
    """Rates are per sample: the batch size does not slow the weights."""
    x = blobs()
    moves = []
    for batch_size in (5, 40):
        method = SoftKMeansFree(n_clusters=3, epochs=1, batch_size=batch_size, learning_rate=1e-12)
        run = initialized(method, x)
        before = run.state["logits"].clone()
        moves.append(trained(method, x, run=run).state["logits"] - before)
    torch.testing.assert_close(moves[0], moves[1], rtol=0, atol=1e-8)


@pytest.mark.parametrize("views", ["target", "both"])
def test_stored_weights_are_those_of_the_images_whatever_view_is_trained_on(views):
    x = torch.rand(40, 64, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    options = {"n_clusters": 3, "epochs": 1, "learning_rate": 1e-12}
    plain, seen = (trained(SoftKMeansFree(**options, views=form), x).state["logits"] for form in (None, views))
    torch.testing.assert_close(seen, plain, rtol=0, atol=1e-8)


def test_uninformed_start_collapses_and_the_default_does_not():
    """Far from the data the shortest center is nearest to every sample, and the others never move."""
    x, _ = make_blobs(200, 60, centers=4, random_state=0)
    x = torch.tensor((x - x.min()) / (x.max() - x.min()))
    options = {"n_clusters": 4, "epochs": 20, "batch_size": 20}
    used = []
    for changes in ({"initial_centers": "normal", "informed_weights": False}, {}):
        run = trained(SoftKMeansFree(**options, **changes), x)
        used.append(len(np.unique(run.history["labels"][-1])))
    assert used == [1, 4]


def test_labels_are_weights_and_predict_is_nearest():
    x = blobs()
    method = SoftKMeansFree(n_clusters=3, epochs=2, random_state=0, device="cpu").fit(x.numpy())
    logits = method._run.state["logits"][0].clone()
    np.testing.assert_array_equal(method.labels_, logits.argmax(1))
    nearest = [min(range(3), key=lambda k: math.dist(sample, method.cluster_centers_[k])) for sample in x.tolist()]
    np.testing.assert_array_equal(method.predict(x.numpy()), nearest)
    method._run.state["logits"] = logits.roll(1, 1).unsqueeze(0)  # new data know no weights
    np.testing.assert_array_equal(method.predict(x.flip(0).numpy()), nearest[::-1])
    assert torch.equal(method.assign(x, method._run)[0], logits.roll(1, 1).argmax(1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extremes_stay_finite(dtype):
    x = torch.tensor([[0.0, 0.0]] * 6 + [[1e3, 0.0], [1e3, 1e-15]], dtype=dtype)
    for n_clusters in (1, 3, 8):
        method = SoftKMeansFree(n_clusters=n_clusters, epochs=3, weight_learning_rate=1e4)
        run = trained(method, x)
        assert run.centers.isfinite().all()
        assert run.state["logits"].isfinite().all()


def test_one_cluster_is_the_mean():
    x = blobs() + 3
    run = trained(SoftKMeansFree(n_clusters=1, epochs=200, batch_size=60, learning_rate=0.05), x)
    torch.testing.assert_close(run.centers[0, 0].detach(), x.mean(0), rtol=0, atol=1e-6)


@pytest.mark.parametrize("options", [{}, {"momentum": 0.9}, {"autoencoder": "mlp", "hidden_widths": (8,)}])
def test_runs_are_independent_and_resume(options, tmp_path):
    method, x = SoftKMeansFree(n_clusters=3, epochs=3, batch_size=16, **options), blobs()
    check_stack(method, x)
    check_resume(method, x, tmp_path / "run.h5")
