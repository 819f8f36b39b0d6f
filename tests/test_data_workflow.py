"""Data sets by the workflow: fetched from a local server, converted, cached; then everything runs without a network."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT, assert_same, environment, run_snakemake, run_stage
from faulty_server import Server, status
from raw_formats import conversion, images, write_coil, write_mnist, write_newsgroups
from test_conversions import POSTS

from deepkm.datasets.own import read_own

TEN = np.arange(40) % 10
STUDY = {
    "study": {"datasets": ["mnist", "coil20", "20news"], "methods": ["km"], "seeds": [0]},
    "datasets": {"20news": {"n_clusters": 2}, "coil20": {"n_clusters": 3}},
}


def make_sources(folder):
    """Write small raw files; return each data set's paths and conversion."""
    pictures = images(12).reshape(3, 4, 8, 8)
    return {
        "mnist": (
            write_mnist(folder, images(40), TEN, 20),
            conversion("mnist", shape=[40, 8, 8], class_counts=4, content_md5=[]),
        ),
        "coil20": (
            write_coil(folder / "coil-20-proc.zip", pictures, step=1, folder="coil-20-proc"),
            conversion("coil20", shape=[12, 8, 8], class_counts=4, n_objects=3, views=[0, 4, 1]),
        ),
        "20news": (
            write_newsgroups(folder / "20news-bydate.tar.gz", POSTS),
            conversion("20news", shape=[8, 5], class_counts=[4, 4]),
        ),
    }


@pytest.fixture(scope="module")
def server():
    with Server().running() as server:
        yield server


@pytest.fixture(scope="module")
def checkout(server, tmp_path_factory):
    """A copy of the checkout whose catalogue names small data sets on the local server, after `snakemake data`."""
    folder = tmp_path_factory.mktemp("data") / "checkout"
    for name in ("deepkm", "workflow", "profiles", "envs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Snakefile", "config.yaml"):
        shutil.copy(ROOT / name, folder)
    raw = tmp_path_factory.mktemp("raw")
    catalogue = {}
    for name, (paths, entry) in make_sources(raw).items():
        files = {}
        for path in paths:
            server.files[f"/{name}/{path.name}"] = path.read_bytes()
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            urls = [f"{server.url}/gone/{{file}}", f"{server.url}/{name}/{{file}}"]
            files[path.name] = {"checksum": None if name == "coil20" else f"sha256:{digest}", "urls": urls}
        catalogue[name] = {**entry, "files": files, "licence": "none", "citation": "none"}
    text = yaml.safe_dump(catalogue, sort_keys=False)
    (folder / "deepkm" / "datasets" / "catalogue.yaml").write_text(text)
    server.faults["/mnist/t10k-labels-idx1-ubyte.gz"] = [status(503)]
    entries = yaml.safe_load((folder / "config.yaml").read_text())
    entries["datasets"] = {name: entries["datasets"][name] for name in ("digits", "blobs", *catalogue)}
    for method in entries["methods"].values():
        method.pop("per_dataset", None)
    for autoencoder in entries["autoencoders"].values():
        autoencoder.pop("per_dataset", None)
    (folder / "config.yaml").write_text(yaml.safe_dump(entries, sort_keys=False))
    run_snakemake(folder, "data", study=STUDY)
    return folder


def test_what_is_fetched_and_converted(checkout):
    for name, shape in {"mnist": (40, 8, 8), "coil20": (12, 8, 8)}.items():
        with np.load(checkout / "data" / f"{name}.npz", allow_pickle=False) as file:
            assert file["feature"].shape == shape
            assert file["feature"].dtype == np.uint8
            assert file["image_shape"].tolist() == [8, 8]
            assert len(file["class_names"]) == file["target"].max() + 1
            assert str(file["source"]) == name
            for line in file["source_sha256"]:
                digest, _, raw = line.partition("  ")
                content = (checkout / "data" / "raw" / name / raw).read_bytes()
                assert hashlib.sha256(content).hexdigest() == digest
    with np.load(checkout / "data" / "20news.npz", allow_pickle=False) as file:
        assert file["feature"].dtype == np.float32
        assert file["image_shape"].tolist() == []
    meta = json.loads((checkout / "data" / "mnist.meta.json").read_text())
    assert meta["class_counts"] == [4] * 10
    assert (checkout / "data" / "raw" / "coil20" / "coil-20-proc.zip.sha256").exists()


