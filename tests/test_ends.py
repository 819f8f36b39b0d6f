"""Did a run end below its own start? By the clusters in use, k-means' objective and the reconstruction."""

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import assert_same, run_stage

from deepkm.files import write_hdf5
from deepkm.methods.dec import DEC
from deepkm.methods.km import KMeans
from deepkm.report.page.overview import warnings
from deepkm.report.page.tables import runs_table
from deepkm.report.statistics.ends import compare_ends
from deepkm.study.spec import dumps
from deepkm.training.checkpoint import restore_run, save_run
from deepkm.training.ends import end_arrays, keep_ends, unexplained
from deepkm.training.loop import train


def end(used=10, unexplained=0.4, reconstruction=np.nan, data=np.nan):
    measures = {"unexplained": unexplained, "reconstruction": reconstruction, "unexplained_data": data}
    return {"n_clusters_used": used, **measures}


@pytest.mark.parametrize(
    ("first", "last", "why"),
    [
        (end(), end(), ""),
        (end(), end(used=9, unexplained=0.1), "fewer clusters"),
        (end(used=9), end(used=10), ""),
        (end(), end(unexplained=0.403), ""),
        (end(unexplained=0.0), end(unexplained=1e-15), ""),
        (end(unexplained=0.0), end(unexplained=1e-3), "unexplained"),
        (end(), end(unexplained=0.41), "nothing better"),
        (end(), end(unexplained=0.81), "unexplained"),
        (end(unexplained=0.7, reconstruction=5.0), end(unexplained=0.84, reconstruction=4.0), ""),
        (end(unexplained=0.7, reconstruction=5.0), end(unexplained=0.86, reconstruction=4.0), "unexplained"),
        (end(reconstruction=5.0), end(unexplained=0.41, reconstruction=4.9), ""),
        (end(reconstruction=5.0), end(unexplained=0.81, reconstruction=1.0), "unexplained"),
        (end(reconstruction=5.0), end(unexplained=0.1, reconstruction=9.9), ""),
        (end(reconstruction=5.0), end(unexplained=0.1, reconstruction=10.1), "reconstruction"),
        (end(reconstruction=5.0), end(unexplained=0.41, reconstruction=5.0), "nothing better"),
        (end(data=0.6), end(unexplained=0.1, data=0.79), ""),
        (end(data=0.6), end(unexplained=0.1, data=0.81), "unexplained_data"),
        (end(data=0.1), end(unexplained=0.1, data=0.3), ""),  # blobs
        (end(data=0.6), end(unexplained=0.41, data=0.5), "nothing better"),  # no loss is of the data
        (end(reconstruction=5.0), end(used=1, unexplained=1.0, reconstruction=np.nan), "fewer clusters, unexplained, "),
    ],
)
def test_why_a_run_ended_below_its_start(first, last, why):
    assert compare_ends(first, last).startswith(why)
    assert bool(why) == bool(compare_ends(first, last))


def test_the_objective_knows_no_scale_and_one_cluster_explains_nothing():
    x = torch.tensor(np.random.default_rng(0).normal(size=(60, 3)))
    found = []
    for data, clusters in ((x, 4), (1e5 * x + 3, 4), (x, 1), (x[:1].expand(60, -1), 2)):
        method = KMeans(n_clusters=clusters, autoencoder=None)
        run = method.start(data, seeds=[0])
        for _ in keep_ends(train(method, data, run), method):
            pass
        found.append(run.ends["unexplained"][0][0])
    assert found[0] == pytest.approx(found[1], rel=1e-9)
    assert 0.2 < found[0] < 0.8
    assert found[2:] == [1.0, 1.0]


def test_what_lies_far_off_rounds_nothing_off(monkeypatch):
    monkeypatch.setattr("deepkm.training.ends.CACHE_NUMEL", 2 * 7 * 3)
    x = np.append(np.random.default_rng(0).normal(size=(60, 2)), [[1e9, 1e9]], axis=0)
    labels = np.stack([np.append(np.arange(60) % 2, 2), np.append((x[:60, 0] > 0).astype(int), 2)])
    exact = x.astype(np.longdouble)
    within = [sum(((exact[of == k] - exact[of == k].mean(0)) ** 2).sum() for k in range(3)) for of in labels]
    expected = np.array(within) / ((exact - exact.mean(0)) ** 2).sum()
    np.testing.assert_allclose(unexplained(torch.tensor(x), torch.tensor(labels)), expected.astype(float), rtol=1e-10)


