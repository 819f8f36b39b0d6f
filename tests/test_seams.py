"""What one part hands on to the next: parameters, seeds, epochs, seconds, and which files belong together."""

import itertools
import os
import signal
from argparse import Namespace
from contextlib import contextmanager
from functools import cache
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from test_contract import CONFIG, METHODS, make_method

from deepkm import DEC, DKM
from deepkm.files import read_attributes, read_hdf5, write_hdf5
from deepkm.jobs import resuming
from deepkm.jobs.finishing import checkpoint_path, confirm
from deepkm.methods.ct import CT
from deepkm.methods.deep_power_kmeans import DeepPowerKMeans
from deepkm.networks import autoencoder as networks
from deepkm.networks import products
from deepkm.numerics import kmeans as kmeans_module
from deepkm.numerics.kmeans import warm_kmeans
from deepkm.report.figures.gallery import draw_study
from deepkm.report.figures.inputs import Dataset, Numbers, read_memberships, read_run
from deepkm.report.figures.losses import draw_losses
from deepkm.report.figures.style import methods_of
from deepkm.report.statistics.ranks import compare_over_datasets
from deepkm.stages import autoencoder, cluster
from deepkm.stages.score import write_scores
from deepkm.study.plan import Study
from deepkm.training.loop import train
from deepkm.training.run import Run


def tensor(*numbers):
    return torch.tensor(numbers, dtype=torch.float64)


@cache
def study_of(seeds, precision="float32"):
    """Return a small study whose seeds are trained in one job."""
    parts = {"study": {"datasets": ["blobs"], "methods": ["ct"], "seeds": list(seeds)}, "seeds_per_job": len(seeds)}
    parts["training"] = {**CONFIG["training"], "pretraining_epochs": 2, "epochs": 4, "precision": precision}
    parts["autoencoders"] = {**CONFIG["autoencoders"], "mlp": {"kind": "mlp", "hidden_widths": [8]}}
    return Study({**CONFIG, **parts})


class Jobs:
    """The two training stages, called in this process on the data sets of one folder."""

    def __init__(self, folder):
        self.folder = folder
        self.write_data("x.npz", seed=0)

    def write_data(self, name, *, seed):
        random = np.random.default_rng(seed)
        feature = random.normal(size=(60, 4)) + 6 * np.eye(4)[np.arange(60) % 3]
        np.savez(self.folder / name, feature=feature.astype(np.float32))

    def pretrain(self, output, *, seeds=(7,), data="x.npz", **options):
        study = study_of(tuple(seeds), **options)
        return self._call(autoencoder, study.autoencoder_spec("blobs", "mlp", *study.stacks), output, data)

    def cluster(self, output, weights, *, seeds=(7,), data="x.npz", **options):
        study = study_of(tuple(seeds), **options)
        return self._call(
            cluster, study.cluster_spec("blobs", "ct", *study.stacks), output, data, autoencoder=[weights]
        )

    def _call(self, stage, spec, output, data, **inputs):
        options = {"device": "cpu", "threads": 1, "checkpoint_seconds": 1e9, **inputs}
        stage.main(Namespace(spec=spec, data=self.folder / data, output=self.folder / output, **options))
        return self.folder / output


@pytest.fixture
def jobs(tmp_path, monkeypatch):
    monkeypatch.delenv("DEEPKM_CACHE", raising=False)
    return Jobs(tmp_path)


@contextmanager
def stopped_after(epoch):
    """Let the job of the `with` block get SIGTERM in an epoch: it saves and ends."""
    before_epoch = CT.before_epoch

    def hook(method, z, run):
        before_epoch(method, z, run)
        if run.epoch == epoch:
            signal.raise_signal(signal.SIGTERM)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(CT, "before_epoch", hook)
        yield


# numerics

POINTS = tensor([[0.0], [1.0], [2.0], [9.0], [10.0], [11.0]])  # one step of Lloyd from 0 and 1 takes 0 and the rest


