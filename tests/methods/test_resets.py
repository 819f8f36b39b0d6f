"""Resets of the encoder: what moves and what stays, the centers after it, stacks, resumed runs."""

import math

import numpy as np
import pytest
import torch
from problems import SMALL, blobs, check_resume, check_stack, initialized, trained
from scipy.optimize import linear_sum_assignment

from deepkm.methods import resets
from deepkm.methods.ct import CT
from deepkm.methods.dcn import DCN
from deepkm.methods.dec import DEC
from deepkm.methods.dkm import DKM
from deepkm.methods.idec import IDEC
from deepkm.methods.self_training import memberships, target_distribution
from deepkm.networks.autoencoder import build_autoencoder
from deepkm.networks.layers import StackedLinear
from deepkm.numerics.alignment import align
from deepkm.numerics.centers import nearest
from deepkm.numerics.seeding import generator
from deepkm.training import loop as training
from deepkm.training import steps
from deepkm.training.loop import train

OPTIONS = {**SMALL, "hidden_widths": (8, 6), "reset_interval": 1}
METHODS = {
    "dcn": (DCN, {}),
    "dec": (DEC, {"update_interval": 3, "tol": 0.0}),
    "dec_stops": (DEC, {"update_interval": 3, "tol": 0.4}),
    "idec": (IDEC, {"update_interval": 3, "tol": 0.0}),
    "dkm": (DKM, {}),
    "dkm_reinit": (DKM, {"reinit": True}),
    "ct": (CT, {}),
    "ct_no_reinit": (CT, {"reinit": False}),
    "dkm_sgd": (DKM, {"optimizer": "sgd", "learning_rate": 1e-3}),  # nothing that a checkpoint could hold
    "dec_sgd": (DEC, {"update_interval": 3, "tol": 0.0, "momentum": 0.0}),
}


def make(key, **changes):
    method, options = METHODS[key]
    return method(**{**OPTIONS, **options, **changes})


def before_a_reset(key, epoch=2, **changes):
    """Return a method and its run, trained for some epochs."""
    method, run = make(key, **changes), make(key).start(blobs(), seeds=[4, 5])
    for _ in train(method, blobs(), run):
        if run.epoch == epoch:
            return method, run
    raise AssertionError


def reset(method, run):
    """Let the run pass a reset; return its tensors before and after it."""
    before = {name: tensor.detach().clone() for name, tensor in run.tensors().items()}
    with torch.no_grad():
        method.start_epoch(run)
    return before, {name: tensor.detach() for name, tensor in run.tensors().items()}


def test_the_share_by_hand(monkeypatch):
    layer = StackedLinear(1, 2, 1)
    layer.weight.data, layer.bias.data = torch.tensor([[[1.0], [-2.0]]]), torch.tensor([[[0.0]]])
    fresh = StackedLinear(1, 2, 1)
    fresh.weight.data, fresh.bias.data = torch.tensor([[[0.5], [0.25]]]), torch.tensor([[[1.0]]])
    monkeypatch.setattr(resets, "_fresh", lambda *args: fresh)
    run = make("dkm").start(blobs(), seeds=[0])
    run.autoencoder.encoder = torch.nn.ModuleList([layer, StackedLinear(1, 1, 1)])
    with torch.no_grad():
        resets.move_to_fresh(run, keep=0.8, draw="glorot")
    assert [*layer.weight.flatten().tolist(), layer.bias.item()] == pytest.approx([0.9, -1.55, 0.2])


@pytest.mark.parametrize("key", METHODS)
def test_nothing_is_reset_by_default_or_after_the_last_epoch(key):
    plain = trained(make(key, reset_interval=0), blobs())
    for interval in (OPTIONS["epochs"], OPTIONS["epochs"] + 1):
        found = trained(make(key, reset_interval=interval), blobs())
        for name, tensor in plain.tensors().items():
            assert torch.equal(found.tensors()[name], tensor)


