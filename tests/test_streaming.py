"""Features that stay in their file give what the same features give in memory."""

import json
import os
from argparse import Namespace

import h5py
import numpy as np
import pytest
import torch
from conftest import run_stage

from deepkm import DKM, IDEC
from deepkm.datasets.features import SCALINGS, load_features
from deepkm.datasets.large import scan, stays_in_file
from deepkm.datasets.streaming import StreamedFeatures, is_streamed
from deepkm.jobs.inputs import load_data
from deepkm.training.ends import keep_ends
from deepkm.training.loop import pretrain, train
from deepkm.training.run import Run


def write(path, feature, **options):
    with h5py.File(path, "w") as file:
        file.create_dataset("feature", data=feature, **options)
        file["target"] = np.arange(len(feature)) % 3
    return path


def convert(folder, stream, **options):
    spec = json.dumps({"name": "mine", "source": "file", "n_clusters": 3, "stream": stream, **options})
    output = folder / f"{stream}.npz"
    run_stage(
        *("dataset", "--spec", spec, "--input", folder / "mine.h5"),
        *("--output", output, "--meta", output.with_suffix(".json")),
    )
    return output


@pytest.mark.parametrize(
    ("feature", "options"),
    [
        (np.random.default_rng(0).normal(3, 5, (200, 6)).astype(np.float32), {}),
        (
            np.random.default_rng(1).integers(0, 256, (200, 4, 3), np.uint8),
            {"chunks": (7, 4, 3), "compression": "gzip"},
        ),
        (np.full((200, 2), 7.0), {}),
    ],
    ids=["floats", "images in compressed chunks", "constant"],
)
def test_batches_and_pieces_are_those_in_memory(feature, options, tmp_path, monkeypatch):
    monkeypatch.setattr("deepkm.datasets.features.PIECE_BYTES", 8 * 6 * 37)
    write(tmp_path / "mine.h5", feature, **options)
    about, *_ = scan(tmp_path / "mine.h5")
    np.savez(tmp_path / "streamed.npz", **about)
    np.savez(tmp_path / "whole.npz", feature=feature)
    assert is_streamed(tmp_path / "streamed.npz")
    assert not is_streamed(tmp_path / "whole.npz")
    index = torch.randint(200, (3, 16), generator=torch.Generator().manual_seed(0))
    for scaling in SCALINGS:
        x = torch.from_numpy(load_features(tmp_path / "whole.npz", scaling))
        streamed = StreamedFeatures(tmp_path / "streamed.npz", scaling)
        assert len(streamed) == 200
        assert streamed.shape == x.shape
        assert streamed.dtype == x.dtype
        assert torch.equal(streamed[index], x[index])
        assert torch.equal(torch.cat(list(streamed.split(33))), x)
        assert streamed[:0].shape == x[:0].shape


@pytest.mark.parametrize("cls", [DKM, IDEC])
def test_the_same_data_in_and_out_of_memory_train_alike(cls, tmp_path):
    centers = np.random.default_rng(0).normal(0, 10, (3, 5))
    feature = centers[np.arange(150) % 3] + np.random.default_rng(1).normal(size=(150, 5))
    np.savez(tmp_path / "streamed.npz", **scan(write(tmp_path / "mine.h5", feature))[0])
    np.savez(tmp_path / "whole.npz", feature=feature)
    method = cls(n_clusters=3, hidden_widths=(8,), epochs=3, batch_size=32)
    runs = []
    for x in (
        StreamedFeatures(tmp_path / "streamed.npz", "standard"),
        torch.from_numpy(load_features(tmp_path / "whole.npz", "standard")),
    ):
        run = method.start(x[:0], seeds=[0, 1])
        for _ in pretrain(x, run, epochs=2, batch_size=32, learning_rate=1e-3):
            pass
        run = Run(run.seeds, run.autoencoder)
        for _ in keep_ends(train(method, x, run), method):
            pass
        runs.append(run)
    np.testing.assert_array_equal(runs[0].ends["unexplained_data"], runs[1].ends["unexplained_data"])
    np.testing.assert_array_equal(runs[0].history["labels"], runs[1].history["labels"])
    np.testing.assert_array_equal(runs[0].history["loss"], runs[1].history["loss"])


@pytest.mark.parametrize("stream", [True, False])
def test_an_image_size_is_that_of_the_images(stream, tmp_path):
    write(tmp_path / "mine.h5", np.random.default_rng(0).random((30, 12)))
    with np.load(convert(tmp_path, stream, image_size=[4, 3])) as about:
        assert about["image_shape"].tolist() == [4, 3]
    for size, wrong in (([5, 3], r"got image_shape \(5, 3\) for 12 features"), ([0, 12], r"got image_size \[0, 12\]")):
        with pytest.raises(AssertionError, match=wrong):
            convert(tmp_path, stream, image_size=size)


