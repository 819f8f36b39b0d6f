"""DeepCluster against its formulas, evaluated sample by sample, and its limits."""

import math

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits, make_blobs
from sklearn.metrics import normalized_mutual_info_score

from deepkm import DeepCluster
from deepkm.networks.convnet import ConvNet, dropout_mask
from deepkm.numerics.whitening import (
    agreement,
    cluster,
    draw_evenly,
    draw_from_each,
    fit_whitening,
    split_empty,
    whiten,
)
from deepkm.training.checkpoint import restore_run, save_run
from deepkm.training.loop import train
from deepkm.training.run import Run
from deepkm.training.steps import Batch

VECTORS = {"n_clusters": 3, "autoencoder": "mlp", "hidden_widths": (8,), "n_latent": 6, "batch_size": 32}
VECTORS |= {"epochs": 4, "n_pseudo_labels": 8, "n_init": 2, "views": None}
IMAGES = {"n_clusters": 3, "epochs": 2, "batch_size": 64, "n_pseudo_labels": 8, "n_init": 2, "n_latent": 16}


@pytest.fixture
def images():
    return torch.tensor(load_digits().data[:100] / 16)


@pytest.fixture
def vectors():
    return torch.tensor(make_blobs(n_samples=90, n_features=6, centers=3, random_state=1)[0] / 10)


