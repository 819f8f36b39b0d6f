"""Features are scaled in float64 and cast last, from memory and a file alike; what float32 cannot hold is refused."""

import json
import tracemalloc
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import torch
from conftest import run_stage

from deepkm import KMeans
from deepkm.datasets.features import SCALINGS, Scaler, load_features, measure, scale
from deepkm.datasets.large import scan
from deepkm.datasets.rows import Rows
from deepkm.datasets.streaming import StreamedFeatures
from deepkm.numerics.metrics import scores
from deepkm.stages.report import is_unscaled_text

GROUP = np.arange(300) % 3
RANDOM = np.random.default_rng(0)


def of_groups(origin, step, kind):
    """Return one feature with three values, `step` apart from `origin` on, and one of noise as large as the steps."""
    values = np.array([origin + k * step for k in range(3)], kind)[GROUP]
    return np.stack([values, values[RANDOM.permutation(300)]], 1)


# Groups that float32 cannot tell apart before scaling, or that its squares cannot hold.
GROUPS = {
    "time stamps": of_groups(1.7e9, 5, np.float64),
    "whole time stamps": of_groups(1_700_000_000, 5, np.int32),
    "nanoseconds": of_groups(1_700_000_000_000_000_000, 5, np.int64),
    "the ends of int64": of_groups(-(2**63), 2**63 - 1, np.int64),
    "the end of uint64": of_groups(2**64 - 11, 5, np.uint64),
    "a tiny spread": of_groups(1.0, 1e-9, np.float64),
    "tiny numbers": of_groups(0.0, 1e-300, np.float64),
    "large numbers": of_groups(-8e307, 8e307, np.float64),
    "2^62": of_groups(2.0**62, 2.0**62, np.float64),
    "2^-62": of_groups(2.0**-62, 2.0**-62, np.float32),
    "bytes": of_groups(7, 100, np.uint8),
    "floats": of_groups(-1.0, 0.7, np.float32),
    "halves": of_groups(0.5, 0.25, np.float16),
}


def saved(folder, feature):
    """Return the paths of the same numbers in memory and in a file."""
    np.savez(folder / "whole.npz", feature=feature)
    with h5py.File(folder / "mine.h5", "w") as file:
        file["feature"] = feature
    np.savez(folder / "streamed.npz", **scan(folder / "mine.h5")[0])
    return folder / "whole.npz", folder / "streamed.npz"


@pytest.mark.parametrize("feature", GROUPS.values(), ids=GROUPS)
def test_groups_keep_their_distances(feature, tmp_path):
    """Each feature of three equally spaced values: -1.22, 0 and 1.22, whatever they were."""
    x = load_features(saved(tmp_path, feature)[0], "standard")
    np.testing.assert_allclose(x[:, 0], np.sqrt(1.5) * (GROUP - 1), rtol=1e-6, atol=1e-6)
    labels = KMeans(n_clusters=3, random_state=0).fit_predict(x[:, :1])
    assert scores(GROUP, labels)["ari"] == 1


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("feature", [*GROUPS.values(), GROUPS["bytes"] > 100], ids=[*GROUPS, "truths"])
def test_the_same_numbers_in_memory_and_in_a_file_give_the_same_features(feature, scaling, tmp_path, monkeypatch):
    monkeypatch.setattr("deepkm.datasets.features.PIECE_BYTES", 8 * 2 * 37)
    found = []
    for path, load in zip(saved(tmp_path, feature), (load_features, StreamedFeatures), strict=True):
        try:
            found.append(torch.as_tensor(load(path, scaling)[:]))
        except ValueError as error:
            found.append(str(error).partition(": ")[2])
    assert type(found[0]) is type(found[1])
    assert torch.equal(*found) if torch.is_tensor(found[0]) else found[0] == found[1]


