"""What every method of config.yaml must keep, whatever it computes."""

import pkgutil
from functools import cache
from typing import get_type_hints

import numpy as np
import pytest
import torch
import yaml
from conftest import ROOT
from sklearn.datasets import make_blobs
from sklearn.utils.estimator_checks import parametrize_with_checks

from deepkm import as_estimator
from deepkm.methods.random_labels import RandomLabels
from deepkm.numerics.metrics import scores
from deepkm.study.plan import Study
from deepkm.training import loop
from deepkm.training.checkpoint import restore_run, save_run
from deepkm.training.ends import keep_ends
from deepkm.training.loop import pretrain, train
from deepkm.training.optimizers import make_optimizer
from deepkm.training.run import READ_OUT, Run
from deepkm.training.steps import Batch
from deepkm.values import expected

CONFIG = yaml.safe_load((ROOT / "config.yaml").read_text())
# Under its key, for the values that entries give it, but of images: only specs are asked for, the file is not read.
IMAGES = {"path": __file__, "image_size": [8, 8], "n_clusters": CONFIG["datasets"]["blobs"]["n_clusters"]}
CONFIG["datasets"]["blobs"] = IMAGES | {"scaling": CONFIG["datasets"]["blobs"]["scaling"]}
CONFIG["autoencoders"]["conv_sigmoid"]["kind"] = "conv"  # a sigmoid reconstructs no blobs
# UMAP compiles and embeds for minutes in all of these tests; tests/methods/test_n2d.py has what matters of them.
SLOW = ("deepkm.methods.n2d:N2D",)
METHODS = [key for key, entry in CONFIG["methods"].items() if entry["estimator"] not in SLOW]
EPOCHS = 3
# scikit-learn's checks bring tables, which are no images, and expect blobs to be found.
FOR_SCIKIT_LEARN = {
    "conv_dkm": {
        "autoencoder": None,
        "epochs": 40,
        "anneal_start": 0,
        "anneal_end": 1,
        "clustering_weight": 1.0,
        "learning_rate": 0.05,
    },
    "deepcluster": {"autoencoder": "mlp", "views": None},
    "dekm": {"autoencoder": "mlp"},
    "dkm_annealed": {"epochs": 6, "learning_rate": 0.03},
}
# Rows that train on images: on a convolutional code, or on views.
ON_IMAGES = {key for key in METHODS if key.endswith(("_conv", "_da", "_views"))}
# These start from random centers, two of which may share a blob for good.
RANDOM_CENTERS = {"conv_dkm", "dkm_annealed"}
# Their labels may differ from those of `predict`: weights lag behind the centers, and new data have none.
FREE_WEIGHTS = {"soft_kmeans_free"}
# They find nothing, so that scikit-learn's blobs are not found either.
BLIND = {"random"}
FINDS_BLOBS = ("check_clustering",)
# Each epoch builds on centers, assignments or pseudo-labels that the code before it gave.
NEED_THEIR_CODE = {"aec", "aekm_long", "ct", "ct_brb", "ct_cold", "ct_conv", "ct_fresh", "ct_sum", "ct_views"}
NEED_THEIR_CODE |= {"deepcluster", "dkm_fresh", "dkm_reinit"}


@cache
def make_spec(key):
    """Return the spec of a config entry."""
    study = Study({**CONFIG, "study": {"datasets": ["blobs"], "methods": [key], "seeds": [0]}})
    return study.cluster_spec("blobs", key, "seed0")


def make_method(key, **changes):
    """Return the estimator of a config entry, with a small autoencoder and few epochs."""
    spec = make_spec(key)
    small = {"hidden_widths": (8,), "n_latent": None, "batch_size": 32, "n_clusters": 3, "steps": None}
    shorter = {name: min(EPOCHS, spec["parameters"][name]) for name in ("epochs", "pretraining_epochs")}
    estimator = as_estimator(pkgutil.resolve_name(spec["estimator"]))
    return estimator(**{**spec["parameters"], **small, **shorter, **changes})