def test_then_no_network_is_needed(checkout, server):
    asked = len(server.requests)
    assert "Nothing to be done" in run_snakemake(checkout, "data", study=STUDY).stdout
    run_snakemake(checkout, "tables", study=STUDY)
    assert len(server.requests) == asked
    assert len(pd.read_csv(checkout / "results" / "scores.csv")) == 3


def test_neither_addresses_nor_the_mirror_rerun_anything(checkout):
    catalogue = checkout / "deepkm" / "datasets" / "catalogue.yaml"
    text = catalogue.read_text()
    catalogue.write_text(text.replace("/gone/", "/moved/"))
    moved = {**STUDY, "data_mirror": "/another/mirror"}
    assert "Nothing to be done" in run_snakemake(checkout, "data", "-n", study=moved).stdout
    catalogue.write_text(text)


def test_a_conversion_gives_the_same_bytes_again(checkout, tmp_path):
    names = STUDY["study"]["datasets"]
    for name in names:
        shutil.move(checkout / "data" / f"{name}.npz", tmp_path)
    time.sleep(2)  # a clock that ends up in the file would show
    run_snakemake(checkout, "data", study=STUDY)
    for name in names:
        assert (checkout / "data" / f"{name}.npz").read_bytes() == (tmp_path / f"{name}.npz").read_bytes(), name


def test_a_mirror_serves_another_machine(checkout, server, tmp_path):
    asked = len(server.requests)
    other = {**STUDY, "data_dir": str(tmp_path / "data"), "data_mirror": str(checkout / "data" / "raw")}
    run_snakemake(checkout, "data", study=other)
    assert len(server.requests) == asked
    assert (tmp_path / "data" / "mnist.npz").read_bytes() == (checkout / "data" / "mnist.npz").read_bytes()


def test_a_file_that_cannot_be_had_gets_one_clear_line(checkout, server, tmp_path):
    server.faults["/coil20/coil-20-proc.zip"] = [status(404)] * 9
    one = {**STUDY, "study": {**STUDY["study"], "datasets": ["coil20"]}, "data_dir": str(tmp_path / "data")}
    done = run_snakemake(checkout, "data", study=one, check=False)
    del server.faults["/coil20/coil-20-proc.zip"]
    assert done.returncode != 0
    lines = [line for line in done.stdout.splitlines() if "got it from none of its sources" in line]
    assert len(lines) == 1
    assert "/gone/coil-20-proc.zip: HTTP status 404; http://" in lines[0]
    assert (
        "set data_mirror to a folder or URL that has coil20/coil-20-proc.zip, or put the file there yourself"
        in lines[0]
    )
    assert "Traceback" not in done.stdout
    assert not list(tmp_path.rglob("*.npz"))
    (tmp_path / "data" / "raw" / "coil20").mkdir(parents=True, exist_ok=True)
    (tmp_path / "data" / "raw" / "coil20" / "coil-20-proc.zip").write_bytes(server.files["/coil20/coil-20-proc.zip"])
    run_snakemake(checkout, "data", study=one)  # what was put there is taken


def test_a_raw_file_replaced_by_an_older_one(checkout):
    path = checkout / "data" / "raw" / "mnist" / "t10k-labels-idx1-ubyte.gz"
    content, converted = path.read_bytes(), checkout / "data" / "mnist.npz"
    path.write_bytes(content[::-1])
    os.utime(path, (0, 0))
    done = run_snakemake(checkout, "data", study=STUDY, check=False)
    assert done.returncode == 1
    line = f"data/raw/mnist/{path.name}: got other content than data/mnist.npz was converted from; delete it, or"
    assert done.stdout.count(line) == 1
    listed = run_stage("audit", "--configfile", "study.yaml", folder=checkout, check=False).stdout
    assert f"stale       data/mnist.npz  (other data/raw/mnist/{path.name})" in listed
    assert converted.exists()
    path.unlink()
    assert "Nothing to be done" in run_snakemake(checkout, "data", study=STUDY).stdout
    path.write_bytes(content)
    os.utime(path, (time.time() + 9e6,) * 2)  # no date of a raw file matters
    assert "Nothing to be done" in run_snakemake(checkout, "data", study=STUDY).stdout
    converted.unlink()
    run_snakemake(checkout, "data", study=STUDY)


def test_a_raw_file_downloaded_by_hand(checkout, tmp_path):
    raw = shutil.copytree(checkout / "data" / "raw" / "20news", tmp_path / "raw")
    by_hand = {
        "study": {**STUDY["study"], "datasets": ["20news"]},
        "datasets": {"20news": {"path": str(raw / "20news-bydate.tar.gz"), "n_clusters": 2, "scaling": "none"}},
        "data_dir": str(tmp_path / "data"),
    }
    run_snakemake(checkout, "data", study=by_hand)
    made, downloaded = (dict(np.load(folder / "data" / "20news.npz")) for folder in (tmp_path, checkout))
    assert made.pop("spec") != downloaded.pop("spec")  # a file of one's own need not have the published checksum
    assert_same(made, downloaded)


