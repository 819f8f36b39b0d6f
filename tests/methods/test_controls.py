"""Controls: what they must find, what they must not touch, and what they refuse."""

import json
import re
import warnings
from importlib.metadata import PackageNotFoundError

import numpy as np
import pytest
import torch
from conftest import ROOT, run_stage
from problems import check_resume, check_stack, trained
from sklearn.datasets import load_digits, make_blobs

import deepkm
from deepkm import values
from deepkm.files import read_attributes
from deepkm.methods.control import cluster_means, new_mixture
from deepkm.numerics.metrics import scores
from deepkm.study.plan import Study

FAR, FAR_TARGET = make_blobs(n_samples=90, n_features=6, centers=3, center_box=(-50, 50), random_state=1)
CONTROLS = {
    "random": deepkm.RandomLabels,
    "pca_km": deepkm.PCAKMeans,
    "gmm": deepkm.GaussianMixture,
    "ward": deepkm.Ward,
    "spectral": deepkm.Spectral,
}


def fit(control, x=FAR, **options):
    return control(**{"n_clusters": 3, "random_state": 0, **options}).fit(x)


@pytest.fixture(scope="module")
def digits():
    x, y = load_digits(return_X_y=True)
    return x / 16, y


@pytest.mark.parametrize(
    ("control", "n_seeds", "acc", "nmi", "tolerance"),
    [
        (deepkm.Ward, 1, 0.840, 0.868, 0.001),
        (deepkm.Spectral, 2, 0.808, 0.854, 0.005),
        (deepkm.KMeans, 4, 0.792, 0.742, 0.01),
        (deepkm.GaussianMixture, 6, 0.79, 0.785, 0.025),  # a mixture hangs on its start
        (deepkm.RandomLabels, 4, 0.131, 0.008, 0.01),
    ],
)
def test_digits(digits, control, n_seeds, acc, nmi, tolerance):
    x, y = digits
    found = [scores(y, fit(control, x, n_clusters=10, random_state=seed).labels_) for seed in range(n_seeds)]
    for name, expected in (("acc", acc), ("nmi", nmi)):
        assert np.mean([score[name] for score in found]) == pytest.approx(expected, abs=tolerance), name


@pytest.mark.parametrize("key", sorted(CONTROLS.keys() - {"random"}))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_far_blobs(key, dtype):
    model = fit(CONTROLS[key], FAR.astype(dtype))
    assert scores(FAR_TARGET, model.labels_)["acc"] == 1
    assert scores(fit(deepkm.KMeans).labels_, model.labels_)["acc"] == 1
    if key != "pca_km":  # its centers lie among the principal components
        means = [FAR[model.labels_ == k].mean(0) for k in range(3)]
        np.testing.assert_allclose(model.cluster_centers_, means, rtol=1e-5)


def test_random_labels_know_nothing():
    """NMI of independent labelings is about (K - 1) (C - 1) / (2 N H), H the mean entropy."""
    target = np.arange(20_000) % 10
    found = [
        scores(target, fit(deepkm.RandomLabels, target[:, None], n_clusters=10, random_state=s).labels_)
        for s in range(5)
    ]
    assert np.mean([score["nmi"] for score in found]) == pytest.approx(81 / (40_000 * np.log(10)), rel=0.2)
    assert all(abs(score["ari"]) < 0.01 for score in found)
    assert all(0.1 < score["acc"] < 0.13 for score in found)


def test_one_step_of_a_mixture_by_hand():
    """x = 0, 1, 10, 11 from means 0, 10 and variances 1 gives means 1/2, 21/2 and variances 1/4."""
    x = np.array([[0.0], [1.0], [10.0], [11.0]])
    start = {"weights_init": [0.5, 0.5], "means_init": [[0.0], [10.0]], "precisions_init": np.ones((2, 1, 1))}
    mixture = new_mixture(2, 0, covariance="full", max_iterations=1).set_params(**start)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mixture.fit(x)
    np.testing.assert_allclose(mixture.means_, [[0.5], [10.5]], rtol=0, atol=1e-6)
    np.testing.assert_allclose(mixture.covariances_.ravel() - mixture.reg_covar, 0.25, rtol=0, atol=1e-6)
    np.testing.assert_allclose(mixture.predict_proba(x), [[1, 0], [1, 0], [0, 1], [0, 1]], rtol=0, atol=1e-6)


