"""Seeds that draw their own share of the samples: what is trained on what, and what becomes of it."""

from argparse import Namespace
from copy import deepcopy
from functools import partial
from importlib import import_module
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT

import deepkm
from deepkm.datasets.features import load_features
from deepkm.files import read_hdf5
from deepkm.numerics.metrics import adjusted_rand_index, contingency, scores
from deepkm.report.figures.contingency import draw_contingency
from deepkm.report.figures.gallery import _of_runs
from deepkm.report.figures.inputs import Dataset, Numbers, read_run
from deepkm.report.figures.style import methods_of
from deepkm.report.frames import read_frame
from deepkm.study import paths
from deepkm.study.inventory import jobs_of
from deepkm.study.paths import meta_of, path_of
from deepkm.study.plan import Study

SEEDS = [0, 1, 2]
BLOBS = {"source": "blobs", "n_samples": 41, "n_features": 4, "n_clusters": 3, "spread": 9.0, "seed": 0}
BLOBS["scaling"] = "unit"
CONFIG = yaml.safe_load((ROOT / "config.yaml").read_text())
PARTS = {
    "study": {"datasets": ["blobs", "half"], "methods": ["km", "ct"], "seeds": SEEDS},
    "datasets": {
        "blobs": {**BLOBS, "title": "Blobs"},
        "half": {**BLOBS, "title": "Blobs", "resample": 0.5},
        "bare": {"path": "bare.npz", "n_clusters": 3, "scaling": "standard", "resample": 0.6},
    },
    "seeds_per_job": 2,
    "training": {**CONFIG["training"], "pretraining_epochs": 2, "epochs": 3},
    "autoencoders": {"mlp": {"kind": "mlp", "hidden_widths": [8], "n_latent": None}},
    "methods": {
        "km": {"estimator": "deepkm.methods.km:KMeans", "autoencoder": None},
        "ct": {"estimator": "deepkm.methods.ct:CT", "autoencoder": "mlp"},
    },
}


def study_of(**parts):
    return Study(deepcopy({**CONFIG, **PARTS, **parts}))


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The study above, in a folder of its own: its jobs and the stages after them, in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("resampled"))
        np.savez("bare.npz", feature=np.random.default_rng(0).normal(size=(30, 3)).astype("float32"))
        study = study_of(study={**PARTS["study"], "datasets": ["blobs", "half", "bare"]})
        for key in study.datasets:
            args = {"spec": study.dataset_spec(key), "output": study.data_file(key), "scaling": study.scaling_of(key)}
            given = [Path("bare.npz")] if key == "bare" else []
            stage("dataset", **args, meta=meta_of(study.data_file(key)), input=given)
        how = {"device": "cpu", "threads": 1, "checkpoint_seconds": 60.0, "jobs_per_gpu": 1}
        for job in jobs_of(study):
            below = [job.autoencoder] if job.autoencoder else []
            data = study.data_file(job.path.parent.name)
            stage(job.stage, spec=job.spec, data=data, output=job.path, autoencoder=below, **how)
        of = {"data": [study.data_file(key) for key in study.datasets], "results": Path("results")}
        stage("score", spec=study.score_spec(), output=files(paths.WRITES["score"]), **of)
        tables = [path_of(paths.LABELS, results="results", dataset=key) for key in study.datasets]
        without = {"structure": Path("results/structure.csv"), "agreement": Path("results/agreement.csv")}
        for path in tables:
            path.parent.mkdir(parents=True, exist_ok=True)
        stage("labels", spec=study.labels_spec(), output=tables, **of, **without)
        given = {"scores": Path("results/scores.csv"), "output": files(paths.STATISTICS)}
        stage("statistics", spec=study.statistics_spec(), **given)
        made = paths.table_files(["resampled", "nmi"])
        stage("tables", spec=study.report_spec("tables"), tables=files(paths.READS["tables"]), output=files(made))
        yield study


def stage(name, **options):
    import_module(f"deepkm.stages.{name}").main(Namespace(**options))


def files(patterns):
    return [path_of(pattern, results="results") for pattern in patterns]


def result(method, dataset, seed):
    return path_of(paths.CLUSTERING, results="results", method=method, dataset=dataset, stack=f"seed{seed}")


def drawn_by(seed, dataset="half"):
    return read_hdf5(result("km", dataset, seed))[0]["samples"][0]


