"""What those expect who know scikit-learn: types, images, restarts, shared pretraining, modules, files, names."""

import json

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from conftest import assert_same
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.preprocessing import StandardScaler
from test_contract import make_method, one_of_each_class
from torch import nn

import deepkm
from deepkm.__main__ import main as command
from deepkm.estimators.restarts import restart_seeds
from deepkm.files import read_hdf5, write_hdf5

X = make_blobs(n_samples=90, n_features=64, centers=3, random_state=3)[0].astype(np.float32) / 10
SMALL = {"n_clusters": 3, "hidden_widths": (8,), "epochs": 2, "pretraining_epochs": 2, "batch_size": 32}
SMALL |= {"random_state": 0, "device": "cpu"}
PRETRAINED = {**SMALL, "autoencoder": "mlp", "epochs": 0}


@pytest.fixture(scope="module")
def base():
    """What other methods may start from."""
    return deepkm.KMeans(**PRETRAINED).fit(X)


@pytest.fixture(scope="module")
def model():
    return deepkm.DKM(**SMALL).fit(X)


def pair(n_latent=3):
    torch.manual_seed(5)
    image = [nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.2)]
    return nn.Sequential(*image, nn.Flatten(), nn.Linear(144, n_latent)), nn.Sequential(nn.Linear(n_latent, 64))


# Types and forms of samples


@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.float16, np.float32, np.float64, bool, list, pd.DataFrame])
def test_all_is_trained_in_float32_unless_float64_is_asked_for(kind):
    whole = np.round(10 * abs(X)) if kind is not bool else X > 0
    x = kind(whole.tolist()) if kind in (list, pd.DataFrame) else whole.astype(kind)
    for dtype in ("float32", "float64")[: 1 + (kind is np.float64)]:
        fitted = deepkm.CT(**SMALL | {"epochs": 1}, dtype=dtype).fit(x)
        assert {fitted.cluster_centers_.dtype, fitted.transform(x).dtype} == {np.dtype(dtype)}
        assert {tensor.dtype for tensor in fitted._run.parameters().values()} == {getattr(torch, dtype)}
        plain = deepkm.CT(**SMALL | {"epochs": 1}, dtype=dtype).fit(whole.astype(dtype))
        np.testing.assert_array_equal(fitted.cluster_centers_, plain.cluster_centers_)


def test_what_float32_rounds_off_is_refused():
    x = X.astype(np.float64) + 1e9
    for far in (x, pd.DataFrame(x), (10 * x).astype(np.int64)):
        with pytest.raises(ValueError, match=r"X: got numbers up to .* that differ by .*, which float32 rounds off"):
            deepkm.KMeans(n_clusters=3).fit(far)
    assert len(set(deepkm.KMeans(n_clusters=3, dtype="float64", random_state=0).fit(x).labels_)) == 3
    near = np.column_stack([X.astype(np.float64), 1 + 1e-9 * X[:, 0]])  # one column that is as good as constant
    deepkm.KMeans(n_clusters=3).fit(near)
    with pytest.raises(ValueError, match=r"expected .* float32 holds no squared distances"):
        deepkm.KMeans(n_clusters=3).fit(1e30 * X.astype(np.float64))
    with pytest.raises(ValueError, match="dtype='float16' should be 'float32' or 'float64'"):
        deepkm.KMeans(n_clusters=3, dtype="float16").fit(X)


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 1), (4, 4, 3)])
def test_images_keep_their_form(shape):
    x = X[:, : np.prod(shape)]
    images, rows = x.reshape(-1, *shape), deepkm.CT(**SMALL).fit(x)
    fitted = deepkm.CT(**SMALL).fit(images)
    np.testing.assert_array_equal(fitted.labels_, rows.labels_)
    for given in (images, x, [*images], torch.tensor(images)):
        np.testing.assert_array_equal(fitted.predict(given), rows.labels_)
    z = fitted.transform(images)
    decoded = fitted.inverse_transform(z)
    assert decoded.shape == (90, *shape[: 2 if shape[2:] == (1,) else 3])
    np.testing.assert_array_equal(decoded.reshape(90, -1), rows.decode(z))
    with pytest.raises(ValueError, match=r"X: got samples of shape \(16, [34]\), expected"):
        fitted.predict(x.reshape(-1, 16, x.shape[1] // 16))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (X.reshape(-1, 16, 4), "images of 16 x 4 should be square and grey"),
        (X[:, :48].reshape(-1, 4, 4, 3), "images of 4 x 4 x 3 should be square and grey"),
        (X[:, :48].reshape(-1, 3, 4, 4), r"x.transpose\(0, 2, 3, 1\) puts colours last"),
        ([X[0].reshape(8, 8), X[1].reshape(4, 16)], "X: got images of several sizes, expected one; resize them"),
    ],
)
def test_images_that_the_network_does_not_take(x, message):
    with pytest.raises(ValueError, match=message):
        deepkm.CT(**SMALL | {"n_clusters": 2}, autoencoder="conv").fit(x)


