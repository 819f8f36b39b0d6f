"""Shared autoencoders: whatever differs in seed, data, parameters or code never meets."""

from argparse import Namespace

import numpy as np
import pytest
import yaml
from conftest import ROOT, assert_same

from deepkm.hdf5 import read_hdf5
from deepkm.spec import Study
from deepkm.stages import autoencoder


@pytest.fixture
def pretrain(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPKM_CACHE", str(tmp_path / "cache"))
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    config["study"] = {"datasets": ["blobs", "digits"], "methods": ["aekm"], "seeds": [0, 1]}
    config["autoencoders"]["mlp"]["hidden_widths"] = [8]
    study = Study(config)

    def call(folder, *, dataset="blobs", seed=0, data=0, **parameters):
        feature = np.random.default_rng(data).normal(size=(60, 4)).astype(np.float32)
        np.savez(tmp_path / f"{data}.npz", feature=feature)
        spec = study.autoencoder_spec(dataset, "mlp", f"seed{seed}")
        spec["parameters"] |= {"pretraining_epochs": 1, **parameters}
        output = tmp_path / folder / f"{dataset}-{seed}-{data}-{len(parameters)}.h5"
        options = {"device": "cpu", "threads": 1, "checkpoint_seconds": 60.0}
        autoencoder.main(Namespace(spec=spec, data=tmp_path / f"{data}.npz", output=output, **options))
        return read_hdf5(output)[0]

    return call


CASES = [
    {},
    {"seed": 1},
    {"data": 1},  # other numbers under the same name
    {"dataset": "digits"},
    {"dataset": "digits", "seed": 1},
    {"pretraining_learning_rate": 0.01},
]


def test_no_two_seeds_data_sets_or_parameters_collide(pretrain, tmp_path, capsys):
    first = [pretrain("first", **case) for case in CASES]
    assert "taken from" not in capsys.readouterr().out
    assert len(list((tmp_path / "cache").rglob("*.h5"))) == len(CASES)
    second = [pretrain("second", **case) for case in CASES]
    assert capsys.readouterr().out.count("taken from") == len(CASES)
    for made, taken in zip(first, second, strict=True):
        assert_same(made, taken)
    weights = [made["autoencoder/encoder.0.weight"] for made in first[:3]]
    assert len({weight.tobytes() for weight in weights}) == 3


def test_a_damaged_shared_file_is_made_anew(pretrain, tmp_path, capsys):
    made = pretrain("first")
    [path] = (tmp_path / "cache").rglob("*.h5")
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:200])
    assert_same(pretrain("second"), made)
    assert "trained anew" in capsys.readouterr().out
    assert_same(read_hdf5(path)[0], made)
