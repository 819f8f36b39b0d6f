"""DEKM: the worked example, its loss against the full basis, refreshes, the stopping rule."""

import pytest
import torch
from problems import SMALL, blobs, check_resume, check_stack, first_batch, initialized, move_weights, trained
from torch.nn.functional import one_hot

from deepkm.methods.dekm import DEKM, _constants
from deepkm.training.loop import train
from deepkm.training.run import Run
from deepkm.training.steps import Batch

METHOD = DEKM(**SMALL, update_interval=3, tol=0.0)
# Two clusters of four codes, centers (2, 2) and (14, 2); the scatter is [[20, 12], [12, 20]], its eigenvalues 8 and 32.
CODE = torch.tensor([[0.0, 0], [4, 4], [1, 3], [3, 1], [12, 0], [16, 4], [13, 3], [15, 1]], dtype=torch.float64)
CENTERS = torch.tensor([[[2.0, 2.0], [14.0, 2.0]]], dtype=torch.float64)


class Itself:
    """An autoencoder whose code is its input."""

    def encode(self, x):
        return x


def worked(code):
    """Return a run of one seed right after a refresh on CODE, and a batch in which the code has become another."""
    run = Run([0], Itself())
    run.state = {"anchors": CENTERS.clone()} | _constants(CODE[None], CENTERS)
    return Batch(code, torch.arange(len(code))[None], run.autoencoder), run


def test_the_worked_example():
    code = CODE.clone().requires_grad_()
    batch, run = worked(code)
    torch.testing.assert_close(run.state["axis"].abs().flatten(), torch.full((2,), 0.5**0.5, dtype=torch.float64))
    loss = METHOD.loss(batch, run)
    torch.testing.assert_close(loss, torch.tensor([32 / 8], dtype=torch.float64), rtol=0, atol=1e-12)  # lambda_l / N
    for k, expected in enumerate([8, 8, 0, 0, 8, 8, 0, 0]):
        single = Batch(CODE, torch.tensor([[k]]), run.autoencoder)
        assert abs(METHOD.loss(single, run).item() - expected) < 1e-12
    moved = CODE.clone()
    moved[0] = torch.tensor([0.0, 1.0])
    moved.requires_grad_()
    batch, run = worked(moved)
    loss = METHOD.loss(batch, run)
    assert abs(loss.item() - 3.625) < 1e-12
    loss.sum().backward()
    torch.testing.assert_close(moved.grad[:2], torch.tensor([[-0.5, -0.25], [0.5, 0.5]]).double(), rtol=0, atol=1e-12)


def test_the_gradient_at_a_refresh_lies_along_the_axis():
    x = blobs()
    run = initialized(METHOD, x, [0, 1])
    batch = first_batch(run, x)
    z = batch.z.detach().requires_grad_()
    batch.__dict__["z"] = z
    METHOD.loss(batch, run).sum().backward()
    axis = run.state["axis"]
    torch.testing.assert_close(z.grad, (z.grad @ axis) @ axis.mT, rtol=0, atol=1e-12)
    run.state["axis"] = -axis
    torch.testing.assert_close(METHOD.loss(first_batch(run, x), run), METHOD.loss(batch, run), rtol=0, atol=1e-12)


def test_loss_equals_that_in_the_full_basis():
    x = blobs()
    run = initialized(METHOD, x, [0, 1])
    h, centers = run.encode(x), run.state["anchors"]
    move_weights(run)
    batch = first_batch(run, x)
    for s, loss in enumerate(METHOD.loss(batch, run)):
        assigned = (h[s][:, None] - centers[s]).square().sum(-1).argmin(1)
        apart = h[s] - centers[s][assigned]
        values, basis = torch.linalg.eigh(apart.T @ apart)
        assert values.argmax() == len(values) - 1
        target = h[s] @ basis
        target[:, -1] = (centers[s] @ basis)[assigned, -1]
        rows = batch.index[s]
        expected = (batch.z[s] @ basis - target[rows]).square().sum(-1).mean()
        torch.testing.assert_close(loss, expected, rtol=0, atol=1e-12)


def test_a_code_of_one_number_is_pulled_to_its_center():
    x = blobs()
    run = initialized(DEKM(**SMALL, n_latent=1), x, [0])
    batch = first_batch(run, x)
    picked = one_hot(run.state["assigned"][0], 3).double()[batch.index[0]] @ run.state["anchors"][0]
    expected = (batch.z[0] - picked).square().mean()
    torch.testing.assert_close(METHOD.loss(batch, run)[0], expected, rtol=0, atol=1e-12)


def test_the_decoder_stays():
    x = blobs()
    run = METHOD.start(x, seeds=[0])
    before = {name: tensor.clone() for name, tensor in run.autoencoder.state_dict().items()}
    after = trained(METHOD, x, run=run).autoencoder.state_dict()
    same = {name.split(".")[0] for name, tensor in after.items() if torch.equal(tensor, before[name])}
    assert same == {"decoder"}


@pytest.mark.parametrize("update_interval", [3, None])
def test_refreshes(update_interval):
    """Four steps an epoch: before the step that follows a refresh, the reference is the code."""
    x, seen = blobs(), []

    class Watched(DEKM):
        def loss(self, batch, run):
            same = torch.equal(run.state["reference"], run.encode(run.x))
            seen.append(same)
            return super().loss(batch, run)

    trained(Watched(**SMALL, update_interval=update_interval, tol=0.0), x)
    due = [step % (update_interval or 4) == 0 for step in range(16)]
    assert seen == due


@pytest.mark.parametrize("reinit", ["fresh", "warm"])
@pytest.mark.parametrize("update_interval", [3, None])
def test_a_stack_and_what_is_resumed(update_interval, reinit, tmp_path):
    method = DEKM(**SMALL, update_interval=update_interval, tol=0.1, reinit=reinit)
    check_stack(method, blobs())
    check_resume(method, blobs(), tmp_path / "run.checkpoint")


def test_a_run_stops_at_a_refresh_whose_labels_are_those_before():
    x = blobs()
    method = DEKM(**SMALL, update_interval=2, tol=1.0)
    run = method.start(x, seeds=[0, 1])
    weights = []
    for _ in train(method, x, run):
        weights.append(torch.cat([tensor.flatten() for tensor in run.autoencoder.parameters()]).clone())
    assert [list(flags) for flags in run.history["stopped"]] == [[True, True]] * 4
    assert not torch.equal(weights[0], weights[1])  # two steps
    assert torch.equal(weights[1], weights[2])


@pytest.mark.parametrize("tol", [0.0, 0.1])
def test_a_fresh_clustering_keeps_the_clusters_numbers(tol):
    """Found anew from other starts, the clusters of the example have the same samples: no label changes."""
    _, run = worked(CODE)
    run.state["stopped"] = torch.zeros(1, dtype=torch.bool)
    for number in range(1, 9):
        DEKM(**SMALL | {"n_clusters": 2}, tol=tol)._refresh(CODE[None], run, number=number)
        assert run.state["assigned"].tolist() == [[0] * 4 + [1] * 4]
        torch.testing.assert_close(run.state["anchors"], CENTERS)
    assert run.state["stopped"].tolist() == [tol > 0]
