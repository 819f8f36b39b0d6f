"""What a run costs: CPU seconds, or those of a GPU, and what a page says of times that do not compare."""

import subprocess
import time
from argparse import Namespace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import run_stage
from torch import nn

from deepkm.files import write_hdf5
from deepkm.jobs import provenance as made_by
from deepkm.jobs.resuming import follow
from deepkm.report.page.overview import facts, warnings
from deepkm.report.tables.cost import cost_table, summarize_cost
from deepkm.study.spec import dumps
from deepkm.training.checkpoint import restore_run, save_run
from deepkm.training.run import Run

STUDY = {"datasets": {"a": "A"}, "methods": {"km": "k-means", "dkm": "DKM"}, "seeds": [0, 1]}
CPU, GPU = "CPU (Xeon)", "H100 (GPU-1)"


def epochs(run, work, count=3):
    for _ in range(count):
        work()
        run.epoch += 1
        yield run


def use_processor(seconds):
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


def test_waiting_costs_no_cpu_seconds():
    run, arguments = Run([0], nn.Identity()), Namespace(checkpoint_seconds=60)
    follow(epochs(run, lambda: time.sleep(0.1)), run, arguments, epochs=3)
    assert run.seconds >= 0.3
    assert run.cpu_seconds < 0.2
    waited = run.cpu_seconds
    follow(epochs(run, lambda: use_processor(0.05)), run, arguments, epochs=3)
    assert run.cpu_seconds >= waited + 0.15


def test_a_checkpoint_keeps_both_times(tmp_path):
    run, found = Run([0], nn.Identity()), Run([0], nn.Identity())
    run.seconds, run.cpu_seconds, run.state = 7.0, 5.0, {"centers": torch.zeros(1, 2, 3)}
    save_run(tmp_path / "a", run, spec={})
    restore_run(tmp_path / "a", found, spec={}, optimizer_options={}, device="cpu")
    assert (found.seconds, found.cpu_seconds) == (7.0, 5.0)


def test_the_processor_is_named_as_the_system_names_it(monkeypatch, tmp_path):
    listing = "processor\t: 0\nmodel name\t: AMD  EPYC 7543 32-Core Processor\n\nprocessor\t: 1\nmodel name\t: other\n"
    monkeypatch.setattr(Path, "read_text", lambda path, **options: listing)
    monkeypatch.setattr(made_by.sys, "platform", "linux")
    assert made_by.processor() == "AMD EPYC 7543 32-Core Processor"
    assert made_by.describe_device("cpu") == "CPU (AMD EPYC 7543 32-Core Processor)"
    monkeypatch.setattr(made_by.sys, "platform", "darwin")
    monkeypatch.setattr(subprocess, "check_output", lambda command, text: "Apple M2 Pro\n")
    assert made_by.describe_device("cpu") == "CPU (Apple M2 Pro)"


@pytest.mark.parametrize("listing", ["processor\t: 0\nBogoMIPS\t: 50\n", None], ids=["no model", "no list"])
def test_a_processor_without_a_name_has_its_architecture(monkeypatch, listing):
    def read(path, **options):
        if listing is None:
            raise FileNotFoundError(path)
        return listing

    monkeypatch.setattr(Path, "read_text", read)
    monkeypatch.setattr(made_by.sys, "platform", "linux")
    monkeypatch.setattr(made_by.platform, "processor", lambda: "")
    monkeypatch.setattr(made_by.platform, "machine", lambda: "aarch64")
    assert made_by.processor() == "aarch64"


@pytest.mark.parametrize(("device", "expected"), [(CPU, 8.0), (GPU, 20.0)])
def test_a_run_costs_its_share_of_the_device(device, expected, tmp_path):
    provenance = {"seconds": 40.0, "cpu_seconds": 16.0, "device": device, "processor": "Xeon", "threads": 1}
    spec = {"method": "km", "dataset": {"name": "a", "n_clusters": 1, "scaling": "none"}, "seeds": [0, 1]}
    spec |= {"estimator": "deepkm.methods.km:KMeans", "parameters": {}}
    arrays = {"labels": np.zeros((2, 4), np.int32), "centers": np.zeros((2, 1, 2))}
    arrays["history/labels"] = np.zeros((2, 1, 4), np.uint8)
    path = tmp_path / "clusterings" / "km" / "a" / "s.h5"
    write_hdf5(path, arrays=arrays, attributes={"spec": spec, "provenance": provenance})
    np.savez(tmp_path / "a.npz", target=[0, 0, 1, 1])
    study = dumps({"datasets": ["a"], "methods": [["km", None]], "stacks": [["s", [0, 1]]]})
    tables = [tmp_path / f"{name}.csv" for name in ("scores", "jobs")]
    run_stage("score", "--spec", study, "--data", tmp_path / "a.npz", "--results", tmp_path, "--output", *tables)
    scores, jobs = map(pd.read_csv, tables)
    assert scores["seconds"].tolist() == [20.0, 20.0]
    assert scores["device_seconds"].tolist() == [expected, expected]
    assert jobs[["seconds", "cpu_seconds", "device_seconds"]].to_numpy().tolist() == [[40.0, 16.0, 2 * expected]]
    assert jobs["processor"].tolist() == ["Xeon"]


