"""Settings are chosen without classes, on seeds of their own; what classes would have chosen is said apart from it."""

import json
import re
import signal
import sys
from argparse import Namespace
from functools import cache

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT, run_snakemake
from sklearn.base import clone

import deepkm
from deepkm.__main__ import main as command
from deepkm.files import read_hdf5
from deepkm.methods.ct import CT
from deepkm.report.figures.search import draw_search
from deepkm.report.figures.style import methods_of
from deepkm.report.statistics.trials import SCORE_COLUMNS, summarize_trials, value_of_peeking
from deepkm.stages.choose import _write_chosen
from deepkm.stages.partial import chosen as chosen_tables
from deepkm.study.inventory import load_study
from deepkm.study.plan import Study
from deepkm.study.search import settings_of
from deepkm.study.trials import trial_places

STUDY = {
    "study": {"datasets": ["mine"], "methods": ["km", "dkm", "ct"], "seeds": [0]},
    "training": {"pretraining_epochs": 2, "epochs": 3},
    "datasets": {"mine": {"path": "mine.npz", "n_clusters": 3, "scaling": "none"}},
    "autoencoders": {"mlp": {"hidden_widths": [8]}},
    "search": {
        "seeds": [1, 2],
        "methods": {
            "ct": {"alpha": [1.0, 9.0], "clustering_weight": [0.1, 200.0]},
            "km": [{"n_clusters": 2}, {"n_clusters": 3}],
        },
    },
}


def write_data(path, *, shuffled=False):
    random = np.random.default_rng(0)
    feature = random.normal(size=(90, 4)) + 3 * np.eye(4)[np.arange(90) % 3]
    target = np.arange(90) % 3
    np.savez(path, feature=feature.astype(np.float32), target=random.permutation(target) if shuffled else target)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """A folder in which `tune` has run, interrupted once."""
    folder = tmp_path_factory.mktemp("tuned")
    write_data(folder / "mine.npz")
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY, sort_keys=False))
    before_epoch = CT.before_epoch

    def hook(method, z, run):
        before_epoch(method, z, run)
        if run.epoch == 2:
            signal.raise_signal(signal.SIGTERM)

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        with patch.context() as stopping, pytest.raises(SystemExit):
            stopping.setattr(CT, "before_epoch", hook)
            command(["tune", "--configfile", "study.yaml"])
        assert not (folder / "results" / "search" / "choice.csv").exists()
        assert command(["tune", "--configfile", "study.yaml"]) == 0
    return folder


def files_of(folder, *names):
    return [(folder / "results" / "search" / name).read_bytes() for name in names]


BLIND = ("runs.csv", "choice.csv", "chosen.yaml")


def test_a_second_call_trains_nothing(tuned, monkeypatch, capsys):
    monkeypatch.chdir(tuned)
    before = files_of(tuned, *BLIND, "choice.md", "peeked.csv")
    assert command(["tune", "--configfile", "study.yaml"]) == 0
    said = capsys.readouterr().out
    assert "4 of 4 jobs of the search are done" in said
    assert "job " not in said.replace("jobs", "")
    assert files_of(tuned, *BLIND, "choice.md", "peeked.csv") == before
    assert command(["status", "--configfile", "study.yaml"]) == 0
    assert "4 of 8 training jobs done" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        command(["audit", "--configfile", "study.yaml"])
    assert "5 done, 4 missing" in capsys.readouterr().out
    assert command(["partial", "--configfile", "study.yaml"]) == 0  # of the study itself, nothing is done
    assert "0 of 3 clustering jobs are done" in capsys.readouterr().out
    assert [path.name for path in chosen_tables(load_study(["study.yaml"]))] == ["choice.csv", "peeked.csv"]


def test_snakemake_chooses_among_what_tune_trained(tuned, monkeypatch):
    before = files_of(tuned, *BLIND, "choice.md", "peeked.csv")
    (tuned / "results" / "search" / "km" / "mine" / "part1.h5").unlink()
    monkeypatch.chdir(tuned)
    assert chosen_tables(load_study(["study.yaml"])) == []
    said = run_snakemake(tuned, "choose", study=STUDY).stdout
    assert re.findall("(.*): begins", said) == ["settings of k-means on mine, part1"]
    assert files_of(tuned, *BLIND, "choice.md", "peeked.csv") == before


