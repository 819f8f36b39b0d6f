"""A study's raw rows as a repository keeps them, and whether running it again gives them."""

import hashlib
import json
import re
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


def test_checksums_of_data_are_read_from_them_or_missed_in_one_line(folder, capsys):
    folder.data.with_suffix(".meta.json").unlink()  # the data say the same
    assert call("publish", "kept") == 0
    assert call("verify", "kept") == 0
    assert "sha256_of_feature" in read_frame("kept/data.csv")
    folder.data.unlink()
    capsys.readouterr()
    for command in ("publish", "verify"):
        assert call(command, "kept") == 2
        assert re.fullmatch(r"deepkm: error: .*blobs.*\n", capsys.readouterr().err)


def test_rows_of_a_cpu_are_of_the_same_settings_whatever_the_precision_of_a_gpu():
    specs = [{"seeds": [s], "parameters": {"precision": p}} for s, p in ((0, "float32"), (1, "tf32"))]
    on_cpu, on_gpu = ([settings_of(spec, on_cpu=where) for spec in specs] for where in (True, False))
    full = {"parameters": {"precision": "tf32"}}  # as the first rows have it
    assert on_cpu == [full] * 2
    assert on_gpu == [full, {"parameters": {"precision": "tf32 on a GPU"}}]


def test_rows_are_of_the_same_settings_whatever_snapshots_were_kept():
    specs = [{"snapshots": kept, "parameters": {"steps": None, "epochs": 9}} for kept in ([], [0, 9])]
    assert settings_of(specs[0], on_cpu=True) == settings_of(specs[1], on_cpu=True)


def test_the_time_of_a_job_is_shared_by_its_runs():
    jobs = {"stage": ["cluster"] * 2, "key": ["ct", "km"], "dataset": ["a"] * 2, "stack": ["x", "y"]}
    jobs |= {"seeds": ["3 9", "3"], "seconds": [10.0, 1.0], "cpu_seconds": [8.0, 2.0], "device_seconds": [8.0, 2.0]}
    jobs |= {"n_diverged": [0, 0], "epochs": [1, 1], "spec": ["s", "t"]}
    jobs |= {"device": ["NVIDIA H200 (GPU-2f8c-1e)", "CPU (AMD EPYC)"]}
    found = runs_of(pd.DataFrame(jobs))
    assert found["device"].tolist() == ["NVIDIA H200", "NVIDIA H200", "CPU (AMD EPYC)"]
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
    ("shift", "noise", "seeds", "verdict"),
    [
        (0.0, 0.0, range(5), "equal"),
        (0.004, 0.0, range(5), "differs"),  # by the same in each seed
        (0.03, 1.0, range(5), "differs"),
        (0.004, 1.0, range(5), "agrees"),
        (0.004, 10.0, range(5), "cannot tell"),  # a spread is no agreement
        (0.03, 1.0, range(2), "cannot tell"),
    ],
)
def test_differences_are_taken_seed_by_seed(shift, noise, seeds, verdict):
    of_seeds = np.array([0.2, -0.3, 0.1, 0.0, 0.05])[: len(seeds)]  # shared, and so of no account
    between = shift + noise * np.array([0.01, -0.01, 0.0, 0.005, -0.005])[: len(seeds)]
    old, new = rows(seeds, 0.6 + of_seeds), rows(seeds, 0.6 + of_seeds + between)
    [found] = agreement(old, new).itertuples()
    assert found.verdict == verdict
    assert found.acc == pytest.approx(100 * between.mean(), abs=1e-9)
    assert found.acc_error == pytest.approx(100 * between.std(ddof=1) / np.sqrt(len(seeds)), abs=1e-9)


def test_runs_without_scores_are_not_equal():
    nothing = rows(range(5), [np.nan] * 5)
    [found] = agreement(nothing, nothing).itertuples()
    assert (found.verdict, found.n_equal, found.n_shared) == ("no scores", 0, 5)


def made_of(**told):
    known = {"stage": "cluster", "dataset": "a", "key": "ct", "settings": "s", "data": "d"}
    return pd.DataFrame({name: [value] for name, value in (known | told).items()})


@pytest.mark.parametrize(
    ("told", "verdict"), [({}, "equal"), ({"settings": "t"}, "other settings"), ({"data": "e"}, "other data")]
)
def test_other_runs_are_not_compared_by_their_scores(told, verdict):
    same = rows(range(5), [0.5] * 5)
    [found] = agreement(same, same, made=(made_of(), made_of(**told))).itertuples()
    assert found.verdict == verdict


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
    assert "license" not in Path("kept/ro-crate-metadata.json").read_text()  # whoever ran it says that
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


