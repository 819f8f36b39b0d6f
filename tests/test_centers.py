import math
from itertools import product

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans as ScikitKMeans
from sklearn.datasets import load_digits

from deepkm import centers
from deepkm.centers import (
    inverse_power,
    kmeans,
    kmeans_plus_plus,
    lloyd,
    nearest,
    softmin,
    squared_distances,
    student_t,
)


def tensor(*numbers):
    return torch.tensor(numbers, dtype=torch.float64)


def random(*shape, seed=0):
    return torch.tensor(np.random.default_rng(seed).normal(size=shape))


def test_distances_by_hand():
    z, r = tensor([[0.0, 0.0], [3.0, 4.0]]), tensor([[0.0, 0.0], [0.0, 1.0], [3.0, 0.0]])
    assert squared_distances(z, r).tolist() == [[[0, 1, 9], [25, 18, 16]]]
    assert nearest(z, r).tolist() == [[0, 2]]


def test_small_distances_between_large_codes_survive():
    z = torch.full((1, 1, 10), 1000.0)
    r = z + 1e-3
    assert squared_distances(z, r).item() == pytest.approx(10 * (r[0, 0, 0].item() - 1000) ** 2, rel=1e-6)


def test_memberships_by_hand():
    distance = tensor(1.0, 2.0, 4.0)
    weights = np.exp([-0.5, -1.0, -2.0])
    np.testing.assert_allclose(softmin(distance, 0.5), weights / weights.sum())
    weights = np.array([1, 1 / 8, 1 / 64])
    np.testing.assert_allclose(inverse_power(distance, 3.0), weights / weights.sum())
    weights = 1 / np.array([2.0, 3.0, 5.0])
    np.testing.assert_allclose(student_t(distance), weights / weights.sum())


def test_inverse_power_is_scale_free_and_softmin_is_not():
    distance = tensor(1.0, 2.0, 4.0)
    torch.testing.assert_close(inverse_power(distance, 2.5), inverse_power(7 * distance, 2.5))
    assert not torch.allclose(softmin(distance, 2.5), softmin(7 * distance, 2.5))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("membership", [softmin, inverse_power, student_t])
@pytest.mark.parametrize("alpha", [1.0, 3.0, 1e4])
def test_extreme_distances_give_finite_weights_and_gradients(dtype, membership, alpha):
    distance = torch.tensor([[0.0, 1e-30, 1e6], [0.0, 0.0, 0.0], [1e6, 1e6, 1e6]], dtype=dtype, requires_grad=True)
    weight = membership(distance, alpha)
    (weight * distance).sum().backward()
    assert weight.isfinite().all()
    assert distance.grad.isfinite().all()
    torch.testing.assert_close(weight.sum(1), torch.ones(3, dtype=dtype))


def test_a_lloyd_step_by_hand():
    z = tensor([[0.0], [1.0], [9.0], [11.0]])
    means, inertia = lloyd(z, tensor([[[0.0], [9.0]]]), max_iter=1)
    assert means.flatten().tolist() == [0.5, 10.0]
    assert inertia.item() == pytest.approx(0.25 + 0.25 + 1 + 1)


def test_an_empty_cluster_takes_the_farthest_sample():
    z = tensor([[0.0], [1.0], [20.0]])
    means, inertia = lloyd(z, tensor([[[0.0], [100.0], [-100.0]]]))
    assert sorted(means.flatten().tolist()) == [0.0, 1.0, 20.0]
    assert inertia.item() == 0


def test_duplicates_and_as_many_clusters_as_samples_are_no_trouble():
    z = torch.zeros(1, 5, 2, dtype=torch.float64)
    assert kmeans(z, 3, seeds=[0]).isfinite().all()
    z = random(1, 4, 2)
    found = kmeans(z, 4, seeds=[0])
    assert sorted(nearest(z, found)[0].tolist()) == [0, 1, 2, 3]


def test_k_means_plus_plus_takes_the_better_of_two_draws_by_squared_distance():
    points = [0.0, 1.0, 3.0, 7.0]
    expected = np.zeros((4, 4))
    for first in range(4):
        chance = np.square(np.subtract(points, points[first]))
        chance /= chance.sum()
        inertia = [sum(min((p - points[first]) ** 2, (p - q) ** 2) for p in points) for q in points]
        for one, other in product(range(4), repeat=2):
            expected[first, min(one, other, key=inertia.__getitem__)] += chance[one] * chance[other] / 4
    counts = np.zeros((4, 4))
    for seed in range(400):
        for start in kmeans_plus_plus(tensor([[p] for p in points]), 2, seeds=[seed], n_init=10)[0]:
            first, second = (points.index(value) for value in start.flatten().tolist())
            counts[first, second] += 1
    assert counts.trace() == 0
    error = np.abs(counts / counts.sum() - expected) / np.sqrt(expected * (1 - expected) / counts.sum() + 1e-12)
    assert error.max() < 4  # standard errors


@pytest.mark.parametrize("n_clusters", [2, 10, 60])
def test_inertia_is_that_of_scikit_learn(n_clusters):
    x, _ = load_digits(return_X_y=True)
    z = torch.tensor(x[None])
    ours = [squared_distances(z, kmeans(z, n_clusters, seeds=[seed])).amin(2).sum().item() for seed in range(3)]
    theirs = [ScikitKMeans(n_clusters, n_init=10, random_state=seed).fit(x).inertia_ for seed in range(3)]
    assert np.mean(ours) == pytest.approx(np.mean(theirs), rel=0.01)


def test_lloyd_from_the_same_start_ends_where_scikit_learn_ends():
    x, _ = load_digits(return_X_y=True)
    start = x[:10]
    ours, inertia = lloyd(torch.tensor(x[None]), torch.tensor(start[None, None]))
    theirs = ScikitKMeans(10, init=start, n_init=1, algorithm="lloyd").fit(x)
    np.testing.assert_allclose(ours[0, 0], theirs.cluster_centers_, atol=1e-8)
    assert inertia.item() == pytest.approx(theirs.inertia_, rel=1e-10)


def test_chunks_change_nothing(monkeypatch):
    z = random(2, 57, 3)
    whole = kmeans(z, 4, seeds=[0, 1])
    monkeypatch.setattr(centers, "CHUNK_NUMEL", 20)
    torch.testing.assert_close(kmeans(z, 4, seeds=[0, 1]), whole)
    assert torch.equal(nearest(z, whole), squared_distances(z, whole).argmin(2))


def test_restarts_that_tie_but_for_rounding_give_the_first():
    z = random(1, 60, 2) / 100 + tensor([[0.0, 0.0]] * 30 + [[9.0, 9.0]] * 30)
    starts = kmeans_plus_plus(z, 2, seeds=[0], n_init=10)
    found, inertia = lloyd(z, starts)
    assert math.isclose(inertia.min(), inertia.max(), rel_tol=1e-9)
    assert torch.equal(kmeans(z, 2, seeds=[0]), found[:, 0])