def one_of_each_class():
    """Return the first key of each class, on the data and on a code: what a class takes is asked of no second one."""
    keys = {(make_spec(key)["estimator"], bool(make_method(key).autoencoder)): key for key in reversed(METHODS)}
    return [key for key in METHODS if key in keys.values()]


def epochs_of(key):
    """Return how many epochs the shortened estimator trains: none for k-means."""
    return make_method(key).epochs


@pytest.fixture(scope="module")
def blobs():
    x, y = make_blobs(n_samples=100, n_features=64, centers=3, random_state=3)  # images of 8 x 8
    return (x - x.mean(0)) / x.std(0), y


@pytest.fixture
def x(blobs):
    return torch.tensor(blobs[0])


@pytest.fixture(autouse=True)
def _seldom_read(monkeypatch):
    """Let all of this hold where labels are not read after each epoch, though there are few."""
    monkeypatch.setattr(loop, "read_out_epochs", lambda epochs: sorted({0, min(1, epochs), epochs}))


@parametrize_with_checks(
    [make_method(key, random_state=0, **FOR_SCIKIT_LEARN.get(key, {})) for key in one_of_each_class()],
    expected_failed_checks=lambda estimator: dict.fromkeys(FINDS_BLOBS * isinstance(estimator, RandomLabels), "blind"),
)
def test_scikit_learn(estimator, check):
    check(estimator)


def on_other_autoencoders():
    """Yield each method that trains on a code, with the kinds of autoencoder that its config entry does not name."""
    for key in one_of_each_class():
        own = make_method(key).autoencoder
        if own or key == "deepcluster":
            yield from ((key, {"autoencoder": kind}) for kind in ("mlp", "conv") if kind != own)


def on_views():
    """Yield each method that trains on a code, as it trains on views."""
    seen = {"views": "both", "pretraining_views": {}}
    yield from ((key, seen) for key in one_of_each_class() if make_method(key).autoencoder)


def from_manifolds():
    """Yield each method that starts from centers, as it starts from those of spectral clustering."""
    for key in one_of_each_class():
        if not expected(get_type_hints(type(make_method(key)))["initial_centers"], "spectral"):
            yield key, {"initial_centers": "spectral"}


CHANGED = [*((key, {}) for key in METHODS), *on_other_autoencoders(), *on_views(), *from_manifolds()]


@pytest.mark.parametrize(("key", "changes"), CHANGED)
def test_stacked_runs_equal_single_runs(key, changes, x):
    seeds = [5, 6, 7]
    stacked = make_method(key, **changes).train_runs(x, seeds=seeds)
    for s, seed in enumerate(seeds):
        single = make_method(key, **changes).train_runs(x, seeds=[seed])
        np.testing.assert_array_equal(
            np.stack(stacked.history["labels"])[:, s], np.stack(single.history["labels"])[:, 0]
        )
        torch.testing.assert_close(stacked.centers[s], single.centers[0], rtol=0, atol=1e-10)
        for name, tensor in single.autoencoder.state_dict().items():
            torch.testing.assert_close(stacked.autoencoder.state_dict()[name][s], tensor[0], rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("dkm", {"clustering_weight": [0.1, 1.0, 3.0], "alpha": [1.0, 10.0, 1000.0]}),
        ("ct", {"clustering_weight": [0.1, 1.0, 3.0], "alpha": [2.0, 2.5, 3.0]}),
        ("dcn", {"clustering_weight": [0.1, 1.0, 3.0]}),
    ],
)
def test_a_stack_may_differ_in_its_parameters(key, values, x):
    """A grid of weights and exponents trains at once: the parameter is a tensor, (S,)."""
    stacked = make_method(key, **{name: torch.tensor(value, dtype=x.dtype) for name, value in values.items()})
    runs = stacked.train_runs(x, seeds=[5, 5, 5])
    for s in range(3):
        single = make_method(key, **{name: value[s] for name, value in values.items()}).train_runs(x, seeds=[5])
        torch.testing.assert_close(runs.centers[s], single.centers[0], rtol=0, atol=1e-10)
        np.testing.assert_array_equal(runs.history["labels"][-1][s], single.history["labels"][-1][0])