def random_tensor(*size, seed=0):
    return torch.randn(size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def fit(x, seeds, options):
    method = DeepCluster(**options)
    run = method.start(x, seeds=seeds)
    for _ in train(method, x, run):
        pass
    return run


@pytest.fixture
def batch_and_run(vectors):
    """A batch of 10 samples whose features of length 4 are leaves, and a run with 5 pseudo-labels."""
    run = Run([0], torch.nn.Identity())
    run.epoch = 3
    run.state["head"] = random_tensor(1, 5, 5, seed=1)  # 4 features and the bias
    run.state["pseudo_labels"] = torch.randint(5, (1, 90), generator=torch.Generator().manual_seed(2))
    batch = Batch(vectors, torch.arange(5, 15).unsqueeze(0), None)
    return batch, run


class FixedFeatures(DeepCluster):
    def _features(self, batch, run):
        return random_tensor(1, 10, 4, seed=3).requires_grad_()


def cross_entropy_by_loops(z, head, labels):
    total = 0.0
    for i in range(len(z)):
        logits = []
        for k in range(head.shape[1]):
            logit = head[-1, k]
            for d in range(z.shape[1]):
                logit = logit + (z[i, d] if z[i, d] > 0 else 0 * z[i, d]) * head[d, k]
            logits.append(logit)
        normaliser = sum(torch.exp(logit) for logit in logits)
        total = total - torch.log(torch.exp(logits[labels[i]]) / normaliser) / len(z)
    return total


def test_loss_and_gradient(batch_and_run):
    batch, run = batch_and_run
    value = FixedFeatures().loss(batch, run)
    z = batch.z.detach()[0].requires_grad_()
    expected = cross_entropy_by_loops(z, run.state["head"][0], run.state["pseudo_labels"][0, 5:15].tolist())
    torch.testing.assert_close(value[0], expected, rtol=0, atol=1e-8)
    gradient = torch.autograd.grad(value.sum(), batch.z)[0][0]
    torch.testing.assert_close(gradient, torch.autograd.grad(expected, z)[0], rtol=0, atol=1e-8)


def test_the_head_steps_along_its_gradient(batch_and_run):
    batch, run = batch_and_run
    method = FixedFeatures(learning_rate=0.1, weight_decay=0.01)
    method.loss(batch, run)
    before = run.state["head"].clone()
    head = before[0].clone().requires_grad_()
    loss = cross_entropy_by_loops(batch.z.detach()[0], head, run.state["pseudo_labels"][0, 5:15].tolist())
    gradient = torch.autograd.grad(loss, head)[0]
    with torch.no_grad():
        method.after_step(batch, run)
    expected = before[0] - 0.1 * (gradient + 0.01 * before[0])
    torch.testing.assert_close(run.state["head"][0], expected, rtol=0, atol=1e-8)


def test_network_has_the_parameters_of_its_design():
    network = ConvNet(n_runs=1, n_features=784, n_latent=128)
    assert sum(tensor.numel() for tensor in network.parameters()) == 158_784


@pytest.mark.parametrize("side", [8, 9, 16, 28])
def test_network_equals_plain_layers(side):
    """Run 1 of two against PyTorch's own layers, in training and after it."""
    network = ConvNet(n_runs=2, n_features=side**2, n_latent=3)
    network.initialize([torch.Generator().manual_seed(seed) for seed in (0, 1)])
    network.double()
    x, keep = random_tensor(2, 5, side**2), random_tensor(2, 5, 512).relu()
    layers, pooling = [], [torch.nn.MaxPool2d(2), torch.nn.MaxPool2d(2), torch.nn.AdaptiveAvgPool2d(2)]
    for convolution, pool in zip(network.convolutions, pooling, strict=True):
        _, n_out, n_in, _, _ = convolution.weight.shape
        plain = torch.nn.Conv2d(n_in, n_out, 3, padding=1).double()
        plain.load_state_dict({"weight": convolution.weight[1], "bias": convolution.bias[1]})
        layers += [plain, torch.nn.BatchNorm2d(n_out).double(), torch.nn.ReLU(), pool]
    body = torch.nn.Sequential(*layers)
    expected = (body(x[1].view(5, 1, side, side)).flatten(1) * keep[1]) @ network.to_code.weight[1]
    torch.testing.assert_close(network.encode(x, keep)[1], expected, rtol=0, atol=1e-12)
    body.eval()
    expected = body(x[1].view(5, 1, side, side)).flatten(1) @ network.to_code.weight[1]
    torch.testing.assert_close(network.encode(x)[1], expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(network.norms[0].running_var[1], body[1].running_var, rtol=0, atol=1e-12)


def test_two_passes_give_the_same_features(images):
    run = fit(images, [0], IMAGES)
    assert torch.equal(run.encode(images), run.encode(images))


def test_whitened_covariance_is_the_identity():
    z = random_tensor(2, 400, 6) @ random_tensor(2, 6, 6, seed=1) * 10 + 3
    mean, projection = fit_whitening(z, 4)
    white = (z - mean) @ projection
    covariance = white.mT @ white / 400
    torch.testing.assert_close(covariance, torch.eye(4, dtype=torch.float64).expand(2, -1, -1), rtol=0, atol=1e-4)
    assert whiten(z, mean, projection).norm(dim=-1).sub(1).abs().max() < 1e-3
    assert fit_whitening(z[:, :3], 6)[1].shape == (2, 6, 2)  # N - 1 components


def test_every_pseudo_label_is_drawn_equally_often():
    labels = torch.tensor([0] * 50 + [2] * 3 + [5] * 30)  # k+ = 3 of N = 83
    drawn = draw_from_each(labels, torch.Generator().manual_seed(0))
    assert torch.bincount(labels[drawn]).tolist() == [28, 0, 28, 0, 0, 28]
    assert len(drawn[:28].unique()) == 28  # without replacement where there are enough
    (order,) = draw_evenly(labels.unsqueeze(0), [torch.Generator().manual_seed(0)])
    assert len(order) == 83
    assert torch.bincount(labels[order])[[0, 2, 5]].min() >= 27


@pytest.mark.parametrize("duplicates", [False, True])
def test_no_cluster_is_empty(duplicates):
    z = random_tensor(60, 4) * (0 if duplicates else 1)
    labels = torch.zeros(60, dtype=torch.long)
    split_empty(z, labels, 10, torch.Generator().manual_seed(0))
    assert len(labels.unique()) == 10
    found = cluster(z.unsqueeze(0), 50, [torch.Generator().manual_seed(0)])
    assert len(found.unique()) == 50


def test_pseudo_labels_are_those_of_twenty_lloyd_iterations():
    """From the samples that the generator draws first; no cluster gets empty here."""
    z = random_tensor(80, 3)
    (found,) = cluster(z.unsqueeze(0), 4, [torch.Generator().manual_seed(5)])
    centers = z[torch.randperm(80, generator=torch.Generator().manual_seed(5))[:4]].tolist()
    inertia = []
    for _ in range(20):
        labels, total = [], 0.0
        for sample in z.tolist():
            distance = [sum((a - b) ** 2 for a, b in zip(sample, center, strict=True)) for center in centers]
            labels.append(distance.index(min(distance)))
            total += min(distance)
        inertia.append(total)
        for k in range(4):
            members = [sample for sample, label in zip(z.tolist(), labels, strict=True) if label == k]
            centers[k] = [sum(column) / len(members) for column in zip(*members, strict=True)]
    assert found.tolist() == labels
    assert inertia[3] < inertia[1] < inertia[0]  # one iteration would not do


def test_dropout_keeps_the_mean():
    mask = dropout_mask(random_tensor(2, 300, 64), 0.2, seeds=[0, 1], step=0, epoch=0)
    assert mask.unique().tolist() == [0, 1.25]
    assert mask.mean().item() == pytest.approx(1, abs=0.01)
    assert not torch.equal(mask[0], mask[1])


def test_the_network_decays(images):
    method = DeepCluster(**{**IMAGES, "dropout": 0.0}, weight_decay=0.5)
    run = method.start(images, seeds=[0])
    for _ in train(method, images, run):
        pass
    assert run.optimizer.weight_decay == 0.5


def test_a_split_halves_one_cluster():
    z = torch.tensor([[0.0], [1.0], [2.0], [3.0], [9.0]], dtype=torch.float64)
    labels = torch.tensor([0, 0, 0, 0, 1])
    split_empty(z, labels, 3, torch.Generator().manual_seed(0))  # the donor is 0: the other has one sample
    assert labels[0] == labels[1] != labels[2] == labels[3]
    assert sorted(torch.bincount(labels).tolist()) == [1, 2, 2]


def test_agreement_is_nmi():
    first, second = (torch.randint(4, (2, 70), generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    expected = [normalized_mutual_info_score(*pair) for pair in zip(first.numpy(), second.numpy(), strict=True)]
    np.testing.assert_allclose(agreement(first, second), expected, rtol=0, atol=1e-12)
    assert agreement(torch.zeros(1, 5).long(), torch.zeros(1, 5).long()) == 1


def test_the_head_is_drawn_anew_each_epoch(images):
    method, heads = DeepCluster(**IMAGES), []
    run = method.start(images, seeds=[0])
    for _ in train(method, images, run):
        heads.append(run.state["head"].clone())
    assert len({float(head.sum()) for head in heads}) == len(heads) == 3
    for head in heads:
        assert abs(float(head[:, :-1].std()) - 0.01) < 0.003
        assert (head[:, -1] == 0).all()


@pytest.mark.parametrize(("data", "options"), [("images", IMAGES), ("vectors", VECTORS)])
def test_stacked_runs_equal_single_runs(data, options, request):
    x, seeds = request.getfixturevalue(data), [5, 6, 7]
    stacked = fit(x, seeds, options)
    for s, seed in enumerate(seeds):
        single = fit(x, [seed], options)
        torch.testing.assert_close(stacked.centers[s], single.centers[0], rtol=0, atol=1e-10)
        for name, tensor in (single.autoencoder.state_dict() | single.state).items():
            other = (stacked.autoencoder.state_dict() | stacked.state)[name][s]
            torch.testing.assert_close(other, tensor[0], rtol=0, atol=1e-10, msg=name)


def test_a_run_has_no_gradient_on_another(images):
    method = DeepCluster(**IMAGES)
    run = method.start(images, seeds=[0, 1, 2])
    with torch.no_grad():
        run.epoch = 0
        method.before_epoch(run.encode(images), run)
    loss = method.loss(Batch(images, torch.arange(20).expand(3, -1), run.autoencoder), run)
    for gradient in torch.autograd.grad(loss[1], list(run.parameters().values())):
        assert gradient[1].any()
        assert not gradient[[0, 2]].any()


@pytest.mark.parametrize(("data", "options"), [("images", IMAGES), ("vectors", VECTORS)])
def test_resumed_equals_uninterrupted(data, options, request, tmp_path):
    x, method = request.getfixturevalue(data).float(), DeepCluster(**options)
    whole, broken = fit(x, [5, 6], options), method.start(x, seeds=[5, 6])
    for _ in train(method, x, broken):
        if broken.epoch == 1:
            break
    save_run(tmp_path / "run", broken, spec={})
    resumed = method.start(x, seeds=[5, 6])
    assert restore_run(tmp_path / "run", resumed, spec={}, optimizer_options=method.optimizer_options(), device="cpu")
    for _ in train(DeepCluster(**options), x, resumed):
        pass
    for name, tensor in (whole.autoencoder.state_dict() | whole.state).items():
        assert torch.equal(tensor, (resumed.autoencoder.state_dict() | resumed.state)[name]), name
    for name, values in whole.history.items():
        np.testing.assert_array_equal(np.stack(values), np.stack(resumed.history[name]))


def test_agreement_with_the_last_epoch_rises_on_digits():
    x = (load_digits().data[:600] / 16).astype(np.float32)
    method = DeepCluster(
        n_clusters=10,
        epochs=8,
        batch_size=16,
        n_pseudo_labels=30,
        n_init=1,
        view_limits={"shift": 0.125},
        random_state=0,
    )
    history = method.fit(x).losses_
    nmi = history["pseudo_label_nmi"]
    assert len(nmi) == 8
    # The first value compares two clusterings of features that hardly moved: the head has to learn first.
    assert nmi[-2:].mean() > nmi[1:3].mean()
    assert history["clustering"][-1] < history["clustering"][0] < math.log(30) + 0.01


def test_prediction_and_features(images):
    x = images.numpy()
    method = DeepCluster(**IMAGES, random_state=0).fit(x)
    np.testing.assert_array_equal(method.labels_, method.predict(x))
    assert method.transform(x).shape == (100, 16)
    assert method.cluster_centers_.shape == (3, 16)


def test_bad_parameters_get_one_clear_line(images):
    with pytest.raises(ValueError, match=r"dropout=1 should be in \[0, 1\)"):
        DeepCluster(dropout=1).fit(images.numpy())
    with pytest.raises(ValueError, match="n_features=60 should be a square"):
        DeepCluster().fit(images.numpy()[:, :60])
