"""Snapshots hold the codes that training went through, for some samples, and change nothing of it."""

import h5py
import numpy as np
import pytest
import torch
from conftest import assert_same
from test_contract import METHODS, make_method, make_spec

from deepkm.datasets.large import scan
from deepkm.datasets.streaming import StreamedFeatures
from deepkm.study.plan import Study
from deepkm.study.spec import dumps
from deepkm.training.checkpoint import restore_run, save_run
from deepkm.training.loop import train
from deepkm.training.snapshots import draw_sample, keep_snapshots, snapshot_arrays

SOFT = {"CT", "DEC", "DKM", "DeepPowerKMeans", "IDEC", "SoftKMeans", "SoftKMeansFree", "VaDE"}
# Their labels are not those of the nearest centers.
OWN_LABELS = {"soft_kmeans_free", "aegmm", "aeward", "aespectral", "n2d", "aeumap_km", "vade"}
SEEDS = [5, 6]


def is_soft(key):
    return make_spec(key)["estimator"].partition(":")[2] in SOFT


@pytest.fixture(scope="module")
def x():
    """Three blobs of images of 8 x 8."""
    random = np.random.default_rng(0)
    blobs = random.normal(size=(100, 64)) + 3 * random.normal(size=(3, 64))[np.arange(100) % 3]
    return torch.tensor((blobs - blobs.mean(0)) / blobs.std(0), dtype=torch.float32)


def trained(method, x, epochs, seeds=SEEDS):
    """Return a run and its snapshots."""
    run = method.start(x, seeds=seeds)
    for _ in keep_snapshots(train(method, x, run), method, epochs=epochs):
        pass
    return run, snapshot_arrays(method, run)


@pytest.mark.parametrize("key", METHODS)
def test_without_epochs_there_is_the_snapshot_of_the_start(key, x):
    _, arrays = trained(make_method(key, epochs=0), x, [0])
    assert arrays["snapshots/epoch"].tolist() == [0]
    assert ("snapshots/membership" in arrays) == is_soft(key)


@pytest.mark.parametrize("key", METHODS)
def test_snapshots_are_what_training_went_through(key, x):
    method = make_method(key, dropout=0) if key == "deepcluster" else make_method(key)
    epochs = sorted({0, method.epochs})
    run, arrays = trained(method, x, epochs)
    sample, n_epochs = arrays["snapshots/sample"], len(epochs)
    assert sorted(sample) == list(range(100))
    assert arrays["snapshots/epoch"].tolist() == epochs
    np.testing.assert_array_equal(arrays["snapshots/centers"][:, -1], run.centers.numpy(force=True))
    assert ("snapshots/codes" in arrays) == bool(list(run.autoencoder.parameters()))
    if "snapshots/codes" in arrays:
        codes = torch.from_numpy(arrays["snapshots/codes"])
        assert codes.shape == (2, n_epochs, 100, arrays["snapshots/centers"].shape[-1])
        with torch.no_grad():
            z = method.embed(run.encode(x), run)
        torch.testing.assert_close(codes[:, -1], z[:, sample], rtol=0, atol=0)
    if key not in OWN_LABELS and "snapshots/codes" in arrays:
        for i, epoch in enumerate(epochs):
            nearest = torch.cdist(codes[:, i], torch.from_numpy(arrays["snapshots/centers"][:, i])).argmin(-1)
            np.testing.assert_array_equal(nearest, run.history["labels"][epoch][:, sample])
    assert ("snapshots/membership" in arrays) == is_soft(key)
    if is_soft(key):
        highest = arrays["snapshots/membership"]
        assert highest.shape == (2, n_epochs, 100)
        assert (highest >= 1 / 3 - 1e-6).all()
        assert (highest <= 1 + 1e-6).all()
    assert ("decoded_centers" in arrays) == (key != "deepcluster")
    if key == "km":
        np.testing.assert_array_equal(arrays["decoded_centers"], run.centers)
    elif key != "deepcluster":
        assert arrays["decoded_centers"].shape == (2, 3, 64)


@pytest.mark.parametrize("key", ["dkm", "dec", "deepcluster", "soft_kmeans_free"])
def test_runs_do_not_depend_on_their_stack(key, x):
    method = make_method(key)
    _, stacked = trained(method, x.double(), [0, 2, 3])
    for s, seed in enumerate(SEEDS):
        _, single = trained(method, x.double(), [0, 2, 3], [seed])
        for name, array in stacked.items():
            if name.startswith("snapshots/") and array.ndim == 1:
                np.testing.assert_array_equal(array, single[name])  # which samples and epochs: no seed decides
            else:
                np.testing.assert_allclose(array[s], single[name][0], rtol=1e-6, atol=1e-7, err_msg=name)


