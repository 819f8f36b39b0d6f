"""Methods that take images alone are refused other data, before anything runs where the shape is known."""

import json
import os
import re

import numpy as np
import pytest
from conftest import run_stage

import deepkm
from deepkm.study.plan import Study


@pytest.mark.parametrize(
    ("dataset", "method", "got"),
    [
        ("rcv1", "conv_dkm", "n_features=2000 should be a square"),
        ("rcv1", "deepcluster", "n_features=2000 should be a square"),
        ("blobs", "conv_dkm", "n_features=16 should be at least 49"),
        ("blobs", "ct", "n_features=16 should be at least 49"),
        ("wide", "conv_dkm", "images of 8 x 32 should be square and grey"),
        ("colour", "conv_dkm", "images of 16 x 16 x 3 should be square and grey"),
    ],
)
def test_a_method_that_cannot_take_a_data_set_is_refused(config, dataset, method, got, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pictures = np.random.default_rng(0).integers(256, size=(20, 16, 16, 3)).astype(np.uint8)
    np.savez("colour.npz", feature=pictures)
    np.savez("wide.npz", feature=np.zeros((20, 256), np.uint8))
    config["datasets"] |= {
        "colour": {"path": "colour.npz", "n_clusters": 2, "scaling": "none"},
        "wide": {"path": "wide.npz", "n_clusters": 2, "scaling": "none", "image_size": [8, 32]},
    }
    config["methods"]["ct"]["autoencoder"] = "conv"
    config["study"] = {"datasets": ["digits", dataset], "methods": ["km", method], "seeds": [0]}
    if dataset == "colour":  # nobody knows before the conversion
        spec = json.dumps(Study(config).dataset_spec("colour"))
        run_stage("dataset", "--spec", spec, *"--input colour.npz --output data/colour.npz".split(), "--meta", META)
    message = rf"methods\.{method}: got the data set {dataset}, which it cannot take: {got}.*; leave one of the two out"
    with pytest.raises(ValueError, match=message):
        Study(config)
    if dataset == "colour":  # other data lie there now
        np.savez("colour.npz", feature=pictures[::-1])
        os.utime("colour.npz", (0, 0))
        Study(config)


@pytest.mark.parametrize("change", [{"autoencoder": "conv"}, {"autoencoder": "mlp_views", "views": "both"}])
def test_a_table_with_as_many_columns_as_an_image_has_pixels_is_no_image(config, change, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config["methods"]["ct"] |= change
    config["study"] = {"datasets": ["own"], "methods": ["km", "ct"], "seeds": [0]}
    embeddings = np.random.default_rng(0).normal(size=(20, 256))
    own = config["datasets"]["own"] = {"path": "own.npz", "n_clusters": 2, "scaling": "none"}
    said = "rows of 256 numbers, which nothing says are images, .* `image_size: \\[16, 16\\]` in the data set's entry"

    def convert(**arrays):
        np.savez("own.npz", feature=embeddings, **arrays)
        study = Study(config)  # what is in the file is not known before it is converted
        spec = json.dumps(study.dataset_spec("own"))
        run_stage(*f"dataset --input own.npz --output data/own.npz --meta {META} --spec".split(), spec)
        return json.dumps(study.cluster_spec("own", "ct", "seed0"))

    spec = convert()
    done = run_stage(*"cluster --data data/own.npz --output a.h5 --spec".split(), spec, check=False)
    assert done.returncode == 2
    assert re.search(f"deepkm: error: {said}", done.stdout)
    with pytest.raises(ValueError, match=f"methods.ct: got the data set own, which it cannot take: {said}"):
        Study(config)
    convert(image_shape=[16, 16])  # the file says so itself
    Study(config)
    convert()
    config["datasets"]["own"] = own | {"image_size": [16, 16]}
    Study(config)
    config["datasets"]["own"] = own | {"source": "usps"}  # public images, from a file of one's own
    convert()
    Study(config)


@pytest.mark.parametrize("scaling", ["unit", "none", "standard", "symmetric"])
def test_what_a_sigmoid_cannot_reconstruct_is_refused(config, scaling, tmp_path):
    config["datasets"]["digits"]["scaling"] = scaling
    config["study"] = {"datasets": ["digits"], "methods": ["conv_dkm"], "seeds": [0]}
    if scaling in ("standard", "symmetric"):
        with pytest.raises(ValueError, match=r"conv_dkm: got the data set digits, .*: values from -.* in \[0, 1\]"):
            Study(config)
        config["autoencoders"]["conv_sigmoid"]["per_dataset"] = {"digits": {"kind": "conv"}}
        Study(config)
        return
    spec = json.dumps(Study(config).cluster_spec("digits", "conv_dkm", "seed0"))
    if scaling == "none":  # nobody knows before a job has read them
        np.savez(tmp_path / "x.npz", feature=np.full((20, 8, 8), 16, np.uint8), image_shape=[8, 8])
        files = ["--data", tmp_path / "x.npz", "--output", tmp_path / "a.h5"]
        done = run_stage("cluster", "--spec", spec, *files, check=False)
        assert done.returncode == 2
        assert "error: values from 16 to 16 should be in [0, 1]" in done.stdout


def test_the_same_of_an_estimator():
    x = np.random.default_rng(0).normal(size=(30, 64))
    with pytest.raises(
        ValueError, match=r"values from -.* should be in \[0, 1\], all that the output of 'conv_sigmoid'"
    ):
        deepkm.ConvDKM(n_clusters=2, epochs=1).fit(x)
    deepkm.ConvDKM(n_clusters=2, epochs=1, autoencoder="conv").fit(x)


META = "data/colour.meta.json"


def test_images_that_only_look_square_in_a_row_are_refused_when_a_job_starts(config, tmp_path):
    np.savez(tmp_path / "wide.npz", feature=np.zeros((20, 8, 32), np.float32), image_shape=[8, 32])
    config["study"] = {"datasets": ["usps"], "methods": ["conv_dkm"], "seeds": [0]}
    spec = json.dumps(Study(config).cluster_spec("usps", "conv_dkm", "seed0"))
    files = ["--data", tmp_path / "wide.npz", "--output", tmp_path / "a.h5"]
    done = run_stage("cluster", "--spec", spec, *files, check=False)
    assert done.returncode == 2
    assert "deepkm: error: images of 8 x 32 should be square and grey" in done.stdout