@pytest.mark.parametrize("key", METHODS)
def test_a_run_has_no_gradient_on_another(key, x):
    method = make_method(key)
    run = method.start(x, seeds=[0, 1, 2])
    next(train(method, x, run))
    trained = list(run.parameters().values())
    if not trained:
        assert method.epochs == 0  # k-means in input space trains nothing
        return
    with torch.no_grad():
        method.start_epoch(run)
    loss = method.loss(Batch(x, torch.arange(20).expand(3, -1), run.autoencoder), run)
    assert loss.shape == (3,)
    for gradient in torch.autograd.grad(loss[1], trained, allow_unused=True):
        if gradient is not None:
            assert gradient[1].isfinite().all()
            assert (gradient[[0, 2]] == 0).all()


@pytest.mark.parametrize(("key", "stop"), [(key, stop) for key in METHODS for stop in range(epochs_of(key) + 1)])
def test_resumed_equals_uninterrupted(key, stop, x, tmp_path):
    method, x = make_method(key), x.float()

    def start():
        run = method.start(x, seeds=[5, 6])
        for _ in pretrain(x, run, **method.pretraining()):
            pass
        return Run(run.seeds, run.autoencoder)

    whole, broken = start(), start()
    for _ in train(method, x, whole):
        pass
    for _ in train(method, x, broken):
        if broken.epoch == stop:
            save_run(tmp_path / "run.checkpoint", broken, spec={"a": 1})
            break
    resumed = method.start(x, seeds=[5, 6])
    options = {"optimizer_options": method.optimizer_options(), "device": "cpu"}
    assert not restore_run(tmp_path / "run.checkpoint", resumed, spec={"a": 2}, **options)
    assert restore_run(tmp_path / "run.checkpoint", resumed, spec={"a": 1}, **options)
    for _ in train(make_method(key), x, resumed):
        pass
    assert resumed.epoch == whole.epoch == method.epochs
    expected, found = (run.autoencoder.state_dict() | run.state for run in (whole, resumed))
    for name, tensor in expected.items():  # NaN, which pads some, equals NaN here
        np.testing.assert_array_equal(tensor.numpy(force=True), found[name].numpy(force=True), err_msg=name)
    for name, values in whole.history.items():
        np.testing.assert_array_equal(np.stack(values), np.stack(resumed.history[name]))


@pytest.mark.parametrize("key", [key for key in METHODS if epochs_of(key)])
def test_when_labels_are_read_changes_no_number(key, x):
    x, method = x.float(), make_method(key, read_out="schedule")
    some, every = (make_method(key, read_out=read).train_runs(x, seeds=[5]) for read in ("schedule", "all"))
    read_after = [int(epoch[0]) for epoch in some.history["label_epochs"]]
    assert read_after == ([*range(method.epochs + 1)] if key in NEED_THEIR_CODE else sorted({0, 1, method.epochs}))
    np.testing.assert_array_equal(some.history["labels"], [every.history["labels"][epoch] for epoch in read_after])
    for name in every.history.keys() - READ_OUT:
        np.testing.assert_array_equal(some.history[name], every.history[name], err_msg=name)
    for name, tensor in every.tensors().items():
        np.testing.assert_array_equal(tensor.numpy(force=True), some.tensors()[name].numpy(force=True), err_msg=name)


@pytest.mark.parametrize("key", METHODS)
def test_labels_are_ignored_and_fit_repeats(key, blobs):
    x, y = blobs
    first = make_method(key, random_state=4).fit(x)
    second = make_method(key, random_state=4).fit(x, y)
    np.testing.assert_array_equal(first.labels_, second.labels_)
    np.testing.assert_array_equal(first.cluster_centers_, second.cluster_centers_)
    if hasattr(first, "predict"):  # tests/methods/test_controls.py names those without
        if key not in FREE_WEIGHTS:
            np.testing.assert_array_equal(first.labels_, first.predict(x))
        np.testing.assert_array_equal(first.predict(x)[::-1], first.predict(x[::-1]))
    assert first.transform(x).shape == (len(x), first.cluster_centers_.shape[1])
    assert first.n_iter_ == first.epochs