def test_a_killed_conversion_leaves_no_wrong_file(tmp_path):
    np.savez(tmp_path / "mine.npz", feature=np.random.default_rng(0).normal(size=(20000, 100)))
    spec = json.dumps({"name": "mine", "source": "file", "n_clusters": 2})
    output = tmp_path / "data" / "mine.npz"
    arguments = ["dataset", "--spec", spec, "--input", tmp_path / "mine.npz", "--output", output]
    arguments += ["--meta", tmp_path / "data" / "mine.meta.json"]
    command = [sys.executable, "-m", "deepkm", *map(str, arguments)]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL) as job:
        deadline = time.monotonic() + 60
        while not output.with_name("mine.npz.tmp").exists() and job.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        job.send_signal(signal.SIGKILL)
    assert job.returncode == -signal.SIGKILL
    assert not output.exists()
    run_stage(*arguments)
    assert len(read_own(output).feature) == 20000
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_pipe_stops_a_study_before_anything_waits_for_it(tmp_path):
    os.mkfifo(tmp_path / "mine.npz")
    study = {
        "study": {"datasets": ["mine"], "methods": ["km"], "seeds": [0]},
        "datasets": {"mine": {"path": str(tmp_path / "mine.npz"), "n_clusters": 2, "scaling": "none"}},
    }
    done = run_snakemake(tmp_path, "data", study=study, check=False)
    assert done.returncode != 0
    assert "mine.npz: got a pipe, socket or device, expected a file or a folder" in done.stdout
    assert "Traceback" not in done.stdout


def test_options_of_a_users_file_pass_through_the_workflow(tmp_path):
    lines = [f"{i},{x},{x * x},{'ab?'[i % 3]}" for i, x in enumerate(np.linspace(-1, 1, 24))]
    (tmp_path / "mine.csv").write_text("\n".join(["id,x,y2,label", *lines]))
    study = {
        "study": {"datasets": ["mine"], "methods": ["km"], "seeds": [0]},
        "datasets": {
            "mine": {
                "path": "mine.csv",
                "n_clusters": 2,
                "scaling": "none",
                "target_column": "label",
                "ignore_columns": ["id"],
            }
        },
    }
    done = run_snakemake(tmp_path, "data", study=study, check=False)
    assert "got 8 samples with the label '?': a class, or none?" in done.stdout
    study["datasets"]["mine"]["drop_labels"] = ["?"]
    run_snakemake(tmp_path, "data", study=study)
    with np.load(tmp_path / "data" / "mine.npz") as file:
        assert file["feature"].shape == (16, 2)
        assert file["class_names"].tolist() == ["a", "b"]
    command = "datasets={mine: {target_column: null, ignore_columns: [id, label], drop_labels: []}}"
    run_snakemake(tmp_path, "data", "--config", command, study=study)
    with np.load(tmp_path / "data" / "mine.npz") as file:
        assert file["feature"].shape == (24, 2)
        assert "target" not in file.files


def test_describe_prints_a_table_and_draws_samples(tmp_path):
    study = {
        "study": {"datasets": ["digits", "blobs"], "methods": ["km"], "seeds": [0]},
        "datasets": {"blobs": {"n_samples": 31, "n_features": 3, "n_clusters": 2}, "digits": {"title": "007 | 1e3"}},
    }
    printed = run_snakemake(tmp_path, "describe", study=study).stdout
    table = pd.read_csv(tmp_path / "results/datasets/datasets.csv").set_index("data set").astype(str)
    columns = ["N", "F", "image", "K", "samples per class", "source", "licence"]
    assert table.loc["007 | 1e3", columns].tolist() == [
        "1797",
        "64",
        "8 x 8",
        "10",
        "174 to 183",
        "digits",
        "CC BY 4.0",
    ]
    assert table.loc["Blobs", columns].tolist() == ["31", "3", "-", "2", "15 to 16", "blobs", "none needed"]
    assert "174 to 183" in printed
    assert r"| 007 \| 1e3 " in printed
    assert (tmp_path / "results/datasets/samples.png").stat().st_size > 1000
    assert "174 to 183" in run_snakemake(tmp_path, "describe", study=study).stdout  # again, as often as one asks
