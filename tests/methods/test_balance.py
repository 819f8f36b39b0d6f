"""Balanced clusters: the worked example, and what the option adds to each loss."""

import math

import pytest
import torch
from problems import SMALL, blobs, check_stack, first_batch, initialized, trained

from deepkm.methods.balance import imbalance
from deepkm.methods.ct import CT
from deepkm.methods.dec import DEC
from deepkm.methods.dkm import DKM
from deepkm.methods.idec import IDEC


def test_the_worked_example():
    logits = torch.tensor([[[0.9, 0.1], [0.6, 0.4]]], dtype=torch.float64).log().requires_grad_()
    value = imbalance(logits.softmax(-1))
    assert abs(value.item() - 0.130812) < 1e-6
    value.sum().backward()
    expected = torch.tensor([[[0.049438, -0.049438], [0.131833, -0.131833]]], dtype=torch.float64)
    torch.testing.assert_close(logits.grad, expected, rtol=0, atol=1e-6)


def test_it_is_nothing_for_even_clusters_and_most_for_one():
    even, one = torch.eye(4)[None], torch.eye(4)[None, [2, 2, 2]]
    torch.testing.assert_close(imbalance(even), torch.zeros(1))
    torch.testing.assert_close(imbalance(one), torch.full((1,), math.log(4)))
    p = torch.rand(3, 7, 4, dtype=torch.float64).softmax(-1)
    torch.testing.assert_close(imbalance(p[..., [2, 0, 3, 1]]), imbalance(p))
    assert (imbalance(p) > 0).all()


@pytest.mark.parametrize(
    "method", [CT(**SMALL), DEC(**SMALL), IDEC(**SMALL), IDEC(**SMALL, loss_scale="sum"), DKM(**SMALL, alpha=1.0)]
)
def test_it_is_added_to_the_loss(method):
    x = blobs()
    run = initialized(method, x, [0, 1])
    batch = first_batch(run, x)
    plain = method.loss(batch, run)
    method.balance = 0.5
    added = method.loss(batch, run) - plain
    membership = torch.stack([method.membership(batch.z, batch.index[0], run)[s] for s in range(2)])
    scale = 5 if isinstance(method, IDEC) and method.loss_scale == "keras" else 1
    torch.testing.assert_close(added, 0.5 * scale * imbalance(membership), rtol=0, atol=1e-10)
    assert torch.equal(batch.logged["imbalance"], imbalance(membership))


@pytest.mark.parametrize("cls", [CT, DEC, IDEC, DKM])
def test_stacked_and_weighty(cls):
    check_stack(cls(**SMALL, balance=0.1), blobs())
    heavy = trained(
        cls(
            **SMALL | {"epochs": 20, "learning_rate": 0.01, "optimizer": "adam"},
            balance=100.0,
            **({"alpha": 1.0} if cls is DKM else {}),
        ),
        blobs(),
    )
    assert heavy.history["imbalance"][-1][0] < 0.5 * heavy.history["imbalance"][0][0] + 1e-3