@pytest.mark.parametrize("scaling", SCALINGS)
def test_the_ends_are_those_of_the_scaled_features(scaling, tmp_path):
    feature = np.random.default_rng(0).normal(1, 5, (50, 6)).astype(np.float32)
    np.savez(tmp_path / "streamed.npz", **scan(write(tmp_path / "mine.h5", feature))[0])
    x, (low, high) = (streamed := StreamedFeatures(tmp_path / "streamed.npz", scaling))[:], streamed.ends
    if scaling == "rows":
        assert low == -1 <= x.min()
        assert high == 1 >= x.max()
    else:
        assert (low, high) == (x.min(), x.max())


@pytest.mark.parametrize("stream", [True, False])
def test_a_sigmoid_trains_on_values_that_it_reaches(stream, tmp_path):
    write(tmp_path / "mine.h5", np.random.default_rng(0).normal(size=(30, 64)))
    for scaling, said in (("unit", {"image_size": [8, 8]}), ("none", {"pixels": [8, 8]}), ("unit", {})):
        data = convert(tmp_path, stream, **said)
        spec = {"dataset": {"scaling": scaling}, "parameters": {"autoencoder": "conv_sigmoid"}}
        args = Namespace(device="cpu", threads=1, data=str(data), spec=spec)
        if not said:
            with pytest.raises(ValueError, match="rows of 64 numbers, which nothing says are images"):
                load_data(args)
        elif scaling == "unit":
            assert load_data(args).shape == (30, 64)
        else:
            with pytest.raises(ValueError, match=r"values from -.* should be in \[0, 1\], all that the output"):
                load_data(args)


def test_size_decides_what_stays_in_its_file(tmp_path, monkeypatch):
    path = write(tmp_path / "mine.h5", np.zeros((10, 5), np.uint8))
    assert not stays_in_file(path)
    assert stays_in_file(path, True)
    monkeypatch.setattr("deepkm.datasets.large.IN_MEMORY_BYTES", 199)
    assert stays_in_file(path)
    assert not stays_in_file(path, False)
    assert not stays_in_file(tmp_path / "mine.npz")
    with pytest.raises(ValueError, match=r"mine\.npz: got no HDF5 file, expected one with `stream: true`"):
        stays_in_file(tmp_path / "mine.npz", True)


def test_both_conversions_tell_the_same_of_the_data(tmp_path):
    write(tmp_path / "mine.h5", np.random.default_rng(0).normal(size=(30, 4)))
    first, second = (json.loads(convert(tmp_path, stream).with_suffix(".json").read_text()) for stream in (True, False))
    assert first == second


def test_faults_get_one_line(tmp_path):
    feature = np.ones((30, 4))
    feature[20, 2] = np.nan
    write(tmp_path / "mine.h5", feature)
    with pytest.raises(ValueError, match="got 1 NaN or infinite numbers"):
        scan(tmp_path / "mine.h5")
    write(tmp_path / "mine.h5", np.eye(30, 4))
    converted = convert(tmp_path, True)
    write(tmp_path / "mine.h5", np.eye(31, 4))
    with pytest.raises(OSError, match=r"got features of shape \(31, 4\), expected \(30, 4\)"):
        StreamedFeatures(converted, "unit")
    (tmp_path / "mine.h5").unlink()
    with pytest.raises(OSError, match=r"its features should be in .*, which cannot be read"):
        StreamedFeatures(converted, "unit")


def test_a_file_that_changed_is_not_trained_on(tmp_path, capsys):
    path = write(tmp_path / "mine.h5", np.eye(30, 4))
    converted, before = convert(tmp_path, True), path.stat()
    os.utime(path)
    x = StreamedFeatures(converted, "none")  # the same numbers under another date
    assert len(x) == 30
    assert "was touched since it was converted" in capsys.readouterr().out
    del x
    changed = np.eye(30, 4)
    changed[17, 2] = 2
    write(path, changed)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(OSError, match=r"mine\.h5: got other features than those of .*True\.npz; run the data again"):
        StreamedFeatures(converted, "none")
    with h5py.File(path, "w") as file:
        file["feature"] = h5py.ExternalLink("other.h5", "/feature")
    with pytest.raises(OSError, match="cannot be read; run the data again"):
        StreamedFeatures(converted, "none")


@pytest.mark.parametrize("stream", [True, False])
def test_samples_that_are_all_the_same_are_refused(tmp_path, stream):
    """As of a file that was never filled."""
    write(tmp_path / "mine.h5", np.full((30, 4), 14.62))
    with pytest.raises(AssertionError, match=r"error: datasets\.mine: got the same numbers in all 30 samples"):
        convert(tmp_path, stream)