def test_each_seed_draws_its_own_samples_and_all_methods_have_the_same(done):
    drawn = [drawn_by(seed) for seed in SEEDS]
    for samples in drawn:
        assert len(samples) == 20
        assert (np.diff(samples) > 0).all()  # none twice
        assert 0 <= samples[0] <= samples[-1] < 41
    assert all(len(np.setdiff1d(*pair)) > 2 for pair in combinations(drawn, 2))
    for seed, samples in zip(SEEDS, drawn, strict=True):
        np.testing.assert_array_equal(read_hdf5(result("ct", "half", seed))[0]["samples"][0], samples)
    assert (
        "samples"
        not in read_hdf5(path_of(paths.CLUSTERING, results="results", method="km", dataset="blobs", stack="seed0x2"))[0]
    )


@pytest.mark.parametrize("method", ["km", "ct"])
def test_a_run_is_trained_on_its_samples_alone(method, done):
    """So is the autoencoder that it builds on: an estimator that never saw the others ends with the same labels."""
    [samples, x] = drawn_by(1), load_features("data/half.npz", "unit")
    arrays, attributes = read_hdf5(result(method, "half", 1))
    found = getattr(deepkm, {"km": "KMeans", "ct": "CT"}[method])(**attributes["spec"]["parameters"], random_state=1)
    np.testing.assert_array_equal(found.fit_predict(x[samples]), arrays["labels"][0])


def test_scores_are_those_of_the_samples(done):
    target, rows = np.load("data/half.npz")["target"], read_frame("results/scores.csv")
    for row in rows[rows["dataset"] == "half"].to_dict("records"):
        labels = read_hdf5(result(row["method"], "half", row["seed"]))[0]["labels"][0]
        told = scores(target[drawn_by(row["seed"])], labels)
        assert {name: row[name] for name in told} == pytest.approx(told)


def test_a_table_of_labels_numbers_the_samples_of_the_whole(done):
    table = pd.read_csv("results/labels/half.csv")
    assert list(table["sample"]) == list(range(41))
    found = table["ct_seed2"].dropna()
    np.testing.assert_array_equal(found.index, drawn_by(2))
    np.testing.assert_array_equal(found, read_hdf5(result("ct", "half", 2))[0]["labels"][0])
    assert set(map(str, pd.read_csv("results/labels/blobs.csv").dtypes)) == {"int64"}


def test_without_classes_runs_are_compared_on_the_samples_of_both(done):
    structure, agreement = read_frame("results/structure.csv"), read_frame("results/agreement.csv")
    assert {sum(map(int, sizes.split())) for sizes in structure["sizes"]} == {18}
    assert (structure["n_data"] == 18).all()
    table = pd.read_csv("results/labels/bare.csv")
    pairs = [table[[f"km_seed{a}", f"km_seed{b}"]].dropna().astype(int) for a, b in combinations(SEEDS, 2)]
    expected = np.mean([adjusted_rand_index(contingency(*pair.to_numpy().T)) for pair in pairs])
    own = agreement[(agreement["method"] == "km") & (agreement["other"] == "km")]
    assert (own["n_pairs"].item(), own["ari"].item()) == (3, pytest.approx(expected))


def test_the_table_sets_both_spreads_side_by_side(done):
    numbers, rows = read_frame("results/tables/resampled.csv"), read_frame("results/scores.csv")
    assert set(numbers["dataset"]) == {"blobs"}  # bare has no other beside it
    for row in numbers.to_dict("records"):
        of = rows[(rows["dataset"] == {1.0: "blobs", 0.5: "half"}[row["share"]]) & (rows["method"] == row["method"])]
        assert (row["n"], row["mean"]) == (3, pytest.approx(100 * of[row["metric"]].mean(), abs=1e-3))
    assert "Blobs (50 % per seed)" in Path("results/tables/nmi.md").read_text()


def test_the_same_data_count_once_over_data_sets(done):
    assert set(read_frame("results/statistics/overall.csv")["n_datasets"]) == {1}
    assert {"blobs", "half"} <= set(read_frame("results/statistics/contrasts.csv")["dataset"])


