"""Single jobs: interruptions, labels that must stay unseen, bad input."""

import hashlib
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT, assert_same, changed, environment, run_snakemake, run_stage

from deepkm.files import read_hdf5, write_hdf5
from deepkm.study.paths import CONTENTS
from deepkm.study.plan import Study
from deepkm.study.spec import dumps


def long_job(folder, output, **parameters):
    """Return the command of a clustering job that takes a while, on data without labels."""
    random = np.random.default_rng(0)
    if not (folder / "x.npz").exists():
        np.savez(folder / "x.npz", feature=random.normal(size=(2000, 20)))
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    config["study"] = {"datasets": ["blobs"], "methods": ["ct_no_reinit"], "seeds": [3, 4]}
    config |= {"seeds_per_job": 2}
    spec = Study(config).cluster_spec("blobs", "ct_no_reinit", "seed3x2")
    spec["parameters"] |= {"epochs": 40, "hidden_widths": [64], **parameters}
    return ["cluster", "--spec", dumps(spec), "--data", folder / "x.npz", "--output", output]


def test_a_killed_job_goes_on_and_ends_with_the_same_bits(tmp_path):
    whole, broken = tmp_path / "whole.h5", tmp_path / "broken.h5"
    run_stage(*long_job(tmp_path, whole))
    command = [sys.executable, "-m", "deepkm", *map(str, long_job(tmp_path, broken)), "--checkpoint-seconds", "0"]
    random, kills = np.random.default_rng(), 0
    while kills < 3:
        with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as job:
            deadline = time.monotonic() + 60
            while not list(tmp_path.glob(".broken.*.checkpoint")) and job.poll() is None:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            time.sleep(random.uniform(0, 0.4) + 2 * kills)  # starting takes a while
            job.send_signal(signal.SIGKILL)
            job.wait()
        kills += 1
        if broken.exists():
            break
    assert kills
    done = run_stage(*long_job(tmp_path, broken)) if not broken.exists() else None
    assert done is None or "going on from epoch" in done.stdout
    first, second = (read_hdf5(path)[0] for path in (whole, broken))
    assert_same(first, second)
    assert [path.samefile(broken) for path in tmp_path.glob(".broken*")] == [True]


@pytest.mark.parametrize("other", ["parameters", "data"])
def test_a_checkpoint_of_something_else_is_not_resumed(other, tmp_path):
    output = tmp_path / "a.h5"
    command = [sys.executable, "-m", "deepkm", *map(str, long_job(tmp_path, output)), "--checkpoint-seconds", "0"]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as job:
        while not list(tmp_path.glob(".a.*.checkpoint")):
            time.sleep(0.01)
        job.kill()
    if other == "data":
        np.savez(tmp_path / "x.npz", feature=np.random.default_rng(1).normal(size=(2000, 20)))
    epochs = {"data": 40, "parameters": 2}[other]
    done = run_stage(*long_job(tmp_path, output, epochs=epochs))
    assert "going on" not in done.stdout
    arrays, attributes = read_hdf5(output)
    assert arrays["history/loss"].shape == (2, epochs)
    assert attributes["inputs"]["data"] == hashlib.sha256((tmp_path / "x.npz").read_bytes()).hexdigest()


def test_labels_are_not_seen_by_training(tmp_path):
    random = np.random.default_rng(0)
    feature = random.normal(size=(200, 5))
    np.savez(tmp_path / "with.npz", feature=feature, target=random.integers(3, size=200))
    np.savez(tmp_path / "without.npz", feature=feature)
    for name in ("with", "without"):
        arguments = long_job(tmp_path, tmp_path / f"{name}.h5", epochs=2)
        arguments[arguments.index("--data") + 1] = tmp_path / f"{name}.npz"
        run_stage(*arguments)
    assert_same(read_hdf5(tmp_path / "with.h5")[0], read_hdf5(tmp_path / "without.h5")[0])


def test_a_data_set_without_labels_is_clustered(tmp_path):
    np.savez(tmp_path / "mine.npz", feature=np.random.default_rng(0).normal(size=(90, 4)))
    study = changed(
        datasets={"mine": {"path": "mine.npz", "n_clusters": 3, "scaling": "none"}},
        study={"datasets": ["mine"], "methods": ["km", "ct"]},
    )
    run_snakemake(tmp_path, study=study)
    scores = pd.read_csv(tmp_path / "results" / "scores.csv")
    assert scores["acc"].isna().all()
    assert (scores["n_clusters_used"] == 3).all()
    assert "| no labels" in (tmp_path / "results" / "tables" / "acc.md").read_text()
    assert {path.name for path in (tmp_path / "results" / "figures").glob("*.png")} == {
        f"mine_{name}.png" for name in ("agreement", "losses", "memberships", "tsne")
    }


