"""Figures on real data. They need a folder with usps.npz (9298 x 256) and the like, named by DEEPKM_DATA."""

import os
from pathlib import Path

import numpy as np
import pytest

from deepkm import KMeans
from deepkm.datasets.features import load_features
from deepkm.metrics import scores

FOLDER = Path(os.environ.get("DEEPKM_DATA", "no folder named"))


@pytest.mark.skipif(not (FOLDER / "usps.npz").exists(), reason="DEEPKM_DATA names no folder with usps.npz")
def test_k_means_on_usps_gives_the_published_figures():
    x = load_features(FOLDER / "usps.npz", "symmetric")
    target = np.load(FOLDER / "usps.npz")["target"]
    runs = [scores(target, KMeans(n_clusters=10, random_state=seed).fit(x).labels_) for seed in (8905, 9129)]
    assert 100 * np.mean([run["acc"] for run in runs]) == pytest.approx(67.3, abs=0.5)
    assert 100 * np.mean([run["nmi"] for run in runs]) == pytest.approx(61.4, abs=0.5)
