"""Which data are square grey images: asked by networks that convolve them and, before anything runs, by a study."""

from math import isqrt
from typing import NamedTuple


class Sides(NamedTuple):
    """Which sides of square images a network takes: multiples of a number, from the least on."""

    least: int = 1
    multiple: int = 1


ANY = Sides()


def image_side(*shape: int, sides: Sides | None = ANY, rows: bool = True) -> int:
    """Return the side of square grey images.

    Parameters
    ----------
    *shape : int
        Of a sample: pixels in a row, F, or (H, W) or (H, W, C).
    sides : Sides
        Those that will do; None stands for any.
    rows : bool
        Whether pixels may come in a row: no where a table with as many columns by chance, such as embeddings, could be
        meant.

    Raises
    ------
    ValueError
        When they are no such images, or of another side.

    Examples
    --------
    >>> image_side(784), image_side(28, 28)
    (28, 28)
    """
    side = isqrt(shape[0]) if len(shape) == 1 else shape[0]
    if shape not in ((side**2,), (side, side), (side, side, 1)):
        wrong = f"n_features={shape[0]} should be a square such as 784 = 28 x 28"
        if len(shape) > 1:
            wrong = f"images of {' x '.join(map(str, shape))} should be square and grey"
        raise ValueError(f"{wrong}: convolutions and views take square grey images; use autoencoder='mlp' and no views")
    least, multiple = sides or ANY
    if side < least:
        raise ValueError(
            f"n_features={side**2} should be at least {least**2}: images of {least} x {least} pixels or more"
        )
    if side % multiple:
        raise ValueError(
            f"n_features={side**2} should be the square of a multiple of {multiple}: this network halves images of "
            f"such sides; use autoencoder='conv'"
        )
    if len(shape) == 1 and not rows:
        raise ValueError(
            f"rows of {side**2} numbers, which nothing says are images, but convolutions and views take such; if they "
            f"are, say `image_size: [{side}, {side}]` in the data set's entry"
        )
    return side


def sides_of(autoencoder: str | None, *, convolutional: bool = False, views: bool = False) -> Sides | None:
    """Return the sides of the images that a method's network takes; None where it takes any rows.

    Parameters
    ----------
    autoencoder : str or None
        The kind, as in `deepkm.networks.autoencoder.build_autoencoder`.
    convolutional : bool
        Whether the method has a convolutional network of its own in place of None.
    views : bool
        Whether it trains on views of them.
    """
    any_image = ANY if views else None
    if autoencoder is None:
        return Sides(8) if convolutional else any_image
    return {"conv": Sides(7), "conv_sigmoid": Sides(7), "conv_dcec": Sides(8, multiple=4)}.get(autoencoder, any_image)


def check_range(autoencoder: object, low: float, high: float) -> None:
    """Raise a ValueError where a network cannot reconstruct values such as these: a sigmoid reaches [0, 1]."""
    if autoencoder == "conv_sigmoid" and not (low >= 0 and high <= 1):
        raise ValueError(
            f"values from {low:.6g} to {high:.6g} should be in [0, 1], all that the output of 'conv_sigmoid' "
            "reaches; scale them so, or use autoencoder='conv'"
        )