def test_other_classes_give_the_same_choice(tuned, monkeypatch):
    monkeypatch.chdir(tuned)
    before, peeked = files_of(tuned, *BLIND), files_of(tuned, "peeked.csv")
    write_data("mine.npz", shuffled=True)
    assert command(["tune", "--configfile", "study.yaml"]) == 0
    assert files_of(tuned, *BLIND) == before
    assert files_of(tuned, "peeked.csv") != peeked
    write_data("mine.npz")
    assert command(["tune", "--configfile", "study.yaml"]) == 0
    assert files_of(tuned, "peeked.csv") == peeked


def test_a_k_is_written_where_all_methods_were_searched_at_it(config, tmp_path):
    config["study"] = {"datasets": ["digits"], "methods": ["dkm", "ct"], "seeds": [0]}
    searched = {"dkm": {"n_clusters": [8, 10]}, "ct": {"clustering_weight": [1, 10]}}
    config["search"] = {"seeds": [1, 2], "methods": searched}
    spec = json.loads(json.dumps(Study(config).choose_spec()))
    (tmp_path / "search").mkdir()
    for k, of_dkm in enumerate((8, 10)):
        rows = [("digits", "dkm", k, True), ("digits", "ct", 1, True)]
        choice = pd.DataFrame(rows, columns=["dataset", "method", "setting", "chosen"])
        _write_chosen(Namespace(spec=spec, results=tmp_path), choice)
        text = (tmp_path / "search" / "chosen.yaml").read_text()
        assert ("# digits: methods chose 8, 10 clusters; decide on one." in text) == (of_dkm == 8)
        assert yaml.safe_load(text).get("datasets") == (None if of_dkm == 8 else {"digits": {"n_clusters": 10}})


def test_what_was_chosen_is_a_configuration_with_the_same_parameters(tuned, monkeypatch):
    monkeypatch.chdir(tuned)
    choice = pd.read_csv("results/search/choice.csv").query("chosen").set_index("method")
    chosen = load_study(["study.yaml", "results/search/chosen.yaml"])
    own = chosen.cluster_spec("mine", "ct", "seed0")["parameters"]
    assert json.loads(choice.at["ct", "values"]).items() <= own.items()
    assert chosen.config["datasets"]["mine"]["n_clusters"] == json.loads(choice.at["km", "values"])["n_clusters"]


def test_settings_are_trained_as_entries_are(tuned):
    """The runs of a stack are those that studies of one setting and one seed ask for."""
    arrays, attributes = read_hdf5(tuned / "results" / "search" / "ct" / "mine" / "part0.h5")
    assert len(arrays["labels"]) == 8
    config = Study({**full_config(), **absolute(tuned)}).config
    for _, setting in attributes["spec"]["settings"]:
        entry = {**config["methods"]["ct"], **setting}
        study = Study({**config, "search": None, "methods": {**config["methods"], "ct": entry}})
        expected = study.cluster_spec("mine", "ct", "seed0")
        assert {**attributes["spec"]["parameters"], **setting} == json.loads(json.dumps(expected["parameters"]))
        for name in ("dataset", "estimator"):
            assert attributes["spec"][name] == expected[name]
        both = study.method_digest("ct", "deepkm.methods.side_by_side")  # a change of either trains them again
        assert attributes["spec"]["source_digest"] == both != expected["source_digest"]


