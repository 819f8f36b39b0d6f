"""A column of whole numbers could hold the classes, whatever it is called: so the entry says."""

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
import sklearn.datasets
from own_files import classes_of, refused

from deepkm.datasets.own import read_own

ROWS = 12
GROUP = np.arange(ROWS) % 3


def table(**columns):
    return pd.DataFrame({"a": np.arange(ROWS) * 0.5 - 3, "b": np.arange(ROWS) ** 2, **columns})


@pytest.fixture
def csv(tmp_path):
    def write(content):
        (tmp_path / "my.csv").write_text(content if isinstance(content, str) else content.to_csv(index=False))
        return tmp_path / "my.csv"

    return write


@pytest.mark.parametrize("numbers", [GROUP, GROUP + 1.0, np.array([1, 5, 7])[GROUP]])
def test_as_many_whole_numbers_as_clusters_could_be_labels_whatever_their_name(csv, numbers):
    for place in (0, 1, 2):  # among measurements; among whole numbers, at an end
        frame = table().assign(b=np.arange(ROWS) ** 2 + 0.5)
        frame.insert(place, "digit", numbers)
        refused(csv(frame), "'digit' with 3 whole numbers", "target_column: digit", "target_column: null", n_clusters=3)
        arrays = read_own(csv(frame), n_clusters=3, target_column="digit")
        np.testing.assert_array_equal(arrays.feature, frame[["a", "b"]])
        assert classes_of(arrays) == [str(int(number)) for number in numbers]
        assert read_own(csv(frame), n_clusters=3, target_column=None).feature.shape == (ROWS, 3)
        assert read_own(csv(frame), n_clusters=4).feature.shape == (ROWS, 3)
    refused(csv(table(digit=numbers)), "'digit' with 3 whole numbers", n_clusters=3, ignore_columns=["b"])
    refused(
        csv(table(digit=numbers).to_csv(header=False, index=False)), "target_column: '3'", n_clusters=3, header=False
    )


def test_features_of_few_whole_numbers_are_no_labels(csv):
    random = np.random.default_rng(0)
    for few in (2, 3):  # zeros and ones; answers
        frame = pd.DataFrame(random.integers(0, few, (60, 9))).add_prefix("q")
        assert read_own(csv(frame), n_clusters=few).feature.shape == (60, 9)
    digits = sklearn.datasets.load_digits(as_frame=True).frame
    assert read_own(csv(digits.drop(columns="target")), n_clusters=10).target is None
    refused(csv(digits.rename(columns={"target": "digit"})), "'digit' with 10 whole numbers", n_clusters=10)
    assert read_own(csv(table().assign(b=GROUP)[["b"]]), n_clusters=3).target is None  # a column alone


X = np.random.default_rng(0).normal(size=(30, 3)).round(3)
T = np.arange(30) % 3


def arrays(path, **content):
    """Write arrays in the format that the name says; a .npy has one."""
    if path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            file.update(content)
    elif path.suffix == ".mat":
        scipy.io.savemat(path, content)
    elif path.suffix == ".npz":
        np.savez(path, **content)
    else:
        np.save(path, content["feature"])
    return path


@pytest.mark.parametrize("kind", [".npy", ".npz", ".mat", ".h5"])
@pytest.mark.parametrize("place", [0, 1, 3])
def test_a_column_of_an_array_could_be_labels_too(kind, place, tmp_path):
    path = arrays(tmp_path / f"my{kind}", feature=np.insert(X, place, T, axis=1))
    number = place + 1
    refused(path, f"'{number}' with 3 whole numbers", f"`target_column: '{number}'`", n_clusters=3)
    found = read_own(path, n_clusters=3, target_column=number)
    np.testing.assert_array_equal(found.feature, X)
    assert found.target.tolist() == T.tolist()
    assert read_own(path, n_clusters=3, target_column=None).feature.shape == (30, 4)
    refused(path, "no column '5'", "shape (30, 4)", target_column=5)


@pytest.mark.parametrize("kind", [".npz", ".mat", ".h5"])
def test_a_column_beside_the_labels_of_an_array(kind, tmp_path):
    for column, why in ((T * 5.0, "tells the class of each sample"), (np.arange(30) + 7, "counts the rows")):
        path = arrays(tmp_path / f"my{kind}", feature=np.column_stack([X, column]), target=T)
        refused(path, f"'4' {why}", "ignore_columns: ['4']")
        np.testing.assert_array_equal(read_own(path, ignore_columns=[4]).feature, X)
        assert read_own(path, ignore_columns=[]).feature.shape == (30, 4)
        refused(path, "no column '6' (`ignore_columns`)", ignore_columns=[6])


def test_whole_numbers_that_are_all_different_are_names_where_their_column_says_so(csv):
    far = np.random.default_rng(0).choice(10**6, 30, replace=False)
    frame = pd.DataFrame(X, columns=["a", "b", "c"]).assign(target=T)
    for name in ("code", "Customer Key", "file_name", "ZIP"):
        refused(csv(frame.assign(**{name: far})), f"{name!r} has another whole number in each row", "ignore_columns: [")
        assert read_own(csv(frame.assign(**{name: far // 50_000}))).feature.shape == (30, 4)  # repeated
        assert read_own(csv(frame.assign(**{name: far + 0.5}))).feature.shape == (30, 4)
    refused(csv(frame.assign(subject=far // 50_000)), "'subject' could number the rows")
    for name in ("price", "population", "codex"):
        assert read_own(csv(frame.assign(**{name: far}))).feature.shape == (30, 4)


def test_ordinary_arrays_are_features_without_a_word(tmp_path, capsys):
    random = np.random.default_rng(0)
    digits, target = sklearn.datasets.load_digits(return_X_y=True)
    pixels = random.integers(0, 256, (300, 64), np.uint8) * (random.random((300, 64)) < 0.3)
    counts = random.negative_binomial(1, 0.3, (300, 40)).astype(float)
    text = counts * (counts > 4) / np.maximum(1, counts.sum(1, keepdims=True))
    ranks = np.argsort(random.random((40, 300)), axis=1).T
    one_hot = np.eye(10)[random.integers(0, 10, 300)]
    flags = np.column_stack([random.normal(size=(300, 3)), random.integers(0, 2, 300)])
    stamps = np.column_stack([random.normal(size=(300, 3)), 1.7e9 + 60 * np.arange(300)])
    means = random.normal(size=(10, 4))[np.arange(300) % 10]
    for feature in (digits, pixels, counts, text, ranks, one_hot, flags, stamps, means, pixels.reshape(300, 8, 8)):
        labels = target if feature is digits else np.arange(300) % 10
        read_own(arrays(tmp_path / "my.npz", feature=feature, target=labels), n_clusters=10)
        path = arrays(tmp_path / "my.npy", feature=feature)
        np.testing.assert_array_equal(read_own(path, n_clusters=10).feature, feature)
    assert not capsys.readouterr().out


def test_ranks_and_decimals_of_a_table_are_features(csv):
    random = np.random.default_rng(0)
    ranks = pd.DataFrame(np.argsort(random.random((4, 30)), axis=1).T).add_prefix("r")
    assert read_own(csv(ranks.assign(target=T))).feature.shape == (30, 4)
    text = pd.DataFrame(random.random((30, 3)), columns=["class", "label", "y"]).assign(topic=T)
    assert read_own(csv(text), target_column="topic").feature.shape == (30, 3)
