"""DEC and IDEC weigh relative to the data's scale: the same data times ten give the same clustering."""

import numpy as np
import pytest
import torch
from problems import SMALL, blobs, first_batch
from test_dec import p_by_loops, q_by_loops

from deepkm import DEC, IDEC
from deepkm.methods.self_training import mean_square
from deepkm.numerics.memory import CHUNK_NUMEL
from deepkm.training.loop import pretrain, train

SGD = {"optimizer": "sgd", "learning_rate": 0.1, "momentum": 0.9}
METHODS = {
    "dec": DEC(**SMALL, balance=0.1),
    "idec": IDEC(**SMALL, balance=0.1),
    "idec_sgd": IDEC(**SMALL, balance=0.1, **SGD),
}


def started(method, x, scale):
    """Return an untrained run on x times `scale`, whose pretrained network gives `scale` times the codes."""
    run = method.start(x, seeds=[0, 1])
    for _ in pretrain(x, run, **method.pretraining()):
        pass
    with torch.no_grad():
        for name, tensor in run.autoencoder.named_parameters():
            tensor.mul_(scale if name.endswith("bias") else 1)
    run.epoch, run.optimizer = -1, None
    next(train(method, scale * x, run))
    return run


def gradients(method, x, run):
    """Return the loss of a batch, and its gradients by name: None where there is none."""
    loss = method.loss(first_batch(run, x), run)
    named = run.parameters()
    found = torch.autograd.grad(loss.sum(), list(named.values()), allow_unused=True)
    return loss, dict(zip(named, found, strict=True))


@pytest.mark.parametrize("scale", [10.0, 1e-3])
@pytest.mark.parametrize("key", METHODS)
def test_memberships_targets_and_the_balance_of_gradients_stay(key, scale):
    """The summed error grows by the square of the scale, and all of IDEC's loss with it; what SGD follows does not."""
    method, x = METHODS[key], 0.3 * blobs() + 0.2
    one, other = (started(method, x, c) for c in (1.0, scale))
    torch.testing.assert_close(other.centers, scale * one.centers)
    torch.testing.assert_close(other.state["target"], one.state["target"], rtol=0, atol=1e-9)
    found = [method.membership(run.encode(c * x), None, run) for run, c in ((one, 1.0), (other, scale))]
    torch.testing.assert_close(found[1], found[0], rtol=0, atol=1e-9)
    (before, own), (after, others) = gradients(method, x, one), gradients(method, scale * x, other)
    grown = scale**2 if key == "idec" else 1.0
    torch.testing.assert_close(after, grown * before)
    for name, gradient in own.items():
        unit = scale if name.endswith(("bias", "centers")) else 1.0  # that of the parameter
        if gradient is not None:
            torch.testing.assert_close(others[name], grown / unit * gradient)


@pytest.mark.parametrize("cls", [DEC, IDEC])
def test_absolute_weights_hang_on_the_scale(cls):
    one, other = (started(cls(**SMALL, relative_weights=False), blobs(), c) for c in (1.0, 10.0))
    assert (other.state["target"] - one.state["target"]).abs().max() > 0.1


@pytest.mark.parametrize("cls", [DEC, IDEC])
@pytest.mark.parametrize(("kind", "scale"), [("mlp", 10.0), ("mlp", 1e-3), ("conv", 10.0)])
def test_sgd_takes_the_same_way(kind, scale, cls):
    """Biases and centers move in the unit of the data, weights without a unit: every epoch's labels are the same."""
    x = torch.randn(60, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(0))  # images of 8 x 8
    method = cls(
        **SMALL | {"epochs": 10, "warm_start": "none"},
        **SGD,
        autoencoder=kind,
        update_interval=3,
        tol=0.0,
    )
    one, other = (started(method, x, c) for c in (1.0, scale))
    for run, c in ((one, 1.0), (other, scale)):
        for _ in train(method, c * x, run):
            pass
    labels = np.stack(one.history["labels"])
    assert (labels[-1] != labels[0]).any(1).all()
    np.testing.assert_array_equal(np.stack(other.history["labels"]), labels)
    torch.testing.assert_close(other.centers, scale * one.centers, rtol=1e-6, atol=0)


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize("loss_scale", ["keras", "sum"])
def test_losses_by_loops(loss_scale, relative):
    x = 3 * blobs() + 1
    unit = sum(value**2 for value in x.flatten().tolist()) / x.numel() if relative else 1
    weight = {"keras": 5 * unit, "sum": unit}[loss_scale]
    method = IDEC(**SMALL, alpha=1.5, clustering_weight=0.3, loss_scale=loss_scale, relative_weights=relative)
    run = started(method, x, 1.0)
    batch = first_batch(run, x)
    loss = method.loss(batch, run)
    for s in range(2):
        z, centers = ((tensor / unit**0.5).tolist() for tensor in (batch.z[s], run.centers[s]))
        q = q_by_loops(z, centers, 1.5)
        p = run.state["target"][s][batch.index[s]].tolist()
        rows = zip(p, q, strict=True)
        divergence = sum(a * np.log(a / b) for pair in rows for a, b in zip(*pair, strict=True)) / len(z)
        error = (batch.x_hat[s] - batch.x[s]).square().sum().item() / len(z)
        assert loss[s].item() == pytest.approx(error + 0.3 * weight * divergence, rel=1e-9)
        everyone = q_by_loops((run.encode(x)[s] / unit**0.5).tolist(), centers, 1.5)
        np.testing.assert_allclose(run.state["target"][s], p_by_loops(everyone), rtol=0, atol=1e-9)


def test_the_published_loss_takes_the_published_rate():
    """On data of mean square 1 SGD follows the mean error over features plus gamma times the divergence."""
    x = blobs()
    assert mean_square(x) == pytest.approx(1, rel=1e-12)
    method = IDEC(**SMALL, clustering_weight=0.3, optimizer="sgd")
    run = started(method, x, 1.0)
    batch = first_batch(run, x)
    loss = method.loss(batch, run)
    torch.testing.assert_close(loss, batch.reconstruction / 5 + 0.3 * batch.logged["clustering"])


@pytest.mark.parametrize("cls", [DEC, IDEC])
def test_new_samples_are_measured_by_the_data_that_were_trained_on(cls):
    x = 0.3 * blobs()
    run = cls(**SMALL).train_runs(x, seeds=[0])
    assert run.state["mean_square"].item() == pytest.approx(x.square().mean().item(), rel=1e-12)
    z = run.encode(100 * x[:4])
    unit = x.square().mean().sqrt()
    expected = q_by_loops((z[0] / unit).tolist(), (run.centers[0] / unit).tolist(), 1.0)
    found = cls(**SMALL).membership(z, None, run)
    np.testing.assert_allclose(found[0].detach(), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("cls", [DEC, IDEC])
def test_data_that_are_all_zero_have_a_scale(cls):
    x = torch.zeros(20, 5)
    run = started(cls(**SMALL), x, 1.0)
    assert run.state["mean_square"].tolist() == [1, 1]
    assert cls(**SMALL).loss(first_batch(run, x), run).isfinite().all()


def test_the_mean_square_of_many_numbers_is_that_of_all_of_them(monkeypatch):
    x = torch.full((300, 7), 0.1)
    x[0, 0] = 1e4
    expected = x.double().square().mean().item()
    for numel in (CHUNK_NUMEL, 7 * 11, 1):
        monkeypatch.setattr("deepkm.methods.self_training.CHUNK_NUMEL", numel)
        assert mean_square(x) == pytest.approx(expected, rel=1e-7)
