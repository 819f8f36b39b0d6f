"""Power k-means against the formula, its limits and its descent."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from problems import blobs, check_resume, check_stack, trained

from deepkm import KMeans, PowerKMeans
from deepkm.numerics.centers import expanded_distances, log_power_mean
from deepkm.numerics.kmeans import draw_centers

RANDOM = np.random.default_rng(0)


def power_mean(distance, exponent):
    """M_s of one row of numbers, from the definition."""
    return math.fsum(d**exponent / len(distance) for d in distance) ** (1 / exponent)


def tensor(values, dtype=torch.float64):
    return torch.tensor(values, dtype=dtype)


@pytest.mark.parametrize("exponent", [1.0, 0.5, -1.0, -3.0, -20.0])
def test_power_mean_and_its_gradient(exponent):
    distance = RANDOM.uniform(0.2, 3.0, size=(5, 4))
    row = tensor(distance).requires_grad_()
    mean = log_power_mean(row, exponent).exp()
    (gradient,) = torch.autograd.grad(mean.sum(), row)
    for i in range(5):
        expected = power_mean(distance[i], exponent)
        assert mean[i].item() == pytest.approx(expected, rel=1e-12)
        for k in range(4):
            assert gradient[i, k].item() == pytest.approx((distance[i, k] / expected) ** (exponent - 1) / 4, rel=1e-10)


def test_power_mean_is_homogeneous_and_lies_between_minimum_and_mean():
    distance = tensor(RANDOM.uniform(0.2, 3.0, size=(50, 4)))
    means = [log_power_mean(distance, s).exp() for s in (1.0, -1.0, -3.0, -50.0, -1e4)]
    torch.testing.assert_close(means[0], distance.mean(1))
    torch.testing.assert_close(means[1], 4 / (1 / distance).sum(1))  # the harmonic mean
    assert all((lower <= upper).all() for upper, lower in pairwise(means))
    torch.testing.assert_close(means[-1], distance.amin(1), rtol=2e-4, atol=0)
    torch.testing.assert_close(log_power_mean(7 * distance, -3.0).exp(), 7 * means[2])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("exponent", [1.0, -1.0, -3.0, -40.0, -1000.0, -1e4])
def test_power_mean_is_finite_where_its_definition_is_not(dtype, exponent):
    values = [0.0, 1e-30, 1e-3, 1.0, 1e6]
    distance = tensor([[a, b, c] for a in values for b in values for c in values], dtype).requires_grad_()
    mean = log_power_mean(distance, exponent).exp()
    (gradient,) = torch.autograd.grad(mean.sum(), distance)
    assert mean.isfinite().all()
    assert gradient.isfinite().all()
    bound = 1.0 if exponent > 0 else 3 ** (1 / abs(exponent))
    assert (gradient >= 0).all()
    assert (gradient <= bound * (1 + (1e-2 if dtype == torch.float32 else 1e-6))).all()


def test_first_step_by_hand():
    """Samples 0, 1, 4 and centers 0.5, 3 with s = -1: w_ik = M_i^2 / (2 d_ik^2), M_i = 2 / (1/d_i1 + 1/d_i2)."""
    x = tensor([[0.0], [1.0], [4.0]])
    centers, objective = PowerKMeans(exponent=-1.0, max_iterations=1)._minimise(x, tensor([[0.5], [3.0]]))
    # d = (1/4, 9), (1/4, 4), (49/4, 1); M = 18/37, 8/17, 98/53
    w = [[0.5 * (18 / 37 / d) ** 2 for d in (0.25, 9)]]
    w += [[0.5 * (8 / 17 / d) ** 2 for d in (0.25, 4)], [0.5 * (98 / 53 / d) ** 2 for d in (12.25, 1)]]
    expected = [(w[1][k] + 4 * w[2][k]) / (w[0][k] + w[1][k] + w[2][k]) for k in range(2)]
    np.testing.assert_allclose(centers.flatten(), expected, rtol=1e-12)
    np.testing.assert_allclose(objective, [18 / 37 + 8 / 17 + 98 / 53], rtol=1e-12)


def test_step_against_loops():
    x, centers, s = RANDOM.normal(size=(9, 3)), RANDOM.normal(size=(4, 3)), -3.0
    found, objective = PowerKMeans(exponent=s, max_iterations=1)._minimise(tensor(x), tensor(centers))
    total, weighted, mass = 0.0, np.zeros((4, 3)), np.zeros(4)
    for i in range(9):
        distance = [sum((x[i, f] - centers[k, f]) ** 2 for f in range(3)) for k in range(4)]
        total += power_mean(distance, s)
        for k in range(4):
            weight = (distance[k] / power_mean(distance, s)) ** (s - 1) / 4
            weighted[k] += weight * x[i]
            mass[k] += weight
    np.testing.assert_allclose(found, weighted / mass[:, None], rtol=0, atol=1e-10)
    assert objective.item() == pytest.approx(total, rel=1e-10)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("exponent", [-0.2, -1.0, -3.0, -18.0])
def test_objective_never_rises(seed, exponent):
    random = np.random.default_rng(seed)
    x = tensor(random.normal(size=(60, 1 + 3 * seed)) * random.uniform(0.1, 5) + 3 * random.integers(3, size=(60, 1)))
    objective = trained(PowerKMeans(n_clusters=4, exponent=exponent), x).state["objective"][0]
    objective = objective[~objective.isnan()]
    assert len(objective) > 20
    assert (objective.diff() <= 1e-10 * objective[0]).all()


def test_the_exponent_grows_by_its_factor_to_its_floor():
    """f of the first iterations at s = -2, -6, -7 and -7 again, each after a step at the s before."""
    x = blobs(n_samples=20)
    options = {"n_clusters": 3, "exponent": -2.0, "exponent_growth": 3.0, "exponent_floor": -7.0, "max_iterations": 4}
    objective = trained(PowerKMeans(**options), x).state["objective"][0]
    centers = draw_centers("kmeans++", x.unsqueeze(0), 3, seeds=[3])[0]
    for value, exponent in zip(objective, (-2.0, -6.0, -7.0, -7.0), strict=True):
        distance = torch.cdist(x, centers).square().clamp_min(1e-100)  # k-means++ starts on samples
        mean = distance.pow(exponent).mean(1) ** (1 / exponent)
        torch.testing.assert_close(value, mean.sum(), rtol=1e-8, atol=0)
        weight = (distance / mean.unsqueeze(1)) ** (exponent - 1)
        centers = weight.T @ x / weight.sum(0).unsqueeze(1)


def test_a_floor_above_the_start_gets_one_clear_line():
    with pytest.raises(ValueError, match=r"exponent_floor=-1\.0 should be <= exponent=-3\.0"):
        PowerKMeans(exponent_floor=-1.0).fit(np.zeros((10, 2)))


def test_ends_at_a_minimum_of_kmeans():
    x = blobs(n_samples=60)
    run = trained(PowerKMeans(n_clusters=3), x)
    label = run.history["labels"][-1][0]
    means = [x[label == k].mean(0) for k in range(3)]
    torch.testing.assert_close(run.centers[0], torch.stack(means), rtol=0, atol=1e-2)
    inertia = expanded_distances(x, run.centers[0]).amin(1).sum().item()
    best = trained(KMeans(n_clusters=3), x)
    assert inertia == pytest.approx(expanded_distances(x, best.centers[0]).amin(1).sum().item(), rel=1e-2)


def test_one_cluster_is_the_mean():
    x = blobs() + 3
    run = trained(PowerKMeans(n_clusters=1), x)
    torch.testing.assert_close(run.centers[0, 0], x.mean(0))


def test_centers_on_samples_and_duplicates_stay_finite():
    x = tensor([[0.0, 0.0]] * 5 + [[1e3, 0.0]] * 5 + [[1e3, 1e-15]])
    for dtype in (torch.float32, torch.float64):
        run = trained(PowerKMeans(n_clusters=4, exponent_floor=-1e4), x.to(dtype))
        assert run.centers.isfinite().all()
        assert run.centers.dtype == dtype
        assert len(set(run.history["labels"][-1][0][:10])) == 2


@pytest.mark.parametrize("options", [{}, {"autoencoder": "mlp", "hidden_widths": (8,), "epochs": 2, "batch_size": 16}])
def test_runs_are_independent_and_resume(options, tmp_path):
    method, x = PowerKMeans(n_clusters=3, max_iterations=40, **options), blobs()
    check_stack(method, x)
    check_resume(method, x, tmp_path / "run.h5")


def test_clusters_the_final_code():
    method = PowerKMeans(n_clusters=3, autoencoder="mlp", hidden_widths=(8,), epochs=2)
    x = blobs()
    run = trained(method, x)
    centers = run.centers.clone()
    method.init(run.encode(x), run)
    assert torch.equal(centers, run.centers)


def test_wrong_exponents_are_named():
    for options in ({"exponent": 0.0}, {"exponent_growth": 0.9}, {"exponent_floor": 1.0}):
        with pytest.raises(ValueError, match=next(iter(options))):
            PowerKMeans(**options).check_parameters()