@pytest.mark.parametrize("key", [key for key in METHODS if key not in RANDOM_CENTERS | BLIND])
def test_far_blobs_are_found(key):
    # As images: one bright pixel in each corner.
    x, y = make_blobs(n_samples=200, centers=10 * np.eye(64)[[0, 7, 56, 63]], cluster_std=0.1, random_state=0)
    x = (x - x.mean()) / x.std()
    method = make_method(key, n_clusters=4, random_state=0, hidden_widths=(32,), n_latent=4, epochs=0)
    # A new Adam throws the code of a convolutional network away that was trained for 30 epochs of 7 steps.
    changes = {
        "pretraining_epochs": 60 if key in ON_IMAGES else 30,
        "epochs": min(10, make_spec(key)["parameters"]["epochs"]),
    }
    assert scores(y, method.set_params(**changes).fit_predict(x))["acc"] == 1


@pytest.mark.parametrize("key", one_of_each_class())
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": -1}, "epochs=-1 should be >= 0"),
        ({"batch_size": 0}, "batch_size=0 should be > 0"),
        ({"n_clusters": 101}, "n_samples=100 should be >= n_clusters=101; lower n_clusters"),
    ],
)
def test_bad_parameters_get_one_clear_line(key, change, message, blobs):
    with pytest.raises(ValueError, match=message):
        make_method(key, **change).fit(blobs[0])


def test_two_trained_tensors_keep_their_moments_through_a_checkpoint(x, tmp_path):
    """Names in another order than that of their making: the optimizer's moments must not be swapped."""
    run = make_method("dkm").start(x, seeds=[0])
    run.state = {name: torch.zeros(1, 2, dtype=x.dtype, requires_grad=True) for name in ("b", "a")}
    optimizer = run.optimizer = make_optimizer(run.parameters(), learning_rate=1.0)
    (10 * run.state["b"].sum() + run.state["a"].sum()).backward()
    optimizer.step()
    save_run(tmp_path / "run.checkpoint", run, spec={})
    restored = make_method("dkm").start(x, seeds=[0])
    restore_run(tmp_path / "run.checkpoint", restored, spec={}, optimizer_options={"learning_rate": 1.0}, device="cpu")
    for name in ("a", "b"):
        moments, expected = (r.optimizer.moments[name]["exp_avg"] for r in (restored, run))
        assert torch.equal(moments, expected)


@pytest.mark.parametrize("key", METHODS)
def test_both_ends_of_a_run_are_looked_at(key, x):
    """By measures that need no classes: again from the arrays, whatever the method."""
    method = make_method(key)
    run = method.start(x, seeds=[0, 1])
    for _ in keep_ends(train(method, x, run), method):
        z, labels = run.encode(x), run.history["labels"][-1]
    own, code = method.embed(z, run) is z, z.numpy(force=True)
    assert {len(values) for values in run.ends.values()} == {min(2, 1 + method.epochs)}
    for s in range(2):
        within = sum(((code[s][labels[s] == k] - code[s][labels[s] == k].mean(0)) ** 2).sum() for k in set(labels[s]))
        total = ((code[s] - code[s].mean(0)) ** 2).sum()
        assert run.ends["unexplained"][-1][s] == pytest.approx(within / total if own else np.nan, rel=1e-9, nan_ok=True)
        data = x.numpy()
        within = sum(((data[labels[s] == k] - data[labels[s] == k].mean(0)) ** 2).sum() for k in set(labels[s]))
        total = ((data - data.mean(0)) ** 2).sum()
        assert run.ends["unexplained_data"][-1][s] == pytest.approx(within / total, rel=1e-9)
        error = np.nan
        if method.autoencoder:
            error = ((run.autoencoder.decode(z)[s].numpy(force=True) - x.numpy()) ** 2).sum(1).mean()
        assert run.ends["reconstruction"][-1][s] == pytest.approx(error, rel=1e-9, nan_ok=True)