def jobs_of(*rows, **columns):
    """Return a jobs.csv of rows (method, seeds, seconds, cpu_seconds)."""
    jobs = pd.DataFrame(rows, columns=["key", "seeds", "seconds", "cpu_seconds"])
    jobs = jobs.assign(stage="cluster", dataset="a", device=CPU, epochs=5, peak_memory_bytes=1e9, n_diverged=0)
    return jobs.assign(device_seconds=jobs["cpu_seconds"], jobs_per_gpu=np.nan).assign(**columns)


def scores_of(methods=("km", "dkm")):
    rows = [{"dataset": "a", "method": method, "seed": seed} for method in methods for seed in (0, 1)]
    return pd.DataFrame(rows).assign(epochs=5, diverged=False, n_clusters_used=3, acc=0.5)


def test_only_runs_of_their_own_jobs_have_a_deviation():
    jobs = jobs_of(("km", "0", 9.0, 2.0), ("km", "1", 9.0, 4.0), ("dkm", "0 1", 50.0, 24.0))
    study = {name: STUDY[name] for name in ("datasets", "methods")}
    summary = summarize_cost(scores_of(), jobs, **study, n_seeds=2)
    table = cost_table(summary, **study)
    assert [row[2].text for row in table.rows] == ["2.0 / 4.0", "12.0"]
    assert "Of fewer than five runs, each one." in table.notes
    assert any("Without ±: seeds trained side by side share one time" in note for note in table.notes)
    alone = cost_table(summary[summary["key"] == "km"], **study)
    assert not any("Without ±" in note for note in alone.notes)


def test_a_shared_machine_is_named():
    jobs = jobs_of(("dkm", "0 1", 45.0, 24.0), ("km", "0 1", 10.0, 9.7))
    [line] = warnings(scores_of(), jobs, **STUDY)
    assert line.startswith("1 job of 2 had a processor for 53 % of their time only: the machine was shared")


@pytest.mark.parametrize(
    "jobs",
    [
        jobs_of(("dkm", "0 1", 45.0, 40.0), ("km", "0 1", 10.0, 31.0)),
        jobs_of(("dkm", "0 1", 0.5, 0.1), ("km", "0 1", 0.2, 0.1)),
        jobs_of(("dkm", "0 1", 45.0, 5.0), device=GPU),
    ],
    ids=["alone, and on several processors", "too short to tell", "waiting for a GPU"],
)
def test_nothing_is_said_where_times_are_sound(jobs):
    assert warnings(scores_of(), jobs, **STUDY) == []


def test_shared_gpus_and_pretraining_in_vain_are_named():
    jobs = jobs_of(("dkm", "0 1", 45.0, 5.0), device=GPU, jobs_per_gpu=3)
    [line] = warnings(scores_of(), jobs, **STUDY)
    assert line.startswith("1 job may have shared a GPU")
    jobs = jobs_of(("mlp", "0 1", 9.0, 9.0), stage="autoencoder", n_diverged=2)
    [line] = warnings(scores_of(), jobs, **STUDY)
    assert line.startswith("Pretraining diverged: mlp on A (2 seeds).")


def test_time_is_told_by_device():
    jobs = jobs_of(("dkm", "0 1", 90.0, 75.0), ("km", "0 1", 20.0, 5.0))
    jobs.loc[1, ["device", "device_seconds"]] = [GPU, 3600.0]
    told = dict(facts(scores_of(), jobs, **STUDY))
    assert told["CPU time of training"] == "1 min 15 s"
    assert told["GPU hours"] == "1.00"
