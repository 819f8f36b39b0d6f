"""What power k-means does to the k-means objective, on a made-up example: ``python -m docs.landscapes``.

Draws docs/figures/power_kmeans_landscapes.png: the objective over two centers on the line, for a few exponents, with
the paths of k-means and of power k-means from one start (after figure 1 of J. Xu, K. Lange. Power k-means clustering.
ICML 2019).
"""

from pathlib import Path

import numpy as np

from deepkm.report.figures.style import new_figure, styled

FILE = Path(__file__).with_name("figures") / "power_kmeans_landscapes.png"
EXPONENTS = (-0.5, -1.0, -3.0, -np.inf)  # the last one is k-means
START = (3.0, 8.5)  # of the paths: in the basin of the worse minimum of k-means
PATHS = {"k-means": (-np.inf, "#888888"), "Power k-means": (EXPONENTS[0], "#6699cc")}
GROWTH = 1.1
N_GRID = 101


@styled
def draw():
    """Return the figure; dark is low, stars are local minima."""
    x = example()
    grid = np.linspace(x.min() - 1, x.max() + 1, N_GRID)
    figure = new_figure(2.5, title="Power k-means: the objective over two centers, by exponent s")
    for axis, exponent in zip(figure.subplots(1, len(EXPONENTS), sharey=True), EXPONENTS, strict=True):
        value = landscape(x, grid, exponent)
        minima = local_minima(value)
        axis.contourf(grid, grid, np.log(value), levels=14, cmap="Greys_r")
        axis.plot(grid[minima[:, 1]], grid[minima[:, 0]], "*", color="#ee7733", ms=7, mec="white", mew=0.5)
        axis.set_title("s → -∞: k-means" if np.isinf(exponent) else f"s = {exponent:g}")
        axis.set(xlabel="Center 1", aspect="equal", xticks=[0, 4, 8], yticks=[0, 4, 8])
    figure.axes[0].set_ylabel("Center 2")
    for title, (first, color) in PATHS.items():
        path = descend(x, START, first)
        axis.plot(*path.T, color=color, lw=1.5)
        axis.text(*path[-1] + (0.6, -0.6), title, color="white", fontsize=7, va="top")
        axis.plot(*path[-1], "o", color=color, ms=3.5, mec="black", mew=0.5)
    return figure


def example():
    """Return 100 numbers: 40 around 0, 30 around 4, 30 around 8."""
    random = np.random.default_rng(0)
    return np.concatenate([place + 0.4 * random.standard_normal(size) for place, size in ((0, 40), (4, 30), (8, 30))])


def power_mean(distance, exponent):
    """Return M_s over the last axis; the minimum for s = -inf."""
    if np.isinf(exponent):
        return distance.min(-1)
    power = exponent * np.log(np.maximum(distance, 1e-12))
    largest = power.max(-1, keepdims=True)
    return np.exp((largest[..., 0] + np.log(np.exp(power - largest).mean(-1))) / exponent)


def landscape(x, grid, exponent):
    """Return sum_i M_s((x_i - r_1)^2, (x_i - r_2)^2), (G, G): a row per r_2, a column per r_1."""
    distance = (x[:, None] - grid) ** 2  # (N, G)
    pairs = np.stack(np.broadcast_arrays(distance[:, None, :], distance[:, :, None]), axis=-1)  # (N, G, G, 2)
    return power_mean(pairs, exponent).sum(0)


def local_minima(value):
    """Return the inner places (n, 2) of an array that are lower than their eight neighbours."""
    inner = value[1:-1, 1:-1]
    lower = np.ones(inner.shape, bool)
    for i in range(3):
        for j in range(3):
            if (i, j) != (1, 1):
                lower &= inner < value[i : i + inner.shape[0], j : j + inner.shape[1]]
    return np.argwhere(lower) + 1


def descend(x, start, exponent, *, n_iterations=60):
    """Return the path (n_iterations + 1, K) of power k-means, whose exponent grows by 10 % each time; -inf: Lloyd's."""
    path = [np.array(start)]
    for _ in range(n_iterations):
        distance = np.maximum((x[:, None] - path[-1]) ** 2, 1e-12)  # (N, K)
        if np.isinf(exponent):
            weight = (distance == distance.min(1, keepdims=True)).astype(float)
        else:
            weight = (distance / power_mean(distance, exponent)[:, None]) ** (exponent - 1)
            exponent *= GROWTH
        path.append((weight * x[:, None]).sum(0) / weight.sum(0))
    return np.array(path)


if __name__ == "__main__":
    styled(lambda: draw().savefig(FILE))()