def test_methods_are_ranked_by_the_seeds_that_most_have_run():
    table, left_out = ranking(pd.concat([rows([0, 1, 2], [0.4, 0.8, 0.6]).assign(method=name) for name in "xyz"]))
    assert table.to_numpy().tolist() == [[name, "a", pytest.approx(0.7)] for name in "xyz"]
    assert left_out == []
    more = [rows([0, 1, 2], [0.4, 0.8, 0.6]).assign(method=name) for name in "xyz"]
    more += [rows([0], [1.0]).assign(method="short"), rows([7], [1.0]).assign(method="other")]
    table, left_out = ranking(pd.concat(more))
    assert table.to_numpy().tolist() == [[name, "a", pytest.approx(0.7)] for name in "xyz"]  # cut by nobody
    assert left_out == [
        "other on a, 0 of 3 seeds that most methods have",
        "short on a, 1 of 3 seeds that most methods have",
    ]
    table, left_out = ranking(pd.concat([rows([0], [0.4]).assign(method="x"), rows([1], [0.4]).assign(method="y")]))
    assert table.empty
    assert len(left_out) == 2
    assert ranking(rows([0], [0.5])[:0])[0].empty


def republish(folder, capsys, **changed):
    """Publish with other entries; return how it ended, what was said, and the rows that are kept."""
    told = yaml.safe_load(Path("study.yaml").read_text())
    Path("changed.yaml").write_text(yaml.safe_dump(told | changed))
    capsys.readouterr()
    code = main(["publish", "kept", "--configfile", "changed.yaml"])
    said = capsys.readouterr()
    return code, said.out + said.err


def with_another_method():
    """Give a record rows of a method that the study does not run."""
    scores, runs = (read_frame(f"kept/{name}.csv") for name in ("scores", "runs"))
    pd.concat([scores, scores.assign(method="dkm")]).to_csv("kept/scores.csv", index=False)
    pd.concat([runs, runs[runs["key"] == "ct"].assign(key="dkm")]).to_csv("kept/runs.csv", index=False)
    kept = yaml.safe_load(Path("kept/study.yaml").read_text())
    kept["methods"]["dkm"] = kept["methods"]["ct"] | {"title": "DKM"}
    Path("kept/study.yaml").write_text(yaml.safe_dump(kept))


@pytest.mark.parametrize("column", ["sha256_of_target", "scaling"])
def test_rows_of_other_classes_or_scaling_go_too(folder, capsys, column):
    assert call("publish", "kept") == 0
    with_another_method()
    read_frame("kept/data.csv").assign(**{column: "another"}).to_csv("kept/data.csv", index=False)
    assert call("publish", "kept") == 0
    assert "dkm on blobs: its rows with other settings or data were dropped" in capsys.readouterr().out
    assert set(read_frame("kept/scores.csv")["method"]) == {"ct"}


def test_rows_of_another_number_of_clusters_go_too(folder, capsys):
    assert call("publish", "kept") == 0
    with_another_method()
    read_frame("kept/scores.csv").assign(n_clusters=4).to_csv("kept/scores.csv", index=False)
    assert call("publish", "kept") == 0
    assert "dkm on blobs: its rows" in capsys.readouterr().out


def test_a_study_does_not_speak_for_rows_that_it_has_not_run(folder, capsys):
    assert call("publish", "kept") == 0
    with_another_method()
    before = {path.name: path.read_bytes() for path in Path("kept").iterdir()}
    kept = yaml.safe_load(Path("kept/study.yaml").read_text())
    kept["training"]["epochs"] = 7
    Path("kept/study.yaml").write_text(yaml.safe_dump(kept))
    code, said = republish(folder, capsys)
    assert code == 2
    assert "got another training.epochs of dkm, expected what its rows on blobs were run with" in said
    assert Path("kept/scores.csv").read_bytes() == before["scores.csv"]
    Path("kept/study.yaml").write_bytes(before["study.yaml"])
    code, said = republish(folder, capsys, methods={"dkm": {"title": "Another title"}})
    assert code == 0, said
    assert "4 runs in kept" in said


def test_a_method_named_like_an_autoencoder_keeps_its_rows(folder, capsys):
    assert call("publish", "kept") == 0
    scores, runs = (read_frame(f"kept/{name}.csv") for name in ("scores", "runs"))
    pd.concat([scores, scores.assign(method="mlp")]).to_csv("kept/scores.csv", index=False)
    pd.concat([runs, runs[runs["key"] == "ct"].assign(key="mlp")]).to_csv("kept/runs.csv", index=False)
    assert call("publish", "kept") == 0
    assert "dropped" not in capsys.readouterr().out
    assert set(read_frame("kept/scores.csv")["method"]) == {"ct", "mlp"}


