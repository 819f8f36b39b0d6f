import numpy as np
import pytest
import torch

from deepkm.numerics.centers import inverse_power, nearest, softmin, squared_distances, student_t


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