@pytest.mark.parametrize("key", METHODS)
def test_keeping_all_without_new_centers_changes_no_bit(key):
    plain = trained(make(key, reset_interval=0), blobs())
    found = trained(make(key, reset_keep=1.0, recluster=False), blobs())
    for name, tensor in plain.tensors().items():
        assert torch.equal(found.tensors()[name], tensor)
    if not key.endswith("stops"):
        again = trained(make(key, reset_keep=0.8, recluster=False), blobs())
        assert not torch.equal(again.autoencoder.encoder[0].weight, plain.autoencoder.encoder[0].weight)


def test_hidden_layers_of_the_encoder_move_and_all_else_stays():
    method, run = before_a_reset("dkm", reset_keep=0.25)
    before, after = reset(method, run)
    fresh = build_autoencoder("mlp", seeds=[4, 5], n_features=5, n_latent=3, hidden_widths=(8, 6)).double()
    generators = [generator(seed, "reset weights", 2) for seed in (4, 5)]
    for layer in fresh.encoder[:-1]:
        layer.initialize(generators)
    for name, tensor in before.items():
        if name.startswith(("autoencoder.encoder.0.", "autoencoder.encoder.1.")):
            drawn = fresh.get_parameter(name.removeprefix("autoencoder."))
            torch.testing.assert_close(after[name], 0.25 * tensor + 0.75 * drawn)
        elif name.startswith("autoencoder."):
            assert torch.equal(after[name], tensor)


def test_keeping_nothing_leaves_a_fresh_draw_within_its_bounds():
    for draw, weight_bound, bias_bound in (("glorot", math.sqrt(6 / 14), 0), ("kaiming", math.sqrt(6 / 8), 8**-0.5)):
        method, run = before_a_reset("dkm", reset_keep=0.0, reset_draw=draw)
        reset(method, run)
        layer = run.autoencoder.encoder[1]
        assert 0.9 * weight_bound < layer.weight.abs().max() <= weight_bound
        assert bias_bound / 2 <= layer.bias.abs().max() <= bias_bound
        assert not torch.equal(layer.weight[0], layer.weight[1])


def test_a_convolutional_encoder_keeps_its_embedding_layer():
    x = torch.rand(30, 64, dtype=torch.float64)
    method = DKM(n_clusters=3, n_init=2, autoencoder="conv", epochs=2, pretraining_epochs=1, reset_interval=1)
    run = method.start(x, seeds=[0])
    for _ in train(method, x, run):
        if run.epoch == 1:
            break
    before, after = reset(method, run)
    moved = [name for name in before if name.startswith("autoencoder.") and not torch.equal(before[name], after[name])]
    kinds = [type(layer).__name__ for layer in run.autoencoder.encoder]
    assert {name.split(".")[2] for name in moved} == {str(i) for i, kind in enumerate(kinds) if kind == "StackedConv"}
    assert all(name.startswith("autoencoder.encoder.") for name in moved)


@pytest.mark.parametrize("key", ["dcn", "dec", "idec", "dkm", "ct", "ct_no_reinit"])
def test_centers_are_found_anew_and_keep_their_numbers(key):
    method, run = before_a_reset(key, reset_keep=1.0)
    z = run.encode(run.x)
    before, after = reset(method, run)
    old, new = nearest(z, before["centers"]), nearest(z, after["centers"])
    assert align(old, new, 3).tolist() == [[0, 1, 2]] * 2
    counted = torch.stack([torch.bincount(labels, minlength=3) for labels in new])
    assert (counted > 0).all()
    for s in range(2):
        for k in range(3):
            torch.testing.assert_close(after["centers"][s, k], z[s][new[s] == k].mean(0), atol=0.02, rtol=0)
    moments = run.optimizer.moments.get("centers")
    assert (moments is None) == (key in ("dcn", "ct"))
    assert moments is None or all((moments[name] == 0).all() for name in moments.keys() - {"step"})
    assert run.optimizer.moments["autoencoder.encoder.0.weight"].popitem()[1].abs().max() > 0


