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
    return torch.Generator().manual_seed(_key(seed, stream, epoch))


def permutations(seeds, n_samples: int, *, stream: str, epoch: int) -> torch.Tensor:
    """Return one permutation of the samples per seed, shape (S, N), on the CPU."""
    return torch.stack([torch.randperm(n_samples, generator=generator(seed, stream, epoch)) for seed in seeds])


def random_state(seed: int, stream: str) -> int:
    """Return the seed of another library's generator for one purpose of one run: 31 bits.

    Examples
    --------
    >>> random_state(0, "mixture") == random_state(0, "mixture") != random_state(1, "mixture")
    True
    """
    return int(torch.randint(2**31 - 1, (), generator=generator(seed, stream)))


def uniform(seeds, *size: int, stream: str, epoch: int = 0) -> torch.Tensor:
    """Return numbers uniform in [0, 1), shape (S, *size), float64, on the CPU."""
    return torch.stack([torch.rand(size, dtype=torch.float64, generator=generator(s, stream, epoch)) for s in seeds])


def keys(seeds, *, stream: str, epoch: int) -> torch.Tensor:
    """Return what `counted` draws with, (S,) on the CPU."""
    return torch.tensor([_key(seed, stream, epoch) for seed in seeds])


def counted(keys: torch.Tensor, index: torch.Tensor, size: int) -> torch.Tensor:
    """Return numbers uniform in [0, 1), float32 of 24 bits, that a step may draw on any device, recorded or not.

    Parameters
    ----------
    keys : Tensor of shape (S,)
        From `keys`, on the device.
    index : Tensor of shape (S, B)
        Samples: what is drawn for one depends on nothing but its number and the run's key.
    size : int
        m, how many for each.

    Returns
    -------
    Tensor of shape (S, B, m)

    References
    ----------
    G. L. Steele, D. Lea, C. H. Flood. Fast splittable pseudorandom number generators. OOPSLA 2014: SplitMix64.
    """
    place = index.unsqueeze(-1) * size + torch.arange(1, size + 1, device=index.device)
    mixed = keys.view(-1, 1, 1) + place * _GOLDEN  # integers of 64 bits wrap around
    mixed = (mixed ^ _shifted(mixed, 30)) * _FIRST
    mixed = (mixed ^ _shifted(mixed, 27)) * _SECOND
    return _shifted(mixed ^ _shifted(mixed, 31), 40).float() * 2.0**-24


# As integers with a sign, which is all that PyTorch multiplies.
_GOLDEN, _FIRST, _SECOND = (n - 2**64 for n in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


def _shifted(x: torch.Tensor, bits: int) -> torch.Tensor:
    """Return x shifted to the right as if it had no sign."""
    return (x >> bits) & (2 ** (64 - bits) - 1)


def _key(seed: int, stream: str, epoch: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}/{stream}/{epoch}".encode()).digest()[:7], "big")