def test_all_principal_components_are_the_data():
    x = np.random.default_rng(0).normal(size=(200, 5))
    for seed in range(3):
        options = {"n_clusters": 4, "random_state": seed, "dtype": "float64"}
        model = fit(deepkm.PCAKMeans, x, **options)
        np.testing.assert_array_equal(model.labels_, fit(deepkm.KMeans, x, **options).labels_)
    few = fit(deepkm.PCAKMeans, x, dtype="float64", n_clusters=4, n_components=2)
    centered = x - x.mean(0)
    axes = np.linalg.eigh(centered.T @ centered).eigenvectors
    np.testing.assert_allclose(np.abs(few.transform(x)), np.abs(centered @ axes[:, :-3:-1]), atol=1e-9)
    decoded = few.decode_centers(few._run)[0].numpy()
    np.testing.assert_allclose(decoded, few.cluster_centers_ @ few._run.state["axes"][0].numpy().T + x.mean(0))


@pytest.mark.parametrize("options", [{}, {"autoencoder": "mlp", "hidden_widths": (8,), "epochs": 2, "batch_size": 16}])
@pytest.mark.parametrize("key", CONTROLS)
def test_runs_are_independent_and_resume(key, options, tmp_path):
    method, x = CONTROLS[key](n_clusters=3, **options), torch.tensor(FAR / 50)
    check_stack(method, x)
    check_resume(method, x, tmp_path / "run.h5")


@pytest.mark.parametrize("key", CONTROLS)
def test_a_stack_of_the_data_is_bit_for_bit_its_runs(key):
    method, x = CONTROLS[key](n_clusters=3), torch.tensor(FAR, dtype=torch.float32)
    stacked = trained(method, x, [4, 5, 6])
    for s, seed in enumerate(stacked.seeds):
        single = trained(method, x, [seed])
        assert torch.equal(stacked.centers[s], single.centers[0])
        np.testing.assert_array_equal(stacked.history["labels"][-1][s], single.history["labels"][-1][0])


@pytest.mark.parametrize("key", CONTROLS)
def test_the_final_code_is_clustered(key):
    options = {"autoencoder": "mlp", "hidden_widths": (8,), "epochs": 2, "batch_size": 16}
    method, x = CONTROLS[key](n_clusters=3, **options), torch.tensor(FAR / 50)
    run = trained(method, x)
    labels = run.history["labels"][-1]
    method.init(run.encode(x), run)
    np.testing.assert_array_equal(labels, method.assign(run.encode(x), run))


def test_ward_is_asked_once_on_the_same_data(monkeypatch):
    asked = []
    ward = deepkm.Ward.cluster
    monkeypatch.setattr(deepkm.Ward, "cluster", lambda self, z, seed: asked.append(seed) or ward(self, z, seed))
    run = trained(deepkm.Ward(n_clusters=3), torch.tensor(FAR), [4, 5, 6])
    assert len(asked) == 1
    assert len({labels.tobytes() for labels in run.history["labels"][-1]}) == 1
    trained(deepkm.Ward(n_clusters=3, autoencoder="mlp", hidden_widths=(8,)), torch.tensor(FAR), [4, 5])
    assert len(asked) == 3


@pytest.mark.parametrize("key", CONTROLS)
def test_no_global_generator_is_touched(key):
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    fit(CONTROLS[key])
    assert torch.equal(before[0], torch.get_rng_state())
    np.testing.assert_array_equal(before[1], np.random.get_state()[1])


def test_no_control_reads_a_target():
    for module in ("control", "random_labels", "pca_km", "gmm", "ward", "spectral", "n2d"):
        assert "target" not in (ROOT / "deepkm" / "methods" / f"{module}.py").read_text()


@pytest.mark.parametrize("key", CONTROLS)
def test_who_knows_no_rule_for_new_samples_says_so(key):
    model = fit(CONTROLS[key])
    if key in ("random", "ward", "spectral"):
        with pytest.raises(AttributeError, match="has no attribute 'predict'") as error:
            model.predict(FAR)
        assert "has no rule for new samples; fit it on all of them" in str(error.value.__cause__)
    else:
        np.testing.assert_array_equal(model.predict(FAR[:7]), model.labels_[:7])


def test_an_empty_cluster_has_the_mean_of_all_samples():
    z = torch.tensor([[[0.0, 1.0], [2.0, 3.0], [7.0, 5.0]]])
    means = cluster_means(z, torch.tensor([[0, 0, 2]]), 3)
    assert means.tolist() == [[[1.0, 2.0], [3.0, 3.0], [7.0, 5.0]]]


