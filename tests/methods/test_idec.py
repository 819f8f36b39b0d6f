"""IDEC: the loss, its scale, its limit without the clustering term."""

import numpy as np
import pytest
import torch
from problems import SMALL, blobs, first_batch, initialized, trained

from deepkm import IDEC
from deepkm.methods.dec import DEC
from deepkm.methods.km import KMeans
from deepkm.training.loop import train

METHOD = IDEC(**SMALL, alpha=1.5, clustering_weight=0.3, relative_weights=False, update_interval=3, tol=0.0)


def published_loss(z, x, x_hat, centers, p):
    """The published loss: squared error averaged over features, gamma = 0.3, alpha = 1.5, in loops."""
    squared, divergence = 0, 0
    for i in range(len(z)):
        for f in range(x.shape[1]):
            squared = squared + (x_hat[i, f] - x[i, f]) ** 2
        weights = []
        for center in centers:
            distance = sum((z[i, d] - center[d]) ** 2 for d in range(len(center)))
            weights.append((1 + distance / 1.5) ** (-(1.5 + 1) / 2))
        for k, weight in enumerate(weights):
            divergence = divergence + p[i, k] * torch.log(p[i, k] * sum(weights) / weight)
    return squared / x.numel() + 0.3 * divergence / len(x)


def test_loss_and_gradient_equal_the_published_ones_times_the_features():
    x = blobs()
    run = initialized(METHOD, x, [0, 1])
    batch = first_batch(run, x)
    loss = METHOD.loss(batch, run)
    # x_hat as a free variable, so that z's gradient is that of the clustering term alone
    z, x_hat, centers = (t.detach().clone().requires_grad_() for t in (batch.z, batch.x_hat, run.centers))
    clustering = (loss - batch.reconstruction).sum()
    by_z, by_centers = torch.autograd.grad(clustering, [batch.z, run.centers], retain_graph=True)
    (by_x_hat,) = torch.autograd.grad(loss.sum(), batch.x_hat)
    for s in range(2):
        p = run.state["target"][s][batch.index[s]]
        expected = 5 * published_loss(z[s], batch.x[s], x_hat[s], centers[s], p)
        torch.testing.assert_close(loss[s], expected, rtol=0, atol=1e-10)
        gradients = torch.autograd.grad(expected, [z, x_hat, centers])
        for found, value in zip((by_z, by_x_hat, by_centers), gradients, strict=True):
            torch.testing.assert_close(found[s], value[s], rtol=0, atol=1e-8)


def test_published_sgd_rate_is_divided_by_the_features():
    x = blobs()
    method = IDEC(**METHOD.get_params() | {"optimizer": "sgd", "learning_rate": 0.1 / 5, "momentum": 0.99, "epochs": 2})
    run = trained(method, x, [0])
    copy = initialized(method, x, [0])
    literal = Literal(**method.get_params() | {"learning_rate": 0.1})
    for _ in train(literal, x, copy):
        pass
    for name, tensor in run.parameters().items():
        torch.testing.assert_close(tensor, copy.parameters()[name], rtol=0, atol=1e-10)


class Literal(IDEC):
    """IDEC with the published loss as it is printed."""

    def loss(self, batch, run):
        return super().loss(batch, run) / batch.x.shape[-1]


def test_sum_scale_by_hand():
    x = blobs()
    run = initialized(METHOD, x, [0])
    batch = first_batch(run, x)
    keras = METHOD.loss(batch, run)
    summed = IDEC(**METHOD.get_params() | {"loss_scale": "sum"}).loss(batch, run)
    divergence = batch.logged["clustering"]
    torch.testing.assert_close(keras, batch.reconstruction + 0.3 * 5 * divergence)
    torch.testing.assert_close(summed, batch.reconstruction + 0.3 * divergence)
    torch.testing.assert_close(DEC(alpha=1.5, relative_weights=False).loss(batch, run), divergence)


def test_without_clustering_it_is_the_autoencoder_alone():
    x = blobs()
    idec = trained(IDEC(**SMALL, clustering_weight=0.0, update_interval=3, tol=0.0), x, [0, 1])
    plain = trained(KMeans(**SMALL, autoencoder="mlp"), x, [0, 1])
    for name, tensor in plain.autoencoder.state_dict().items():
        assert torch.equal(idec.autoencoder.state_dict()[name], tensor)
    np.testing.assert_array_equal(idec.history["reconstruction"], plain.history["reconstruction"])
    start = initialized(IDEC(**SMALL), x, [0, 1])
    torch.testing.assert_close(idec.centers, start.centers, rtol=0, atol=0)


def test_unknown_scale():
    with pytest.raises(ValueError, match="loss_scale='mean' should be 'keras' or 'sum'"):
        IDEC(**SMALL, loss_scale="mean").fit(blobs().numpy())
