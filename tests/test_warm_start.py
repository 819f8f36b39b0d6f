"""How fine-tuning starts after pretraining: with Adam's moments, by small steps, or as ever."""

from argparse import Namespace
from functools import cache

import numpy as np
import pytest
import torch
from test_contract import CONFIG, make_method

from deepkm.files import read_hdf5, write_hdf5
from deepkm.jobs.inputs import digest_inputs
from deepkm.stages import autoencoder, cluster
from deepkm.study.plan import Study
from deepkm.training import loop as training
from deepkm.training import steps
from deepkm.training.checkpoint import restore_run, save_run
from deepkm.training.loop import pretrain, train
from deepkm.training.optimizers import make_optimizer

PRETRAINED = {"epochs": 3, "pretraining_epochs": 2}
CASES = dict.fromkeys(("aekm_long", "dcn", "dec", "idec", "dkm", "dkm_reinit", "ct", "ct_no_reinit"), PRETRAINED)
CASES |= {"conv_dkm": {**PRETRAINED, "autoencoder": "conv"}, "deepcluster": {**PRETRAINED, "autoencoder": "mlp"}}
CASES |= {"dkm_annealed": PRETRAINED}
UNTRAINED = {"dkm_annealed": {}, "deep_power_kmeans": {}, "conv_dkm": {}, "deepcluster": {}, "soft_kmeans": {}}


@pytest.fixture
def x():
    """Three blobs of images of 8 x 8; batches of 32 make four steps an epoch."""
    random = np.random.default_rng(0)
    return torch.tensor(random.normal(size=(100, 64)) + 3 * random.normal(size=(3, 64))[np.arange(100) % 3])


def tensors(run):
    return {name: tensor.detach() for name, tensor in (run.autoencoder.state_dict() | run.state).items()}


def assert_same_runs(found, expected):
    for name, tensor in tensors(expected).items():
        torch.testing.assert_close(tensors(found)[name], tensor, rtol=0, atol=0, equal_nan=True)
    for name, values in expected.history.items():
        np.testing.assert_array_equal(np.stack(found.history[name]), np.stack(values), err_msg=name)
    return True


# The optimizer


def test_a_tensor_that_joins_later_is_corrected_for_its_own_start():
    """Weights with 999 steps behind them, a center with none: Adam's equations, by hand."""
    weight, center = (torch.zeros(1, 1, dtype=torch.float64, requires_grad=True) for _ in range(2))
    optimizer = make_optimizer({"weight": weight, "center": center}, learning_rate=0.1)
    moments = {"step": torch.tensor(999.0), "exp_avg": torch.full_like(weight, 2.0)}
    optimizer.take_over({"weight": moments | {"exp_avg_sq": torch.full_like(weight, 9.0)}}, scale=1.0)
    (3 * weight + 5 * center).sum().backward()
    optimizer.step()
    first, second = 0.9 * 2 + 0.1 * 3, 0.999 * 9 + 0.001 * 9
    corrected = first / (1 - 0.9**1000) / (second / (1 - 0.999**1000)) ** 0.5
    assert weight.item() == pytest.approx(-0.1 * corrected, rel=1e-6)
    assert center.item() == pytest.approx(-0.1, rel=1e-6)  # a first step is the learning rate
    assert [int(optimizer.moments[name]["step"]) for name in ("weight", "center")] == [1000, 1]


def test_moments_follow_the_scale_of_the_loss():
    """A tenth of the loss, with moments scaled likewise, moves as all of it does."""
    moved = []
    for scale in (1.0, 0.1):
        weight = torch.zeros(1, 1, dtype=torch.float64, requires_grad=True)
        optimizer = make_optimizer({"weight": weight}, learning_rate=0.1)
        moments = {"step": torch.tensor(50.0), "exp_avg": torch.full_like(weight, 2.0)}
        optimizer.take_over({"weight": moments | {"exp_avg_sq": torch.full_like(weight, 9.0)}}, scale=scale)
        (scale * 3 * weight).sum().backward()
        optimizer.step()
        moved.append(weight.item())
    assert moved[1] == pytest.approx(moved[0], rel=1e-6)


