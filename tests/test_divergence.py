"""A run whose numbers are none is flagged, whenever that happens, and costs the runs beside it nothing."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import run_stage
from test_contract import METHODS, make_method

from deepkm import DKM, KMeans
from deepkm.jobs.resuming import diverged_seeds
from deepkm.study.spec import dumps
from deepkm.training.checkpoint import restore_run, save_run
from deepkm.training.loop import pretrain, train
from deepkm.training.run import Run

TRAINED = [key for key in METHODS if make_method(key).epochs]


@pytest.fixture
def x():
    return torch.randn(90, 64, generator=torch.Generator().manual_seed(0))


def started(method, x, seeds=(5, 6, 7)):
    """Return a pretrained run at the start of its training."""
    run = method.start(x, seeds=seeds)
    for _ in pretrain(x, run, **method.pretraining()):
        pass
    return Run(run.seeds, run.autoencoder)


@pytest.mark.parametrize("key", TRAINED)
def test_a_last_step_into_nowhere_is_flagged(key, x):
    """One epoch of one step: the loss was finite, and nothing is after it."""
    method = make_method(key, learning_rate=1e38, epochs=1, batch_size=90)
    run = started(method, x)
    for _ in train(method, x, run):
        pass
    assert np.isfinite(run.history["loss"][-1]).all()
    assert run.diverged.tolist() == [True] * 3
    assert (run.history["labels"][-1] == 0).all()


@pytest.mark.parametrize("key", TRAINED)
def test_sound_runs_are_not_flagged(key, x):
    run = make_method(key).train_runs(x, seeds=[5, 6])
    assert run.diverged.tolist() == [False, False]


@pytest.mark.parametrize("poison", ["weights", "centers", "losses", "codes too large to be squared"])
@pytest.mark.parametrize("key", ["dkm", "dcn", "dec", "aekm_long"])
def test_one_run_of_a_stack_diverges_while_others_go_on(key, poison, x):
    method = make_method(key)
    alone, run = (started(method, x) for _ in range(2))
    for _ in train(method, x, alone):
        pass
    for _ in train(method, x, run):
        if run.epoch == method.epochs - 1:
            with torch.no_grad():
                poisoned(run, poison)
    assert run.diverged.tolist() == [False, True, False]
    for s in (0, 2):
        np.testing.assert_array_equal(run.history["labels"][-1][s], alone.history["labels"][-1][s])
    assert (run.history["labels"][-1][1] == 0).all()


def poisoned(run, what):
    """Spoil the second run of a stack."""
    weight = next(iter(run.autoencoder.parameters()))
    if what == "centers":
        run.centers[1, 0] = torch.inf
        run.autoencoder.decoder[-1].weight[1] = torch.nan  # else k-means may give sound ones again
    elif what == "losses":
        run.autoencoder.decoder[-1].bias[1] = torch.nan
    else:
        weight[1] = torch.nan if what == "weights" else 1e30


@pytest.mark.parametrize("where", ["weights", "centers", "code", "loss", "code, too large to be squared"])
def test_each_number_alone_tells_of_divergence(where):
    numbers = {name: torch.ones(3, 4, 2) for name in ("weights", "centers", "code")} | {"loss": torch.ones(3)}
    name, _, large = where.partition(", ")
    numbers[name][1] = 1e30 if large else torch.nan
    run = Run([5, 6, 7], torch.nn.Identity())
    run.state = {"centers": numbers["centers"], "mine": numbers["weights"].requires_grad_()}
    run.record(loss=numbers["loss"])
    run.look_for_divergence(numbers["code"])
    assert run.diverged.tolist() == [False, True, False]


def test_the_flag_outlives_an_interruption(x, tmp_path):
    method = DKM(n_clusters=3, hidden_widths=(8,), epochs=2, batch_size=90, learning_rate=1e38)
    run = started(method, x)
    for _ in train(method, x, run):
        if run.epoch == 1:
            save_run(tmp_path / "a", run, spec={})
    restored = method.start(x, seeds=[5, 6, 7])
    restore_run(tmp_path / "a", restored, spec={}, optimizer_options={"learning_rate": 1.0}, device="cpu")
    assert restored.diverged.tolist() == [True] * 3


@pytest.mark.parametrize(
    ("change", "rate"),
    [
        ({"learning_rate": 1e38}, "learning_rate=1e[+]38"),
        ({"pretraining_learning_rate": 1e38}, "pretraining_learning_rate=1e[+]38"),
    ],
)
def test_an_estimator_that_diverges_says_so(change, rate):
    x = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    method = DKM(n_clusters=3, hidden_widths=(8,), epochs=1, pretraining_epochs=1, random_state=0, **change)
    with pytest.raises(ValueError, match=f"training diverged; lower .*{rate}.*, or scale X"):
        method.fit(x)


@pytest.mark.parametrize("scale", [2.0**62, 2.0**-62, 1e30, 1e-30])
def test_data_whose_squares_a_type_cannot_hold_are_refused(scale):
    x = np.random.default_rng(0).normal(size=(60, 4))
    with pytest.raises(ValueError, match=r"X: got numbers up to .*, expected .*: float32 holds no squared distances"):
        KMeans(n_clusters=3).fit((scale * x).astype(np.float32))
    wide = KMeans(n_clusters=3, random_state=0, dtype="float64")
    power = 2.0 ** round(np.log2(scale))
    scaled = wide.fit(power * x).labels_
    whole = wide.fit(x)
    np.testing.assert_array_equal(scaled, whole.labels_)
    with pytest.raises(ValueError, match="X: got numbers up to"):
        whole.predict(1e200 * x)


def test_zeros_are_no_trouble():
    assert (KMeans(n_clusters=1).fit(np.zeros((5, 2), np.float32)).labels_ == 0).all()


# in a study


@pytest.fixture
def jobs(tmp_path):
    """Return a function that pretrains and clusters a stack of two seeds, and the scores of it."""
    feature = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    np.savez(tmp_path / "mine.npz", feature=feature, target=np.arange(60) % 3)
    network = {"autoencoder": "mlp", "hidden_widths": [8], "n_latent": 3, "precision": "float32"}
    pretraining = {"pretraining_epochs": 1, "pretraining_batch_size": 60}

    def call(*, pretraining_rate=1e-3, rate=1e-3):
        parameters = {**network, **pretraining, "pretraining_learning_rate": pretraining_rate}
        shared = {"dataset": {"name": "mine", "n_clusters": 3, "scaling": "none"}, "seeds": [0, 1]}
        spec = {**shared, "autoencoder": "mlp", "parameters": parameters}
        files = [tmp_path / "autoencoders/mlp/mine/a.h5", tmp_path / "clusterings/dkm/mine/a.h5"]
        said = run_stage(
            "autoencoder", "--spec", json.dumps(spec), "--data", tmp_path / "mine.npz", "--output", files[0]
        ).stdout
        parameters = {**parameters, "n_clusters": 3, "epochs": 1, "batch_size": 60, "learning_rate": rate}
        spec = {**shared, "method": "dkm", "estimator": "deepkm.methods.dkm:DKM", "parameters": parameters}
        spec |= {"snapshots": []}
        arguments = ("--data", tmp_path / "mine.npz", "--autoencoder", files[0], "--output", files[1])
        said += run_stage("cluster", "--spec", json.dumps(spec), *arguments).stdout
        study = dumps({"datasets": ["mine"], "methods": [["dkm", "mlp"]], "stacks": [["a", [0, 1]]]})
        tables = [tmp_path / f"{name}.csv" for name in ("scores", "jobs", "epochs")]
        arguments = ("--data", tmp_path / "mine.npz", "--results", tmp_path, "--output", *tables)
        run_stage("score", "--spec", study, *arguments)
        return said, *map(pd.read_csv, tables[:2])

    return call


def test_scores_say_which_runs_diverged_in_their_last_step(jobs):
    said, scores, made = jobs(rate=1e30)
    assert scores["diverged"].tolist() == [True, True]
    assert scores["n_clusters_used"].tolist() == [1, 1]
    assert made.set_index("stage")["n_diverged"].to_dict() == {"autoencoder": 0, "cluster": 2}
    assert "training diverged with seeds [0, 1]" in said


def test_a_pretraining_that_diverged_is_told_apart(jobs):
    _, scores, made = jobs(pretraining_rate=1e30)
    assert scores["diverged"].tolist() == [True, True]
    assert made.set_index("stage")["n_diverged"].to_dict() == {"autoencoder": 2, "cluster": 2}


def test_sound_jobs_say_nothing(jobs):
    said, scores, made = jobs()
    assert scores["diverged"].tolist() == [False, False]
    assert made["n_diverged"].tolist() == [0, 0]
    assert "diverged" not in said


def test_a_search_says_with_which_setting_a_run_diverged(capsys):
    run = SimpleNamespace(seeds=[1, 2] * 3, diverged=np.array([False, False, True, True, False, True]))
    assert diverged_seeds(run, ["alpha 1", "alpha 3", "alpha 9"]) == [1, 2, 2]
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("training diverged with alpha 3, seeds [1, 2]: ")
    assert second.startswith("training diverged with alpha 9, seeds [2]: ")
