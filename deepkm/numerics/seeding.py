"""Every random draw of a run comes from a named stream: `generator(seed, stream, epoch)`.

What a seed draws depends on nothing else: not on how many runs are stacked, not on what was drawn before, not on the
device. So a resumed run equals an uninterrupted one, and runs of different methods share their weights and batches.
"""

import hashlib

import torch


def generator(seed: int, stream: str, epoch: int = 0) -> torch.Generator:
    """Return a fresh CPU generator for one purpose of one run.

    Parameters
    ----------
    seed : int
        The run's seed.
    stream : str
        What is drawn, for example ``"weights"`` or ``"kmeans++"``.
    epoch : int
        The epoch that draws.

    Examples
    --------
    >>> first, again = (torch.rand(2, generator=generator(0, "weights")) for _ in range(2))
    >>> bool((first == again).all())
    True
    """
    key = hashlib.sha256(f"{seed}/{stream}/{epoch}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(key[:7], "big"))


def permutations(seeds, n_samples: int, *, stream: str, epoch: int) -> torch.Tensor:
    """Return one permutation of the samples per seed, shape (S, N), on the CPU."""
    return torch.stack([torch.randperm(n_samples, generator=generator(seed, stream, epoch)) for seed in seeds])


def uniform(seeds, *size: int, stream: str, epoch: int = 0) -> torch.Tensor:
    """Return numbers uniform in [0, 1), shape (S, *size), float64, on the CPU."""
    return torch.stack([torch.rand(size, dtype=torch.float64, generator=generator(s, stream, epoch)) for s in seeds])