@pytest.mark.parametrize("tol", [0.0, 1.0])  # 1: all runs stop in the first epoch
@pytest.mark.parametrize("stop", [0, 1, 2])
def test_a_resumed_run_has_both_ends(stop, tol, tmp_path):
    x = torch.tensor(np.random.default_rng(0).normal(size=(60, 3)))
    sizes = {"n_clusters": 3, "hidden_widths": (4,), "batch_size": 20, "update_interval": 1, "n_init": 1}
    method, kept = DEC(epochs=3, tol=tol, **sizes), []
    for last in (3, stop):
        run = method.start(x, seeds=[0, 1])
        for _ in keep_ends(train(method, x, run), method):
            if run.epoch == last:
                save_run(tmp_path / "run.h5", run, spec={})
                break
        kept.append(end_arrays(run))
    run = method.start(x, seeds=[0, 1])
    assert restore_run(tmp_path / "run.h5", run, spec={}, optimizer_options=method.optimizer_options(), device="cpu")
    for _ in keep_ends(train(method, x, run), method):
        pass
    assert_same(kept[0], end_arrays(run))
    assert {array.shape for array in kept[0].values()} == {(2, 2)}


@pytest.mark.parametrize(("own", "why"), [(True, "reconstruction"), (False, np.nan)])
def test_a_run_below_its_start_stands_in_the_scores(own, why, tmp_path):
    """The reconstruction counts where it is a part of the loss."""
    spec = {"method": "m", "dataset": {"name": "a", "n_clusters": 2, "scaling": "none"}, "seeds": [0, 1]}
    spec |= {"estimator": "x:M", "parameters": {"epochs": 1}}
    arrays = {"labels": np.array([[0, 1], [0, 1]], np.int32), "centers": np.zeros((2, 2, 2))}
    arrays["history/labels"] = np.array([[[0, 1], [0, 1]], [[0, 1], [0, 1]]], np.uint8)
    arrays["history/loss"] = np.ones((2, 1))
    arrays |= {"history/reconstruction": np.ones((2, 1))} if own else {}
    arrays["ends/unexplained"] = np.array([[0.5, 0.4], [0.5, 0.4]])
    arrays["ends/reconstruction"] = np.array([[1.0, 3.0], [1.0, 1.1]])
    provenance = {"seconds": 1.0}
    path = tmp_path / "clusterings" / "m" / "a" / "s.h5"
    write_hdf5(path, arrays=arrays, attributes={"spec": spec, "provenance": provenance})
    np.savez(tmp_path / "a.npz", target=[0, 1])
    study = dumps({"datasets": ["a"], "methods": [["m", None]], "stacks": [["s", [0, 1]]]})
    table = tmp_path / "scores.csv"
    run_stage("score", "--spec", study, "--data", tmp_path / "a.npz", "--results", tmp_path, "--output", table)
    scores = pd.read_csv(table)
    assert scores["unexplained_end"].tolist() == [0.4, 0.4]
    assert scores["reconstruction_end"].tolist() == ([3.0, 1.1] if own else [pytest.approx(np.nan, nan_ok=True)] * 2)
    assert scores["n_clusters_used_start"].tolist() == [2, 2]
    assert scores["below_start"].tolist() == [
        pytest.approx(why, nan_ok=True) if not own else why,
        pytest.approx(np.nan, nan_ok=True),
    ]


def test_the_page_names_runs_below_their_start():
    scores = pd.DataFrame({"dataset": "a", "method": ["ct", "ct", "km"], "seed": [0, 1, 0], "acc": 0.5})
    scores = scores.assign(n_clusters_used=3, n_clusters=3, diverged=False)
    scores["below_start"] = ["fewer clusters", "fewer clusters, reconstruction", np.nan]
    jobs = pd.DataFrame(columns=["device", "stage", "n_diverged", "seconds", "cpu_seconds", "jobs_per_gpu"])
    study = {"datasets": {"a": "A"}, "methods": {"ct": "CT"}, "seeds": [0, 1]}
    (line,) = warnings(scores[scores["method"] == "ct"], jobs.assign(device=jobs["device"].astype(str)), **study)
    assert line.endswith("need no classes: CT on A (2 of 2 runs: fewer clusters, reconstruction).")
    rows = runs_table(scores, "ct", datasets={"a": "A"}).rows
    assert [row[-1].text for row in rows] == [
        "below its start: fewer clusters",
        "below its start: fewer clusters, reconstruction",
    ]