def test_a_mean_far_above_the_deviation_is_taken_off():
    x = (1e4 + np.random.default_rng(0).normal(size=(70_000, 3))).astype(np.float32)
    found = scale(x, "standard").astype(np.float64)
    np.testing.assert_allclose(found.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(found.std(0), 1, rtol=1e-6)


@pytest.mark.parametrize("rows", [7, 300, 70_000])
def test_constant_features_become_zero(rows):
    third = np.full(rows, 0.1) + 0.2  # 0.30000000000000004
    third[::2] = 0.3
    x = np.stack([np.full(rows, 14.62), third, np.full(rows, 1e-30), np.full(rows, -1e30), np.arange(rows)], 1)
    for kind in (np.float32, np.float64):
        found = scale(x.astype(kind), "standard")
        assert (found[:, :4].std(0) < 1e-15).all()
        np.testing.assert_allclose(found[:, [0, 2, 3]], 0, atol=0)
        assert found[:, 4].std() == pytest.approx(1)
    assert scale(np.full((rows, 1), 2**62 + 1), "standard").any() is np.False_


def test_a_few_roundings_are_no_constant():
    x = 1 + 16 * np.finfo(np.float64).eps * GROUP[:, None]
    assert scale(x, "standard").std() == pytest.approx(1)


@pytest.mark.parametrize("factor", [1.0, 1e-300, 1e307, 2.0**-1074])
def test_rows_are_divided_by_their_length(factor):
    x = np.array([[3.0, 4.0, 0.0], [0.0, 0.0, 0.0], [-5.0, 0.0, 0.0], [1.0, 2.0, 2.0]])
    expected = [[0.6, 0.8, 0], [0, 0, 0], [-1, 0, 0], [1 / 3, 2 / 3, 2 / 3]]
    np.testing.assert_allclose(scale(factor * x, "rows"), expected, rtol=1e-15)


def test_rows_of_bytes_and_of_the_ends_of_integers():
    for x in (np.array([[255, 255]], np.uint8), np.array([[-(2**63), -(2**63)]]), np.array([[True, True]])):
        np.testing.assert_allclose(np.abs(scale(x, "rows")), np.sqrt(0.5), rtol=1e-15)


def test_rows_of_one_feature_are_refused():
    with pytest.raises(ValueError, match=r"mine: got one feature, of which `scaling: rows` leaves the sign"):
        Scaler(measure(np.arange(9.0)[:, None], "rows"), "rows").checked("mine")


def as_text(rows=40, features=50):
    """Counts of words, 96 % zeros, in rows of different lengths, the first of which is empty."""
    x = np.zeros((rows, features))
    for i in range(1, rows):
        x[i, RANDOM.permutation(features)[:2]] = i
    return x


@pytest.mark.parametrize(
    ("x", "like_text"),
    [
        (as_text(), True),
        (scale(as_text(), "rows"), False),  # nothing is left to be done
        (-as_text(), False),
        (as_text() + 1, False),
        (as_text(features=15), False),  # 87 % zeros, as images of a pen have
        (np.zeros((3, 20)), False),
    ],
    ids=["counts", "of length 1", "negative", "dense", "less sparse", "nothing"],
)
def test_counts_and_tf_idf_are_known_by_their_rows(x, like_text):
    rows = Rows()
    assert [len(part) for part in rows.noted([x[:7], x[7:]])] == [len(x[:7]), len(x[7:])]
    assert rows.like_text == like_text
    assert rows.n_empty == (~x.any(1)).sum()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("shape", "scaling", "said"),
    [
        ((40, 50), "none", "mine: counts or tf-idf, as it seems"),
        ((40, 50), "rows", "mine: 1 of 40 rows hold zeros alone, and stay so"),
        ((40, 50), "unit", ""),
        ((40, 5, 10), "none", ""),  # images
    ],
)
def test_a_conversion_says_what_to_know_of_rows(shape, scaling, said, stream, tmp_path):
    with h5py.File(tmp_path / "mine.h5", "w") as file:
        file["feature"] = as_text().reshape(shape)
    about = {"n_clusters": 3, "stream": stream, "target_column": None}  # a column may hold three numbers by chance
    spec = json.dumps({"name": "mine", "source": "file", **about})
    paths = ("--input", tmp_path / "mine.h5", "--output", tmp_path / "a.npz", "--meta", tmp_path / "a.meta.json")
    lines = run_stage("dataset", "--spec", spec, *paths, "--scaling", scaling).stdout.splitlines()
    assert lines[-1].startswith(said or "mine: 40 samples of shape")
    study = SimpleNamespace(data_file=lambda key: tmp_path / f"{key}.npz", scaling_of=lambda key: scaling)
    assert is_unscaled_text(study, "a") == (scaling == "none" and len(shape) == 2)
    assert not is_unscaled_text(study, "missing")


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float32])
def test_bytes_scale_to_the_bits_of_one_rounding_each(kind):
    x = np.random.default_rng(0).integers(0, 256, (500, 7)).astype(kind)
    unit = (x.astype(np.float32) - x.min()) / np.float32(x.max() - x.min())
    scaler = Scaler(measure(x, "unit"), "unit")
    assert scaler(x).tobytes() == unit.tobytes()
    assert Scaler(measure(x, "symmetric"), "symmetric")(x).tobytes() == (2 * unit - 1).tobytes()