def test_a_warm_start_goes_on_until_it_is_settled():
    assert warm_kmeans(POINTS, tensor([[0.0], [1.0]])).flatten().tolist() == [1, 10]
    assert warm_kmeans(POINTS, tensor([[0.0], [1.0]]), max_iter=1).flatten().tolist() == pytest.approx([0, 6.6])


@pytest.mark.parametrize("key", ["ct", "dkm_reinit", "aekm_long"])
def test_methods_that_take_their_centers_anew_take_settled_ones(key):
    method = make_method(key, n_clusters=2)
    run = Run([0], networks.build_autoencoder(None, seeds=[0], n_features=1, n_latent=1, hidden_widths=()))
    run.epoch, run.centers = 1, tensor([[0.0], [1.0]])
    method.before_epoch(POINTS, run)
    assert run.centers.flatten().tolist() == [1, 10]


# They start at random, or have another library cluster.
WITHOUT_KMEANS = {"conv_dkm", "dkm_annealed", "vade", "random"}
WITHOUT_KMEANS |= {f"{start}{key}" for start in ("", "ae") for key in ("gmm", "ward", "spectral")}


@pytest.mark.parametrize("key", METHODS)
def test_the_number_of_restarts_reaches_k_means(key, monkeypatch):
    seen, draw = set(), kmeans_module.kmeans_plus_plus

    def spy(*args, n_init, **options):
        seen.add(n_init)
        return draw(*args, n_init=n_init, **options)

    monkeypatch.setattr(kmeans_module, "kmeans_plus_plus", spy)
    x = torch.randn(40, 64, generator=torch.Generator().manual_seed(0))
    make_method(key, n_init=3).train_runs(x, seeds=[0])
    start = getattr(make_method(key), "initial_centers", None)
    if key in WITHOUT_KMEANS or start in ("uniform", "normal", "data"):
        assert seen == set()
    else:
        assert seen == {1 if start == "kmeans++" or "power" in key else 3}


def test_the_reconstruction_error_sums_features_and_averages_samples():
    x, x_hat = torch.zeros(2, 3, 2), torch.ones(2, 3, 2)
    x_hat[1, 2] = 4
    assert networks.reconstruction_error(x, x_hat).tolist() == [2, (2 + 2 + 32) / 3]


# training


def test_parameters_of_training_reach_the_result():
    x = torch.randn(40, 4, generator=torch.Generator().manual_seed(0))
    given = {"optimizer": "sgd", "momentum": 0.5, "epochs": 2, "batch_size": 16, "hidden_widths": (8,), "n_latent": 2}
    given |= {"pretraining_epochs": 2, "pretraining_batch_size": 16, "learning_rate": 1e-3, "n_clusters": 2}
    others = {"optimizer": "adam", "momentum": 0.9, "epochs": 3, "batch_size": 15, "hidden_widths": (9,), "n_latent": 3}
    others |= {"pretraining_epochs": 3, "pretraining_batch_size": 15, "learning_rate": 1e-2, "n_clusters": 3}
    others |= {"pretraining_learning_rate": 1e-2}
    first = DKM(**given).train_runs(x, seeds=[0]).centers
    assert torch.equal(DKM(**given).train_runs(x, seeds=[0]).centers, first)
    for name, value in others.items():
        assert not torch.equal(DKM(**{**given, name: value}).train_runs(x, seeds=[0]).centers, first), name


class Means:
    """Logs the mean of each batch and trains nothing; visits the samples in a given order."""

    batch_size, recordable, n_clusters, needs_code, read_out = 2, False, 1, False, "all"

    def __init__(self, *orders):
        self._orders, self.epochs = orders, len(orders)

    def init(self, z, run):
        run.centers = torch.zeros(len(z), 1, 1, requires_grad=True)

    def optimizer_options(self):
        return {"learning_rate": 1.0}

    def order(self, n_samples, run):
        return torch.tensor([self._orders[run.epoch]])

    def view_options(self):
        return None

    def before_epoch(self, z, run):
        pass

    def start_epoch(self, run):
        pass

    def loss(self, batch, run):
        batch.log(largest=batch.x.amax((1, 2)))
        return batch.x.mean((1, 2)) + 0 * run.centers.sum((1, 2))

    def after_step(self, batch, run):
        pass

    def assign(self, z, run):
        return torch.zeros(z.shape[:2])


