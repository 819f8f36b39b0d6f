"""Recorded steps: for real where there is a GPU; everywhere with a recording that only remembers the function."""

from unittest.mock import Mock

import numpy as np
import pytest
import torch
from test_contract import CONFIG, make_method

from deepkm.methods.dkm import DKM
from deepkm.training import loop as training
from deepkm.training import steps
from deepkm.training.loop import train

RECORDABLE = [key for key in CONFIG["methods"] if make_method(key).recordable and make_method(key).epochs]


@pytest.fixture
def x():
    return torch.randn(100, 64, generator=torch.Generator().manual_seed(0))  # batches of 32, the last one shorter


@pytest.fixture
def replayed(monkeypatch):
    """Let a CPU record: nothing runs then, and replaying calls the function again. What was replayed is listed."""
    calls = []
    monkeypatch.setattr(steps, "record", lambda function, device: lambda: calls.append(function()))
    monkeypatch.setattr(training, "can_record", lambda x: True)
    return calls


def trained(method, x):
    run = method.start(x, seeds=[5, 6])
    for _ in train(method, x, run):
        pass
    return run


def assert_close(found, expected, **tolerance):
    for name, tensor in (expected.autoencoder.state_dict() | expected.state).items():
        both = found.autoencoder.state_dict() | found.state
        torch.testing.assert_close(both[name].detach(), tensor.detach(), **tolerance)
    for name, values in expected.history.items():
        np.testing.assert_allclose(np.stack(found.history[name]), np.stack(values), **tolerance)


@pytest.mark.parametrize("key", RECORDABLE)
def test_replayed_steps_equal_plain_ones(key, x, replayed, monkeypatch):
    method = make_method(key, warm_start="none")  # steps of a rising rate are not recorded
    found = trained(method, x)
    assert len(replayed) == 2 * method.epochs  # two of four batches: not the first and not the short one
    monkeypatch.undo()
    assert_close(found, trained(method, x), rtol=0, atol=0)


def test_methods_that_decide_within_a_step_are_not_recorded(x, replayed):
    trained(make_method("soft_kmeans"), x)
    assert not replayed


@pytest.mark.parametrize("key", ["dec", "idec", "dekm_mlp"])
def test_what_is_decided_between_steps_is_no_part_of_a_recording(key, x, replayed, monkeypatch):
    """A target is refreshed, and a run may stop, in between: a recording is of the runs that still train."""
    method, recordings = make_method(key, warm_start="none", update_interval=2, epochs=3, tol=0), []
    assert method.recordable == "loss"
    refresh = type(method).after_step

    def after_step(self, batch, run):
        refresh(self, batch, run)
        if (run.epoch, batch.step) == (1, 1):
            run.stop(torch.tensor([True, False]))

    monkeypatch.setattr(type(method), "after_step", after_step)
    monkeypatch.setattr(type(method), "recordable", "loss", raising=False)
    with monkeypatch.context() as patch:
        patch.setattr(steps, "record", lambda function, device: recordings.append(function) or function)
        found = trained(method, x)
    assert len(recordings) == 4  # one per epoch, and one when the first run had stopped
    monkeypatch.setattr(training, "can_record", lambda x: False)
    assert_close(found, trained(method, x), rtol=0, atol=0)


def test_what_replaces_a_state_between_steps_is_recorded_anew(x, monkeypatch):
    class Replacing(DKM):
        recordable = "loss"

        def init(self, z, run):
            super().init(z, run)
            run.state["weight"] = torch.ones(2)

        def loss(self, batch, run):
            return super().loss(batch, run) * run.state["weight"]

        def after_step(self, batch, run):
            if batch.step == 1:
                run.state["weight"] = run.state["weight"] / 2

    recordings, held = [], {}
    monkeypatch.setattr(training, "can_record", lambda x: True)

    def record(function, device):
        """As a GPU does: the tensors of the state that was recorded."""
        recordings.append(function)
        run = function.__self__._step.run
        held[function] = dict(run.state)

        def replay():
            now, run.state = run.state, run.state | {"weight": held[function]["weight"]}
            function()
            run.state = now

        return replay

    monkeypatch.setattr(steps, "record", record)
    method = Replacing(n_clusters=3, hidden_widths=(4,), batch_size=32, epochs=2, warm_start="none")
    found = trained(method, x)
    assert len(recordings) == 4  # two in each epoch
    monkeypatch.setattr(training, "can_record", lambda x: False)
    assert_close(found, trained(method, x), rtol=0, atol=0)


