"""A column of whole numbers could hold the classes, whatever it is called: so the entry says."""

import numpy as np
import pandas as pd
import pytest
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
