"""Lengths in steps: what they are in epochs, in an estimator and in the jobs of a study."""

import json

import numpy as np
import pandas as pd
import pytest
from conftest import run_stage

import deepkm
from deepkm import DKM, KMeans
from deepkm.files import read_hdf5
from deepkm.study.inventory import jobs_of
from deepkm.study.plan import Study
from deepkm.study.spec import dumps
from deepkm.training.lengths import as_planned, read_out_epochs, snapshot_epochs, whole_epochs


@pytest.mark.parametrize(
    ("n_samples", "given", "epochs"),
    [
        (575, {"epochs": 100}, 100),
        (575, {"epochs": 100, "min_steps": 300}, 100),
        (575, {"epochs": 100, "min_steps": 301}, 101),
        (575, {"epochs": 0, "min_steps": 300}, 0),
        (575, {"epochs": 100, "steps": 1, "min_steps": 300}, 1),
        (575, {"epochs": 0, "steps": 7}, 3),
        (512, {"epochs": 100, "steps": 7}, 4),
        (1, {"epochs": 1, "steps": 7}, 7),
    ],
)
def test_steps_in_whole_epochs(n_samples, given, epochs):
    assert whole_epochs(n_samples, batch_size=256, **given) == epochs


@pytest.mark.parametrize("epochs", [0, 1, 9, 10, 11, 12, 30, 100, 541, 20_000])
def test_labels_are_read_after_the_first_ten_epochs_then_evenly_in_their_logarithm(epochs):
    found = read_out_epochs(epochs)
    later = found[11:]
    assert found[:11] == [*range(epochs + 1)][:11]
    assert found[-1] == epochs
    assert later == sorted(set(later))
    assert len(later) <= 26
    assert set(as_planned(snapshot_epochs(12, epochs), epochs)) <= set(found)
    if epochs >= 541:
        assert len(later) == 26
        np.testing.assert_allclose(np.diff(np.log(later)), np.log(epochs / 10) / 26, atol=1.1 / 12)


def test_an_estimator_trains_for_its_steps_and_keeps_its_parameters():
    """DKM's alphas are spread over the epochs that come out."""
    x = np.random.default_rng(0).normal(size=(50, 4))
    small = {"n_clusters": 2, "hidden_widths": (4,), "batch_size": 20, "pretraining_epochs": 1, "random_state": 0}
    model = DKM(steps=10, pretraining_min_steps=5, pretraining_batch_size=20, n_alphas=4, alpha=0.1, **small)
    before = model.get_params()
    assert model.fit(x).n_iter_ == 4
    assert model.get_params() == before
    same = DKM(**{**before, "steps": None, "epochs": 4, "pretraining_min_steps": 0, "pretraining_epochs": 2}).fit(x)
    np.testing.assert_array_equal(model.cluster_centers_, same.cluster_centers_)
    assert KMeans(n_clusters=2, autoencoder=None, min_steps=90).fit(x).n_iter_ == 0


@pytest.mark.parametrize("length", [{"steps": 10}, {"min_steps": 10, "epochs": 1}])
def test_a_model_of_a_length_in_steps_can_be_saved(length, tmp_path):
    x = np.random.default_rng(0).normal(size=(50, 4))
    small = {"n_clusters": 2, "hidden_widths": (4,), "batch_size": 20, "pretraining_epochs": 1, "random_state": 0}
    model = DKM(**small, **length, n_alphas=4, alpha=0.1).fit(x)
    deepkm.save(model, tmp_path / "model.h5")
    again = deepkm.load(tmp_path / "model.h5")
    np.testing.assert_array_equal(again.predict(x), model.predict(x))
    np.testing.assert_allclose(again.predict_proba(x), model.predict_proba(x), rtol=0, atol=1e-6)


def test_jobs_train_for_their_steps_and_say_how_many_epochs(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config["datasets"]["blobs"] |= {"n_samples": 50, "n_features": 4, "n_clusters": 2}
    config["training"] |= {"epochs": 1, "pretraining_epochs": 1, "batch_size": 20, "min_steps": 5}
    config["autoencoders"]["mlp"]["hidden_widths"] = [4]
    config["methods"]["dkm"]["steps"] = 10
    config["study"] = {"datasets": ["blobs"], "methods": ["dkm"], "seeds": [3]}
    study = Study(config)
    data = ["--output", "data/blobs.npz", "--meta", "data/blobs.meta.json"]
    run_stage("dataset", "--spec", dumps(study.dataset_spec("blobs")), *data, folder=tmp_path)
    files = {kind: tmp_path / kind / key / "blobs" / "seed3.h5" for kind, key in FOLDERS.items()}
    given = ("--data", "data/blobs.npz", "--output")
    run_stage(
        "autoencoder", "--spec", dumps(study.autoencoder_spec("blobs", "mlp", "seed3")), *given, files["autoencoders"]
    )
    spec = study.cluster_spec("blobs", "dkm", "seed3")
    assert (spec["parameters"]["steps"], spec["snapshots"]) == (10, [0, 1, 2, 3, 6, 10])  # at most as many epochs
    assert [job.epochs for job in jobs_of(study)] == ["?", "?"]  # nobody knows before the job does
    run_stage("cluster", "--spec", dumps(spec), *given, files["clusterings"], "--autoencoder", files["autoencoders"])
    arrays = read_hdf5(files["clusterings"])[0]
    assert arrays["history/loss"].shape == (1, 4)  # of 3 steps
    assert arrays["snapshots/epoch"].tolist() == snapshot_epochs(6, 4) == [0, 1, 2, 3, 4]
    tables = [tmp_path / f"{name}.csv" for name in ("scores", "jobs", "parameters")]
    wanted = ("--data", "data/blobs.npz", "--results", tmp_path, "--output", *tables)
    run_stage("score", "--spec", json.dumps(study.score_spec()), *wanted, folder=tmp_path)
    _, jobs, parameters = map(pd.read_csv, tables)
    assert jobs["epochs"].tolist() == [2, 4]
    assert parameters[["epochs", "pretraining_epochs", "steps"]].to_numpy().tolist() == [[4, 2, 10]]


FOLDERS = {"autoencoders": "mlp", "clusterings": "dkm"}