@pytest.mark.parametrize("key", ["dcn", "dec", "idec", "dkm", "ct"])
def test_labels_go_on_as_those_before_the_encoder_moved(key):
    """A code that moved far says little of which cluster was which."""
    random = torch.Generator().manual_seed(0)
    x = torch.randn(200, 6, generator=random, dtype=torch.float64)
    method = make(key, n_clusters=5, reset_keep=0.1)
    moved = 0
    for seed in range(4):
        run = method.start(x, seeds=[seed])
        for _ in train(method, x, run):
            if run.epoch == 2:
                break
        with torch.no_grad():
            old = nearest(run.encode(x), run.centers)
            centers = run.centers.clone()
            method.start_epoch(run)
            z = run.encode(x)
            new = nearest(z, run.centers)
            moved += int((nearest(z, centers) != old).sum())
        table = torch.bincount((new * 5 + old)[0], minlength=25).view(5, 5).numpy()
        best = table[linear_sum_assignment(table, maximize=True)].sum()
        assert table.trace() == best
    assert moved > 100


def test_dec_has_its_target_and_dcn_its_counts_anew():
    for key in ("dec", "idec"):
        method, run = before_a_reset(key)
        reset(method, run)
        z = run.encode(run.x)
        torch.testing.assert_close(run.state["target"], target_distribution(memberships(method, z, run)).detach())
        assert torch.equal(run.state["assigned"], nearest(z, run.centers.detach()))
    method, run = before_a_reset("dcn")
    assert run.state["counts"].min() > 100
    reset(method, run)
    assert (run.state["counts"] == 100).all()
    assert torch.equal(run.state["assigned"], nearest(run.encode(run.x), run.centers))


@pytest.mark.parametrize("recluster", [True, False])
@pytest.mark.parametrize("key", METHODS)
def test_stacked_runs_equal_single_runs(key, recluster):
    check_stack(make(key, recluster=recluster), blobs())


def test_a_reset_passes_over_stopped_runs():
    class Stopping(DEC):
        def after_step(self, batch, run):
            if (run.epoch, batch.step) == (0, 1):
                run.stop(torch.tensor([True, False]))

    method, seen = Stopping(**OPTIONS), []
    run = method.start(blobs(), seeds=[4, 5])
    for _ in train(method, blobs(), run):
        seen.append({name: tensor.detach().clone() for name, tensor in run.tensors().items()})
    for name in ("target", "centers", "autoencoder.encoder.0.weight"):
        assert torch.equal(seen[-1][name][0], seen[1][name][0])
        assert not torch.equal(seen[-1][name][1], seen[1][name][1])


@pytest.mark.parametrize("key", METHODS)
def test_resumed_equals_uninterrupted(key, tmp_path):
    check_resume(make(key), blobs(), tmp_path / "run")


@pytest.mark.parametrize("key", ["dcn", "dkm", "ct"])
def test_replayed_steps_equal_plain_ones(key, monkeypatch):
    method, calls = make(key, warm_start="none"), []  # steps of a rising rate are not recorded
    plain = trained(method, blobs())
    monkeypatch.setattr(steps, "record", lambda function, device: lambda: calls.append(function()))
    monkeypatch.setattr(training, "can_record", lambda x: True)
    replayed = trained(method, blobs())
    assert calls
    for name, tensor in plain.tensors().items():
        assert torch.equal(replayed.tensors()[name], tensor)


def test_labels_of_an_epoch_precede_its_reset():
    """The second epoch starts with a reset that the labels after the first one must not show."""
    plain = trained(make("dkm", reset_interval=0, epochs=1), blobs())
    found = trained(make("dkm", reset_keep=0.0, epochs=2), blobs())
    np.testing.assert_array_equal(found.history["labels"][1], plain.history["labels"][1])


def test_without_an_autoencoder_there_are_only_the_centers():
    method = DKM(n_clusters=3, autoencoder=None, epochs=3, reset_interval=1, n_init=2)
    run = initialized(method, blobs())
    assert trained(method, blobs(), run=run).epoch == 3
