import numpy as np
import pytest
import torch

from deepkm.numerics.centers import (
    expanded_distances,
    inverse_power,
    nearest,
    products_cancel,
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


CORNERS = [[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]
FAR = {
    "a code for missing": [[99999.0, 99999.0]],
    "several": [[1e5, 3e5], [-2e5, 0.0], [0.0, 9e4], [-1e5, 300.0]],
    "on one axis": [[1e7, 0.0], [-1e7, 5.0]],
    "two groups": [[1e6 + a, b] for a, b in CORNERS],
    "farther than float64 tells from the others": [[1e12, 0.0]],
}


def with_far(far, dtype, *, n_features=2):
    """Return samples (1, N, D) in four blobs and at the far places, and the centers (1, K, D) of all."""
    centers = torch.zeros(len(CORNERS) + len(far), n_features, dtype=torch.float64)
    centers[:, :2] = tensor(*CORNERS, *far)
    blobs = centers[:4].repeat(100, 1) + 0.1 * random(400, n_features)
    return torch.cat([blobs, centers[4:]])[None].to(dtype), centers[None].to(dtype)


def by_differences(z, centers):
    return squared_distances(z.double(), centers.double())


@pytest.mark.parametrize("n_features", [2, 300])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("far", FAR.values(), ids=FAR)
def test_far_centers_leave_each_sample_its_nearest_center(far, dtype, n_features):
    z, centers = with_far(far, dtype, n_features=n_features)
    expected = by_differences(z, centers)
    assert torch.equal(nearest(z, centers), expected.argmin(-1))
    # of what decides between centers, the squared distance of two of them, nothing is lost
    torch.testing.assert_close(expanded_distances(z, centers).double(), expected, rtol=1e-6, atol=0.04)


def test_far_centers_of_a_run_change_nothing_for_the_runs_beside_it():
    far, centers = with_far(FAR["a code for missing"], torch.float32)
    near = centers.clone()
    near[0, 4] = 3.0
    both = torch.cat([far, far]), torch.cat([near, centers])
    assert products_cancel(both[1] - both[1].mean(1, keepdim=True), both[1].square().sum(-1)).tolist() == [False, True]
    assert torch.equal(nearest(*both)[:1], nearest(far, near))
    assert torch.equal(expanded_distances(*both)[:1], expanded_distances(far, near))


@pytest.mark.parametrize("power", [62, 64, 100, -62, -80])
def test_the_nearest_center_of_huge_and_tiny_numbers(power):
    """Squares of 2^64 leave the range of float32, and those of 2^-80 vanish in it."""
    centers = torch.tensor([CORNERS], dtype=torch.float32) * 2.0**power
    z = (torch.tensor([CORNERS * 9]) + 0.1 * random(1, 36, 2).float()) * 2.0**power
    assert nearest(z, centers)[0].tolist() == list(range(4)) * 9


def test_gradients_by_differences_are_those_of_products():
    z, centers = with_far(FAR["several"], torch.float32)
    for found, function in ((centers, expanded_distances), (centers.double(), by_differences)):
        found.requires_grad_()
        function(z.to(found), found).amin(-1).sum().backward()
    torch.testing.assert_close(found.grad[:, :4], centers.grad[:, :4].double(), rtol=1e-5, atol=1e-4)


def test_centers_close_beside_their_spread_need_no_differences():
    around = random(3, 50, 20)
    around -= around.mean(1, keepdim=True)
    squares = around.square().sum(-1)
    assert not products_cancel(around.float(), squares.float()).any()
    around[1, 7] = around[1, 3] + 1e-3
    squares = around.square().sum(-1)
    assert products_cancel(around.float(), squares.float()).tolist() == [False, True, False]
    assert not products_cancel(around, squares).any()
    assert not products_cancel(torch.zeros(1, 1, 3), torch.zeros(1, 1)).any()


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
