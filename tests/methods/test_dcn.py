"""DCN: the loss, the running means of the clusters."""

import pytest
import torch
from problems import SMALL, blobs, first_batch, initialized, move_weights, trained

from deepkm.methods.dcn import DCN

METHOD = DCN(**SMALL, clustering_weight=0.7)


def loss_by_loops(z, x, x_hat, centers, assigned):
    total = 0
    for i in range(len(z)):
        for f in range(x.shape[1]):
            total = total + (x_hat[i, f] - x[i, f]) ** 2
        for d in range(z.shape[1]):
            total = total + 0.7 * (z[i, d] - centers[assigned[i], d]) ** 2
    return total / len(z)


def test_loss_and_gradient_equal_loops():
    x = blobs()
    run = initialized(METHOD, x, [0, 1])
    run.state["assigned"] = torch.randint(3, (2, 60), generator=torch.Generator().manual_seed(0))
    batch = first_batch(run, x)
    loss = METHOD.loss(batch, run)
    found = torch.autograd.grad(loss.sum(), [batch.z, batch.x_hat], retain_graph=True)
    assert "centers" not in run.parameters()
    for s in range(2):
        index = batch.index[s]
        z, x_hat = (tensor[s].detach().clone().requires_grad_() for tensor in (batch.z, batch.x_hat))
        expected = loss_by_loops(z, x[index], x_hat, run.centers[s], run.state["assigned"][s][index])
        torch.testing.assert_close(loss[s], expected, rtol=0, atol=1e-10)
        by_z, by_x_hat = torch.autograd.grad(expected, [z, x_hat])
        torch.testing.assert_close(found[1][s], by_x_hat, rtol=0, atol=1e-8)
        # z reaches the loss through the decoder too
        through_decoder = torch.autograd.grad(batch.x_hat, batch.z, found[1], retain_graph=True)[0][s]
        torch.testing.assert_close(found[0][s] - through_decoder, by_z, rtol=0, atol=1e-8)


def test_centers_follow_the_recursion_sample_by_sample():
    x = blobs()
    run = initialized(METHOD, x, [0, 1])
    run.state["counts"] = torch.rand(2, 3, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 9 + 1
    batch = first_batch(run, x, size=30)
    centers, counts = run.centers.clone(), run.state["counts"].clone()
    before = run.state["assigned"].clone()
    stale = batch.z.detach()
    move_weights(run)  # since the batch was encoded
    with torch.no_grad():
        METHOD.after_step(batch, run)
        z = run.autoencoder.encode(batch.x)
    assert not torch.allclose(z, stale)
    for s in range(2):
        fixed = centers[s].clone()
        for i, sample in enumerate(batch.index[s]):
            k = min(range(3), key=lambda k: float(((z[s, i] - fixed[k]) ** 2).sum()))
            assert run.state["assigned"][s, sample] == k
            before[s, sample] = k
            counts[s, k] += 1
            centers[s, k] -= (centers[s, k] - z[s, i]) / counts[s, k]
    torch.testing.assert_close(run.centers, centers, rtol=0, atol=1e-12)
    torch.testing.assert_close(run.state["counts"], counts)
    assert torch.equal(run.state["assigned"], before)  # samples outside the batch keep their assignment


def test_one_update_by_hand():
    # One center at 2 that stands for 3 samples, two members at 5 and 7: (3 * 2 + 12) / 5.
    method = DCN(n_clusters=1, autoencoder=None, initial_count=3.0)
    x = torch.tensor([[5.0], [7.0]], dtype=torch.float64)
    run = initialized(method, x, [0])
    run.centers = torch.tensor([[[2.0]]])
    method.after_step(first_batch(run, x, size=2), run)
    assert run.centers.item() == pytest.approx(18 / 5)
    assert run.state["counts"].item() == 5


def test_counts_grow_by_each_sample_once_an_epoch():
    run = trained(METHOD, blobs(), [3])
    assert run.state["counts"].sum() == 3 * 100 + 4 * 60
