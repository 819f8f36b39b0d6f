"""What the tests of single methods share: a small problem, and the checks that hold for every method."""

import numpy as np
import torch
from sklearn.datasets import make_blobs

from deepkm.training.checkpoint import restore_run, save_run
from deepkm.training.loop import train
from deepkm.training.run import Run
from deepkm.training.steps import Batch

SMALL = {"n_clusters": 3, "epochs": 4, "batch_size": 16, "hidden_widths": (8,), "n_init": 2, "pretraining_epochs": 2}


def blobs(n_samples=60):
    """Return three standardised blobs, (N, 5), in float64."""
    x, _ = make_blobs(n_samples=n_samples, n_features=5, centers=3, random_state=2)
    return torch.tensor((x - x.mean(0)) / x.std(0))


def initialized(method, x, seeds=(3,)):
    """Return a run before its first epoch, with the weights that the seeds draw."""
    run = method.start(x, seeds=seeds)
    next(train(method, x, run))
    return run


def first_batch(run, x, size=7):
    """Return a batch whose samples differ from run to run."""
    index = torch.stack([torch.randperm(len(x), generator=torch.Generator().manual_seed(s))[:size] for s in run.seeds])
    return Batch(x, index, run.autoencoder)


def trained(method, x, seeds=(3,), run=None):
    """Return a run after its last epoch."""
    run = run or method.start(x, seeds=seeds)
    for _ in train(method, x, run):
        pass
    return run


def check_stack(method, x):
    """Three runs side by side give what each gives alone."""
    stacked = trained(method, x, [4, 5, 6])
    for s, seed in enumerate(stacked.seeds):
        single = trained(method, x, [seed])
        for name, tensor in _tensors(single).items():
            torch.testing.assert_close(_tensors(stacked)[name][s], tensor[0], rtol=0, atol=1e-10, equal_nan=True)
        for name, values in single.history.items():
            together = np.stack(stacked.history[name])[:, s]
            np.testing.assert_allclose(together, np.stack(values)[:, 0], rtol=1e-9, atol=1e-10, err_msg=name)


def check_resume(method, x, path):
    """A run that is interrupted after each epoch equals one that is not, bit for bit."""
    whole = trained(method, x, [4, 5])
    for epoch in range(method.epochs + 1):
        run = method.start(x, seeds=[4, 5])
        restore_run(path, run, spec={}, optimizer_options=method.optimizer_options(), device=x.device)
        for _ in train(method, x, run):
            if run.epoch == epoch:
                break
        save_run(path, run, spec={})
    resumed = Run(run.seeds, method.start(x, seeds=[4, 5]).autoencoder)
    assert restore_run(path, resumed, spec={}, optimizer_options=method.optimizer_options(), device=x.device)
    for name, tensor in _tensors(whole).items():
        torch.testing.assert_close(_tensors(resumed)[name], tensor, rtol=0, atol=0, equal_nan=True)
    for name, values in whole.history.items():
        np.testing.assert_array_equal(np.stack(resumed.history[name]), np.stack(values), err_msg=name)


def move_weights(run):
    """Shift all weights of the autoencoders, as a step of the optimizer would."""
    with torch.no_grad():
        for weight in run.autoencoder.parameters():
            weight.add_(0.1)


def _tensors(run):
    return {name: tensor.detach() for name, tensor in (run.autoencoder.state_dict() | run.state).items()}
