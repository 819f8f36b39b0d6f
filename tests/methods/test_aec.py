"""AEC: means before labels, its loss, and its limits."""

import torch
from problems import SMALL, blobs, check_resume, check_stack, first_batch, initialized, trained

from deepkm.methods.aec import AEC
from deepkm.methods.km import KMeans
from deepkm.training.run import Run

METHOD = AEC(**SMALL)


def test_means_of_the_old_members_come_before_labels():
    """Codes 0, 1, 2, 9 in two clusters of two, and once more."""
    z = torch.tensor([[[0.0], [1.0], [2.0], [9.0]]], dtype=torch.float64)
    run, method = Run([0], None), AEC(n_clusters=2)
    run.centers, run.state["assigned"] = torch.zeros(1, 2, 1, dtype=torch.float64), torch.tensor([[0, 0, 1, 1]])
    found = []
    for _ in range(2):
        method.before_epoch(z, run)
        found.append((run.centers.flatten().tolist(), run.state["assigned"].flatten().tolist()))
    assert found == [([0.5, 5.5], [0, 0, 0, 1]), ([1.0, 9.0], [0, 0, 0, 1])]


def test_an_empty_cluster_keeps_its_center():
    z = torch.tensor([[[0.0], [1.0]]], dtype=torch.float64)
    run, method = Run([0], None), AEC(n_clusters=2)
    run.centers, run.state["assigned"] = torch.tensor([[[3.0], [7.0]]]).double(), torch.tensor([[0, 0]])
    method.before_epoch(z, run)
    assert run.centers.flatten().tolist() == [0.5, 7.0]


def test_loss_equals_loops():
    x = blobs()
    run = initialized(METHOD, x, [0, 1])
    batch = first_batch(run, x)
    for s, loss in enumerate(METHOD.loss(batch, run)):
        total = 0
        for i, z, x_hat in zip(batch.index[s], batch.z[s], batch.x_hat[s], strict=True):
            own = run.centers[s, run.state["assigned"][s, i]]
            total += (x_hat - x[i]).square().sum() + 0.1 * (z - own).square().sum()
        torch.testing.assert_close(loss, total / len(batch.index[s]), rtol=0, atol=1e-10)


def test_without_its_weight_it_trains_the_autoencoder_alone():
    x = blobs()
    plain, free = trained(KMeans(**SMALL, autoencoder="mlp"), x), trained(AEC(**SMALL, clustering_weight=0.0), x)
    for name, tensor in plain.autoencoder.state_dict().items():
        assert torch.equal(free.autoencoder.state_dict()[name], tensor), name


def test_on_a_code_that_does_not_move_it_ends_where_lloyd_does():
    x = blobs()
    run = initialized(AEC(**SMALL, initial_centers="data"), x, [0])
    z, inertia = run.encode(x), []
    for _ in range(30):
        METHOD.before_epoch(z, run)
        inertia.append((z - run.centers[:, run.state["assigned"][0]]).square().sum().item())
    assert inertia == sorted(inertia, reverse=True)
    label = run.state["assigned"][0]
    means = torch.stack([z[0, label == k].mean(0) for k in range(3)])
    torch.testing.assert_close(run.centers[0], means)


def test_one_cluster_is_the_mean():
    x = blobs()
    run = trained(AEC(**SMALL | {"n_clusters": 1}), x, [0, 1])
    torch.testing.assert_close(run.centers, run.encode(x).mean(1, keepdim=True))


def test_a_stack_and_what_is_resumed(tmp_path):
    check_stack(METHOD, blobs())
    check_resume(METHOD, blobs(), tmp_path / "run.checkpoint")