def test_rows_of_several_states_of_the_source_are_said(folder, capsys):
    assert call("publish", "kept") == 0
    runs = read_frame("kept/runs.csv")
    more = runs[runs["key"] == "ct"].assign(seed=[7, 8], source_digest="older")
    pd.concat([runs, more]).to_csv("kept/runs.csv", index=False)
    assert call("publish", "kept") == 0
    assert "note: rows of 1 of 1 methods on data sets are of several states of their source" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "contents", "message"),
    [
        ("runs.csv", None, "got scores.csv, data.csv, study.yaml without runs.csv"),
        ("scores.csv", "", "scores.csv: got no table"),
        ("scores.csv", "dataset,method\nblobs,ct\n", "scores.csv: got no column seed"),
        ("scores.csv", "dataset,method,seed,acc,nmi,ari,n_clusters\nblobs,ct,0,1,much,1,3\n", "values of nmi"),
        ("scores.csv", "dataset,method,seed,acc,nmi,ari,n_clusters\nblobs,ct,,1,1,1,3\n", "values of seed"),
        (
            "scores.csv",
            "dataset,method,seed,acc,nmi,ari,n_clusters\n" + 2 * "blobs,ct,0,1,1,1,3\n",
            "two rows of blobs",
        ),
        ("study.yaml", "<<<<<<< HEAD\nstudy: {}\n", "study.yaml: got"),
        ("study.yaml", "[a, b]", "study.yaml: got"),
    ],
)
@pytest.mark.parametrize("command", ["publish", "verify"])
def test_a_damaged_record_is_one_line_and_stays_as_it_is(folder, capsys, command, name, contents, message):
    assert call("publish", "kept") == 0
    path = Path("kept", name)
    path.unlink() if contents is None else path.write_text(contents)
    before = {path.name: path.read_bytes() for path in Path("kept").iterdir()}
    capsys.readouterr()
    assert call(command, "kept") == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert {path.name: path.read_bytes() for path in Path("kept").iterdir()} == before


def test_verify_says_how_much_was_run_again_and_on_what(folder, capsys):
    assert call("publish", "kept") == 0
    scores, runs = (read_frame(f"kept/{name}.csv") for name in ("scores", "runs"))
    pd.concat([scores, scores.assign(seed=[7, 8])]).to_csv("kept/scores.csv", index=False)
    capsys.readouterr()
    assert call("verify", "kept") == 0
    assert "2 of 4 published runs were run again" in capsys.readouterr().out
    data = read_frame("kept/data.csv")
    data.assign(sha256_of_target="of other classes").to_csv("kept/data.csv", index=False)
    assert call("verify", "kept") == 1
    assert "other data" in capsys.readouterr().out
    data.to_csv("kept/data.csv", index=False)
    runs.assign(settings="others").to_csv("kept/runs.csv", index=False)
    assert call("verify", "kept") == 1
    assert "other settings" in capsys.readouterr().out
    runs.to_csv("kept/runs.csv", index=False)
    scores.assign(acc=np.nan, nmi=np.nan, ari=np.nan).to_csv("kept/scores.csv", index=False)
    assert call("verify", "kept") == 2
    assert "got no score that kept has too" in capsys.readouterr().err


def test_exports_follow_the_rows(folder, capsys):
    assert call("publish", "kept", "--exports") == 0
    scores, runs = (read_frame(f"kept/{name}.csv") for name in ("scores", "runs"))
    pd.concat([scores, scores.assign(seed=[7, 8])]).to_csv("kept/scores.csv", index=False)
    more = runs[runs["key"] == "ct"].assign(seed=[7, 8])
    pd.concat([runs, more]).to_csv("kept/runs.csv", index=False)
    assert call("publish", "kept") == 0
    crate = {entity["@id"]: entity for entity in json.loads(Path("kept/ro-crate-metadata.json").read_text())["@graph"]}
    assert "4 runs" in crate["./"]["description"]
    assert crate["scores.csv"]["sha256"] == hashlib.sha256(Path("kept/scores.csv").read_bytes()).hexdigest()


def test_nothing_to_publish_is_no_success(folder, capsys):
    shutil.rmtree("results/clusterings")
    assert call("publish", "kept") == 2
    assert "got no result of this study" in capsys.readouterr().err
    assert not Path("kept").exists()