@cache
def full_config():
    """Return the default configuration with no more entries than these studies have."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    methods = {key: entry for key, entry in config["methods"].items() if key in STUDY["study"]["methods"]}
    for entry in methods.values():
        entry.pop("per_dataset", None)
    return {**config, "methods": methods, "autoencoders": {"mlp": {"hidden_widths": [8]}}, "panels": []}


def absolute(folder, **search):
    """Return the parts of the study that replace those of config.yaml."""
    entry = {**STUDY["datasets"]["mine"], "path": str(folder / "mine.npz")}
    parts = {"training": {**full_config()["training"], **STUDY["training"]}, "datasets": {"mine": entry}}
    return {**parts, "study": STUDY["study"], "search": {**STUDY["search"], **search}}


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ({"seeds": [1, 0]}, "search.seeds: got 0, which is one of study.seeds"),
        ({"seeds": [1]}, "search.criterion: got agreement with one seed"),
        ({"seeds": []}, "search.seeds: got \\[\\]"),
        ({"seeds": [1, 1]}, "search.seeds: got \\[1, 1\\], expected no repeated"),
        ({"criterion": "acc"}, "search.criterion: got 'acc', expected one of agreement"),
        ({"criterion": "objective"}, "search.criterion: got objective, but alpha changes what it measures"),
        ({"methods": {"dec": {"tol": [0.1]}}}, "search.methods: got 'dec', expected one of study.methods"),
        ({"methods": {"ct": {"alhpa": [1]}}}, "search.methods.ct: got unknown parameter 'alhpa', expected 'alpha'"),
        ({"methods": {"ct": {"alpha": 1}}}, "search.methods.ct.alpha: got 1, expected a list of values"),
        ({"methods": {"ct": {"alpha": []}}}, "search.methods.ct.alpha: got \\[\\], expected a list of values"),
        ({"methods": {"ct": {"alpha": [1, -1]}}}, "search.methods.ct.alpha: got -1, expected a number > 0|> 0"),
        ({"methods": {"ct": {"alpha": [1, "1.0"]}}}, "search.methods.ct: got .* twice"),
        ({"methods": {"ct": {}}}, "search.methods.ct: got nothing to try"),
        ({"methods": {"ct": [{"alpha": 1}, {"n_init": 1}]}}, "search.methods.ct: got settings of alpha and of n_init"),
        ({"methods": {"ct": ["alpha"]}}, "search.methods.ct: got .*, expected a grid"),
        ({"methods": {"ct": {"hidden_widths": [[8]]}}}, "search.methods.ct.hidden_widths: got a parameter that is set"),
        ({"methods": {"ct": {"n_clusters": [0]}}}, "search.methods.ct.n_clusters: got 0"),
        ({"methods": {"ct": {name: [*range(1, 40)] for name in ("epochs", "n_init")}}}, "more than 1000 settings"),
        ({"methods": {"ct": {"n_clusters": [1, 2]}}}, "search.methods.ct.n_clusters: got 1, expected 2 or more"),
        ({"methods": {"ct": {"autoencoder": ["mlp"]}}}, "search.methods.ct.autoencoder: got a key of an entry"),
        ({"methods": {"ct": [{"epochs": 2, "steps": 9}]}}, "search.methods.ct: got both `epochs` and `steps`"),
        ({"methods": {"ct": {"n_clusters": [91]}}}, "search.methods.ct.n_clusters: got 91, expected at most the 90"),
        ({"methods": {}}, "search.methods: got {}"),
        ({"seed": [1]}, "search: got unknown key 'seed'"),
    ],
)
def test_a_search_that_cannot_be_is_refused_at_the_start(tuned, search, message, monkeypatch):
    monkeypatch.chdir(tuned)  # where the data have been converted, so that their shape is known
    with pytest.raises(ValueError, match=message) as caught:
        Study({**full_config(), **absolute(tuned, **search)})
    assert "\n" not in str(caught.value)


def test_tune_needs_a_search(tuned, monkeypatch, capsys):
    monkeypatch.chdir(tuned)
    assert command(["tune", "--configfile", "study.yaml", "--config", "search=null"]) == 2  # text, from there
    assert "search: got none, expected what to try" in capsys.readouterr().err


def test_stacks_hold_what_may_differ_and_no_more_runs_than_allowed(tuned):
    grid = {"ct": {"alpha": [1, 2, 3], "reinit": [True, False], "n_clusters": [2, 3]}}
    study = Study({**full_config(), **absolute(tuned, methods=grid, runs_per_job=4)})
    parts = [study.search_spec(**place) for place in trial_places(study)]
    assert [[place for place, _ in spec["settings"]] for spec in parts[:2]] == [[0, 4], [8]]
    assert len(parts) == 8
    for spec in parts:
        assert len({(s["reinit"], s["n_clusters"]) for _, s in spec["settings"]}) == 1
        assert spec["dataset"]["n_clusters"] == spec["parameters"]["n_clusters"] == spec["settings"][0][1]["n_clusters"]


def runs_of(**columns):
    frame = pd.DataFrame({"dataset": "d", "method": "m", "n_clusters": 3, "seed": 0, **columns})
    defaults = {"diverged": False, "below_start": "", "n_clusters_used": 3, "values": "{}"}
    return frame.assign(**{name: value for name, value in defaults.items() if name not in frame})


def chosen_of(runs, criterion, labels=None):
    same = {("d", "m", place): [np.array([0, 1, 2])] * 2 for place in runs["setting"]}
    choice = summarize_trials(runs, labels or same, criterion)
    return choice.loc[choice["chosen"], "setting"].tolist()


def test_settings_whose_runs_fail_come_last_and_then_the_criterion_decides():
    runs = runs_of(
        setting=[0, 1, 2, 3], silhouette_data=[0.9, 0.5, 0.5, np.nan], davies_bouldin_data=[1.0, 3.0, 2.0, np.nan]
    )
    assert chosen_of(runs, "silhouette_data") == [0]
    for failing in ({"diverged": True}, {"below_start": "nothing better"}, {"n_clusters_used": 2}):
        [(name, value)] = failing.items()
        failed = runs.assign(**{name: runs[name].astype(object).mask(runs["setting"] == 0, value)})
        assert chosen_of(failed, "silhouette_data") == [1]  # the first of equals
        assert chosen_of(failed, "davies_bouldin_data") == [2]


def test_seeds_that_agree_are_preferred():
    agree, differ = [np.array([0, 0, 1, 1])] * 2, [np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])]
    assert chosen_of(runs_of(setting=[0, 1]), "agreement", {("d", "m", 0): differ, ("d", "m", 1): agree}) == [1]
    one = [np.zeros(4, int)] * 2  # says nothing, even where all runs failed
    lost = runs_of(setting=[0, 1, 2], n_clusters_used=[1, 2, 2])
    assert chosen_of(lost, "agreement", {("d", "m", 0): one, ("d", "m", 1): differ, ("d", "m", 2): agree}) == [2]
    with pytest.raises(ValueError, match="criterion: got objective, of which m has no numbers"):
        chosen_of(runs_of(setting=[0, 1]), "objective")


def test_the_value_of_peeking():
    choice = pd.DataFrame({"dataset": "d", "method": "m", "setting": [0, 1], "chosen": [True, False]})
    scored = pd.DataFrame({"dataset": "d", "method": "m", "setting": [0, 1, 1], "acc": [0.5, 0.6, 0.8], "ari": 0.1})
    [row] = value_of_peeking(choice, scored.assign(nmi=[0.4, 0.5, 0.7])).to_dict("records")
    assert (row["chosen"], row["by_classes"]) == (0, 1)
    assert [row[name] for name in ("acc", "acc_by_classes", "nmi", "nmi_by_classes")] == pytest.approx([50, 70, 40, 60])
    [row] = value_of_peeking(choice, scored.assign(nmi=0.4)).to_dict("records")
    assert row["by_classes"] == 0  # no better is no other
    assert len(value_of_peeking(choice, scored.assign(nmi=np.nan))) == 0


@pytest.mark.parametrize(
    ("space", "axes"),
    [
        ({"alpha": [1, 10]}, 2),
        ({"alpha": [1, 10], "n_clusters": [2, 3]}, 2),
        ({"reinit": [True, False]}, 2),
        ({"alpha": [1]}, 0),
    ],
)
@pytest.mark.parametrize("classes", [True, False])
def test_a_figure_of_what_was_tried(space, axes, classes):
    settings = settings_of(space, "space")
    choice = pd.DataFrame({"setting": range(len(settings)), "values": [*map(json.dumps, settings)]})
    choice = choice.assign(dataset="d", method="ct", criterion="agreement", chosen=choice["setting"] == 0)
    choice = choice.assign(n_failed=choice["setting"], agreement=0.5 + choice["setting"] / 10)
    peeked = choice.assign(seed=1, acc=0.5, nmi=0.25, ari=0.5).reindex(columns=SCORE_COLUMNS)
    drawing = draw_search(
        choice, peeked if classes else peeked[:0], "ct", methods_of({"ct": "CT"}, {}), dataset=("d", "D")
    )
    if not axes:
        assert drawing is None
        return
    assert ("NMI [%]: " in drawing.alt, drawing.stem) == (classes, "d_search_ct")
    assert sum(axis.get_visible() for axis in drawing.figure.axes) == 1 + classes
    assert re.search("Chosen: .* 1|Chosen: reinit True", drawing.alt)


# The library

X, Y = np.repeat(np.eye(3), 20, axis=0) + np.random.default_rng(0).normal(0, 0.1, (60, 3)), np.repeat([*"abc"], 20)
SMALL = {"n_clusters": 3, "hidden_widths": (6,), "pretraining_epochs": 1, "epochs": 2, "n_latent": 2, "device": "cpu"}


def test_the_library_chooses_alike_whatever_the_classes():
    space = {"alpha": np.array([1.0, 1000.0]), "n_clusters": range(2, 4)}
    model = deepkm.DKM(**SMALL, random_state=9)
    found = [deepkm.tune(model, X, space, y, seeds=[1, 2]) for y in (Y, np.random.default_rng(0).permutation(Y), None)]
    for one in found[1:]:
        pd.testing.assert_frame_equal(one.settings_, found[0].settings_)
        assert one.best_params_ == found[0].best_params_
    assert [len(one.peeking_) for one in found] == [1, 1, 0]
    best = found[0].best_estimator_
    assert best.get_params() == {**model.get_params(), **found[0].best_params_}
    assert not hasattr(best, "labels_")
    assert "best by classes" in str(found[0]) and "ACC" not in str(found[2])


def test_the_library_trains_what_fit_does():
    space = {"clustering_weight": [0.1, 50.0], "reinit": [True, False]}
    found = deepkm.tune(deepkm.CT(**SMALL, dtype="float64"), X, space, seeds=[4, 5])
    for row in found.runs_.rename(columns={"values": "setting_"}).itertuples():
        alone = deepkm.CT(**SMALL, **json.loads(row.setting_), random_state=row.seed, dtype="float64").fit(X)
        assert row.objective == pytest.approx(alone.losses_["loss"][-1], abs=1e-10)


def test_the_objective_of_a_loss_without_clusters_is_of_the_clusters():
    tuned = deepkm.KMeans(**{**SMALL, "n_clusters": 8}, autoencoder="mlp", dtype="float64")
    found = deepkm.tune(tuned, X, {"n_init": [1, 30]}, seeds=[4, 5, 6], criterion="objective")
    for row in found.runs_.rename(columns={"values": "setting_"}).itertuples():
        alone = clone(tuned).set_params(**json.loads(row.setting_), random_state=row.seed).fit(X)
        code = alone.transform(X)
        means = np.stack([code[alone.labels_ == label].mean(0) for label in alone.labels_])
        assert row.objective == pytest.approx(((code - means) ** 2).sum() / ((code - code.mean(0)) ** 2).sum())
    assert found.best_params_ == {"n_init": 30}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"space": {"alpah": [1]}}, "space: got unknown parameter 'alpah', expected 'alpha'"),
        ({"space": {"alpha": [-1.0]}}, "space: alpha=-1.0 should be > 0"),
        ({"space": {"alpha": 1.0}}, "space.alpha: got 1.0, expected a list"),
        ({"space": {"random_state": [1, 2]}}, "space: got random_state"),
        ({"space": "alpha"}, "space: got 'alpha', expected a grid"),
        ({"seeds": [1, 9]}, "seeds: got 9, which is the estimator's random_state"),
        ({"seeds": 3}, "seeds: got 3, expected a list"),
        ({"seeds": [1.5, 2]}, "seeds: got 1.5, expected integers"),
        ({"seeds": [1]}, "criterion: got agreement with one seed"),
        ({"criterion": "acc"}, "criterion: got unknown criterion 'acc'"),
        ({"criterion": "objective"}, "criterion: got objective, but alpha"),
        ({"estimator": deepkm.DKM}, "estimator: got the class DKM"),
        ({"estimator": deepkm.DKM(pretrained="file.h5")}, "estimator: got one with a network of its own"),
        ({"y": Y[:5]}, "y: got the shape \\(5,\\), expected a class for each of 60"),
        ({"y": np.r_[np.zeros(59), np.nan]}, "y: got 1 samples without a class"),
        ({"y": [*map(str, Y[1:]), None]}, "y: got 1 samples without a class"),
        ({"y": [*Y[1:], float("nan")]}, "y: got 1 samples without a class"),
        ({"y": np.array([*map(str, Y[1:]), 3], object)}, "y: got numbers and text as classes"),
        ({"space": {"n_clusters": [1]}}, "space.n_clusters: got 1, expected 2 or more"),
        ({"space": {"n_clusters": [61]}}, "n_samples=60 should be >= n_clusters=61"),
        ({"space": {"autoencoder": ["mlp", "conv"]}}, "n_features=3 should be a square"),
        ({"space": {"views": [None, "both"]}}, "n_features=3 should be a square"),
        ({"estimator": deepkm.DKM(**SMALL, n_init_runs=3)}, "estimator: got n_init_runs=3, expected 1"),
    ],
)
def test_the_library_refuses_at_once(change, message, monkeypatch):
    monkeypatch.setattr("deepkm.tuning.train_settings", lambda *args, **options: pytest.fail("trained"))
    given = {"estimator": deepkm.DKM(**SMALL, random_state=9), "space": {"alpha": [1.0, 2.0]}, "y": None, **change}
    options = {name: change[name] for name in ("seeds", "criterion") if name in change}
    with pytest.raises(ValueError, match=message):
        deepkm.tune(given["estimator"], X, given["space"], given["y"], **options)


def test_without_tables_it_says_what_to_install(monkeypatch):
    for name in [name for name in sys.modules if name == "deepkm.tuning" or name.startswith("deepkm.report.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"deepkm.tune needs pandas; pip install 'deepkm\[workflow\]'"):
        deepkm.tune(deepkm.DKM(**SMALL), X, {"alpha": [1.0, 2.0]})
