"""What a method may do before an epoch: draw numbers by sample, change weights, forget moments, cluster anew."""

from dataclasses import dataclass
from itertools import pairwise

import pytest
import torch
from problems import SMALL, blobs, check_resume, check_stack, trained

from deepkm import as_estimator
from deepkm.methods.base import DeepClustering
from deepkm.methods.dkm import DKM
from deepkm.numerics.alignment import align, fresh_kmeans
from deepkm.numerics.centers import nearest
from deepkm.training import loop as training
from deepkm.training import steps
from deepkm.training.loop import reads, train
from deepkm.training.optimizers import make_optimizer


@dataclass(kw_only=True, eq=False, repr=False)
class Noisy(DKM):
    """DKM on codes with noise by sample, whose weights shrink and whose centers' moments go before each epoch."""

    recordable = True

    def start_epoch(self, run):
        run.draw("noise", 3)
        for weight in run.autoencoder.parameters():
            weight.mul_(0.9)
        if run.epoch:
            run.optimizer.reset("centers")

    def loss(self, batch, run):
        runs = torch.arange(len(run.seeds)).unsqueeze(1)
        batch.z = batch.z + run.draws["noise"][runs, batch.index] - 0.5
        return super().loss(batch, run)


METHOD = Noisy(**SMALL, warm_start="none")


def test_it_is_called_before_each_epoch_that_is_trained_and_after_its_labels():
    calls = []

    class Spy(DeepClustering):
        def assign(self, z, run):
            calls.append(("labels", run.epoch))
            return super().assign(z, run)

        def start_epoch(self, run):
            assert not torch.is_grad_enabled()
            calls.append(("start", run.epoch))

        def order(self, n_samples, run):
            calls.append(("order", run.epoch))
            return super().order(n_samples, run)

    trained(Spy(**{**SMALL, "epochs": 2}), blobs())
    expected = [("labels", 0), ("start", 0), ("order", 0), ("labels", 1), ("start", 1), ("order", 1), ("labels", 2)]
    assert calls == expected


class Own:
    def before_epoch(self, z, run):
        super().before_epoch(z, run)


class Sparing(Own, DKM):
    needs_code = False


class Overriding(DKM):
    before_epoch = Own.before_epoch


@pytest.mark.parametrize(
    ("method", "each"),
    [
        (DeepClustering, False),
        (DKM, False),
        (type("Plain", (DKM,), {}), False),
        (type("Mixed", (Own, DKM), {}), True),
        (Overriding, True),
        (as_estimator(Overriding), True),
        (type("Further", (Overriding,), {}), True),
        (Sparing, False),
        (type("Asked", (DKM,), {"needs_code": True}), True),
    ],
)
def test_a_class_with_a_hook_before_each_epoch_has_it_called_though_its_base_needs_none(method, each):
    assert len(reads(method(epochs=100))) == (101 if each else 37)


def test_stacked_runs_equal_single_runs():
    check_stack(METHOD, blobs())


def test_resumed_equals_uninterrupted(tmp_path):
    check_resume(METHOD, blobs(), tmp_path / "run")


def test_a_stopped_run_keeps_its_weights():
    class Stopping(Noisy):
        def init(self, z, run):
            super().init(z, run)
            run.state["stopped"] = torch.zeros(2, dtype=torch.bool)

        def after_step(self, batch, run):
            if run.epoch == 0 and batch.step == 1:
                run.stop(torch.tensor([False, True]))

    run = Stopping(**SMALL).start(blobs(), seeds=[4, 5])
    weight, values = run.autoencoder.encoder[0].weight, []
    for _ in train(Stopping(**SMALL), blobs(), run):
        values.append(weight.detach().clone())
    for before, after in pairwise(values[1:]):
        assert torch.equal(before[1], after[1])
        assert not torch.equal(before[0], after[0])


