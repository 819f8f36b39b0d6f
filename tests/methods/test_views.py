"""Random views: what they are, where they come in, and that nothing else sees them."""

import numpy as np
import pytest
import torch
from problems import check_resume, check_stack, trained
from sklearn.datasets import load_digits

from deepkm import CT, DCN, IDEC, DeepCluster
from deepkm.methods.dec import DEC
from deepkm.methods.dkm import DKM
from deepkm.networks.views import augment
from deepkm.study.config import check_config
from deepkm.study.plan import Study
from deepkm.training.loop import pretrain, see_views
from deepkm.training.optimizers import make_optimizer
from deepkm.training.run import Run
from deepkm.training.steps import Batch, Step

SMALL = {"n_clusters": 3, "epochs": 3, "batch_size": 16, "hidden_widths": (8,), "n_init": 2, "pretraining_epochs": 2}
STILL = {"shift": 0.0, "rotation": 0.0}


@pytest.fixture
def x():
    return torch.tensor(load_digits().data[:60] / 16)


def test_shifts_turns_and_zooms():
    side = 8
    x = torch.zeros(1, 1, side, side, dtype=torch.float64)
    x[0, 0, 3, 4] = 1
    x = x.flatten(2)
    still = augment(x, torch.zeros(1, 1, 4).to(x), shift=0.25, rotation=10, zoom=0.1)
    torch.testing.assert_close(still, x)
    draws = torch.tensor([[[0.0, 0.0, 1.0, 0.0]]], dtype=torch.float64)
    shifted = augment(x, draws, shift=0.25, rotation=0, zoom=0).view(side, side)
    torch.testing.assert_close(shifted[3, 2], torch.ones((), dtype=torch.float64))
    assert abs(float(shifted.sum()) - 1) < 1e-9
    turned = augment(x, torch.tensor([[[1.0, 0, 0, 0]]], dtype=torch.float64), shift=0, rotation=90, zoom=0)
    turned = turned.view(side, side)  # pixel (row 3, column 4) is half a pixel up and right of the middle
    torch.testing.assert_close(turned.max(), torch.ones((), dtype=torch.float64))
    assert (turned > 0.5).nonzero().tolist() == [[3, 3]]  # against the clock
    draws = torch.tensor([[[0.0, 0.0, 0.0, -1.0]]], dtype=torch.float64)
    shifted = augment(x, draws, shift=0.25, rotation=0, zoom=0).view(side, side)
    assert (shifted > 0.5).nonzero().tolist() == [[5, 4]]
    square = torch.zeros(side, side, dtype=torch.float64)
    square[2:6, 2:6] = 1
    draws = torch.tensor([[[0.0, -1.0, 0.0, 0.0]]], dtype=torch.float64)
    halved = augment(square.view(1, 1, -1), draws, shift=0, rotation=0, zoom=0.5).view(side, side)
    assert (halved > 0.5).nonzero().tolist() == [[3, 3], [3, 4], [4, 3], [4, 4]]
    constant = augment(torch.ones(1, 3, 64), 2 * torch.rand(1, 3, 4) - 1, shift=0.375, rotation=20, zoom=0.3)
    torch.testing.assert_close(constant, torch.ones(1, 3, 64))  # the border is repeated


class Scaled(torch.nn.Module):
    """An autoencoder of one weight: the code is the input times one."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1, 1, 1, dtype=torch.float64))

    def encode(self, x):
        return x * self.weight


@pytest.mark.parametrize(("form", "expected"), [(None, 0.075453), ("target", 0.244096), ("both", 0.159775)])
def test_the_worked_example(form, expected, monkeypatch):
    """Clean codes 0.5 and 1.8, those of their views 1.0 and 1.5, centers 0 and 2: DEC's divergence."""
    monkeypatch.setattr("deepkm.training.steps.augment", lambda x, draws: x.new_tensor([[[1.0], [1.5]]]))
    x = torch.tensor([[0.5], [1.8]], dtype=torch.float64)
    run, method = Run([0], Scaled()), DEC(n_clusters=2, relative_weights=False)
    run.x = x
    run.state["centers"] = torch.tensor([[[0.0], [2.0]]], dtype=torch.float64)
    run.state["target"] = torch.tensor([[[0.888250, 0.111750], [0.066068, 0.933932]]], dtype=torch.float64)
    run.optimizer = make_optimizer(run.parameters(), name="sgd", learning_rate=1e-9)
    step = Step(x, run, loss=method.loss, see=form and see_views(run, form=form, limits={}))
    step(torch.tensor([[0, 1]]), 0)
    assert abs(step.totals["clustering"].item() / 2 - expected) < 1e-6
    assert step.totals["loss"] == step.totals["clustering"]