# Restarts


@pytest.mark.parametrize(
    ("name", "more"), [("DKM", {}), ("GaussianMixture", {"epochs": 0}), ("KMeans", {"autoencoder": "mlp", "n_init": 1})]
)
def test_of_restarts_the_best_is_kept(name, more):
    estimator = getattr(deepkm, name)
    options = {**SMALL, "dtype": "float64", "n_clusters": 5, **more}
    singles = [estimator(**{**options, "random_state": seed}).fit(X) for seed in restart_seeds(0, 3)]

    def objective(one):
        if name == "DKM":
            return one.losses_["loss"][-1]
        z = one.transform(X)
        within = sum(((z[one.labels_ == k] - z[one.labels_ == k].mean(0)) ** 2).sum() for k in range(5))
        return within / ((z - z.mean(0)) ** 2).sum()

    best = min(singles, key=objective)
    kept = estimator(**options, n_init_runs=3).fit(X)
    assert kept._run.seeds == best._run.seeds
    np.testing.assert_array_equal(kept.label_history_, best.label_history_)
    np.testing.assert_allclose(kept.cluster_centers_, best.cluster_centers_, rtol=0, atol=1e-10)
    np.testing.assert_array_equal(kept.predict(X), best.predict(X))
    assert kept.inertia_ == pytest.approx(best.inertia_, rel=1e-9)


def test_restarts_that_diverge_are_left_out(monkeypatch):
    estimator, lost = deepkm.DKM(**SMALL, n_init_runs=2), set()
    first, second = restart_seeds(0, 2)
    train = type(estimator)._method.train_runs

    def diverging(method, x, *, seeds):
        run = train(method, x, seeds=seeds)
        run.diverged = np.array([seed in lost for seed in seeds])
        run.history["loss"][-1] = np.where(run.diverged, np.nan, run.history["loss"][-1])
        return run

    monkeypatch.setattr(type(estimator), "train_runs", diverging, raising=False)
    for seed, kept in ((first, second), (second, first)):
        lost.clear()
        lost.add(seed)
        assert estimator.fit(X)._run.seeds == (kept,)
    lost.add(kept)
    with pytest.raises(ValueError, match="training diverged; lower learning_rate"):
        estimator.fit(X)


# Shared pretraining


@pytest.mark.parametrize("name", ["DKM", "CT", "DEC", "DEKM", "VaDE"])
def test_methods_share_one_pretrained_autoencoder(name, base):
    estimator = getattr(deepkm, name)
    alone = estimator(**SMALL).fit(X)
    shared = estimator(**SMALL, pretrained=base)
    for one in (shared, clone(shared)):
        np.testing.assert_array_equal(one.fit(X).cluster_centers_, alone.cluster_centers_)


@pytest.mark.parametrize("epochs", [0, 1, 50])
def test_what_is_pretrained_starts_warm_whatever_would_have_been(epochs, base):
    known, told = (deepkm.DKM(**SMALL | {"pretraining_epochs": n}, pretrained=base) for n in (3, epochs))
    np.testing.assert_array_equal(told.fit(X).cluster_centers_, known.fit(X).cluster_centers_)
    with pytest.raises(ValueError, match="warm_start='moments' should be another one"):
        told.set_params(warm_start="moments").fit(X)


def autoencoder_file(base, path, seeds):
    weights = {f"autoencoder/{name}": tensor for name, tensor in base._run.autoencoder.state_dict().items()}
    arrays = {name: np.repeat(tensor.numpy(), len(seeds), axis=0) for name, tensor in weights.items()}
    for array in arrays.values():
        array[: len(seeds) - 1] += 1  # the last one is that of `base`
    write_hdf5(path, arrays=arrays, attributes={"spec": {"seeds": seeds}})
    return path


