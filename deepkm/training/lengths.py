"""How long runs train: in epochs, or in steps, which a small data set has few of in an epoch."""

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


def snapshot_epochs(count, epochs):
    """Return `count` epochs to keep, roughly geometric: before training, the last one, and some in between."""
    between = [round(epochs ** (i / (count - 2))) for i in range(count - 1)] if count > 2 and epochs else []
    return sorted({0, *between, epochs}) if count > 1 else [epochs] * count


def as_planned(planned, epochs):
    """Return the epochs to keep of a run that trains for `epochs`: those planned, or as many others.

    Examples
    --------
    >>> as_planned([0, 1, 10, 100], 100), as_planned([0, 1, 141, 20_000], 541)
    ([0, 1, 10, 100], [0, 1, 23, 541])
    """
    return planned if planned[-1:] in ([], [epochs]) else snapshot_epochs(len(planned), epochs)