@pytest.mark.parametrize("form", ["target", "both"])
@pytest.mark.parametrize("cls", [CT, DCN, DKM, DEC])
def test_views_without_limits_change_nothing(form, cls, x):
    plain = trained(cls(**SMALL), x, [4, 5])
    seen = trained(cls(**SMALL, views=form, view_limits=STILL), x, [4, 5])
    for name, tensor in plain.autoencoder.state_dict().items():
        torch.testing.assert_close(seen.autoencoder.state_dict()[name], tensor, rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(seen.centers, plain.centers, rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(np.stack(seen.history["labels"]), np.stack(plain.history["labels"]))
    turned = trained(cls(**SMALL, views=form), x, [4, 5])
    assert not torch.allclose(turned.centers, plain.centers, rtol=1e-3)


def test_a_sample_is_seen_alike_in_any_batch_and_stack_and_otherwise_in_another_epoch(x):
    views = []
    for seeds, index, epoch in (([4, 5], [[3, 9], [9, 3]], 0), ([5], [[9, 7, 3]], 0), ([5], [[9, 7, 3]], 1)):
        run = Run(seeds, Scaled())
        run.x, run.epoch = x, epoch
        run.draw("views", 4)
        batch = Batch(x, torch.tensor(index), run.autoencoder).views(
            run.draws["views"], {"zoom": 0, "shift": 0.1, "rotation": 10}
        )
        views.append(batch.x[-1])
        assert torch.equal(batch.clean.x, x[torch.tensor(index)])
        assert batch.clean.clean is batch.clean
    first, other, later = views
    assert torch.equal(first, other[[0, 2]])
    assert not torch.allclose(other, later)
    assert not torch.allclose(other[0], x[9])


@pytest.mark.parametrize("form", ["target", "both"])
def test_what_dcn_counts_and_moves_by_are_the_images(form, x):
    """Its step with the learning rate 0: centers, counts and assignments are those without views."""
    fixed = {**SMALL, "epochs": 1, "learning_rate": 1e-30, "initial_count": 1.0}
    plain, seen = (trained(DCN(**fixed, views=views), x, [4]) for views in (None, form))
    for name in ("centers", "counts", "assigned"):
        torch.testing.assert_close(seen.state[name], plain.state[name], rtol=0, atol=1e-12)


@pytest.mark.parametrize("form", ["target", "both"])
@pytest.mark.parametrize("cls", [CT, DCN, DEC])
def test_a_stack_and_what_is_resumed(cls, form, x, tmp_path):
    method = cls(**SMALL, views=form)
    check_stack(method, x)
    check_resume(method, x.float(), tmp_path / "run.checkpoint")


def test_pretraining_reconstructs_views_from_themselves(x, monkeypatch):
    """Of views that are all black nothing is left: the autoencoder learns to give 0."""
    method = IDEC(**{**SMALL, "pretraining_epochs": 60}, pretraining_views={"shift": 0.05})
    assert method.pretraining()["views"] == {"shift": 0.05, "rotation": 10.0, "zoom": 0.0}
    seen = []

    def black(x, draws, **limits):
        seen.append((draws, limits))
        return torch.zeros_like(x)

    monkeypatch.setattr("deepkm.training.steps.augment", black)
    run = method.start(x, seeds=[0])
    *_, last = (float(run.history["loss"][-1][0]) for _ in pretrain(x, run, **method.pretraining()))
    assert last < 1e-3
    assert seen[0][1] == method.pretraining()["views"]
    assert (seen[0][0].abs() <= 1).all()
    assert seen[0][0].min() < -0.5
    assert not torch.equal(seen[0][0], seen[4][0])  # the next epoch


def test_labels_of_new_data_do_not_depend_on_views(x):
    model = CT(**SMALL, views="target", pretraining_views={}, random_state=0).fit(x)
    np.testing.assert_array_equal(model.labels_, model.predict(x))
    model.set_params(views=None)
    np.testing.assert_array_equal(model.labels_, model.predict(x))


def test_deepcluster_may_see_the_images_as_they_are(x):
    options = {"n_clusters": 3, "epochs": 2, "batch_size": 32, "n_pseudo_labels": 5, "n_init": 1, "random_state": 0}
    plain, still, turned = (
        DeepCluster(**options, views=views, view_limits=limits).fit(x).transform(x)
        for views, limits in ((None, None), ("target", {**STILL, "zoom": 0.0}), ("target", None))
    )
    np.testing.assert_allclose(plain, still, atol=1e-6)
    assert not np.allclose(plain, turned, atol=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"views": "targets"}, "views='targets' should be 'target' or 'both' or None"),
        ({"views": "both", "view_limits": {"turn": 3}}, r"should be keys of \{shift, rotation, zoom\} or None"),
        ({"views": "both", "view_limits": {"shift": 2}}, r"view_limits=.* should be shift in \[0, 1\)"),
        ({"pretraining_views": 3}, r"pretraining_views=3 should be keys of \{shift, rotation, zoom\} or None"),
    ],
)
def test_bad_limits_get_one_clear_line(options, message, x):
    with pytest.raises(ValueError, match=message):
        CT(**SMALL, **options).fit(x)