def test_a_file_of_the_workflow_is_pretrained_too(base, model, tmp_path):
    one, three = (autoencoder_file(base, tmp_path / f"{len(seeds)}.h5", seeds) for seeds in ([7], [8, 9, 0]))
    for path in (one, three):
        fitted = deepkm.DKM(**SMALL, pretrained=path).fit(X)
        np.testing.assert_array_equal(fitted.cluster_centers_, model.cluster_centers_)
    with pytest.raises(ValueError, match="got autoencoders of seeds 8, 9, 0; set random_state to one of them"):
        deepkm.DKM(**SMALL | {"random_state": 1}, pretrained=three).fit(X)


def test_a_restart_is_kept_though_the_file_has_no_seed_of_it(base, tmp_path, monkeypatch):
    monkeypatch.setattr("deepkm.estimators.estimator.objectives", lambda *_: np.array([1.0, 0.0]))
    path = autoencoder_file(base, tmp_path / "three.h5", [8, 9, 0])
    by_file, by_fit = (deepkm.DKM(**SMALL, pretrained=given, n_init_runs=2).fit(X) for given in (path, base))
    np.testing.assert_array_equal(by_file.cluster_centers_, by_fit.cluster_centers_)


def test_all_restarts_start_from_what_is_pretrained(base):
    run = deepkm.DKM(**SMALL, pretrained=base).start(torch.tensor(X), seeds=[1, 2])
    for name, tensor in run.autoencoder.state_dict().items():
        for one in tensor:
            assert torch.equal(one, base._run.autoencoder.state_dict()[name][0])


@pytest.mark.parametrize(
    ("given", "more", "message"),
    [
        ("DKM", {}, "got a DKM that is not fitted; call its fit first"),
        (3, {}, "got int, expected a fitted estimator, a file of results/autoencoders, or a trained pair of modules"),
        ("missing.h5", {}, r"missing.h5: got no such \.h5 file"),
        ("scaler", {}, "got StandardScaler, expected a fitted estimator"),
        ("base", {"hidden_widths": (9,)}, "got a network of layers 64x8, 8x3, 3x8, 8x64, expected 64x9, 9x3"),
        ("base", {"autoencoder": None, "name": "KMeans"}, "got one for a method without an autoencoder"),
        ("km", {}, "got one of no autoencoder, KMeans; fit it with autoencoder='mlp'"),
        ("base", {"warm_start": "moments"}, "warm_start='moments' should be another one where `pretrained` is given"),
        ("saved.h5", {}, "got no autoencoder, .* give what deepkm.load returns"),
    ],
)
def test_what_cannot_be_started_from_is_one_line(given, more, message, base, model, tmp_path):
    known = {
        "DKM": deepkm.DKM(),
        "base": base,
        "scaler": StandardScaler().fit(X),
        "km": deepkm.KMeans(n_clusters=3).fit(X),
    }
    deepkm.save(model, tmp_path / "saved.h5")
    given = tmp_path / given if str(given).endswith(".h5") else known.get(given, given)
    estimator = getattr(deepkm, more.pop("name", "DKM"))
    with pytest.raises(ValueError, match=message) as caught:
        estimator(**SMALL | more, pretrained=given).fit(X)
    assert "\n" not in str(caught.value)


# Modules of one's own


@pytest.mark.parametrize("name", ["DKM", "DEC", "KMeans", "DeepCluster"])
def test_any_pair_of_modules_is_an_autoencoder(name):
    more = {"views": None} if name == "DeepCluster" else {}
    estimator = getattr(deepkm, name)(**SMALL | more, autoencoder=pair(), n_init_runs=2)
    before = {key: tensor.clone() for key, tensor in estimator.autoencoder[0].state_dict().items()}
    state = torch.get_rng_state()
    fitted, again = estimator.fit(X), clone(estimator).fit(X)
    np.testing.assert_array_equal(fitted.cluster_centers_, again.cluster_centers_)  # dropout and all
    np.testing.assert_array_equal(fitted.predict(X), fitted.labels_)
    assert torch.equal(torch.get_rng_state(), state)
    for key, tensor in estimator.autoencoder[0].state_dict().items():  # what was given stays as it was
        assert torch.equal(tensor, before[key])
    trained = fitted._run.autoencoder.encoder
    assert trained[1].weight.shape == (1, 4, 1, 3, 3)
    assert not torch.equal(trained[1].weight[0], before["1.weight"])
    assert int(trained[2].num_batches_tracked[0]) == 2 + 2 * 3  # epochs of one batch, then of three


