"""No change makes a method worse unseen: short runs beside what `python -m benchmarks.accuracy` recorded."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.accuracy import FILE, METHODS, digits, reached, shortfall, usps

USPS = Path(os.environ.get("DEEPKM_DATA", "no folder named")) / "usps.npz"
NEW_SEEDS = (100, 101)  # not among those recorded
MOST = 3.0  # standard errors
RECORDED = pd.read_csv(FILE).set_index(["dataset", "method"])


@pytest.mark.parametrize("method", METHODS)
def test_digits(method):
    assert shortfall(reached(method, *digits(), NEW_SEEDS), RECORDED.loc["digits", method]) < MOST


@pytest.mark.skipif(not USPS.exists(), reason="DEEPKM_DATA names no folder with usps.npz")
@pytest.mark.parametrize("method", METHODS)
def test_usps(method):
    assert shortfall(reached(method, *usps(USPS), NEW_SEEDS), RECORDED.loc["usps", method]) < MOST


def test_the_guard_sees_a_fault(monkeypatch):
    x, target = digits()
    rng = np.random.default_rng(0)
    spoiled = np.where(rng.random(x.shape) < 0.3, rng.random(x.shape), x).astype(np.float32)  # as a wrong scaling would
    assert shortfall(reached("aekm_long", spoiled, target, NEW_SEEDS), RECORDED.loc["digits", "aekm_long"]) > MOST
    assert shortfall(np.array([70.0, 72.0]), {"mean": 75.0, "std": 2.0, "n": 2}) == pytest.approx(4 / 2)