@pytest.mark.parametrize("key", ["ct", "dec", "deepcluster", "soft_kmeans_free"])
@pytest.mark.parametrize("stop", [0, 1, 2])
def test_interrupted_snapshots_equal_uninterrupted_ones(key, stop, x, tmp_path):
    changes = {"tol": 1.0, "update_interval": 1} if key == "dec" else {}  # all its runs stop in the first epoch
    method, epochs = make_method(key, **changes), [0, 1, 3]
    whole, expected = trained(method, x, epochs)
    assert (key == "dec") == (len(whole.stopped()) == 2)
    run = method.start(x, seeds=SEEDS)
    for _ in keep_snapshots(train(method, x, run), method, epochs=epochs):
        if run.epoch == stop:
            save_run(tmp_path / "run.checkpoint", run, spec={})
            break
    resumed = make_method(key, **changes).start(x, seeds=SEEDS)
    options = {"optimizer_options": method.optimizer_options(), "device": "cpu"}
    assert restore_run(tmp_path / "run.checkpoint", resumed, spec={}, **options)
    for _ in keep_snapshots(train(method, x, resumed), method, epochs=epochs):
        pass
    assert_same(snapshot_arrays(method, resumed), expected)


def test_snapshots_change_no_number(x):
    method = make_method("deepcluster")
    (with_them, _), (without, none) = (trained(method, x, epochs) for epochs in ([0, 1, 2, 3], []))
    assert none == {}
    assert_same(*({name: np.stack(values) for name, values in run.history.items()} for run in (with_them, without)))


def test_memberships_by_hand(x):
    method = make_method("ct", alpha=2.0)
    run, arrays = trained(method, x, [3])
    sample = int(arrays["snapshots/sample"][7])
    power = ((run.encode(x)[1, sample] - run.centers[1]) ** 2).sum(-1) ** -2.0
    assert arrays["snapshots/membership"][1, 0, 7] == pytest.approx(float(power.max() / power.sum()), rel=1e-4)


def test_samples_are_distinct_and_nested():
    large, small = draw_sample(50_000, size=10_000).tolist(), draw_sample(50_000, size=100).tolist()
    assert len(set(large)) == 10_000
    assert large[:100] == small
    assert max(large) >= 49_000  # from everywhere


def test_a_long_code_is_kept_of_fewer_samples(x, monkeypatch):
    monkeypatch.setattr("deepkm.training.snapshots.CODE_NUMEL", 60)
    _, long = trained(make_method("dkm", n_latent=3), x, [0])
    _, short = trained(make_method("dkm", n_latent=2), x, [0])
    assert long["snapshots/codes"].shape == (2, 1, 20, 3)
    assert short["snapshots/sample"][:20].tolist() == long["snapshots/sample"].tolist()


@pytest.mark.parametrize(
    ("count", "epochs", "expected"),
    [
        (6, 100, [0, 1, 3, 10, 32, 100]),
        (6, 3, [0, 1, 2, 3]),
        (6, 0, [0]),
        (0, 100, []),
        (1, 100, [100]),
        (2, 100, [0, 100]),
        (3, 100, [0, 1, 100]),
    ],
)
def test_which_epochs(config, count, epochs, expected):
    config["snapshots"], config["training"]["epochs"] = count, epochs
    assert Study(config).cluster_spec("digits", "dkm", "seed8905")["snapshots"] == expected


def test_more_snapshots_rerun_what_they_add_to(config):
    before = Study(config)
    config["snapshots"] = 8
    after = Study(config)
    specs = {key: [dumps(s.cluster_spec("digits", key, "seed8905")) for s in (before, after)] for key in ("km", "ct")}
    assert specs["km"][0] == specs["km"][1]  # it has one epoch to keep
    assert specs["ct"][0] != specs["ct"][1]


def test_data_larger_than_memory_are_sampled_like_others(x, tmp_path):
    with h5py.File(tmp_path / "mine.h5", "w") as file:
        file["feature"] = x.numpy()
    members, *_ = scan(tmp_path / "mine.h5")
    np.savez(tmp_path / "mine.npz", **members)
    method = make_method("ct")
    streamed = StreamedFeatures(tmp_path / "mine.npz", "none")
    run = method.start(x[:0], seeds=SEEDS)
    for _ in keep_snapshots(train(method, streamed, run), method, epochs=[0, 3]):
        pass
    assert_same(snapshot_arrays(method, run), trained(method, x, [0, 3])[1])