def test_a_pair_of_modules_is_trained_as_the_network_that_it_equals():
    """The fully connected one: the same weights, the same steps."""
    network = deepkm.DKM(**SMALL, dtype="float64").start(torch.tensor(X).double(), seeds=[0]).autoencoder
    halves = []
    for half in (network.encoder, network.decoder):
        layers = [nn.Linear(layer.weight.shape[1], layer.weight.shape[2]).double() for layer in half]
        for layer, stacked in zip(layers, half, strict=True):
            layer.load_state_dict({"weight": stacked.weight[0].mT, "bias": stacked.bias[0, 0]})
        halves.append(nn.Sequential(layers[0], nn.ReLU(), layers[1]))
    own = deepkm.DKM(**SMALL, dtype="float64").fit(X)
    given = deepkm.DKM(**SMALL, dtype="float64", autoencoder=tuple(halves)).fit(X)
    np.testing.assert_allclose(given.cluster_centers_, own.cluster_centers_, rtol=0, atol=1e-10)
    np.testing.assert_array_equal(given.labels_, own.labels_)


def test_a_trained_pair_is_not_pretrained_again():
    encoder, decoder = pair()
    fitted = deepkm.KMeans(n_clusters=3, pretrained=(encoder, decoder), random_state=0, device="cpu").fit(X)
    with torch.no_grad():
        np.testing.assert_allclose(fitted.transform(X), encoder.eval()(torch.tensor(X)).numpy(), atol=1e-6)


def test_shared_weights_stay_shared():
    class Back(nn.Module):
        def __init__(self, layer):
            super().__init__()
            self.layer = layer

        def forward(self, z):
            return z @ self.layer.weight

    layer = nn.Linear(64, 3)
    run = deepkm.DKM(**SMALL, autoencoder=(layer, Back(layer))).fit(X)._run
    assert run.autoencoder.encoder.weight is run.autoencoder.decoder.layer.weight
    assert set(run.parameters()) == {"autoencoder.encoder.weight", "autoencoder.encoder.bias", "centers"}


@pytest.mark.parametrize(
    ("given", "more", "message"),
    [
        ((nn.Linear(3, 2), nn.Linear(2, 3)), {}, "the encoder takes no rows of 64 numbers .* the decoder back"),
        ((nn.LazyLinear(3), nn.Linear(3, 64)), {}, "got a lazy module, expected its sizes; call it once before"),
        ((nn.Linear(64, 2), nn.Linear(2, 3)), {}, "the decoder gives 3 numbers to a sample, expected 64"),
        (nn.Sequential(nn.Linear(64, 3)), {}, "got Sequential, expected 'mlp', .*or a pair of torch.nn.Module"),
        ((nn.Linear(64, 2), "x"), {}, "autoencoder: got Linear and str, expected"),
        (pair(), {"name": "VaDE"}, "got a pair of modules, but VaDE takes 'mlp'"),
        (None, {"name": "VaDE", "pretrained": pair()}, "got a pair of modules, but VaDE takes 'mlp'"),
        (pair(), {"reset_interval": 1}, "reset_interval should be 0"),
        (pair(), {"epochs": -1}, "epochs=-1 should be >= 0"),
    ],
)
def test_wrong_modules_are_one_line(given, more, message):
    estimator = getattr(deepkm, more.pop("name", "DKM"))
    with pytest.raises(ValueError, match=message) as caught:
        estimator(**SMALL | more, **({"autoencoder": given} if given else {})).fit(X)
    assert "\n" not in str(caught.value)


# What scikit-learn's users look for


@pytest.mark.parametrize("key", one_of_each_class())
def test_every_method_has_the_usual_names(key, tmp_path):
    fitted = make_method(key, random_state=0).fit(X)
    z = fitted.transform(X).astype(np.float64)
    centers = fitted.cluster_centers_.astype(np.float64)
    apart = ((z - centers[fitted.labels_]) ** 2).sum()
    assert fitted.inertia_ == pytest.approx(apart, rel=1e-5)
    assert hasattr(fitted, "score") == hasattr(fitted, "predict")
    if hasattr(fitted, "predict"):
        assert fitted.score(X) == pytest.approx(-((z - centers[fitted.predict(X)]) ** 2).sum(), rel=1e-5)
    history = fitted.history_
    assert history.index.tolist() == [*range(1, fitted.epochs + 1)]
    assert set(history) == set(fitted.losses_)
    assert fitted.label_epochs_.tolist() == [*range(fitted.epochs + 1)]
    assert len(fitted.label_history_) == len(fitted.label_epochs_)
    names = [f"{type(fitted).__name__.lower()}{i}" for i in range(z.shape[1])]
    assert fitted.get_feature_names_out().tolist() == names
    frame = fitted.set_output(transform="pandas").transform(X)
    assert list(frame) == names
    fitted.set_output(transform="default")
    with torch.no_grad():
        np.testing.assert_allclose(fitted.encoder_(torch.tensor(X)).numpy(), z, atol=1e-5)

    deepkm.save(fitted, tmp_path / "model.h5")
    joblib.dump(fitted, tmp_path / "model.joblib")
    loaded = deepkm.load(tmp_path / "model.h5")
    for again in (loaded, joblib.load(tmp_path / "model.joblib")):
        assert type(again) is type(fitted)
        np.testing.assert_array_equal(again.labels_, fitted.labels_)
        np.testing.assert_array_equal(again.transform(X), fitted.transform(X))
        assert again.inertia_ == fitted.inertia_
        assert_same(again.losses_, fitted.losses_)
        if hasattr(fitted, "predict"):
            np.testing.assert_array_equal(again.predict(X), fitted.predict(X))
            np.testing.assert_allclose(again.predict_proba(X), fitted.predict_proba(X), atol=1e-12)
    _, attributes = read_hdf5(tmp_path / "model.h5")
    assert json.dumps(attributes)


