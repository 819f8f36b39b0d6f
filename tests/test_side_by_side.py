"""Settings side by side give what each gives alone."""

import pkgutil

import numpy as np
import pytest
import torch

from deepkm.methods.side_by_side import as_one, train_settings
from deepkm.study.parameters import fields_of
from deepkm.study.search import SIDE_BY_SIDE
from deepkm.training.ends import end_arrays

SMALL = {"n_clusters": 3, "hidden_widths": (6,), "n_latent": 2, "pretraining_epochs": 2, "epochs": 4, "batch_size": 32}
NUMBERS = {"alpha": (0.7, 2.0, 9.0), "clustering_weight": (0.05, 1.5, 20.0), "decoder_decay": (0.0, 0.01, 0.2)}


@pytest.fixture(scope="module")
def x():
    return torch.rand(60, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("estimator", "warm_start"), [*((key, "steps") for key in SIDE_BY_SIDE), ("deepkm.methods.dkm:DKM", "moments")]
)
def test_a_stack_of_settings_gives_what_single_runs_give(estimator, warm_start, x):
    made, names = pkgutil.resolve_name(estimator), SIDE_BY_SIDE[estimator]
    options = {**SMALL, "warm_start": warm_start}
    options["autoencoder"] = None if estimator.endswith("SoftKMeans") else "mlp"
    grid = [dict(zip(names, values, strict=True)) for values in zip(*map(NUMBERS.get, names), strict=True)]
    methods = [made(**options, **setting) for setting in grid]
    together = train_settings(methods, x, seeds=[5, 3])[1]
    seen = set()
    for v, method in enumerate(methods):
        for s, seed in enumerate([5, 3]):
            alone, place = method.train_runs(x, seeds=[seed]), 2 * v + s
            np.testing.assert_array_equal(together.history["labels"][-1][place], alone.history["labels"][-1][0])
            torch.testing.assert_close(together.centers[place], alone.centers[0], rtol=0, atol=1e-10)
            losses = [np.stack(run.history["loss"]) for run in (together, alone)]
            np.testing.assert_allclose(losses[0][:, place], losses[1][:, 0], rtol=0, atol=1e-10)
            seen.add(float(losses[1][-1, 0]))
    assert len(seen) == 6  # each setting and seed has its own
    assert end_arrays(together)["ends/unexplained"].shape == (6, 2)


def test_what_is_side_by_side_are_parameters():
    for estimator, names in SIDE_BY_SIDE.items():
        assert set(names) <= fields_of(estimator).keys()


def test_equal_numbers_stay_numbers():
    made = pkgutil.resolve_name("deepkm.methods.ct:CT")
    stacked = as_one([made(alpha=1.0), made(alpha=2.0)], n_seeds=2, like=torch.zeros(0, dtype=torch.float64))
    assert stacked.alpha.tolist() == [1, 1, 2, 2]
    assert (stacked.clustering_weight, stacked.batch_size) == (10.0, 256)
