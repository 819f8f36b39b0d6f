"""A study's raw rows as a repository keeps them, and whether running it again gives them."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from done_study import STUDY, copy_done, make_done

from deepkm.__main__ import main
from deepkm.report.frames import read_frame
from deepkm.report.tables.agreement import agreement
from deepkm.report.tables.exported import ranking
from deepkm.report.tables.recorded import record_of, runs_of
from deepkm.stages.score import settings_of
from deepkm.study.inventory import load_study


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_done(tmp_path_factory.mktemp("made"))


@pytest.fixture
def folder(made, tmp_path, monkeypatch):
    return copy_done(made, tmp_path / "study", monkeypatch)


def call(*arguments):
    try:
        return main([*arguments, "--configfile", "study.yaml"])
    except SystemExit as end:
        return end.code


def test_all_that_a_reader_asks_for_is_kept(folder, capsys):
    assert call("publish", "kept") == 0
    assert "2 runs in kept" in capsys.readouterr().out
    scores, runs, data = (read_frame(f"kept/{name}.csv") for name in ("scores", "runs", "data"))
    folder.score()
    pd.testing.assert_frame_equal(scores, read_frame("results/scores.csv"))
    assert runs[["stage", "key", "seed"]].to_numpy().tolist() == [
        ["autoencoder", "mlp", 0],
        ["autoencoder", "mlp", 1],
        ["cluster", "ct", 0],
        ["cluster", "ct", 1],
    ]
    assert {"processor", "torch", "python", "source_digest", "settings", "data", "cpu_seconds"} <= set(runs)
    assert runs["finished"].str.fullmatch(r"20\d\d-\d\d-\d\d").all()
    assert runs["settings"].nunique() == 2  # whatever the seed
    assert data.loc[0, "shape"] == "40 4"
    assert (
        data.loc[0, "sha256_of_feature"]
        == yaml.safe_load(folder.data.with_suffix(".meta.json").read_text())["sha256"]["feature"]
    )
    kept = yaml.safe_load(Path("kept/study.yaml").read_text())
    assert kept["study"] == {**STUDY["study"], "contrasts": None}
    assert set(kept["methods"]) == {"ct"}
    assert set(kept["autoencoders"]) == {"mlp"}


def test_rows_of_a_cpu_are_of_the_same_settings_whatever_the_precision_of_a_gpu():
    specs = [{"seeds": [s], "parameters": {"precision": p}} for s, p in ((0, "float32"), (1, "tf32"))]
    on_cpu, on_gpu = ([settings_of(spec, on_cpu=where) for spec in specs] for where in (True, False))
    assert on_cpu == [{"parameters": {"precision": "tf32"}}] * 2
    assert on_gpu == [{"parameters": {"precision": p}} for p in ("float32", "tf32")]


def test_the_time_of_a_job_is_shared_by_its_runs():
    jobs = {"stage": ["cluster"] * 2, "key": ["ct", "km"], "dataset": ["a"] * 2, "stack": ["x", "y"]}
    jobs |= {"seeds": ["3 9", "3"], "seconds": [10.0, 1.0], "cpu_seconds": [8.0, 2.0], "device_seconds": [8.0, 2.0]}
    jobs |= {"n_diverged": [0, 0], "epochs": [1, 1], "spec": ["s", "t"]}
    found = runs_of(pd.DataFrame(jobs))
    assert found[["key", "seed", "seconds", "cpu_seconds"]].to_numpy().tolist() == [
        ["ct", 3, 5.0, 4.0],
        ["ct", 9, 5.0, 4.0],
        ["km", 3, 1.0, 2.0],
    ]


def test_rows_accumulate_and_those_of_other_settings_go(folder, capsys):
    assert call("publish", "kept") == 0
    scores = read_frame("kept/scores.csv")
    more = pd.concat([scores.assign(seed=[7, 8]), scores.assign(method="dkm")])
    pd.concat([scores, more]).to_csv("kept/scores.csv", index=False)
    runs = read_frame("kept/runs.csv")
    others = [runs.assign(seed=[7, 8, 7, 8]), runs[runs["key"] == "ct"].assign(key="dkm", settings="other")]
    pd.concat([runs, *others]).to_csv("kept/runs.csv", index=False)
    capsys.readouterr()
    assert call("publish", "kept") == 0
    assert "6 runs in kept" in capsys.readouterr().out
    runs = read_frame("kept/runs.csv")
    runs.loc[runs["key"] == "ct", "settings"] = "of an older study"
    runs.to_csv("kept/runs.csv", index=False)
    assert call("publish", "kept") == 0
    told = capsys.readouterr().out
    assert "ct on blobs: its rows with other settings or data were dropped" in told
    assert "4 runs in kept" in told
    assert set(read_frame("kept/scores.csv").query("method == 'ct'")["seed"]) == {0, 1}


def test_rows_of_other_data_go_whoever_made_them(folder, capsys):
    assert call("publish", "kept") == 0
    scores, runs, data = (read_frame(f"kept/{name}.csv") for name in ("scores", "runs", "data"))
    pd.concat([scores, scores.assign(method="dkm")]).to_csv("kept/scores.csv", index=False)
    pd.concat([runs, runs[runs["key"] == "ct"].assign(key="dkm")]).to_csv("kept/runs.csv", index=False)
    data.assign(sha256_of_feature="of another file").to_csv("kept/data.csv", index=False)
    capsys.readouterr()
    assert call("publish", "kept") == 0
    assert "dkm on blobs: its rows with other settings or data were dropped" in capsys.readouterr().out
    assert set(read_frame("kept/scores.csv")["method"]) == {"ct"}


def test_where_a_file_lies_is_nobodys_business(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("mine.npz", feature=np.zeros((30, 4)))
    entry = {"path": str(tmp_path / "mine.npz"), "n_clusters": 3, "scaling": "unit"}
    study = {**STUDY, "datasets": {"mine": entry}, "study": {**STUDY["study"], "datasets": ["mine"]}}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    kept = record_of(load_study(["study.yaml"]).config)
    assert kept["datasets"]["mine"]["path"] == "mine.npz"
    assert str(tmp_path) not in yaml.safe_dump(kept)


def test_a_study_that_is_run_again_is_judged_by_its_rows(folder, capsys):
    assert call("publish", "kept") == 0
    assert call("verify", "kept") == 0
    assert "2 of 2" in capsys.readouterr().out
    scores = read_frame("kept/scores.csv")
    many = pd.concat([scores.iloc[[0]].assign(seed=seed, nmi=0.9 + seed / 1e5) for seed in range(10, 20)])
    many.to_csv("kept/scores.csv", index=False)
    assert call("verify", "kept") == 0  # two runs tell nothing
    assert "cannot tell" in capsys.readouterr().out
    shutil.rmtree("results/clusterings")
    assert call("verify", "kept") == 2
    assert "expected its jobs; run it again first" in capsys.readouterr().err
    assert call("verify", "nowhere") == 2
    assert "expected a folder that `publish` wrote" in capsys.readouterr().err


def rows(seeds, values):
    values = np.asarray(values, float)
    known = {"dataset": "a", "method": "ct", "seed": list(seeds), "acc": values, "nmi": values / 2, "ari": values / 3}
    return pd.DataFrame(known)


@pytest.mark.parametrize(
    ("shift", "seeds", "verdict"),
    [
        (0.0, range(5), "equal"),
        (0.03, range(5), "differs"),
        (0.004, range(5), "agrees"),
        (0.03, range(2), "cannot tell"),
    ],
)
def test_a_difference_is_held_against_the_spread_of_seeds(shift, seeds, verdict):
    noise = np.array([0.01, -0.01, 0.0, 0.005, -0.005])[: len(seeds)]
    old, new = rows(seeds, 0.7 + noise), rows(seeds, 0.7 + shift + noise)
    [found] = agreement(old, new).itertuples()
    assert found.verdict == verdict
    assert found.acc == pytest.approx(100 * shift)
    assert found.acc_error == pytest.approx(100 * np.sqrt(2 * noise.var(ddof=1) / len(seeds)))


def test_a_part_of_a_study_run_again_is_held_against_the_same_seeds():
    old = rows(range(6), [0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
    [found] = agreement(old, rows([1], [0.8])).itertuples()
    assert (found.verdict, found.n_equal, found.n_shared, found.acc) == ("equal", 1, 1, 0)
    [found] = agreement(old, rows([0, 1, 2, 9], [0.4, 0.5, 0.6, 0.9])).itertuples()
    assert found.acc == pytest.approx(-30)
    [found] = agreement(old, rows([7, 8, 9], [0.4, 0.5, 0.6])).itertuples()  # no seed in common
    assert found.acc == pytest.approx(-15)


def test_only_what_both_have_is_compared():
    assert agreement(rows([1], [0.5]), rows([1], [0.5]).assign(method="km")).empty


def test_other_programs_can_read_a_record(folder, capsys):
    assert call("publish", "kept", "--exports") == 0
    assert "ranking.csv, blobs.croissant.json, ro-crate-metadata.json" in capsys.readouterr().out
    table = pd.read_csv("kept/ranking.csv")
    assert list(table) == ["method", "task", "metric_error"]
    mean = read_frame("kept/scores.csv")["nmi"].mean()
    assert table.to_numpy().tolist() == [["ct", "blobs", pytest.approx(1 - mean)]]
    about = json.loads(Path("kept/blobs.croissant.json").read_text())
    assert about["distribution"][0]["sha256"] == hashlib.sha256(folder.data.read_bytes()).hexdigest()
    assert "shape 40 x 4" in about["description"]
    crate = {entity["@id"]: entity for entity in json.loads(Path("kept/ro-crate-metadata.json").read_text())["@graph"]}
    parts = {part["@id"] for part in crate["./"]["hasPart"]}
    assert parts == {path.name for path in Path("kept").iterdir()} - {"ro-crate-metadata.json"}
    for name in parts:
        assert crate[name]["sha256"] == hashlib.sha256(Path("kept", name).read_bytes()).hexdigest()
    linked = {link["@id"] for entity in crate.values() for link in _links(entity)} - {"https://w3id.org/ro/crate/1.1"}
    assert linked <= crate.keys()


def _links(entity):
    for value in entity.values():
        yield from (link for link in (value if isinstance(value, list) else [value]) if isinstance(link, dict))


def test_methods_are_ranked_by_the_seeds_that_all_have_run():
    scores = {"dataset": "a", "method": ["x", "x", "y"], "seed": [0, 1, 0], "nmi": [0.4, 1.0, 0.3]}
    assert ranking(pd.DataFrame(scores)).to_numpy().tolist() == [["x", "a", 0.6], ["y", "a", 0.7]]
    nothing = {"dataset": "a", "method": ["x", "y"], "seed": [0, 1], "nmi": [0.4, 0.3]}
    assert ranking(pd.DataFrame(nothing)).empty
