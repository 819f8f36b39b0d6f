"""What a clustering keeps: the estimator that is loaded from it labels raw data as the run did."""

import json
import re
from argparse import Namespace

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from conftest import ROOT, assert_same
from scipy.stats import multivariate_normal
from sklearn.datasets import make_blobs
from test_contract import CONFIG, FREE_WEIGHTS, make_method, make_spec, one_of_each_class

import deepkm
from deepkm.datasets.features import load_features
from deepkm.estimators.estimator import as_estimator
from deepkm.files import read_attributes, read_hdf5, write_hdf5
from deepkm.jobs import models
from deepkm.methods.ct import CT
from deepkm.stages import cluster, dataset, labels
from deepkm.study.keeping import MOST_BYTES, describe_models, model_bytes, model_options
from deepkm.study.plan import Study

KEYS = one_of_each_class()
N_SAMPLES, SEEDS = 100, (5, 6)
NO_RULE = {"ward", "aeward", "spectral", "aespectral", "random"}
# Their labels are no nearest centers: those of a mixture.
OF_A_MIXTURE = {"gmm", "aegmm", "vade"}


def raw(n_samples=N_SAMPLES, seed=3):
    """Return samples of three blobs as whole numbers, none of them in [0, 1], and images of 8 x 8 to those who ask."""
    x, _ = make_blobs(n_samples=n_samples, n_features=64, centers=3, random_state=3)
    x = x + np.random.default_rng(seed).normal(size=x.shape)
    return np.round(10 * x).astype(np.int64)


