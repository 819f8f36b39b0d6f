"""Keys are text wherever tables are read: a data set may be called NA, and a method null or 1e5."""

import json

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT

from deepkm.__main__ import main
from deepkm.report.frames import read_frame
from deepkm.study.plan import Study
from deepkm.study.spec import dumps

KEYS = ["NA", "null", "nan", "None", "1987", "1e5", "True", "inf", "007"]


@pytest.mark.parametrize("column", ["dataset", "method", "other", "best", "spec", "source_digest", "key"])
def test_keys_are_read_as_they_were_written(column, tmp_path):
    written = pd.DataFrame({column: KEYS, "acc": [np.nan, *range(8)], "seed": range(9), "reason": [None, *"abcdefgh"]})
    written.to_csv(tmp_path / "a.csv", index=False)
    read = read_frame(tmp_path / "a.csv")
    assert read[column].tolist() == KEYS
    assert read["acc"].isna().tolist() == [True] + [False] * 8
    assert read["reason"].isna().tolist() == [True] + [False] * 8
    assert read["seed"].dtype == np.int64


def test_a_study_of_such_keys(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    blobs, km = config["datasets"]["blobs"], config["methods"]["km"]
    config["datasets"] |= {key: {**blobs, "n_samples": 60, "title": key} for key in ("NA", "1987")}
    config["methods"] |= {key: {**km, "title": key} for key in ("null", "1e5")}
    config["study"] = {"datasets": ["NA", "1987"], "methods": ["null", "1e5"], "seeds": [0, 1]}
    for entries in (*config["methods"].values(), *config["autoencoders"].values()):
        entries.pop("per_dataset", None)
    config |= {"panels": [], "seeds_per_job": 2}
    study = Study(config)
    for dataset in study.datasets:
        files = ["--output", f"data/{dataset}.npz", "--meta", f"data/{dataset}.meta.json"]
        assert main(["dataset", "--spec", dumps(study.dataset_spec(dataset)), *files]) == 0
        for method in study.methods:
            output = f"results/clusterings/{method}/{dataset}/seed0x2.h5"
            spec = dumps(study.cluster_spec(dataset, method, "seed0x2"))
            assert main(["cluster", "--spec", spec, "--data", f"data/{dataset}.npz", "--output", output]) == 0
    (tmp_path / "study.json").write_text(json.dumps(config))
    assert main(["partial", "--configfile", "study.json"]) == 0
    table = read_frame(tmp_path / "results" / "partial" / "tables" / "acc.csv")
    assert table[["dataset", "method", "n"]].to_numpy().tolist() == [
        [dataset, method, 2] for dataset in study.datasets for method in study.methods
    ]
    page = (tmp_path / "results" / "partial" / "report.html").read_text()
    assert page.count("NA") > 1