@pytest.mark.parametrize("key", CONTROLS)
def test_a_diverged_run_does_not_stop_the_others(key):
    method, x = CONTROLS[key](n_clusters=3, autoencoder="mlp", hidden_widths=(8,)), torch.tensor(FAR / 50)
    run = method.start(x, seeds=[4, 5])
    with torch.no_grad():
        run.autoencoder.encoder[0].weight[0] = torch.nan
    run = trained(method, x, run=run)
    assert run.diverged.tolist() == [True, False]
    alone = trained(method, x, [5])
    np.testing.assert_array_equal(run.history["labels"][-1][1], alone.history["labels"][-1][0])


def test_doubts_are_told_and_nothing_else(digits, recwarn):
    x, _ = digits
    model = fit(deepkm.GaussianMixture, x, n_clusters=10, max_iterations=2)
    assert model.doubts_ == ["seed 0: the mixture did not converge in 2 iterations; raise max_iterations"]
    pairs = np.repeat(np.arange(12.0), 2)[:, None] * 100
    model = fit(deepkm.Spectral, pairs, n_clusters=3, n_neighbors=2)
    assert model.doubts_ == ["seed 0: the graph of neighbours falls into 12 parts, more than K=3; raise n_neighbors"]
    for control in (*CONTROLS.values(), deepkm.KMeans):
        assert fit(control).doubts_ == []
    assert not recwarn.list


def test_a_job_tells_them_too(config, tmp_path):
    np.savez(tmp_path / "digits.npz", feature=load_digits().images[:300])  # no `target`: none is needed
    config["methods"]["gmm"]["max_iterations"] = 1
    config["study"]["methods"] = ["gmm"]
    spec = json.dumps(Study(config).cluster_spec("digits", "gmm", "seed291"))
    output = tmp_path / "result.h5"
    said = run_stage("cluster", "--spec", spec, "--data", tmp_path / "digits.npz", "--output", output).stdout
    doubt = "seed 291: the mixture did not converge in 1 iterations; raise max_iterations"
    assert doubt in said.splitlines()
    assert "Warning" not in said
    assert read_attributes(output)["doubts"] == [doubt]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_neighbors": 91}, "n_neighbors=91 should be <= n_samples=90"),
        ({"n_clusters": 90}, "n_clusters=90 should be < n_samples=90"),
    ],
)
def test_too_few_samples(options, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        fit(deepkm.Spectral, **options)


def test_too_many_samples(config, monkeypatch):
    monkeypatch.setattr(deepkm.Ward, "most_samples", 89)
    with pytest.raises(ValueError, match=r"^n_samples=90 should be <= 89, beyond which time or memory grow too fast$"):
        fit(deepkm.Ward)
    config["datasets"]["mnist10k"] = {**config["datasets"]["mnist"], "first": 10_000}
    config["study"] |= {"datasets": ["usps", "mnist10k"], "methods": ["ward"]}
    Study(config)
    config["study"]["datasets"].append("mnist")
    config["study"]["methods"] = ["random", "pca_km", "gmm"]
    Study(config)
    for key, most in (("ward", 20_000), ("aeward", 20_000), ("spectral", 40_000)):
        config["study"]["methods"] = [key]
        message = f"methods.{key}: got the data set mnist, which it cannot take: n_samples=70000 should be <= {most}, "
        with pytest.raises(ValueError, match=f"^{re.escape(message)}.*; leave one of the two out of the study$"):
            Study(config)


def test_a_missing_package_is_named_before_anything_runs(config, monkeypatch):
    def version(name):
        if name == "umap-learn":
            raise PackageNotFoundError(name)

    monkeypatch.setattr(values, "version", version)
    needs = "needs umap-learn, which is not installed; pip install umap-learn"
    with pytest.raises(ValueError, match=f"^{needs}$"):
        fit(deepkm.N2D)
    config["study"]["methods"] = ["km", "n2d"]
    with pytest.raises(ValueError, match=f"^methods.n2d: {needs}; or leave it out of the study$"):
        Study(config)
    config["study"]["methods"] = ["km", "ward"]
    Study(config)


@pytest.mark.parametrize(
    ("key", "plain"),
    [("aeward", "ward"), ("aespectral", "spectral"), ("aegmm", "gmm"), ("n2d", "umap_gmm"), ("aeumap_km", "umap_km")],
)
def test_without_its_autoencoder_a_row_is_that_of_the_data(config, key, plain, monkeypatch):
    monkeypatch.setattr(values, "version", lambda name: "1")
    config["methods"][key]["autoencoder"] = None
    config["study"]["methods"] = [key, plain]
    study = Study(config)
    one, other = ({**study.cluster_spec("digits", name, "seed291"), "method": ""} for name in (key, plain))
    assert one == other