class Jobs:
    """Clusterings of one data set, done in this process."""

    def __init__(self, folder, x=None, scaling="standard", **entry):
        self.folder, self.scaling = folder, scaling
        if x is not None:
            np.savez(folder / "mine.npz", feature=x)
        self.data = folder / "data" / "mine.npz"
        spec = {"name": "mine", "source": "file", "n_clusters": 3, "source_digest": "", **entry}
        path = folder / spec.pop("path", "mine.npz")
        meta = self.data.with_suffix(".meta.json")
        dataset.main(Namespace(spec=spec, input=[path], output=self.data, meta=meta, scaling=scaling))

    def train(self, key, seeds=SEEDS[:1], epochs=2, **options):
        spec = json.loads(json.dumps({**make_spec(key), "seeds": list(seeds)}))
        spec["dataset"] = {"name": "mine", "n_clusters": 3, "scaling": self.scaling}
        small = {"hidden_widths": [8], "n_latent": None, "batch_size": 32, "n_clusters": 3, "steps": None}
        small |= {"pretraining_epochs": 0, "min_steps": 0, "epochs": min(epochs, spec["parameters"]["epochs"])}
        spec["parameters"] |= small
        stack = f"seed{seeds[0]}" if len(seeds) == 1 else f"seed{seeds[0]}x{len(seeds)}"
        output = self.folder / "results" / "clusterings" / key / "mine" / f"{stack}.h5"
        how = {"device": "cpu", "threads": 1, "checkpoint_seconds": 1e9, "autoencoder": []}
        cluster.main(Namespace(spec=spec, data=self.data, output=output, **how, **options))
        return output

    def tabulate(self, keys, seeds=SEEDS[:1]):
        """Return the table of labels of some methods."""
        output = self.folder / "results" / "labels" / "mine.csv"
        stacks = [[f"seed{seeds[0]}" if len(seeds) == 1 else f"seed{seeds[0]}x{len(seeds)}", list(seeds)]]
        spec = {"datasets": ["mine"], "methods": [[key, None] for key in keys], "stacks": stacks}
        how = {"data": [self.data], "results": self.folder / "results", "output": [output]}
        how |= {name: self.folder / "results" / f"{name}.csv" for name in ("structure", "agreement")}
        labels.main(Namespace(spec=spec, **how))
        return pd.read_csv(output)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A job of each class of methods, and their results."""
    jobs = Jobs(tmp_path_factory.mktemp("models"), raw(), image_size=[8, 8])
    jobs.files = {key: jobs.train(key) for key in KEYS}
    jobs.table = jobs.tabulate(KEYS)
    return jobs


@pytest.mark.parametrize("key", KEYS)
def test_labels_of_the_table_the_model_and_the_estimator_are_equal(key, made):
    found = made.table[f"{key}_seed5"].to_numpy()
    model = deepkm.load(made.files[key])
    spec = read_attributes(made.files[key])["spec"]
    estimator = type(model)(**spec["parameters"], random_state=5, device="cpu")
    estimator.fit(load_features(made.data, "standard"))
    assert type(model) is as_estimator(type(make_method(key)))
    for one in (model, estimator):
        np.testing.assert_array_equal(one.labels_, found)
        assert hasattr(one, "predict") == hasattr(one, "predict_proba") == (key not in NO_RULE)
    np.testing.assert_array_equal(model.cluster_centers_, estimator.cluster_centers_)
    assert model.n_iter_ == estimator.n_iter_
    assert_same(model.losses_, estimator.losses_)
    np.testing.assert_array_equal(model.label_history_, estimator.label_history_)
    np.testing.assert_array_equal(model.label_epochs_, estimator.label_epochs_)
    assert model.doubts_ == estimator.doubts_
    np.testing.assert_array_equal(model.transform(raw()), estimator.transform(load_features(made.data, "standard")))
    if key not in NO_RULE | FREE_WEIGHTS:
        np.testing.assert_array_equal(model.predict(raw()), found)


def test_a_result_of_before_read_outs_on_a_schedule_has_labels_of_all_epochs(made, tmp_path):
    arrays, attributes = read_hdf5(made.files["dkm"])
    del arrays["history/label_epochs"], attributes["spec"]["parameters"]["read_out"]
    write_hdf5(tmp_path / "seed5.h5", arrays=arrays, attributes=attributes)
    model = deepkm.load(tmp_path / "seed5.h5")
    assert model.label_epochs_.tolist() == [0, 1, 2]
    assert set(model.history_) == {"loss", "reconstruction", "clustering"}


def likeliest(model, z):
    """Return the clusters of a mixture of Gaussians that codes (n, D) are likeliest of, by their densities."""
    z = z.astype(np.float64)
    if not model._run.models:  # variances are diagonal
        state = {name: tensor[0].numpy(force=True).astype(np.float64) for name, tensor in model._run.state.items()}
        means, weights = model.cluster_centers_, np.exp(state["mixture_logits"])
        covariances = [np.diag(variances) for variances in np.exp(state["log_variances"])]
    else:
        *before, (_, mixture) = model._run.models[0].steps
        for _, pca in before:
            z = (z - pca.mean_) @ pca.components_.T
        means, weights, covariances = mixture.means_, mixture.weights_, mixture.covariances_
        if covariances.ndim < 3:  # one for all clusters
            covariances = [covariances] * len(means)
    density = [multivariate_normal(*about).logpdf(z) for about in zip(means, covariances, strict=True)]
    return (np.log(weights)[:, None] + density).argmax(0)


@pytest.mark.parametrize("key", [key for key in KEYS if key not in NO_RULE])
def test_new_samples_get_the_label_of_the_nearest_center_or_the_methods_own(key, made):
    model, x = deepkm.load(made.files[key]), raw(seed=4)[::2]
    z, proba = model.transform(x), model.predict_proba(x)
    apart = ((z[:, None] - model.cluster_centers_) ** 2).sum(-1)
    by_hand = likeliest(model, z) if key in OF_A_MIXTURE else apart.argmin(1)
    np.testing.assert_array_equal(model.predict(x), by_hand)
    assert proba.shape == (len(x), 3)
    np.testing.assert_allclose(proba.sum(1), 1, atol=1e-6)
    np.testing.assert_array_equal(proba.argmax(1), model.predict(x))
    soft = key in {"dkm", "ct", "dec", "idec", "soft_kmeans", "deep_power_kmeans"} | OF_A_MIXTURE
    assert soft or set(np.unique(proba)) <= {0, 1}


def test_memberships_are_the_methods_own(made):
    model, x = deepkm.load(made.files["soft_kmeans"]), raw(seed=4)
    apart = ((model.transform(x)[:, None] - model.cluster_centers_) ** 2).sum(-1).astype(np.float64)
    weight = np.exp(-model.alpha * (apart - apart.min(1, keepdims=True)))
    np.testing.assert_allclose(model.predict_proba(x), weight / weight.sum(1, keepdims=True), atol=1e-5)


@pytest.mark.parametrize("key", KEYS)
def test_codes_are_decoded_in_raw_units(key, made):
    model = deepkm.load(made.files[key])
    z = model.transform(raw())
    if key == "deepcluster":
        with pytest.raises(ValueError, match="DeepCluster has no decoder"):
            model.decode(z)
        return
    x = model.decode(z)
    assert x.shape == (N_SAMPLES, 8, 8)
    if key == "km":  # nothing is lost
        np.testing.assert_allclose(x.reshape(N_SAMPLES, 64), raw(), atol=1e-3)
    np.testing.assert_allclose(x.mean(), raw().mean(), atol=raw().std())
    with pytest.raises(ValueError, match=f"Z: got {z.shape[1] + 1} numbers to a code, expected {z.shape[1]}"):
        model.decode(np.zeros((2, z.shape[1] + 1)))


@pytest.mark.parametrize("key", KEYS)
def test_what_is_kept_does_not_grow_with_the_samples(key, made):
    arrays, _ = read_hdf5(made.files[key], "model/")
    assert N_SAMPLES not in {size for array in arrays.values() for size in np.shape(array)}
    names = {name.removeprefix("model/state/") for name in arrays if name.startswith("model/state/")}
    more = {"pca_km": {"mean", "axes"}, "deepcluster": {"mean", "projection"}}
    more |= {"vade": {"log_variances", "mixture_logits"}, "dec": {"mean_square"}, "idec": {"mean_square"}}
    assert names == {"centers"} | more.get(key, set())


def test_results_hold_no_pickles_and_the_same_numbers_with_and_without_models(made, tmp_path):
    with h5py.File(made.files["gmm"]) as file:
        assert "model" in file
        assert not any(getattr(item, "dtype", np.dtype(int)).kind == "O" for item in file["model"].values())
    jobs = Jobs(tmp_path, raw())
    without, _ = read_hdf5(jobs.train("ct", keep_models=[]))
    arrays, _ = read_hdf5(made.files["ct"])
    assert_same(without, {name: array for name, array in arrays.items() if not name.startswith("model/")})


def test_a_stack_keeps_the_model_of_each_seed(tmp_path):
    jobs = Jobs(tmp_path, raw())
    path = jobs.train("ct", seeds=SEEDS)
    table = jobs.tabulate(["ct"], SEEDS)
    for seed in SEEDS:
        model = deepkm.load(path, seed)
        assert model.random_state == seed
        np.testing.assert_array_equal(model.predict(raw()), table[f"ct_seed{seed}"])
    for seed, got in ((None, "no seed"), (7, "seed 7")):
        with pytest.raises(ValueError, match=f"got {got}, expected one of 5, 6; name it"):
            deepkm.load(path, seed)
    assert deepkm.load(jobs.train("km", seeds=SEEDS, keep_models=[6])).random_state == 6


def test_a_fit_of_a_loaded_estimator_takes_its_data_as_they_are(made):
    model = deepkm.load(made.files["km"])
    x = raw().astype(np.float64)
    np.testing.assert_allclose(model.fit(x).cluster_centers_.mean(), x.mean(), rtol=0.1)
    np.testing.assert_array_equal(model.predict(x), model.labels_)


# What cannot be loaded


def changed(path, target, **parts):
    """Write a result with other attributes."""
    arrays, attributes = read_hdf5(path)
    for key, value in parts.items():
        attributes[key] = {**attributes[key], **value} if isinstance(value, dict) else value
    write_hdf5(target, arrays=arrays, attributes=attributes)
    return target


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"model": {"format": 99}}, "got a model as DeepKM .* keeps it, expected another form; load it there"),
        (
            {"model": {"absent": "`keep_models` leaves it out"}},
            "got a result without a model, expected one: `keep",
        ),
        ({"diverged": [5]}, "training diverged with seed 5; there is no model"),
        ({"spec": {"estimator": "subprocess:Popen"}}, "got a model of subprocess:Popen, expected a method"),
        ({"spec": {"estimator": "nowhere:Own"}}, "got a model of nowhere:Own, which is not to be found"),
        ({"spec": {"estimator": "deepkm.methods.vade:VaDE"}}, "is not made for .* take the version that trained it"),
    ],
)
def test_what_cannot_be_loaded_is_one_line(parts, message, made, tmp_path):
    path = changed(made.files["ct"], tmp_path / "seed5.h5", **parts)
    with pytest.raises(ValueError, match=message) as caught:
        deepkm.load(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_files_without_a_model_and_damaged_ones(made, tmp_path):
    arrays, attributes = read_hdf5(made.files["ct"])
    attributes.pop("model")
    write_hdf5(tmp_path / "old.h5", arrays=arrays, attributes=attributes)
    with pytest.raises(ValueError, match=r"it is older than models are; delete the file and run again"):
        deepkm.load(tmp_path / "old.h5")
    attributes.pop("spec")
    write_hdf5(tmp_path / "other.h5", arrays={}, attributes=attributes)
    with pytest.raises(ValueError, match="got no finished clustering, expected a file of results/clusterings"):
        deepkm.load(tmp_path / "other.h5")
    content = bytearray(made.files["ct"].read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "damaged.h5").write_bytes(content)
    with pytest.raises(OSError, match="damaged, not what was written"):
        deepkm.load(tmp_path / "damaged.h5")
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    for path in (tmp_path / "missing.h5", tmp_path / "table.csv", tmp_path):  # which nobody should be told to delete
        with pytest.raises(ValueError, match=r"got no such result, expected a \.h5 file of results/clusterings"):
            deepkm.load(path)
    with pytest.raises(ValueError, match=r"such as seed5\.h5 beside it; correct the path"):
        deepkm.load(made.files["ct"].with_name("seed0.h5"))


def test_a_model_that_no_array_holds_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(models, "pack", lambda model: None)
    path = Jobs(tmp_path, raw()).train("gmm")
    with pytest.raises(ValueError, match="but a pickle holds that of GaussianMixture; fit the estimator instead"):
        deepkm.load(path)


def test_a_method_that_fails_on_one_sample_keeps_its_result(tmp_path, monkeypatch):
    def embed(method, z, run):
        if z.shape[1] == 1:
            raise IndexError("one sample\nis none")
        return z

    monkeypatch.setattr(CT, "embed", embed)
    jobs = Jobs(tmp_path, raw())
    path = jobs.train("ct")
    assert len(jobs.tabulate(["ct"])) == N_SAMPLES
    with pytest.raises(ValueError, match=r"its method fails on a single new sample \(IndexError.*; mend that"):
        deepkm.load(path)


def test_features_that_stay_in_their_file(tmp_path):
    with h5py.File(tmp_path / "mine.h5", "w") as file:
        file["feature"] = raw().astype(np.float32)
    jobs = Jobs(tmp_path, path="mine.h5", stream=True)
    model = deepkm.load(jobs.train("ct"))
    found = jobs.tabulate(["ct"])["ct_seed5"]
    np.testing.assert_array_equal(model.predict(raw()), found)
    structure = pd.read_csv(tmp_path / "results" / "structure.csv")
    assert structure["silhouette_data"].isna().all()
    assert structure["silhouette_code"].notna().all()


# Which models are kept


def study(**parts):
    chosen = {"datasets": ["digits"], "methods": ["km", "ct", "gmm", "deepcluster"], "seeds": [0, 1, 2]}
    return Study({**CONFIG, "study": chosen, "seeds_per_job": 2, **parts})


@pytest.mark.parametrize(
    ("keep", "ct", "km"),
    [
        (
            None,
            ["0", "1", "--largest-model", str(MOST_BYTES // 12)],
            ["0", "1", "--largest-model", str(MOST_BYTES // 12)],
        ),
        ({}, ["0", "1"], ["0", "1"]),
        ({"methods": ["ct"]}, ["0", "1"], []),
        ({"seeds": [1, 2]}, ["1"], ["1"]),
        ({"methods": []}, [], []),
    ],
)
def test_the_configuration_chooses_methods_and_seeds(keep, ct, km):
    asked = study(keep_models=keep)
    assert model_options(asked, "ct", "seed0x2") == ["--keep-models", *ct]
    assert model_options(asked, "km", "seed0x2") == ["--keep-models", *km]
    assert asked.cluster_spec("digits", "ct", "seed0x2") == study().cluster_spec("digits", "ct", "seed0x2")


def test_unknown_methods_are_refused():
    with pytest.raises(ValueError, match=r"keep_models.methods: .*'cd'"):
        study(keep_models={"methods": ["cd"]})


def test_a_model_above_its_share_is_not_kept(tmp_path):
    jobs = Jobs(tmp_path, raw())
    path = jobs.train("ct", largest_model=1000)
    with pytest.raises(ValueError, match=r"`keep_models` leaves it out \(0.0 MB to a run\); name it there"):
        deepkm.load(path)


@pytest.mark.parametrize("key", KEYS)
def test_sizes_said_before_are_about_those_of_files(key, made):
    arrays, attributes = read_hdf5(made.files[key], ("model/autoencoder", "model/state", "model/fitted"))
    size = sum(array.nbytes for array in arrays.values())
    spec = attributes["spec"]
    assert size / 3 <= model_bytes(spec["parameters"], spec["estimator"], 64) + 1000 <= 3 * (size + 1000)


def test_what_is_said_before_a_study_runs():
    def lines(trains=True, **parts):
        return [*describe_models(study(**parts), trains=trains)]

    [line] = lines()
    assert line.startswith("models of 12 runs are kept in their results, about ")
    assert lines(trains=False) == []
    assert lines(keep_models={"methods": []}) == [
        "models of 0 runs are kept in their results, about 0.0 MB in all (`keep_models`)"
    ]
    wide = {**CONFIG["autoencoders"], "mlp": {"kind": "mlp", "hidden_widths": [40_000, 4_000]}}
    kept, left = lines(autoencoders=wide)
    assert kept.startswith("models of 9 runs")
    assert left.startswith("models above their share of 2 GB are not kept: ct on digits (1")


def test_results_that_lack_a_model_are_named(made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "results" / "clusterings" / "ct" / "digits" / "seed0x2.h5"
    changed(made.files["ct"], path, model={"seeds": [0]})
    [line] = describe_models(study(keep_models={"methods": ["ct"]}), trains=False)
    assert line.startswith("1 results hold no model though `keep_models` asks for it, such as results/clusterings/ct")
    assert [*describe_models(study(keep_models={"methods": ["ct"], "seeds": [0]}), trains=False)] == []
    assert [*describe_models(study(), trains=False)] == []


def test_gpu_or_not_a_model_is_loaded_where_it_is_asked_for(made):
    assert deepkm.load(made.files["ct"])._run.centers.device == torch.device("cpu")


@pytest.mark.parametrize("page", ["README.md", "docs/MODELS.md"])
def test_the_lines_of_the_documents(page, made, tmp_path, monkeypatch):
    [code] = re.findall(r"```python\n(import deepkm\n.*?)```", (ROOT / page).read_text(), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "results" / "clusterings" / "ct" / "mine" / "seed8905x4.h5"
    changed(made.files["ct"], path, spec={"seeds": [291]}, model={"seeds": [291]})
    names = {"x": raw()}
    exec(code, names)
    np.testing.assert_array_equal(names["labels"], made.table["ct_seed5"])
    assert names["memberships"].shape == (N_SAMPLES, 3)
    assert "decoded" not in names or names["decoded"].shape == (N_SAMPLES, 8, 8)