def test_logged_losses_are_means_over_samples():
    x = torch.tensor([[0.0], [0.0], [0.0], [0.0], [10.0]])
    run = Run([0], networks.NoAutoencoder())
    for _ in train(Means([0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [4, 0, 1]), x, run):
        pass
    assert np.ravel(run.history["loss"]).tolist() == pytest.approx([10 / 5, 10 / 5, 10 / 3])
    assert np.ravel(run.history["largest"]).tolist() == pytest.approx([10 / 5, 20 / 5, 20 / 3])


@pytest.mark.parametrize("key", [key for key in METHODS if key != "km"])
def test_precision_reaches_every_product(key, monkeypatch):
    seen, multiply = set(), networks.perceptron
    monkeypatch.setattr(networks, "perceptron", lambda *args, **kw: seen.add(kw["precision"]) or multiply(*args, **kw))
    x = torch.randn(40, 64, generator=torch.Generator().manual_seed(0))
    method = make_method(key, precision="bfloat16", autoencoder="mlp", epochs=1, pretraining_epochs=1)
    method.decode_centers(method.train_runs(x, seeds=[0, 1]))
    assert seen == {"bfloat16"}


def test_precision_reaches_both_stages(jobs, monkeypatch):
    seen, choose = [], products._products_for
    monkeypatch.setattr(products, "_products_for", lambda x, precision: seen.append(precision) or choose(x, precision))
    weights = jobs.pretrain("weights.h5", precision="float32")
    assert set(seen) == {"float32"}
    seen.clear()
    jobs.cluster("a.h5", weights, precision="float32")
    assert set(seen) == {"float32"}


@pytest.mark.parametrize(
    ("device", "dtype", "precision", "expected"),
    [
        ("cuda", torch.float32, "tf32", products._by_tf32),
        ("cuda", torch.float32, "bfloat16", products._by_bfloat16),
        ("cuda", torch.float32, "float32", products._by_torch),
        ("cuda", torch.float64, "tf32", products._by_torch),
        ("cuda", torch.float64, "bfloat16", products._by_torch),
        ("cpu", torch.float64, "bfloat16", products._by_mkl),
    ],
)
def test_which_products_a_precision_takes(device, dtype, precision, expected, monkeypatch):
    x = SimpleNamespace(device=SimpleNamespace(type=device), dtype=dtype)
    assert products._products_for(x, precision) is expected
    asked = []
    monkeypatch.setattr(products, "_products_for", lambda x, precision: asked.append(precision) or products._by_torch)
    products.perceptron(torch.ones(1, 2, 3), [torch.ones(1, 3, 1)], [torch.ones(1, 1, 1)], precision=precision)
    assert asked == [precision]


def test_tf32_is_allowed_for_its_products_alone(monkeypatch):
    def multiply(*args, **options):
        return args, options, torch.backends.cuda.matmul.allow_tf32

    monkeypatch.setattr(products, "_by_torch", multiply)
    assert products._by_tf32("a", "b", "bias", relu=True) == (("a", "b", "bias"), {"relu": True}, True)
    assert torch.backends.cuda.matmul.allow_tf32 is False


# methods


def test_memberships_are_those_of_the_epoch_that_was_trained():
    """A center at distance 1 and one at 2; two epochs, with a parameter of their own each."""
    annealed = DKM(n_clusters=2, epochs=2, alpha=0.5, n_alphas=2)
    power = DeepPowerKMeans(n_clusters=2, epochs=2, exponent=-3.0, exponent_growth=1.5, n_exponents=2)
    alphas, exponents = (0.5, 0.5 * 2 ** (1 / np.log(2) ** 2)), (-3.0, -4.5)
    run, index = Run([0], networks.NoAutoencoder()), torch.tensor([0])
    run.centers = tensor([[1.0], [2.0]])
    for run.epoch, trained in enumerate([0, 0, 1]):
        first = annealed.membership(tensor([[0.0]]), index, run)[0, 0, 0].item()
        assert first == pytest.approx(1 / (1 + np.exp(-3 * alphas[trained])))
        first = power.membership(tensor([[0.0]]), index, run)[0, 0, 0].item()
        assert first == pytest.approx(1 / (1 + 4 ** (exponents[trained] - 1)))


@pytest.mark.parametrize(("tol", "epochs"), [(0.0, 4), (1.0, 2)])
def test_epochs_are_counted_up_to_the_one_that_stopped(tol, epochs):
    x = np.random.default_rng(0).normal(size=(20, 3)) + 9 * np.eye(3)[np.arange(20) % 3]
    sizes = {"n_clusters": 3, "hidden_widths": (4,), "pretraining_epochs": 1, "epochs": 4, "batch_size": 10}
    model = DEC(**sizes, tol=tol, update_interval=3, random_state=0, device="cpu").fit(x)  # first asked in epoch 2
    assert model.n_iter_ == epochs
    assert len(model.history_["loss"]) == 4


# jobs


def test_seconds_add_up_over_an_interruption(jobs, monkeypatch):
    clocks = {"monotonic": itertools.count().__next__, "process_time": itertools.count(step=3).__next__}
    monkeypatch.setattr(resuming, "time", SimpleNamespace(**clocks))
    weights = jobs.pretrain("weights.h5")
    assert times_of(weights) == (2, 6)  # an epoch a second, on three processors
    whole = jobs.cluster("whole.h5", weights)
    assert times_of(whole) == (5, 15)  # and one for the start
    with stopped_after(2):
        jobs.cluster("broken.h5", weights)
    assert times_of(jobs.cluster("broken.h5", weights)) == (5, 15)


def times_of(path):
    made = read_attributes(path)["provenance"]
    return made["seconds"], made["cpu_seconds"]


def test_runs_of_a_stack_keep_their_seeds_through_both_stages(jobs):
    seeds = [7, 3, 5]
    stacked = jobs.pretrain("weights.h5", seeds=seeds)
    results = [jobs.cluster("stack.h5", stacked, seeds=seeds)]
    weights = [jobs.pretrain(f"weights{seed}.h5", seeds=[seed]) for seed in seeds]
    results += [jobs.cluster(f"{seed}.h5", path, seeds=[seed]) for seed, path in zip(seeds, weights, strict=True)]
    for together, *alone in [(stacked, *weights), results]:
        arrays = read_hdf5(together)[0]
        for s, path in enumerate(alone):
            for name, array in read_hdf5(path)[0].items():
                is_shared = name in ("snapshots/epoch", "snapshots/sample") or name.startswith("model/statistics/")
                one, many = (array, arrays[name]) if is_shared else (array[0], arrays[name][s])
                np.testing.assert_allclose(many, one, rtol=1e-3, atol=1e-4, err_msg=name)


@pytest.mark.parametrize("other", ["data", "weights", "nothing"])
@pytest.mark.parametrize("finished", [False, True], ids=["checkpoint", "result"])
def test_what_was_made_of_other_numbers_is_not_taken(finished, other, jobs, capsys):
    first, second = jobs.pretrain("first.h5"), jobs.folder / "second.h5"
    arrays, attributes = read_hdf5(first)
    write_hdf5(second, arrays={name: 1.5 * array for name, array in arrays.items()}, attributes=attributes)
    jobs.write_data("y.npz", seed=1)
    if finished:
        jobs.cluster("a.h5", first).unlink()  # Snakemake deletes what it has not seen end
    else:
        with stopped_after(2):
            jobs.cluster("a.h5", first)
    data, weights = ("y.npz" if other == "data" else "x.npz"), (second if other == "weights" else first)
    if other == "data":
        weights = jobs.pretrain("of_other_data.h5", data=data)
    expected = read_hdf5(jobs.cluster("b.h5", weights, data=data))
    capsys.readouterr()
    found = read_hdf5(jobs.cluster("a.h5", weights, data=data))
    went_on = ("trained before, to its end" if finished else "going on from epoch 2") in capsys.readouterr().out
    assert went_on == (other == "nothing")
    assert found[1]["inputs"] == expected[1]["inputs"]
    for name, array in expected[0].items():
        np.testing.assert_array_equal(found[0][name], array, err_msg=name)


def test_only_a_results_own_checkpoint_is_deleted(tmp_path):
    result, other = tmp_path / "seed0.h5", {"alpha": 2}
    own, of_other = (checkpoint_path(Namespace(output=result, spec=spec)) for spec in ({"alpha": 1}, other))
    of_neighbour = checkpoint_path(Namespace(output=tmp_path / "seed01.h5", spec={"alpha": 1}))
    for path in (own, of_other, of_neighbour):
        path.write_text("the same")
    os.link(own, result)
    confirm([result])
    assert sorted(tmp_path.iterdir()) == sorted([result, of_other, of_neighbour])


# scores and figures


@pytest.fixture
def result(tmp_path):
    """A result of seeds 7 and 3, and the true classes: in the end seed 7 is right and seed 3 half."""
    labels = np.array([[[0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 1]], [[0, 1, 0, 1], [0, 1, 0, 1], [0, 1, 0, 1]]])
    arrays = {
        "labels": labels[:, -1].astype(np.int32),
        "centers": np.zeros((2, 2, 3)),
        "decoded_centers": np.broadcast_to(np.array([7.0, 3.0])[:, None, None], (2, 2, 4)),
        "history/labels": labels.astype(np.uint8),
        "history/loss": np.array([[7.1, 7.2], [3.1, 3.2]]),
        "history/clustering": np.array([[70.0, 71.0], [30.0, 31.0]]),
        "snapshots/epoch": np.array([0, 2]),
        "snapshots/sample": np.array([2, 0]),
        "snapshots/codes": np.broadcast_to(np.array([7.0, 3.0])[:, None, None, None], (2, 2, 2, 3)),
        "snapshots/centers": np.broadcast_to(np.array([7.0, 3.0])[:, None, None, None], (2, 2, 2, 3)),
        "snapshots/membership": np.array([[[0.71, 0.72], [0.73, 0.74]], [[0.31, 0.32], [0.33, 0.34]]]),
    }
    spec = {
        "method": "m",
        "dataset": {"name": "mine", "n_clusters": 2, "scaling": "none"},
        "seeds": [7, 3],
        "estimator": "x:M",
    }
    attributes = {"spec": {**spec, "parameters": {}}, "provenance": {"seconds": 3.0}}
    path = tmp_path / "m" / "mine" / "seed7x2.h5"
    write_hdf5(path, arrays=arrays, attributes=attributes)
    np.savez(tmp_path / "mine.npz", feature=np.eye(4), target=[0, 0, 1, 1], image_shape=[2, 2])
    return path


def read_seldom(result):
    """Let a result lack the labels of its first epoch."""
    arrays, attributes = read_hdf5(result)
    arrays["history/labels"] = arrays["history/labels"][:, [0, 2]]
    arrays["history/label_epochs"] = np.array([[0, 2], [0, 2]], np.int32)
    write_hdf5(result, arrays=arrays, attributes=attributes)


def scored(result, *names):
    """Return tables of the scores of a result."""
    output = [result.with_name(f"{name}.csv") for name in names]
    write_scores(
        [result], [], data=[result.parents[2] / "mine.npz"], output=output, jobs={"stacks": [["seed7x2", [7, 3]]]}
    )
    return [pd.read_csv(path) for path in output]


@pytest.mark.parametrize("change", [lambda result: None, read_seldom], ids=["each epoch, and older files", "some"])
def test_scores_belong_to_their_seeds_and_epochs(result, change):
    change(result)
    scores, epochs = scored(result, "scores", "epochs")
    found = scores[["seed", "acc", "epochs", "seconds"]].to_numpy().tolist()
    assert found == [[7, 1, 2, 1.5], [3, 0.5, 2, 1.5]]
    rows = epochs[["seed", "epoch", "acc", "loss", "clustering"]]
    expected = [(7, 0, 0.5, None, None), (7, 1, 0.75, 7.1, 70), (7, 2, 1, 7.2, 71)]
    expected += [(3, 0, 0.5, None, None), (3, 1, 0.5, 3.1, 30), (3, 2, 0.5, 3.2, 31)]
    if change is read_seldom:
        expected = [(*row[:2], None if row[1] == 1 else row[2], *row[3:]) for row in expected]
    pd.testing.assert_frame_equal(rows, pd.DataFrame(expected, columns=rows.columns), check_dtype=False)


def test_a_figure_names_the_seed_whose_run_it_draws(result):
    run = read_run(result)
    assert run.seed == 7
    assert run.labels.tolist() == [0, 0, 1, 1]
    assert (run.epochs.tolist(), run.sample.tolist()) == ([0, 2], [2, 0])
    for array in (run.codes, run.centers, run.decoded_centers):
        assert (array == 7).all()


def test_memberships_before_and_after_are_those_of_all_runs(result):
    before, after = read_memberships([result])
    assert (before.tolist(), after.tolist()) == ([0.71, 0.72, 0.31, 0.32], [0.73, 0.74, 0.33, 0.34])


def test_figures_of_runs_name_the_seed_that_they_draw(result):
    names = ("scores", "epochs", "jobs", "parameters")
    numbers = dict(zip(names, scored(result, *names), strict=True))
    numbers["friedman"], numbers["nemenyi"] = compare_over_datasets(numbers["scores"], datasets=["mine"], methods=["m"])
    spec = {"methods": [["m", "M"]], "datasets": [["mine", "Mine"]], "ablations": [], "panels": [], "colors": {}}
    spec |= {"features": {"mine": {"n_clusters": 2}}, "jobs": {"methods": [["m", None]]}}
    dataset = Dataset(result.parents[2] / "mine.npz", key="mine", title="Mine", scaling="none")
    drawings = draw_study(Numbers(**numbers), spec, files={("mine", "m"): [result]}, load=lambda key: dataset)
    drawings = {drawing.stem: drawing for drawing in drawings}
    captions = {stem: drawing.caption for stem, drawing in drawings.items() if "seed 7" in drawing.caption}
    assert list(captions) == ["mine_tsne", "mine_contingency", "mine_members_m"]
    assert not any("seed 3" in drawing.caption for drawing in drawings.values())
    panels = drawings["mine_tsne"].figure.axes
    assert [axis.get_title(loc="right") for axis in panels] == ["50 %", "100 %"]
    assert drawings["mine_contingency"].figure.axes[0].get_title() == "M, ACC 100.0 %"


@pytest.mark.parametrize(
    ("losses", "low", "high"), [((1, 3), 1, 3), ((1, 2, 3, 4, 5), 3 - np.sqrt(2.5), 3 + np.sqrt(2.5))]
)
def test_the_band_of_curves_is_the_deviation_of_five_seeds_and_the_range_of_fewer(losses, low, high):
    rows = [
        {"method": "m", "seed": seed, "epoch": e, "clustering": loss}
        for seed, loss in enumerate(losses)
        for e in (1, 2)
    ]
    [axis] = draw_losses(pd.DataFrame(rows), methods_of({"m": "M"}, {}), dataset=("a", "A"), estimators={}).figure.axes
    [band] = axis.collections
    heights = band.get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == pytest.approx((low, high))
