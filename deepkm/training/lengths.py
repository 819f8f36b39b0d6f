"""How long runs train, in epochs or in steps, which small data have few of in an epoch, and when they are looked at."""

from math import ceil


def whole_epochs(n_samples, *, batch_size, epochs, steps=None, min_steps=0):
    """Return the epochs that hold so many steps; without `steps`, `epochs`, or as many as hold `min_steps`; 0 stays 0.

    Examples
    --------
    >>> whole_epochs(575, batch_size=256, epochs=100, min_steps=1000)  # 3 steps an epoch
    334
    >>> [whole_epochs(575, batch_size=256, epochs=n, min_steps=100) for n in (0, 100)]
    [0, 100]
    >>> whole_epochs(9298, batch_size=256, epochs=100, steps=20_000)
    541
    """
    per_epoch = ceil(n_samples / batch_size)
    if steps is not None:
        return ceil(steps / per_epoch)
    return max(epochs, ceil(min_steps / per_epoch)) if epochs else 0


def read_out_epochs(epochs):
    """Return the epochs after which labels are read: 0, the first ten, 25 more at most, evenly in log, and the last.

    Examples
    --------
    >>> read_out_epochs(100)[9:]  # doctest: +NORMALIZE_WHITESPACE
    [9, 10, 11, 12, 13, 14, 16, 17, 19, 20, 22, 24, 26, 29, 32, 35, 38, 41, 45, 49, 54, 59, 64, 70, 77, 84, 92, 100]
    >>> read_out_epochs(3)
    [0, 1, 2, 3]
    """
    later = [round(10 * (epochs / 10) ** (i / 26)) for i in range(1, 27)] if epochs > 10 else []
    return sorted({*range(min(epochs, 10) + 1), *later})


def snapshot_epochs(count, epochs):
    """Return `count` epochs to keep, roughly geometric: before training, the last one, and some in between."""
    between = [round(epochs ** (i / (count - 2))) for i in range(count - 1)] if count > 2 and epochs else []
    return sorted({0, *between, epochs}) if count > 1 else [epochs] * count


def as_planned(planned, epochs):
    """Return the epochs to keep of a run that trains for `epochs`: those planned, or as many others.

    Each is moved to the nearest one of `read_out_epochs`, so that there are labels for its code.

    Examples
    --------
    >>> as_planned([0, 1, 10, 100], 100), as_planned([0, 1, 141, 20_000], 541), as_planned([0, 1, 9, 28, 84], 84)
    ([0, 1, 10, 100], [0, 1, 22, 541], [0, 1, 9, 27, 84])
    """
    wanted = planned if planned[-1:] in ([], [epochs]) else snapshot_epochs(len(planned), epochs)
    return sorted({min(read_out_epochs(epochs), key=lambda epoch: abs(epoch - one)) for one in wanted})