def test_a_file_that_changes_while_it_is_read(tmp_path, monkeypatch):
    path = write(tmp_path / "mine.h5", np.ones((30, 4)))
    monkeypatch.setattr("deepkm.datasets.large.encode_target", lambda *args: pytest.fail("went on"))
    monkeypatch.setattr("deepkm.datasets.large.labels_at", lambda *args: os.utime(path, (1, 1)))
    with pytest.raises(ValueError, match="was changed while it was read"):
        scan(path)


def test_the_entry_names_the_arrays(tmp_path):
    with h5py.File(tmp_path / "mine.h5", "w") as file:
        file["x"], file["kinds"] = np.random.default_rng(0).normal(size=(30, 4)), np.arange(30) % 3
    with pytest.raises(ValueError, match=r"got the arrays kinds, x, expected one named 'feature'.*`feature_array:`"):
        stays_in_file(tmp_path / "mine.h5")
    converted = convert(tmp_path, True, feature_array="x", target_column="kinds")
    with h5py.File(tmp_path / "mine.h5") as file, np.load(converted) as about:
        np.testing.assert_array_equal(StreamedFeatures(converted, "none")[:], file["x"][()].astype(np.float32))
        assert about["target"].tolist() == file["kinds"][()].tolist()
    about = {"title": "Mine", "n_clusters": 3, "source": "mine.h5", "licence": "-"}
    converted.with_suffix(".json").rename(converted.with_suffix(".meta.json"))
    spec = json.dumps({"datasets": [about]})
    assert "10" in run_stage("describe", "--spec", spec, "--data", converted, "--output", tmp_path / "about").stdout


def test_streamed_features_are_refused_as_others_are(tmp_path):
    write(tmp_path / "mine.h5", np.ones((30, 4)))
    for options in ({"columnwise": True}, {"drop_labels": [0]}, {"ignore_columns": [1]}, {"target_column": 1}):
        with pytest.raises(ValueError, match=f"got `{next(iter(options))}.*` for features that stay in their file"):
            scan(tmp_path / "mine.h5", **options)
    with pytest.raises(ValueError, match="got `header`, which says nothing of this kind of data"):
        scan(tmp_path / "mine.h5", header=True)
    write(tmp_path / "mine.h5", np.ones((30, 3, 8, 8)))
    with pytest.raises(ValueError, match=r"x\.transpose\(0, 2, 3, 1\)"):
        scan(tmp_path / "mine.h5")
    with h5py.File(tmp_path / "mine.h5", "w") as file:
        file.create_dataset("feature", (10**9, 10), "f4")
    with pytest.raises(ValueError, match="was never written in full"):
        stays_in_file(tmp_path / "mine.h5")
    with pytest.raises(ValueError, match="was never written in full"):
        scan(tmp_path / "mine.h5")


@pytest.mark.parametrize("n_classes", [0, 3])
def test_columns_that_may_be_no_features_are_refused_as_in_memory(n_classes, tmp_path):
    path, noise = tmp_path / "mine.h5", np.random.default_rng(0).normal(size=(60, 4))
    classes = np.arange(60) % max(n_classes, 1)
    kept = {"target": classes} if n_classes else {}
    doubtful = {"counts the rows": np.arange(60)}
    doubtful |= {"tells the class" if n_classes else "3 whole numbers": np.arange(60) % 3}
    for said, column in doubtful.items():
        with h5py.File(path, "w") as file:
            file.update({"feature": np.column_stack([noise, column]), **kept})
        with pytest.raises(ValueError, match=f"'5' .*{said}"):
            scan(path, n_clusters=3)
        told = {"ignore_columns": []} | ({} if n_classes else {"target_column": None})
        assert scan(path, n_clusters=3, **told)[0]["feature_shape"].tolist() == [60, 5]
    with h5py.File(path, "w") as file:  # sorted by class: in the first piece, one column tells what it will not
        file.update({"feature": np.column_stack([noise, np.arange(60) > 30]), **kept})
    assert scan(path, n_clusters=3)


def test_clustering_the_data_themselves_needs_them_in_memory(tmp_path):
    write(tmp_path / "mine.h5", np.random.default_rng(0).normal(size=(30, 4)))
    data = convert(tmp_path, True)
    spec = {
        "method": "km",
        "estimator": "deepkm.methods.km:KMeans",
        "parameters": {"n_clusters": 3},
        "dataset": {"scaling": "none"},
        "seeds": [0],
    }
    done = run_stage("cluster", "--spec", json.dumps(spec), "--data", data, "--output", tmp_path / "a.h5", check=False)
    assert done.returncode == 2
    assert "km clusters the data themselves and needs all of them in memory; choose a method with" in done.stdout
    assert len(done.stdout.splitlines()) == 2  # the device, and this
