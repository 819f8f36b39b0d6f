from dataclasses import fields

import h5py
import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT
from PIL import Image

from deepkm.datasets.features import load_features, scale
from deepkm.datasets.own import read_own
from deepkm.datasets.roles import Options
from deepkm.datasets.sources import load_source
from deepkm.study.config import OWN_KEYS, SCHEMA


def save(path, **arrays):
    np.savez(path, **arrays)
    return path


GOOD = np.arange(12.0).reshape(6, 2)


def test_a_good_file_with_names_as_labels(tmp_path):
    path = save(tmp_path / "my.npz", feature=GOOD, target=np.array(list("bbacca")))
    arrays = read_own(path)
    np.testing.assert_array_equal(arrays.feature, GOOD)
    assert arrays.target.tolist() == [1, 1, 0, 2, 2, 0]
    assert arrays.class_names == ["a", "b", "c"]


def test_images_and_no_labels(tmp_path):
    arrays = read_own(save(tmp_path / "my.npz", feature=np.zeros((5, 4, 3), np.uint8)))
    assert arrays.feature.shape == (5, 4, 3)
    assert arrays.image_shape == (4, 3)
    assert arrays.target is None


def test_a_converted_file_is_read_again(tmp_path):
    """What DeepKM wrote on one machine is a user's file on another; members that it does not know are not read."""
    more = {"image_shape": [2, 1], "class_names": ["x", "y", "z"], "notes": np.array([{}], dtype=object)}
    arrays = read_own(save(tmp_path / "my.npz", feature=GOOD, target=[0, 1, 2, 2, 1, 0], **more))
    assert arrays.image_shape == (2, 1)
    assert arrays.class_names == ["x", "y", "z"]
    with pytest.raises(ValueError, match=r"got image_shape \(3, 1\) for 2 features"):
        read_own(save(tmp_path / "my.npz", feature=GOOD, image_shape=[3, 1]))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"features": GOOD}, "got the arrays features, expected one named 'feature'"),
        ({"feature": np.array([[1, None]], dtype=object)}, "got feature as an array of Python objects.*never loaded"),
        ({"feature": np.array([["a", "b"]])}, "got feature of type <U1, expected real numbers"),
        ({"feature": GOOD * 1j}, "got feature of type complex128"),
        ({"feature": np.arange(4.0)}, r"got feature of shape \(4,\), expected \(N, F\)"),
        ({"feature": np.zeros((0, 3))}, "without empty axes"),
        ({"feature": np.where(GOOD == 3, np.nan, GOOD)}, "got 1 NaN or infinite numbers in 1 of 6 samples"),
        ({"feature": np.where(GOOD > 8, np.inf, GOOD)}, "got 3 NaN or infinite numbers in 2 of 6 samples"),
        ({"feature": GOOD, "target": np.zeros(5)}, r"got target of shape \(5,\), expected \(6,\)"),
        ({"feature": GOOD, "target": np.zeros((6, 1))}, r"got target of shape \(6, 1\)"),
        ({"feature": GOOD, "target": np.full(6, np.nan)}, "with 6 NaN or infinite numbers"),
        ({"feature": GOOD, "target": np.array([None] * 6)}, "got target as an array of Python objects"),
    ],
)
def test_bad_arrays_get_one_clear_line(arrays, message, tmp_path):
    path = tmp_path / "my.npz"
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=message) as caught:
        read_own(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 broken"])
def test_files_that_are_no_archive(content, tmp_path):
    path = tmp_path / "my.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"no \.npz archive"):
        read_own(path)


def test_a_damaged_archive(tmp_path):
    path = save(tmp_path / "my.npz", feature=np.random.default_rng(0).normal(size=(50, 50)))
    content = bytearray(path.read_bytes())
    content[5000:5100] = bytes(100)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"feature cannot be read .*Bad CRC"):
        read_own(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_own(tmp_path / "my.npz")


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_tables(suffix, tmp_path):
    table = pd.DataFrame({"a": [1, 2, 3], "b": [0.5, 1.5, 2.5], "target": ["y", "x", "y"], "kind": [7, 8, 8]})
    write = {"csv": lambda table, path: table.to_csv(path, index=False), "parquet": pd.DataFrame.to_parquet}[suffix]
    path = tmp_path / f"my.{suffix}"
    write(table, path)
    arrays = read_own(path)
    assert arrays.feature.tolist() == [[1, 0.5, 7], [2, 1.5, 8], [3, 2.5, 8]]
    assert arrays.target.tolist() == [1, 0, 1]
    assert arrays.class_names == ["x", "y"]
    write(table[["a", "kind"]], path)
    assert read_own(path).target is None
    arrays = read_own(path, target_column="kind")
    assert arrays.feature.tolist() == [[1], [2], [3]]
    assert arrays.class_names == ["7", "8"]
    write(table, path)
    for how, message in (
        ({"target_column": "kind"}, "got 'y' in column 'target', row 1, expected numbers; encode it, or name it"),
        ({"target_column": "label"}, "got no column 'label', expected the one of the labels"),
    ):
        with pytest.raises(ValueError, match=message):
            read_own(path, **how)
    write(table.assign(target=["y", None, "y"]), path)
    with pytest.raises(ValueError, match="got 1 rows without a label in the target"):
        read_own(path)
    write(table.assign(a=[1, None, 3]), path)
    with pytest.raises(ValueError, match="got 1 NaN or infinite numbers in 1 of 3 samples"):
        read_own(path)
    path.write_bytes(b"PAR1" * 9 if suffix == "parquet" else b"a,b\n1\n")
    with pytest.raises(ValueError, match="the table cannot be read"):
        read_own(path)


def picture(shape, value):
    return Image.fromarray(np.full(shape, value, np.uint8))


def test_rows_that_are_images(tmp_path):
    path = save(tmp_path / "my.npz", feature=np.zeros((5, 12)))
    assert read_own(path).image_shape == ()
    assert read_own(path, image_size=[4, 3]).image_shape == (4, 3)
    with pytest.raises(ValueError, match=r"got image_shape \(4, 4\) for 12 features"):
        read_own(path, image_size=[4, 4])


def test_a_folder_of_images(tmp_path):
    for name, value in (
        ("dog/1.png", 10),
        ("dog/2.JPG", 20),
        ("cat/9.png", 30),
        ("cat/sub/1.bmp", 40),
        (".x/1.png", 0),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        picture((6, 4), value).save(tmp_path / name)
    (tmp_path / "readme.txt").write_text("not an image")
    arrays = read_own(tmp_path)
    assert arrays.feature.shape == (4, 6, 4)
    assert arrays.feature.dtype == np.uint8
    assert arrays.feature[:, 0, 0].tolist() == [30, 40, 10, 20]
    assert arrays.target.tolist() == [0, 0, 1, 1]
    assert arrays.class_names == ["cat", "dog"]
    assert read_own(tmp_path, image_size=[3, 2], grey=False).feature.shape == (4, 3, 2, 3)
    picture((5, 4), 0).save(tmp_path / "dog" / "3.png")
    with pytest.raises(ValueError, match=r"3\.png: got 5 x 4 pixels, expected 6 x 4 as in 9\.png; name an image_size"):
        read_own(tmp_path)
    assert len(read_own(tmp_path, image_size=[6, 4]).feature) == 5
    picture((6, 4), 0).save(tmp_path / "stray.png")
    with pytest.raises(ValueError, match="got images both beside and inside subfolders"):
        read_own(tmp_path, image_size=[6, 4])


def test_a_folder_without_classes_or_images(tmp_path):
    with pytest.raises(ValueError, match="got no images"):
        read_own(tmp_path)
    for k in range(3):
        Image.fromarray(np.full((2, 2, 3), k, np.uint8)).save(tmp_path / f"{k}.png")
    assert read_own(tmp_path).target is None
    assert read_own(tmp_path).feature[:, 0, 0].tolist() == [0, 1, 2]
    (tmp_path / "3.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"3\.png: is no image or a dangerously large one"):
        read_own(tmp_path)
    Image.fromarray(np.zeros((2, 2), np.uint16)).save(tmp_path / "3.png")
    with pytest.raises(ValueError, match=r"3\.png: got more than 8 bits per pixel"):
        read_own(tmp_path)


def test_other_files(tmp_path):
    np.save(tmp_path / "my.npy", GOOD)
    assert read_own(tmp_path / "my.npy").feature.tolist() == GOOD.tolist()
    np.save(tmp_path / "my.npy", np.array([[{}]], dtype=object))
    with pytest.raises(ValueError, match="got the array as an array of Python objects"):
        read_own(tmp_path / "my.npy")
    with h5py.File(tmp_path / "my.h5", "w") as file:
        file["feature"], file["target"] = GOOD, list("bbacca")
    arrays = read_own(tmp_path / "my.h5")
    assert arrays.feature.tolist() == GOOD.tolist()
    assert arrays.class_names == ["a", "b", "c"]
    with h5py.File(tmp_path / "my.h5", "w") as file:
        file["x"] = GOOD
    with pytest.raises(ValueError, match="got the arrays x, expected one named 'feature'"):
        read_own(tmp_path / "my.h5")
    (tmp_path / "my.h5").write_bytes(b"hello")
    with pytest.raises(ValueError, match="the HDF5 file cannot be read"):
        read_own(tmp_path / "my.h5")


def test_bundled_sources():
    digits = load_source({"source": "digits"})
    assert digits.feature.shape == (1797, 8, 8)
    assert np.bincount(digits.target).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    blobs = {"source": "blobs", "n_samples": 50, "n_features": 3, "n_clusters": 4, "spread": 0.1, "seed": 1}
    arrays = load_source(blobs)
    assert arrays.feature.shape == (50, 3)
    assert set(arrays.target) == {0, 1, 2, 3}
    np.testing.assert_array_equal(arrays.feature, load_source(blobs).feature)


def test_scalings_by_hand():
    x = np.array([[0.0, 2.0, 5.0], [4.0, 10.0, 5.0]])
    assert scale(x, "none") is x
    assert scale(x, "unit").tolist() == [[0, 0.2, 0.5], [0.4, 1, 0.5]]
    np.testing.assert_allclose(scale(x, "symmetric"), [[-1, -0.6, 0], [-0.2, 1, 0]], atol=1e-15)
    assert scale(x, "standard").tolist() == [[-1, -1, 0], [1, 1, 0]]
    assert scale(np.full((2, 2), 7.0), "unit").tolist() == [[0, 0], [0, 0]]
    with pytest.raises(ValueError, match="scaling='units' should be one of unit"):
        scale(x, "units")


def test_features_are_flat_and_single_precision(tmp_path):
    image = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    x = load_features(save(tmp_path / "my.npz", feature=image), "unit")
    assert x.dtype == np.float32
    np.testing.assert_allclose(x, image.reshape(2, 12) / 23, rtol=1e-6)


def test_each_option_of_a_users_file_is_documented():
    schema = yaml.safe_load(SCHEMA.read_text())["properties"]["datasets"]["additionalProperties"]["properties"]
    docs = (ROOT / "docs" / "DATASETS.md").read_text()
    for option in fields(Options):
        assert option.name in OWN_KEYS
        assert f"`{option.name}: " in docs or f"`{option.name}`" in docs, option.name
        assert schema[option.name]["description"], option.name