def test_the_rate_rises_to_the_learning_rate_and_stays():
    weight = torch.zeros(1, 1, dtype=torch.float64, requires_grad=True)
    optimizer = make_optimizer({"weight": weight}, name="sgd", learning_rate=0.3, warm_up=4)
    rates = []
    for number in range(6):
        optimizer.zero_grad()
        optimizer.set_rate(number)
        weight.sum().backward()
        before = weight.item()
        optimizer.step()
        rates.append(before - weight.item())
    assert rates == pytest.approx([0.075, 0.15, 0.225, 0.3, 0.3, 0.3], rel=1e-12)
    assert optimizer.rate == 0.3


# Methods


def pretrained_steps(method, x):
    return method.pretraining_epochs * -(-len(x) // method.pretraining_batch_size)


@pytest.mark.parametrize("key", ["aekm_long", "dcn", "idec", "dkm", "ct", "ct_no_reinit", "conv_dkm"])
def test_weights_go_on_counting_and_centers_begin(key, x):
    method = make_method(key, **{**CASES[key], "warm_start": "moments"})
    moments = method.train_runs(x, seeds=[5]).optimizer.moments
    counts = {name: int(own["step"]) for name, own in moments.items()}
    taken = 4 * method.epochs
    assert {count for name, count in counts.items() if name.startswith("autoencoder.")} == {
        pretrained_steps(method, x) + taken
    }
    assert counts.get("centers", taken) == taken


def test_longer_training_with_moments_is_one_training(x):
    """`aekm_long` goes on as if pretraining had never ended, given the same batches."""
    method = make_method("aekm_long", **PRETRAINED, warm_start="moments", pretraining_batch_size=32)
    run = method.train_runs(x, seeds=[5])
    whole = method.start(x, seeds=[5])
    for _ in pretrain(x, whole, **method.pretraining()):
        pass
    step = steps.Step(x, whole, loss=lambda batch, run: batch.reconstruction)
    for epoch in range(method.epochs):
        order = method.order(len(x), Namespace(seeds=[5], epoch=epoch))
        for number, index in enumerate(order.split(32, dim=1)):
            step(index, number)
    for name, tensor in whole.autoencoder.state_dict().items():
        assert torch.equal(run.autoencoder.state_dict()[name], tensor)


@pytest.mark.parametrize("how", ["moments", "steps"])
@pytest.mark.parametrize("key", CASES)
def test_stacked_runs_equal_single_runs(key, how, x):
    method = make_method(key, **CASES[key], warm_start=how)
    stacked = method.train_runs(x, seeds=[5, 6, 7])
    for s, seed in enumerate(stacked.seeds):
        single = tensors(method.train_runs(x, seeds=[seed]))
        for name, tensor in tensors(stacked).items():
            torch.testing.assert_close(tensor[s], single[name][0], rtol=0, atol=1e-10, equal_nan=True)


@pytest.mark.parametrize("stop", range(4))
@pytest.mark.parametrize("how", ["moments", "steps"])
@pytest.mark.parametrize("key", CASES)
def test_resumed_equals_uninterrupted(key, how, stop, x, tmp_path):
    method = make_method(key, **CASES[key], warm_start=how)
    path, options = tmp_path / "run", {"optimizer_options": method.optimizer_options(), "device": "cpu"}
    runs = []

    def spy(method, x, run):
        for _ in train(method, x, run):
            if run.epoch == stop:
                save_run(path, run, spec={})
            yield run

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("deepkm.training.trainable.train", spy)
        runs.append(method.train_runs(x, seeds=[5, 6]))
    resumed = method.start(x, seeds=[5, 6])
    assert restore_run(path, resumed, spec={}, **options)
    for _ in train(method, x, resumed):
        pass
    assert_same_runs(resumed, runs[0])


@pytest.mark.parametrize("how", ["moments", "steps"])
@pytest.mark.parametrize("key", UNTRAINED)
def test_without_a_pretrained_code_there_is_nothing_to_spare(key, how, x):
    plain = make_method(key, warm_start="none").train_runs(x, seeds=[5])
    assert_same_runs(make_method(key, warm_start=how).train_runs(x, seeds=[5]), plain)


def test_sgd_has_no_use_for_moments_but_warms_up(x):
    plain, moments, slowly = (
        make_method("dec", **PRETRAINED, warm_start=how).train_runs(x, seeds=[5])
        for how in ("none", "moments", "steps")
    )
    assert_same_runs(moments, plain)
    assert not torch.equal(slowly.centers, plain.centers)


@pytest.mark.parametrize("how", ["moments", "steps"])
def test_the_pretrained_code_outlives_the_first_steps(how):
    """Two steps an epoch and a code that fits: a new Adam throws it away in the first one."""
    random = torch.Generator().manual_seed(0)
    low, wide = torch.randn(100, 3, generator=random), torch.randn(3, 64, generator=random)
    given = {"epochs": 1, "pretraining_epochs": 100, "hidden_widths": (64,), "batch_size": 50, "learning_rate": 3e-3}
    given |= {"pretraining_batch_size": 50, "pretraining_learning_rate": 3e-3}
    errors = {}
    for start in ("none", how):
        run = make_method("dcn", **given, warm_start=start).train_runs((low @ wide).double(), seeds=[5])
        errors[start] = run.history["reconstruction"][0].item()
    assert errors[how] < 0.5 * errors["none"]


def test_steps_are_recorded_once_the_rate_has_risen(x, monkeypatch):
    calls = []
    monkeypatch.setattr(steps, "record", lambda function, device: lambda: calls.append(function()))
    monkeypatch.setattr(training, "can_record", lambda x: True)
    monkeypatch.setattr("deepkm.training.trainable.WARM_UP_STEPS", 5)
    options = {"pretraining_epochs": 1, "epochs": 3, "pretraining_batch_size": 128}
    method = make_method("dkm", **options, warm_start="steps")
    run = method.train_runs(x, seeds=[5])
    assert len(calls) == 2 * 2  # of three epochs of four steps, the second begins with the fifth step
    monkeypatch.undo()
    monkeypatch.setattr("deepkm.training.trainable.WARM_UP_STEPS", 5)
    assert_same_runs(run, method.train_runs(x, seeds=[5]))


# The workflow


@cache
def study_of(how, pretraining_epochs=2):
    parts = {"study": {"datasets": ["blobs"], "methods": ["ct", "dcn", "dec"], "seeds": [7, 8]}, "seeds_per_job": 2}
    parts["training"] = {**CONFIG["training"], "pretraining_epochs": pretraining_epochs, "epochs": 3}
    parts["training"]["warm_start"] = how
    parts["autoencoders"] = {**CONFIG["autoencoders"], "mlp": {"kind": "mlp", "hidden_widths": [8]}}
    return Study({**CONFIG, **parts})


class Jobs:
    """The two training stages, called in this process."""

    def __init__(self, folder):
        self.folder = folder
        feature = np.random.default_rng(0).normal(size=(60, 4)) + 6 * np.eye(4)[np.arange(60) % 3]
        self.x = feature.astype(np.float32)
        np.savez(folder / "x.npz", feature=self.x)

    def pretrain(self, study, output="weights.h5"):
        return self._call(autoencoder, study.autoencoder_spec("blobs", "mlp", "seed7x2"), output)

    def cluster(self, study, method, weights, output="a.h5"):
        return self._call(cluster, study.cluster_spec("blobs", method, "seed7x2"), output, autoencoder=[weights])

    def _call(self, stage, spec, output, **inputs):
        spec["dataset"] = {**spec["dataset"], "scaling": "none"}
        options = {"device": "cpu", "threads": 1, "checkpoint_seconds": 1e9, **inputs}
        stage.main(Namespace(spec=spec, data=self.folder / "x.npz", output=self.folder / output, **options))
        return self.folder / output


@pytest.fixture
def jobs(tmp_path, monkeypatch):
    monkeypatch.delenv("DEEPKM_CACHE", raising=False)
    return Jobs(tmp_path)


@pytest.mark.parametrize("how", ["none", "moments", "steps"])
@pytest.mark.parametrize("key", ["ct", "dcn", "dec"])
def test_the_workflow_gives_what_a_method_alone_gives(key, how, jobs):
    study = study_of(how)
    result, _ = read_hdf5(jobs.cluster(study, key, jobs.pretrain(study)))
    spec = study.cluster_spec("blobs", key, "seed7x2")
    assert spec["parameters"]["warm_start"] == how
    small = {name: spec["parameters"][name] for name in ("hidden_widths", "n_clusters", "epochs", "pretraining_epochs")}
    method = make_method(key, **{**spec["parameters"], **small})
    run = method.train_runs(torch.from_numpy(jobs.x), seeds=[7, 8])
    np.testing.assert_array_equal(result["centers"], run.centers.numpy(force=True))
    np.testing.assert_array_equal(result["history/labels"], np.stack(run.history["labels"], axis=1))


def test_an_autoencoder_keeps_the_moments_that_its_training_ended_with(jobs):
    arrays, _ = read_hdf5(jobs.pretrain(study_of("none")))
    weights = {name for name in arrays if name.startswith("autoencoder/")}
    for name in weights:
        own = name.replace("autoencoder/", "optimizer/autoencoder.")
        for moment in ("exp_avg", "exp_avg_sq"):
            assert arrays[f"{own}/{moment}"].shape == arrays[name].shape
            assert arrays[f"{own}/{moment}"].dtype == np.float32
        assert arrays[f"{own}/step"].tolist() == [2, 2]
    assert len([name for name in arrays if name.startswith("optimizer/")]) == 3 * len(weights)


def test_an_autoencoder_without_moments_gets_one_line(jobs):
    path = jobs.pretrain(study_of("moments"))
    arrays, attributes = read_hdf5(path)
    former = {name: array for name, array in arrays.items() if not name.startswith("optimizer/")}
    write_hdf5(path, arrays=former, attributes=attributes)
    with pytest.raises(OSError, match="got an autoencoder without its optimizer's moments, expected them") as caught:
        jobs.cluster(study_of("moments"), "ct", path)
    assert "\n" not in str(caught.value)
    jobs.cluster(study_of("none"), "ct", path)


@pytest.mark.parametrize("how", ["none", "moments"])
def test_moments_are_an_input_of_those_who_carry_them(how, jobs):
    """The digest of what a job reads keeps a checkpoint from going on with something else."""
    study, path = study_of(how), jobs.pretrain(study_of(how))
    spec = study.cluster_spec("blobs", "ct", "seed7x2")
    args = Namespace(spec=spec, data=jobs.folder / "x.npz", autoencoder=[path])
    spec["dataset"] = {**spec["dataset"], "scaling": "none"}
    before = digest_inputs(args)
    arrays, attributes = read_hdf5(path)
    arrays["optimizer/autoencoder.encoder.0.weight/exp_avg"] += 1
    write_hdf5(path, arrays=arrays, attributes=attributes)
    assert (digest_inputs(args) != before) == (how == "moments")


def test_an_untrained_autoencoder_has_no_moments_to_miss(jobs):
    study = study_of("moments", 0)
    path = jobs.pretrain(study)
    assert not [name for name in read_hdf5(path)[0] if name.startswith("optimizer/")]
    jobs.cluster(study, "ct", path)


def test_training_and_entries_set_it(config):
    config["training"]["warm_start"] = "moments"
    config["methods"]["ct"]["warm_start"] = "steps"
    config["methods"]["dcn"] |= {"warm_start": None, "per_dataset": {"blobs": {"warm_start": "none"}}}
    config["study"] = {"datasets": ["digits", "blobs"], "methods": ["ct", "dcn", "dkm"], "seeds": [0]}
    study = Study(config)
    found = {
        (dataset, key): study.cluster_spec(dataset, key, "seed0")["parameters"]["warm_start"]
        for dataset in study.datasets
        for key in study.methods
    }
    assert [found["digits", key] for key in study.methods] == ["steps", "moments", "moments"]
    assert [found["blobs", key] for key in study.methods] == ["steps", "none", "moments"]
    config["training"]["warm_start"] = "moment"
    with pytest.raises(ValueError, match=r"training.warm_start: got 'moment', expected 'none', 'moments', 'steps' or"):
        Study(config)