def test_numbers_of_numpy_are_saved_as_such(tmp_path):
    given = {"n_clusters": np.int64(3), "hidden_widths": (np.int32(6), 5), "learning_rate": np.longdouble(0.001)}
    fitted = deepkm.CT(**SMALL | given).fit(X)
    deepkm.save(fitted, tmp_path / "model.h5")
    again = deepkm.load(tmp_path / "model.h5")
    assert list(again.hidden_widths) == [6, 5]
    np.testing.assert_array_equal(again.predict(X), fitted.predict(X))


@pytest.mark.parametrize("autoencoder", ["mlp", "conv", "pair"])
def test_the_encoder_is_exported(autoencoder, tmp_path):
    fitted = deepkm.CT(**SMALL, autoencoder=pair() if autoencoder == "pair" else autoencoder).fit(X)
    rows = {0: torch.export.Dim("n", min=1)}
    exported = torch.export.export(fitted.encoder_, (torch.tensor(X[:4]),), dynamic_shapes=(rows,))
    torch.export.save(exported, tmp_path / "encoder.pt2")
    encode = torch.export.load(tmp_path / "encoder.pt2").module()
    for n in (1, 90):
        np.testing.assert_allclose(encode(torch.tensor(X[:n])).numpy(), fitted.transform(X[:n]), atol=1e-5)


def test_what_is_saved_is_read_by_the_command_line_too(model, tmp_path):
    np.save(tmp_path / "new.npy", X)
    deepkm.save(model, tmp_path / "model.h5")
    words = ["predict", tmp_path / "model.h5", tmp_path / "new.npy", "--output", tmp_path / "labels.csv"]
    assert command([*map(str, words)]) == 0
    assert pd.read_csv(tmp_path / "labels.csv")["label"].tolist() == model.labels_.tolist()


@pytest.mark.parametrize(
    ("estimator", "path", "message"),
    [
        (deepkm.DKM(), "m.h5", "which is not a fitted estimator; call its fit first"),
        (3, "m.h5", "got 3, which is not a fitted estimator"),
        (None, "m.pickle", r"got a name without \.h5 at its end, expected one"),
        ("pair", "m.h5", "got a part that no array holds, modules of one's own or UMAP; take joblib.dump"),
    ],
)
def test_what_cannot_be_saved_is_one_line(estimator, path, message, model, tmp_path):
    if estimator == "pair":
        estimator = deepkm.KMeans(n_clusters=3, pretrained=pair()).fit(X)
    with pytest.raises(ValueError, match=message):
        deepkm.save(model if estimator is None else estimator, tmp_path / path)
    assert not (tmp_path / path).exists()


def test_a_fit_shows_its_epochs_where_it_is_asked_to(capsys, base):
    deepkm.DKM(**SMALL).fit(X)
    assert capsys.readouterr() == ("", "")
    deepkm.DKM(**SMALL, verbose=1).fit(X)
    shown = capsys.readouterr().err
    for words in ("DKM, pretraining: 100%", "DKM, training: 100%", "2/2", "clustering=", "reconstruction=", "loss="):
        assert words in shown
    deepkm.DKM(**SMALL, verbose=True, pretrained=base).fit(X)
    assert "pretraining" not in capsys.readouterr().err


def test_without_pandas_there_are_arrays(model, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(ImportError, match="history_ needs pandas; pip install pandas, or take losses_"):
        model.history_  # noqa: B018
    assert model.losses_["loss"].shape == (2,)