@pytest.mark.parametrize("options", [{"views": "both"}, {"pretraining_views": {}}])
def test_tables_have_no_views(options):
    with pytest.raises(
        ValueError, match=r"n_features=5 should be a square .*: convolutions and views take square grey"
    ):
        CT(**SMALL, **options).fit(np.random.default_rng(0).normal(size=(20, 5)))


def test_a_study_names_views(config):
    config["autoencoders"]["mlp_views"] = {"kind": "mlp", "views": {"shift": "0.2", "rotation": 5}}
    config["methods"]["dec"] |= {"autoencoder": "mlp_views", "views": "target", "view_limits": {"zoom": 0.1}}
    config["study"] = {"datasets": ["digits"], "methods": ["km", "dec", "idec"], "seeds": [0]}
    study = Study(config)
    assert study.autoencoder_spec("digits", "mlp_views", "seed0")["parameters"]["pretraining_views"] == {
        "shift": 0.2,
        "rotation": 5.0,
    }
    parameters = study.cluster_spec("digits", "dec", "seed0")["parameters"]
    assert (parameters["views"], parameters["view_limits"]) == ("target", {"zoom": 0.1})
    assert study.cluster_spec("digits", "idec", "seed0")["parameters"]["views"] is None
    config["study"]["datasets"] = ["rcv1"]
    with pytest.raises(ValueError, match=r"methods\.dec: got the data set rcv1, which it cannot take: n_features=2000"):
        Study(config)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("autoencoders", {"shift": 3}, r"autoencoders\.mlp\.views: got {'shift': 3}, expected shift in \[0, 1\)"),
        (
            "autoencoders",
            {"turn": 3},
            r"autoencoders\.mlp\.views: got {'turn': 3}, expected keys of {shift, rotation, ",
        ),
        ("methods", "yes", r"methods\.dec\.views: got 'yes', expected 'target' or 'both' or null"),
    ],
)
def test_a_study_with_wrong_views_is_refused(place, value, message, config):
    config[place]["mlp" if place == "autoencoders" else "dec"]["views"] = value
    with pytest.raises(ValueError, match=message):
        check_config(config)
