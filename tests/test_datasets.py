import numpy as np
import pytest

from deepkm.datasets.features import load_features, scale
from deepkm.datasets.sources import load_source, read_npz


def save(path, **arrays):
    np.savez(path, **arrays)
    return path


GOOD = np.arange(12.0).reshape(6, 2)


def test_a_good_file_with_names_as_labels(tmp_path):
    path = save(tmp_path / "my.npz", feature=GOOD, target=np.array(list("bbacca")))
    feature, target = read_npz(path)
    np.testing.assert_array_equal(feature, GOOD)
    assert target.tolist() == [1, 1, 0, 2, 2, 0]


def test_images_and_no_labels(tmp_path):
    feature, target = read_npz(save(tmp_path / "my.npz", feature=np.zeros((5, 4, 3), np.uint8)))
    assert feature.shape == (5, 4, 3)
    assert target is None


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
        ({"feature": GOOD, "target": np.full(6, np.nan)}, "or with NaN"),
        ({"feature": GOOD, "target": np.array([None] * 6)}, "got target as an array of Python objects"),
    ],
)
def test_bad_arrays_get_one_clear_line(arrays, message, tmp_path):
    path = tmp_path / "my.npz"
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=message) as caught:
        read_npz(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 broken"])
def test_files_that_are_no_archive(content, tmp_path):
    path = tmp_path / "my.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"no \.npz archive"):
        read_npz(path)


def test_a_damaged_archive(tmp_path):
    path = save(tmp_path / "my.npz", feature=np.random.default_rng(0).normal(size=(50, 50)))
    content = bytearray(path.read_bytes())
    content[5000:5100] = bytes(100)
    path.write_bytes(content)
    with pytest.raises(ValueError, match="feature is damaged"):
        read_npz(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_npz(tmp_path / "my.npz")


def test_bundled_sources():
    feature, target = load_source({"source": "digits"})
    assert feature.shape == (1797, 8, 8)
    assert np.bincount(target).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    blobs = {"source": "blobs", "n_samples": 50, "n_features": 3, "n_clusters": 4, "spread": 0.1, "seed": 1}
    feature, target = load_source(blobs)
    assert feature.shape == (50, 3)
    assert set(target) == {0, 1, 2, 3}
    np.testing.assert_array_equal(feature, load_source(blobs)[0])


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