def test_draws_are_those_of_the_sample_the_seed_and_the_epoch():
    seen = {}

    class Spy(Noisy):
        def start_epoch(self, run):
            super().start_epoch(run)
            seen[run.seeds, run.epoch] = run.draws["noise"].clone()

    x = blobs()
    for seeds in ([4, 5], [5]):
        assert trained(Spy(**SMALL), x, seeds).draws == {}  # a fitted model keeps none
    assert seen[(4, 5), 0].shape == (2, len(x), 3)
    assert 0 <= seen[(4, 5), 0].min() < 0.1
    assert 0.9 < seen[(4, 5), 0].max() < 1
    for epoch in range(SMALL["epochs"]):
        assert torch.equal(seen[(4, 5), epoch][1], seen[(5,), epoch][0])
        assert epoch == 0 or not torch.equal(seen[(5,), epoch], seen[(5,), epoch - 1])


def test_replayed_steps_see_the_draws_of_their_batch_and_epoch(monkeypatch):
    plain, calls = trained(METHOD, blobs()), []
    monkeypatch.setattr(steps, "record", lambda function, device: lambda: calls.append(function()))
    monkeypatch.setattr(training, "can_record", lambda x: True)
    replayed = trained(METHOD, blobs())
    assert calls
    assert torch.equal(replayed.centers, plain.centers)


def test_forgotten_moments_by_hand():
    """L = r / 2: after 740 steps at rate 1e-3 and a reset, 0.1 / (1 - 0.9^741) over sqrt(0.001 / (1 - 0.999^741))."""
    centers, other = (torch.zeros(1, 1, dtype=torch.float64, requires_grad=True) for _ in range(2))
    optimizer = make_optimizer({"centers": centers, "other": other}, learning_rate=1e-3)
    for _ in range(740):
        optimizer.zero_grad()
        (centers / 2 + other / 2).sum().backward()
        optimizer.step()
    before, kept = centers.item(), optimizer.moments["centers"]["exp_avg"]
    optimizer.reset("centers")
    assert optimizer.moments["centers"]["exp_avg"] is kept  # in place
    assert [optimizer.moments["centers"][name].item() for name in ("exp_avg", "exp_avg_sq", "step")] == [0, 0, 740]
    assert optimizer.moments["other"]["exp_avg"].item() == pytest.approx(0.5)
    optimizer.step()
    assert centers.item() - before == pytest.approx(-2.288e-3, abs=1e-6)
    optimizer.reset("unknown")  # of what was never trained there is nothing to forget


def test_sgd_forgets_its_momentum():
    weight = torch.zeros(1, 1, requires_grad=True)
    optimizer = make_optimizer({"weight": weight}, name="sgd", learning_rate=1.0, momentum=0.9)
    moved = []
    for step in range(3):
        if step == 2:
            optimizer.reset("weight")
        optimizer.zero_grad()
        weight.sum().backward()
        before = weight.item()
        optimizer.step()
        moved.append(weight.item() - before)
    assert moved == pytest.approx([-1, -1.9, -1])


def test_alignment_by_hand():
    old = torch.tensor([[0, 0, 1, 1, 2, 2, 2, 2], [0, 0, 0, 0, 0, 0, 0, 0]])
    new = torch.tensor([[2, 2, 0, 0, 1, 1, 1, 0], [1, 1, 1, 1, 1, 1, 1, 2]])
    found = align(old, new, 3)
    assert found[0].tolist() == [1, 2, 0]
    assert found[1, 1] == 0
    assert sorted(found[1].tolist()) == [0, 1, 2]  # a permutation, with clusters that are empty too
    assert (found.gather(1, new)[0] != old[0]).double().mean() == 0.125


def test_a_fresh_k_means_keeps_the_numbers_of_clusters():
    random = torch.Generator().manual_seed(0)
    corners = 9 * torch.eye(4, dtype=torch.float64)
    z = (corners.repeat(15, 1) + torch.rand(60, 4, generator=random, dtype=torch.float64)).expand(3, -1, -1)
    for epoch in range(3):
        old = torch.stack([corners[torch.randperm(4, generator=random)] for _ in range(3)])
        found = fresh_kmeans(z, nearest(z, old), 4, seeds=[0, 1, 2], n_init=2, epoch=epoch)
        assert torch.equal(nearest(z, found), nearest(z, old))
        torch.testing.assert_close(found, old + 0.5, rtol=0, atol=0.3)
