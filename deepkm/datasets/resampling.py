"""Samples drawn anew for each seed: the spread over seeds then holds that of the data, and not of the start alone."""

import numpy as np


def sample_size(n_samples: int, share: float) -> int:
    """Return how many of N samples a share of them is.

    Examples
    --------
    >>> sample_size(1797, 0.5), sample_size(100, 0.29)
    (898, 29)
    """
    return round(share * n_samples)


def check_sample(n_samples: int, share: float, n_clusters: int, *, name: str) -> None:
    """Raise a ValueError, which begins with `name`, unless a share leaves samples out, and has one per cluster."""
    size = sample_size(n_samples, share)
    if not n_clusters <= size < n_samples:
        remedy = "raise it, or lower n_clusters" if size < n_clusters else "lower it, or leave it out"
        raise ValueError(
            f"{name}: got {share:g}, which are {size} of {n_samples} samples, expected at least "
            f"n_clusters={n_clusters} and fewer than all; {remedy}"
        )


def draw_samples(seed: int, n_samples: int, share: float) -> np.ndarray:
    """Return which samples a seed has, in their order, (n,): without replacement, and without a look at classes.

    Examples
    --------
    >>> bool((draw_samples(0, 6, 0.5) == draw_samples(0, 6, 0.5)).all()), len(draw_samples(0, 6, 0.5))
    (True, 3)
    """
    from deepkm.numerics.seeding import permutations  # noqa: PLC0415  PyTorch: who checks a study does without it

    [order] = permutations([seed], n_samples, stream="resample", epoch=0)
    return np.sort(order[: sample_size(n_samples, share)].numpy())