def test_scaling_holds_nothing_twice(tmp_path, monkeypatch):
    monkeypatch.setattr("deepkm.datasets.features.PIECE_BYTES", 2**20)
    feature = np.random.default_rng(0).integers(0, 256, (20_000, 300), np.uint8)
    np.savez(tmp_path / "whole.npz", feature=feature)
    for scaling in SCALINGS:
        tracemalloc.start()
        x = load_features(tmp_path / "whole.npz", scaling)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < feature.nbytes + x.nbytes + 8 * 2**20


@pytest.mark.parametrize("name", ["time stamps", "whole time stamps", "a tiny spread"])
@pytest.mark.parametrize("scaling", ["none", "unit", "symmetric", "rows"])
def test_what_float32_rounds_off_is_refused(name, scaling):
    feature = GROUPS[name]
    if scaling in ("unit", "symmetric"):  # the range of the whole array begins at zero
        feature = np.concatenate([feature, np.zeros((300, 1), feature.dtype)], 1)
    said = rf"mine: .* which `scaling: {scaling}` rounds off in float32; choose `scaling: standard`"
    with pytest.raises(ValueError, match=said):
        Scaler(measure(feature, scaling), scaling).checked("mine")
    Scaler(measure(feature, "standard"), "standard").checked("mine")


@pytest.mark.parametrize("name", ["the ends of int64", "tiny numbers", "large numbers", "2^62", "2^-62"])
def test_numbers_whose_squares_float32_cannot_hold_are_refused(name):
    with pytest.raises(ValueError, match=r"mine: got numbers up to .*float32 holds no squared distances of others"):
        Scaler(measure(GROUPS[name], "none"), "none").checked("mine")


def test_a_range_beyond_float64_is_refused():
    for scaling in SCALINGS:
        x = np.array([[-1e308, 0.0], [1e308, 1.0], [0.0, 2.0]])
        with pytest.raises(ValueError, match=r"mine: got numbers from -1e\+308 to 1e\+308, farther apart"):
            Scaler(measure(x, scaling), scaling).checked("mine")
        if scaling != "none":
            with pytest.raises(ValueError, match=r"x: got numbers from -1e\+308 to 1e\+308, farther apart"):
                scale(x, scaling)


@pytest.mark.parametrize(
    "x",
    [
        np.zeros((5, 2)),
        np.full((5, 2), 14.62),
        RANDOM.normal(size=(50, 4)),
        1000 + RANDOM.normal(size=(50, 4)),
        RANDOM.integers(0, 10**6, (50, 4)),
        RANDOM.random((50, 4)) < 0.5,
        np.append(RANDOM.normal(size=(50, 1)), np.full((50, 1), 1e6), axis=1),
    ],
    ids=["zeros", "constant", "normal", "offset", "whole numbers", "truths", "a large constant"],
)
def test_ordinary_numbers_pass(x):
    for scaling in SCALINGS:
        Scaler(measure(x, scaling), scaling).checked("mine")


@pytest.mark.parametrize("stream", [False, True])
def test_a_conversion_refuses_what_training_could_not_hold(stream, tmp_path):
    with h5py.File(tmp_path / "mine.h5", "w") as file:
        file["feature"] = 1e39 * GROUPS["floats"].astype(np.float64)
    about = {"n_clusters": 3, "stream": stream, "target_column": None}  # a column may hold three numbers by chance
    spec = json.dumps({"name": "mine", "source": "file", **about})
    paths = ("--input", tmp_path / "mine.h5", "--output", tmp_path / "a.npz", "--meta", tmp_path / "a.json")
    refused = run_stage("dataset", "--spec", spec, *paths, "--scaling", "none", check=False)
    assert refused.returncode == 2
    assert "datasets.mine: got numbers up to 1e+39, expected" in refused.stdout.splitlines()[-1]
    assert not (tmp_path / "a.npz").exists()
    run_stage("dataset", "--spec", spec, *paths, "--scaling", "standard")