def test_a_run_that_stopped_counts_the_epochs_it_trained(tmp_path):
    spec = {"method": "dec", "dataset": {"name": "mine", "n_clusters": 1, "scaling": "none"}, "seeds": [0, 1, 2]}
    spec |= {"estimator": "deepkm.methods.dec:DEC", "parameters": {"epochs": 5}}
    arrays = {
        "labels": np.zeros((3, 4), np.int32),
        "centers": np.zeros((3, 1, 2)),
        "history/labels": np.zeros((3, 6, 4), np.uint8),
        "history/loss": np.ones((3, 5)),
        "history/stopped": np.arange(5) >= np.array([[2], [4], [9]]),
    }
    attributes = {"spec": spec, "provenance": {"seconds": 3.0}}
    write_hdf5(tmp_path / "clusterings" / "dec" / "mine" / "seed0x3.h5", arrays=arrays, attributes=attributes)
    np.savez(tmp_path / "mine.npz", target=[0, 0, 1, 1])
    jobs = dumps({"datasets": ["mine"], "methods": [["dec", None]], "stacks": [["seed0x3", [0, 1, 2]]]})
    output = tmp_path / "scores.csv"
    run_stage("score", "--spec", jobs, "--data", tmp_path / "mine.npz", "--results", tmp_path, "--output", output)
    scores = pd.read_csv(output)
    assert scores["epochs"].tolist() == [3, 5, 5]
    assert scores["acc"].tolist() == [0.5, 0.5, 0.5]
    assert scores["seconds"].tolist() == [1, 1, 1]


GOOD = np.random.default_rng(0).normal(size=(20, 3))


@pytest.mark.parametrize(
    ("arrays", "change", "message"),
    [
        ({}, {"study": {"method": ["km"]}}, "study: got unknown key 'method', expected 'methods'?"),
        ({}, {"study": {"methods": ["kmm"]}}, "study.methods: got unknown method 'kmm', expected 'km'?"),
        ({}, {"training": {"epochs": -3}}, "training.epochs: got -3, expected >= 0"),
        ({}, {"results_dir": "mine.npz/results"}, "results_dir: got mine.npz/results, expected a folder"),
        (
            {},
            {"datasets": {"mine": {"path": "no.npz", "n_clusters": 2, "scaling": "none"}}},
            "datasets.mine.path: got no.npz, expected",
        ),
        ({"x": GOOD}, {}, "got the arrays x, expected one named 'feature'"),
        (
            {"feature": np.where(GOOD[3, 1] == GOOD, np.nan, GOOD)},
            {},
            "got 1 NaN or infinite numbers in 1 of 20 samples",
        ),
        ({"feature": np.array([[{}]], dtype=object)}, {}, "got feature as an array of Python objects"),
        ({"feature": GOOD[:1]}, {}, "n_clusters=2 should be <= n_samples=1; lower n_clusters"),
    ],
    ids="key method epochs folder file feature nan pickle clusters".split(),
)
def test_bad_input_gets_one_clear_line_and_leaves_nothing(arrays, change, message, tmp_path):
    np.savez(tmp_path / "mine.npz", **(arrays or {"feature": GOOD}))
    study = changed(
        datasets={"mine": {"path": "mine.npz", "n_clusters": 2, "scaling": "none"}},
        study={"datasets": ["mine"], "methods": ["km"]},
    )
    for part, values in change.items():
        study[part] = {**study[part], **values} if isinstance(values, dict) else values
    done = run_snakemake(tmp_path, study=study, check=False)
    assert done.returncode != 0
    assert len([line for line in done.stdout.splitlines() if message in line]) == 1, done.stdout
    assert "Traceback" not in done.stdout
    assert [path.name for path in tmp_path.rglob("*.npz*")] == ["mine.npz"]
    kept = {path.name for path in tmp_path.rglob("*.h5")}
    assert kept <= {Path(CONTENTS).name}  # what the data's file holds may be noted


def test_a_bad_parameter_on_the_command_line_of_a_stage(tmp_path):
    done = run_stage(*long_job(tmp_path, tmp_path / "a.h5", alpha=-1.0), check=False)
    assert done.returncode == 2
    assert done.stdout.count("\n") == 1
    assert "alpha=-1.0 should be > 0" in done.stdout
    done = run_stage("cluster", "--spec", "{", "--data", "x", "--output", "y", check=False)
    assert "got no JSON" in done.stdout


def test_a_job_loads_only_what_it_needs(tmp_path):
    """scikit-learn and PyTorch's compiler would each cost a job as much time as PyTorch; neither trains anything."""
    command = [sys.executable, "-X", "importtime", "-m", "deepkm", *long_job(tmp_path, tmp_path / "a.h5", epochs=1)]
    done = subprocess.run(list(map(str, command)), env=environment(), capture_output=True, text=True, check=True)
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert {"torch", "deepkm.methods.base"} <= loaded
    assert not {"sklearn", "scipy", "pandas", "torch._dynamo", "jsonschema", "matplotlib"} & loaded
