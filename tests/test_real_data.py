"""Figures and conversions on real data: they need a folder, named by DEEPKM_DATA, with usps.npz (9298 x 256) and more.

What is there as arrays is written in its distributor's format first, then converted as a download would be.
"""

import os
from pathlib import Path

import numpy as np
import pytest
from raw_formats import write_faces, write_mnist, write_usps, write_usps_all

from deepkm import KMeans
from deepkm.datasets.catalogue import conversion_of
from deepkm.datasets.features import load_features
from deepkm.datasets.sources import convert
from deepkm.numerics.metrics import scores

FOLDER = Path(os.environ.get("DEEPKM_DATA", "no folder named"))


def needs(name):
    return pytest.mark.skipif(not (FOLDER / name).exists(), reason=f"DEEPKM_DATA names no folder with {name}")


def images(name, side):
    """Return the images of an .npz as (N, side, side), and their classes."""
    with np.load(FOLDER / name) as file:
        return file["feature"].reshape(-1, side, side), file["target"]


def from_raw(name, paths):
    """Convert as the catalogue says, shapes and class counts checked, but for the checksums of compressed files."""
    return convert(paths, name=name, **conversion_of(name, checked=False))


@needs("mnist.npz")
def test_mnist_has_the_published_checksums(tmp_path):
    feature, target = images("mnist.npz", 28)
    arrays = from_raw("mnist", write_mnist(tmp_path, feature, target, 60000))
    np.testing.assert_array_equal(arrays.feature, feature)
    np.testing.assert_array_equal(arrays.target, target)
    feature[[0, 60000]] = feature[[60000, 0]]
    with pytest.raises(ValueError, match=r"train-images-idx3-ubyte\.gz: got md5 \w+ once unpacked"):
        from_raw("mnist", write_mnist(tmp_path, feature, target, 60000))


@needs("usps.npz")
def test_usps_survives_its_distributors_format(tmp_path):
    feature, target = images("usps.npz", 16)
    arrays = from_raw("usps", write_usps(tmp_path, feature, target, 7291))
    np.testing.assert_array_equal(arrays.feature, feature)
    np.testing.assert_array_equal(arrays.target, target)


@needs("cmu_pie.npz")
def test_cmu_pie_stands_upright(tmp_path):
    columns, target = images("cmu_pie.npz", 32)
    arrays = from_raw("cmu_pie", write_faces(tmp_path, columns.transpose(0, 2, 1), target))
    np.testing.assert_array_equal(arrays.feature, columns.transpose(0, 2, 1))
    np.testing.assert_array_equal(arrays.target, target)


@needs("usps_11000.npz")
def test_usps_11000_with_copied_classes_is_refused(tmp_path):
    columns, target = images("usps_11000.npz", 16)
    if not np.array_equal(columns[target == 5], columns[target == 6]):
        assert len(from_raw("usps_11000", write_usps_all(tmp_path, columns.transpose(0, 2, 1))).feature) == 11000
        return
    with pytest.raises(ValueError, match="got the same samples in classes 5 and 6"):
        from_raw("usps_11000", write_usps_all(tmp_path, columns.transpose(0, 2, 1)))


@needs("20news-bydate.tar.gz")
def test_20_newsgroups_from_the_archive():
    arrays = from_raw("20news", [FOLDER / "20news-bydate.tar.gz"])
    assert arrays.feature.shape == (18846, 2000)
    assert arrays.class_names[::19] == ["alt.atheism", "talk.religion.misc"]
    np.testing.assert_allclose(np.linalg.norm(arrays.feature, axis=1), 1, rtol=1e-5)


@needs("usps.npz")
def test_k_means_on_usps_gives_the_published_figures():
    x = load_features(FOLDER / "usps.npz", "symmetric")
    target = np.load(FOLDER / "usps.npz")["target"]
    runs = [scores(target, KMeans(n_clusters=10, random_state=seed).fit(x).labels_) for seed in (8905, 9129)]
    assert 100 * np.mean([run["acc"] for run in runs]) == pytest.approx(67.3, abs=0.5)
    assert 100 * np.mean([run["nmi"] for run in runs]) == pytest.approx(61.4, abs=0.5)
