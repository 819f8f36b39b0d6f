"""What the tests of several methods share: a small problem, and what every method keeps on it."""

import torch
from sklearn.datasets import make_blobs

from deepkm.checkpoint import restore_run, save_run
from deepkm.training import Batch, train


def blobs(n_samples=40, n_features=4, seed=0):
    """Return three standardised blobs in float64, (N, F)."""
    x, _ = make_blobs(n_samples, n_features, centers=3, random_state=seed)
    return torch.tensor((x - x.mean(0)) / x.std(0))


def initialised(method, x, *, seeds=(3,)):
    """Return a run before its first epoch."""
    run = method.start(x, seeds=list(seeds))
    next(train(method, x, run))
    return run


def trained(method, x, *, seeds=(3,), run=None):
    """Return a run after its last epoch."""
    run = method.start(x, seeds=list(seeds)) if run is None else run
    for _ in train(method, x, run):
        pass
    return run


def some_batch(x, run, *, n_samples=7):
    """Return a batch of every run, each with samples of its own."""
    index = torch.stack([torch.arange(s, s + n_samples) for s in range(len(run.seeds))])
    return Batch(x, index, run.autoencoder)


def assert_resumes(method, x, path):
    """A run that is interrupted after every epoch ends bit for bit like one that is not."""
    whole = trained(method, x, seeds=(3, 4))
    part = initialised(method, x, seeds=(3, 4))
    while part.epoch < method.epochs:
        save_run(path, part, spec={})
        part = method.start(x, seeds=[3, 4])
        assert restore_run(path, part, spec={}, optimizer_options=method.optimizer_options(), device="cpu")
        next(train(method, x, part))
    assert whole.parameters().keys() == part.parameters().keys()
    pairs = [(whole.state[name], part.state[name]) for name in whole.state]
    pairs += list(zip(whole.autoencoder.parameters(), part.autoencoder.parameters(), strict=True))
    assert all(torch.equal(first.nan_to_num(-1), second.nan_to_num(-1)) for first, second in pairs)
    for name, values in whole.history.items():
        assert all((a == b).all() for a, b in zip(values, part.history[name], strict=True)), name


def assert_runs_are_independent(method, x):
    """Three stacked runs equal three runs alone."""
    seeds = (3, 4, 5)
    stacked = trained(method, x, seeds=seeds)
    for s, seed in enumerate(seeds):
        alone = trained(method, x, seeds=(seed,))
        for name, tensor in stacked.state.items():
            torch.testing.assert_close(tensor[s], alone.state[name][0], rtol=0, atol=1e-10, equal_nan=True)
        for name, values in stacked.history.items():
            for value, other in zip(values, alone.history[name], strict=True):
                assert abs(value[s].astype(float) - other[0]).max() < 1e-10, name
