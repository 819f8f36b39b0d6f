"""DEC: the target, the loss and its gradient, refreshes, the stopping rule."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from problems import SMALL, blobs, check_resume, first_batch, initialized, move_weights, trained

from deepkm.methods.dec import DEC
from deepkm.methods.self_training import memberships, target_distribution
from deepkm.numerics.centers import nearest
from deepkm.training import loop
from deepkm.training.loop import train
from deepkm.training.run import READ_OUT

METHOD = DEC(**SMALL, alpha=1.5, relative_weights=False, update_interval=3, tol=0.0)


def q_by_loops(z, centers, alpha):
    q = []
    for sample in z:
        weights = []
        for center in centers:
            distance = sum((sample[d] - center[d]) ** 2 for d in range(len(center)))
            weights.append((1 + distance / alpha) ** (-(alpha + 1) / 2))
        q.append([weight / sum(weights) for weight in weights])
    return q


def p_by_loops(q):
    clusters = range(len(q[0]))
    size = [sum(row[k] for row in q) for k in clusters]
    p = [[row[k] ** 2 / size[k] for k in clusters] for row in q]
    return [[value / sum(row) for value in row] for row in p]


def loss_by_loops(z, centers, p, alpha):
    q = q_by_loops(z, centers, alpha)
    total = 0
    for row_p, row_q in zip(p, q, strict=True):
        for value_p, value_q in zip(row_p, row_q, strict=True):
            total = total + value_p * torch.log(value_p / value_q)
    return total / len(z)


def test_target_is_that_of_the_whole_data_set():
    x = blobs()
    run = initialized(METHOD, x, [0, 1])
    z = run.encode(x)
    torch.testing.assert_close(run.state["target"].sum(-1), torch.ones(2, 60, dtype=torch.float64))
    for s in range(2):
        q = q_by_loops(z[s].tolist(), run.centers[s].tolist(), 1.5)
        np.testing.assert_allclose(run.state["target"][s], p_by_loops(q), rtol=0, atol=1e-12)
        assert not np.allclose(run.state["target"][s][:16], p_by_loops(q[:16]), atol=1e-3)


def test_loss_and_gradient_equal_loops():
    x = blobs()
    run = initialized(METHOD, x, [0, 1])
    batch = first_batch(run, x)
    loss = METHOD.loss(batch, run)
    by_z, by_centers = torch.autograd.grad(loss.sum(), [batch.z, run.centers])
    for s in range(2):
        z, centers = (tensor[s].detach().clone().requires_grad_() for tensor in (batch.z, run.centers))
        p = run.state["target"][s][batch.index[s]]
        expected = loss_by_loops(z, centers, p, 1.5)
        assert expected >= 0
        torch.testing.assert_close(loss[s], expected, rtol=0, atol=1e-10)
        for found, value in zip((by_z, by_centers), torch.autograd.grad(expected, [z, centers]), strict=True):
            torch.testing.assert_close(found[s], value, rtol=0, atol=1e-8)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 3.0])
def test_gradient_identity(alpha):
    x = blobs()
    method = DEC(**SMALL, alpha=alpha, relative_weights=False)
    run = initialized(method, x, [0])
    batch = first_batch(run, x)
    by_z, by_centers = torch.autograd.grad(method.loss(batch, run).sum(), [batch.z, run.centers])
    z, centers, p = batch.z[0].tolist(), run.centers[0].tolist(), run.state["target"][0][batch.index[0]].tolist()
    q = q_by_loops(z, centers, alpha)
    expected_z, expected_centers = np.zeros((7, 3)), np.zeros((3, 3))
    for i in range(7):
        for k in range(3):
            difference = np.subtract(z[i], centers[k])
            pull = (alpha + 1) / alpha / (1 + difference @ difference / alpha) * (p[i][k] - q[i][k]) * difference / 7
            expected_z[i] += pull
            expected_centers[k] -= pull
    np.testing.assert_allclose(by_z[0], expected_z, rtol=0, atol=1e-12)
    np.testing.assert_allclose(by_centers[0], expected_centers, rtol=0, atol=1e-12)


def test_only_the_encoder_and_the_centers_are_trained():
    before, after = initialized(METHOD, blobs(), [0]), trained(METHOD, blobs(), [0])
    for name, tensor in before.parameters().items():
        assert torch.equal(tensor, after.parameters()[name]) == name.startswith("autoencoder.decoder"), name


@pytest.mark.parametrize(("epoch", "step"), [(0, 2), (1, 1), (2, 0), (3, 2)])
def test_target_is_refreshed_on_its_step_only(epoch, step):
    """Every third step, of 4 in each epoch."""
    x = blobs()
    run = initialized(METHOD, x, [0, 1])
    first = run.state["target"].clone()
    move_weights(run)
    run.epoch = epoch
    with torch.no_grad():
        for number in range(step):
            METHOD.after_step(SimpleNamespace(step=number), run)
            assert torch.equal(run.state["target"], first)
        METHOD.after_step(SimpleNamespace(step=step), run)
        expected = target_distribution(memberships(METHOD, run.encode(x), run))
    assert torch.equal(run.state["target"], expected)
    assert not torch.allclose(expected, first)


def test_target_by_hand():
    q = torch.tensor([[[0.5, 0.5], [0.9, 0.1]]])  # sizes 1.4 and 0.6: the rare cluster gains where q is even
    a, b = 0.25 / 1.4, 0.25 / 0.6
    c, d = 0.81 / 1.4, 0.01 / 0.6
    torch.testing.assert_close(
        target_distribution(q), torch.tensor([[[a / (a + b), b / (a + b)], [c / (c + d), d / (c + d)]]])
    )


def test_extreme_distances_stay_finite():
    x = torch.tensor([[0.0], [1e3], [1e3], [1e-20]])
    method = DEC(n_clusters=2, autoencoder=None, alpha=1000.0)
    run = initialized(method, x, [0])
    loss = method.loss(first_batch(run, x, size=4), run)
    (gradient,) = torch.autograd.grad(loss.sum(), run.centers)
    assert loss.isfinite().all()
    assert gradient.isfinite().all()
    assert run.state["target"].isfinite().all()


def test_stops_when_labels_settle():
    run = trained(DEC(**{**SMALL, "epochs": 8}, update_interval=3, tol=1.0), blobs(), [0])  # 4 steps an epoch
    assert run.history["stopped"][0].all()
    assert run.epoch == 8
    assert {len(values) for name, values in run.history.items() if name not in READ_OUT} == {8}
    assert trained(DEC(**SMALL, update_interval=3, tol=0.0), blobs(), [0]).history["stopped"][-1].tolist() == [False]


@pytest.mark.parametrize("extra", [-1e-9, 1e-9])
def test_stops_by_the_labels_changed_since_the_last_refresh(extra):
    """Of 60 labels 3 change in run 0 and 6 in run 1: less than 3/60 + 1e-9 in run 0 alone, than 3/60 - 1e-9 in none."""
    x = blobs()
    method = DEC(**SMALL, update_interval=1, tol=3 / 60 + extra)
    run = initialized(method, x, [0, 1])
    assert run.stopped() == []  # no label has changed before the first step, which stops nothing
    settled = run.state["assigned"].clone()
    for changes, stopped in (((3, 6), [0] if extra > 0 else []), ((6, 3), [0, 1] if extra > 0 else [])):
        for s, n_changes in enumerate(changes):
            run.state["assigned"][s] = settled[s]
            run.state["assigned"][s, :n_changes] = (settled[s, :n_changes] + 1) % 3
        with torch.no_grad():
            method.after_step(SimpleNamespace(step=0), run)  # finds `settled` again, as no weight has moved
        assert torch.equal(run.state["assigned"], settled)
        assert run.stopped() == stopped


def test_a_slow_drift_stops():
    """All labels differ from the first ones, but only 2 of 60 from those of the last refresh."""
    x = blobs()
    method = DEC(**SMALL, update_interval=1, tol=3 / 60)
    run = initialized(method, x, [0])
    with torch.no_grad():
        run.centers = run.centers[:, [1, 2, 0]]
        now = nearest(run.encode(x), run.centers)
        assert (now != run.state["assigned"]).all()
        run.state["assigned"] = torch.cat([(now[:, :2] + 1) % 3, now[:, 2:]], dim=1)
        method.after_step(SimpleNamespace(step=0), run)
    assert run.stopped() == [0]


# Runs that stop at different epochs: a large rate moves labels for a while.
STOPPING = {**SMALL, "epochs": 12, "learning_rate": 0.05, "pretraining_epochs": 0}


@pytest.fixture(params=["sgd", "adam"])
def stopping(request):
    return DEC(**STOPPING, optimizer=request.param, update_interval=5, tol=0.04)


SEEDS = [4, 5, 6, 7]


def stop_epochs(run):
    stopped = np.stack(run.history["stopped"])
    return [int(column.argmax()) + 1 if column.any() else math.inf for column in stopped.T]


def test_a_stopped_run_stays_as_it_was(stopping):
    x = blobs()
    stopping.read_out = "all"
    run = stopping.start(x, seeds=SEEDS)
    kept = {}
    for _ in train(stopping, x, run):
        for s in run.stopped():
            now = [tensor.detach()[s].clone() for tensor in run.parameters().values()]
            now += [torch.from_numpy(run.history["labels"][-1][s]), run.state["target"][s].clone()]
            now += [torch.tensor(run.history["loss"][-1][s])] if s in kept else []
            before = kept.setdefault(s, [*now, torch.tensor(run.history["loss"][-1][s])])
            for then, value in zip(before, now, strict=False):
                assert torch.equal(then, value)
    epochs = stop_epochs(run)
    assert min(epochs) < max(epochs)  # some went on


def test_stopping_does_not_depend_on_the_stack(stopping):
    x = blobs()
    together = trained(stopping, x, SEEDS)
    for s, seed in enumerate(SEEDS):
        alone = trained(stopping, x, [seed])
        assert stop_epochs(alone) == [stop_epochs(together)[s]]
        for name, tensor in together.parameters().items():
            torch.testing.assert_close(tensor[s], alone.parameters()[name][0], rtol=0, atol=1e-10)
        for name, values in together.history.items():
            np.testing.assert_allclose(np.stack(values)[:, s], np.stack(alone.history[name])[:, 0], rtol=0, atol=1e-10)


@pytest.mark.parametrize("seeds", [SEEDS[:1], SEEDS])
def test_labels_read_after_a_run_stopped_are_those_it_stopped_with(stopping, seeds, monkeypatch):
    """A stop seldom falls on an epoch that is read; and once it was read, no code is computed any more."""
    monkeypatch.setattr(loop, "read_out_epochs", lambda epochs: [0, 1, 8, 10, epochs])
    x = blobs()
    some = trained(stopping, x, seeds)
    stopping.read_out = "all"
    every = trained(stopping, x, seeds)
    assert np.stack(some.history["label_epochs"])[:, 0].tolist() == [0, 1, 8, 10, 12]
    for epoch, labels in zip((0, 1, 8, 10, 12), some.history["labels"], strict=True):
        np.testing.assert_array_equal(labels, every.history["labels"][epoch])
    for name in some.history.keys() - READ_OUT:
        np.testing.assert_array_equal(np.stack(some.history[name]), np.stack(every.history[name]))
    assert_tensors_equal(some, every)


def assert_tensors_equal(first, second):
    for name, tensor in first.tensors().items():
        torch.testing.assert_close(tensor, second.tensors()[name], rtol=0, atol=0)


@pytest.mark.parametrize("read_after", [[0, 1, 8, 10, 12], range(13)])
def test_resume_of_stopped_runs(stopping, read_after, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "read_out_epochs", lambda epochs: list(read_after))
    check_resume(stopping, blobs(), tmp_path / "run.h5")