def test_figures_show_the_samples_of_their_run(done):
    load = partial(Dataset, "data/half.npz", key="half", title="half", scaling="unit")
    paths_of = {method: [result(method, "half", seed) for seed in SEEDS] for method in ("km", "ct")}
    numbers = Numbers(**dict.fromkeys(("scores", "epochs", "jobs", "parameters", "friedman", "nemenyi")))
    methods = methods_of({"km": "k-means", "ct": "CT"}, {})
    calls = _of_runs(numbers, {"panels": []}, methods, paths=paths_of, load=load)
    dataset = next(call.keywords["dataset"] for *_, call in calls if call.func is draw_contingency)
    assert len(dataset.target) == len(dataset.features) == len(read_run(paths_of["km"][0]).labels) == 20
    np.testing.assert_array_equal(dataset.target, np.load("data/half.npz")["target"][drawn_by(0)])


def test_a_model_labels_samples_that_it_never_saw(done):
    model = deepkm.load(result("ct", "half", 0))
    assert len(model.label_history_[0].ravel()) == 20
    assert len(model.predict(np.load("data/half.npz")["feature"])) == 41


def test_nothing_changes_for_data_sets_without_it():
    alone, beside = study_of(study={**PARTS["study"], "datasets": ["blobs"]}), study_of()
    for rule in ("score", "statistics"):
        assert not {"resampled", "beside"} & alone.spec_of(rule).keys()
    for rule, name in (("cluster", {"method": "ct"}), ("autoencoder", {"autoencoder": "mlp"})):
        place = {"dataset": "blobs", "stack": "seed0x2", **name}
        assert alone.spec_of(rule, **place) == beside.spec_of(rule, **place)
        assert "resample" not in alone.spec_of(rule, **place)["dataset"]


def test_another_share_trains_anew_and_converts_nothing():
    first, second = study_of(), study_of(datasets={**PARTS["datasets"], "half": {**BLOBS, "resample": 0.4}})
    place = {"dataset": "half", "method": "ct", "stack": "seed0"}
    assert first.cluster_spec(**place) != second.cluster_spec(**place)
    assert first.dataset_spec("half") == second.dataset_spec("half")
    assert {**first.dataset_spec("blobs"), "name": "half"} == first.dataset_spec("half")


def test_a_share_takes_the_parameters_of_its_whole():
    parts = {"datasets": {"round": BLOBS, "half": {**BLOBS, "resample": 0.5}}}
    parts["study"] = {**PARTS["study"], "datasets": ["half"], "methods": ["ct"]}
    for per_dataset, alpha in (({"round": {"alpha": 7.0}}, 7.0), ({"round": {}, "half": {"alpha": 8.0}}, 8.0)):
        parts["methods"] = {"ct": {**PARTS["methods"]["ct"], "per_dataset": per_dataset}}
        assert study_of(**parts).cluster_spec("half", "ct", "seed0")["parameters"]["alpha"] == alpha


def test_seeds_with_samples_of_their_own_share_no_stack():
    study = study_of()
    assert list(study.stacks_of("blobs")) == ["seed0x2", "seed2"]
    assert list(study.stacks_of("half")) == ["seed0", "seed1", "seed2"]


@pytest.mark.parametrize(
    "share, said",
    [
        (0, "got 0, expected > 0"),
        (1, "got 1, expected < 1"),
        (1.5, "expected < 1"),
        ("half", "got 'half', expected a number"),
        (float("nan"), "expected a finite number"),
        (0.05, "got 0.05, which are 2 of 41 samples, expected at least n_clusters=3 and fewer than all; raise it"),
        (0.99, "got 0.99, which are 41 of 41 samples, .* lower it"),
    ],
)
def test_what_is_no_share(share, said):
    with pytest.raises(ValueError, match=f"^datasets.half.resample: .*{said}"):
        study_of(datasets={**PARTS["datasets"], "half": {**BLOBS, "resample": share}})


def test_what_it_does_not_go_with(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    streamed = {"path": "x.h5", "n_clusters": 3, "scaling": "none", "resample": 0.5, "stream": True}
    with pytest.raises(ValueError, match=r"^datasets.half.resample: got 0.5 with `stream: true`.*use one of them"):
        study_of(datasets={**PARTS["datasets"], "half": streamed})
    search = {"seeds": [7, 8], "criterion": "agreement", "methods": {"ct": {"alpha": [1.0, 2.0]}}}
    with pytest.raises(ValueError, match=r"^search: got the data set half with `resample`"):
        study_of(study={**PARTS["study"], "datasets": ["half"]}, search=search)
