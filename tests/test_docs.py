"""What the documents name exists."""

import numpy as np
import pytest

from docs.landscapes import descend, draw, example, landscape, local_minima


def test_k_means_gets_stuck_where_power_k_means_does_not():
    x = example()
    grid = np.linspace(x.min() - 1, x.max() + 1, 61)
    soft, hard = (landscape(x, grid, exponent) for exponent in (-1.0, -np.inf))
    assert (len(local_minima(soft)), len(local_minima(hard))) == (2, 4)  # each with its mirror image
    assert hard[10, 50] == pytest.approx(np.minimum((x - grid[10]) ** 2, (x - grid[50]) ** 2).sum())
    assert soft[10, 50] == pytest.approx((2 / (1 / (x - grid[10]) ** 2 + 1 / (x - grid[50]) ** 2)).sum())
    inertia = [((x[:, None] - descend(x, (3.0, 8.5), s)[-1]) ** 2).min(1).sum() for s in (-np.inf, -0.5)]
    assert inertia[1] < 0.9 * inertia[0]
    assert len(draw().axes) == 4