def once(function, device):
    """Record as a GPU does: a replay changes the tensors that there were, and makes none."""
    function()
    return lambda: None


def test_what_is_called_between_steps_gets_the_batch_that_was_trained_on(x, monkeypatch):
    batches = []

    class Looking(DKM):
        recordable = "loss"

        def after_step(self, batch, run):
            batches.append(batch)

    monkeypatch.setattr(training, "can_record", lambda x: True)
    monkeypatch.setattr(steps, "record", once)
    trained(Looking(n_clusters=3, hidden_widths=(4,), batch_size=32, epochs=1, warm_start="none"), x)
    assert [batch.step for batch in batches] == [0, 1, 2, 3]
    assert batches[1].z is batches[2].z  # the recording's own tensors
    assert set(batches[1].logged) == {"reconstruction", "clustering", "loss"}


def test_only_a_loss_logs_where_it_alone_is_recorded(x, monkeypatch):
    class Logging(DKM):
        recordable = "loss"

        def after_step(self, batch, run):
            batch.log(more=torch.zeros(2))

    monkeypatch.setattr(training, "can_record", lambda x: True)
    monkeypatch.setattr(steps, "record", once)
    with pytest.raises(TypeError, match="after_step logs a term; in a method whose `recordable` is 'loss' only its"):
        trained(Logging(n_clusters=3, hidden_widths=(4,), batch_size=32, epochs=1, warm_start="none"), x)


def test_a_class_with_a_step_of_its_own_says_so_itself():
    class Counting(DKM):
        def after_step(self, batch, run):
            run.state["odd"] += batch.step % 2

    class Again(Counting):
        recordable = "loss"

    class Renamed(DKM):
        """Nothing of its own."""

    recordable = [training.recordable(one(n_clusters=3)) for one in (DKM, Renamed, Counting, Again)]
    assert recordable == [True, True, False, "loss"]


def test_a_state_that_is_replaced_is_refused(x, monkeypatch):
    class Replacing(DKM):
        recordable = True

        def after_step(self, batch, run):
            run.state["age"] = run.state.get("age", torch.zeros(2)) + 1

    monkeypatch.setattr(steps, "record", lambda function, device: function())
    monkeypatch.setattr(training, "can_record", lambda x: True)
    with pytest.raises(TypeError, match="state 'age' is replaced in each step"):
        trained(Replacing(n_clusters=3, hidden_widths=(4,), batch_size=32, epochs=1, warm_start="none"), x)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("key", RECORDABLE)
def test_a_gpu_replays_what_it_would_compute(key, x, monkeypatch):
    often = {"update_interval": 2} if hasattr(make_method(key), "update_interval") else {}
    method = make_method(key, warm_start="none", **often)
    monkeypatch.setenv(steps.CHOICE, "launched")
    launched = trained(method, x.cuda())
    monkeypatch.delenv(steps.CHOICE)
    assert_close(trained(method, x.cuda()), launched, rtol=0, atol=0)


def test_a_gpu_records_unless_the_environment_asks_for_launches(x, monkeypatch):
    on_gpu = Mock(spec=torch.Tensor, device=torch.device("cuda"))
    monkeypatch.delenv(steps.CHOICE, raising=False)
    assert steps.can_record(on_gpu)
    assert not steps.can_record(x)
    monkeypatch.setenv(steps.CHOICE, "launched")
    assert not steps.can_record(on_gpu)
    monkeypatch.setenv(steps.CHOICE, "replayed")
    with pytest.raises(ValueError, match="DEEPKM_STEPS: got 'replayed', expected recorded or launched; unset it"):
        steps.can_record(on_gpu)


def test_a_gpu_takes_float32_unless_a_study_asks_for_less():
    assert {CONFIG["training"]["precision"], DKM().precision} == {"float32"}
