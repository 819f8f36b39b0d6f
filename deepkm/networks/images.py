"""Which data are square grey images: asked by networks that convolve them and, before anything runs, by a study."""

from math import isqrt


def image_side(*shape: int, least: int = 1) -> int:
    """Return the side of square grey images.

    Parameters
    ----------
    *shape : int
        Of a sample: pixels in a row, F, or (H, W) or (H, W, C).
    least : int
        The smallest side that will do.

    Raises
    ------
    ValueError
        When they are none, or too small.

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
        raise ValueError(f"{wrong}: convolutions take square grey images; use autoencoder='mlp'")
    if side < least:
        raise ValueError(
            f"n_features={side**2} should be at least {least**2}: images of {least} x {least} pixels or more"
        )
    return side


def smallest_side(autoencoder: str | None, *, convolutional: bool) -> int | None:
    """Return the least side of the images that a method's network takes; None where it takes any rows.

    Parameters
    ----------
    autoencoder : str or None
        The kind, as in `deepkm.networks.autoencoder.build_autoencoder`.
    convolutional : bool
        Whether the method has a convolutional network of its own in place of None.
    """
    if autoencoder in ("conv", "conv_sigmoid"):
        return 7
    return 8 if autoencoder is None and convolutional else None
