"""Denoising pretraining: what is masked, by what numbers, and that nothing else changes."""

import numpy as np
import pytest
import torch
from problems import SMALL, blobs

from deepkm.methods.ct import CT
from deepkm.numerics.seeding import counted, keys
from deepkm.training.loop import pretrain
from deepkm.training.run import Run
from deepkm.training.steps import Batch

METHOD = CT(**SMALL | {"pretraining_epochs": 3}, pretraining_denoising=0.2)


def splitmix(state):
    """Return what the generator gives for a state, in Python's own integers."""
    wrap = 2**64 - 1
    z = state & wrap
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & wrap
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & wrap
    return z ^ (z >> 31)


def test_numbers_are_those_of_the_generator():
    assert splitmix(0x9E3779B97F4A7C15) == 0xE220A8397B1DCDAF  # its first number from the seed 0, as published
    drawn = keys([3, 4], stream="masks", epoch=2)
    found = counted(drawn, torch.tensor([[5, 0], [1, 7]]), 3)
    for s, index in enumerate(([5, 0], [1, 7])):
        for b, sample in enumerate(index):
            for j in range(3):
                state = int(drawn[s]) + (sample * 3 + j + 1) * 0x9E3779B97F4A7C15
                assert found[s, b, j] == (splitmix(state) >> 40) / 2**24


def test_numbers_are_uniform():
    drawn = counted(keys([0, 1], stream="masks", epoch=0), torch.arange(20_000).expand(2, -1), 5).double()
    assert ((drawn >= 0) & (drawn < 1)).all()
    shares = torch.stack([torch.histc(run, 10, 0, 1) for run in drawn]) / 100_000
    assert (shares - 0.1).abs().max() < 0.004  # four deviations
    correlation = np.corrcoef(drawn.permute(0, 2, 1).flatten(0, 1).numpy())
    assert np.abs(correlation - np.eye(10)).max() < 0.03


def test_what_is_masked(monkeypatch):
    kept = torch.tensor([[[0.9, 0.1, 0.2, 0.5]]])  # 0.1 is below the rate
    monkeypatch.setattr("deepkm.training.steps.counted", lambda *_: kept)
    batch = Batch(torch.tensor([[2.0, 4, 6, 8]]), torch.tensor([[0]]), None).masked(None, 0.2)
    torch.testing.assert_close(batch.seen, torch.tensor([[[2.5, 0, 7.5, 10]]]))
    assert batch.x.tolist() == [[[2, 4, 6, 8]]]


def test_masks_keep_the_mean_and_do_not_depend_on_the_batch():
    x, run = torch.ones(400, 50, dtype=torch.float64), Run([3, 4], None)
    drawn = keys(run.seeds, stream="masks", epoch=1)
    whole = Batch(x, torch.arange(400).expand(2, -1), None).masked(drawn, 0.2).seen
    assert abs(whole.mean() - 1) < 0.02
    some = Batch(x, torch.tensor([[7, 3], [1, 399]]), None).masked(drawn, 0.2).seen
    assert torch.equal(some[0], whole[0, [7, 3]])
    assert torch.equal(some[1], whole[1, [1, 399]])
    assert not torch.equal(whole[0], whole[1])
    later = Batch(x, torch.arange(400).expand(2, -1), None).masked(keys([3, 4], stream="masks", epoch=2), 0.2).seen
    assert not torch.equal(whole, later)


@pytest.mark.parametrize("views", [None, {}])
def test_a_stack_equals_single_runs(views):
    x = blobs() if views is None else torch.rand(60, 16, dtype=torch.float64)
    method = CT(**SMALL | {"pretraining_epochs": 3}, pretraining_denoising=0.2, pretraining_views=views)
    stacked = pretrained(method, x, [4, 5, 6])
    for s, seed in enumerate([4, 5, 6]):
        for name, tensor in pretrained(method, x, [seed]).items():
            torch.testing.assert_close(stacked[name][s], tensor[0], rtol=0, atol=1e-12)
    whole = pretrained(CT(**SMALL | {"pretraining_epochs": 3}, pretraining_views=views), x, [4, 5, 6])
    assert not torch.equal(stacked["encoder.0.weight"], whole["encoder.0.weight"])


def pretrained(method, x, seeds):
    run = method.start(x, seeds=seeds)
    for _ in pretrain(x, run, **method.pretraining()):
        pass
    return run.autoencoder.state_dict()
