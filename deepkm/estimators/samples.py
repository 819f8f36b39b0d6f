"""The samples that an estimator takes: tables and images, in float32 unless float64 is asked for."""

from typing import Any

import numpy as np
import torch

from deepkm.datasets.arrays import check_form, check_rounding
from deepkm.datasets.features import check_magnitude, loses_differences, measure
from deepkm.networks.images import Sides, image_side

MASKED = "X: got masked numbers, expected none; drop those samples or fill them in"


def as_rows(X: Any, shape: tuple[int, ...] | None = None) -> Any:
    """Return samples as scikit-learn takes them, (n, F): of images, (n, H, W) or (n, H, W, C), rows of pixels.

    Parameters
    ----------
    X : array-like
    shape : tuple of int, optional
        Of a sample that was trained on, where these must be alike.

    Raises
    ------
    ValueError
        Over masked numbers, long integers that floats round off, and images of other forms.
    """
    if np.ma.is_masked(X):
        raise ValueError(MASKED)
    X = X.detach().numpy(force=True) if isinstance(X, torch.Tensor) else _array_of_images(X)
    if not isinstance(X, np.ndarray):
        return X
    if X.ndim > 2:
        check_form(X.shape, X.dtype, "X")
    if X.dtype.kind in "iu" and X.size:
        check_rounding(X, "X", "integers")
    if X.ndim <= 2:
        return X
    own = sample_shape(X, 0)
    if shape is not None and own != shape and (len(shape) > 1 or np.prod(own) != shape[0]):
        raise ValueError(f"X: got samples of shape {own}, expected {shape}; give them in the form of those of fit")
    return X.reshape(len(X), -1)


def sample_shape(X: Any, n_features: int) -> tuple[int, ...]:
    """Return the shape of one sample: (F,), (H, W) or (H, W, C); (H, W) of grey images, with their channel or without.

    Examples
    --------
    >>> sample_shape(np.zeros((5, 28, 28, 1)), 784), sample_shape([[1.0, 2.0]], 2)
    ((28, 28), (2,))
    """
    X = _array_of_images(X)
    if getattr(X, "ndim", 2) <= 2:
        return (n_features,)
    shape = tuple(map(int, X.shape[1:]))
    return shape[:2] if shape[2:] == (1,) else shape


def check_images(shape: tuple[int, ...], sides: Sides | None) -> None:
    """Raise a ValueError for samples of a shape, (F,), (H, W) or (H, W, C), that are no images for the network."""
    if sides:
        image_side(*shape, sides=sides)


def smallest_type(X: Any, dtype: type) -> Any:
    """Return the types that scikit-learn should convert samples to: where `dtype` holds all numbers, to it at once."""
    kind = getattr(X, "dtype", None)
    return dtype if isinstance(kind, np.dtype) and np.can_cast(kind, dtype) else np.float64


def as_type(x: np.ndarray, dtype: type, *, fitted: bool = False) -> np.ndarray:
    """Return samples (n, F) in the type that they are trained in.

    Raises
    ------
    ValueError
        Over numbers of which it holds no squared distances, and, unless a `fitted` estimator takes them, over those
        whose differences it rounds off.
    """
    check_magnitude(np.abs(x).max(), x.shape[1], dtype, name="X")
    if not fitted and not np.can_cast(x.dtype, dtype):
        about = measure(x, "none")
        ends = np.maximum(np.abs(about.low), np.abs(about.high))
        if loses_differences(about.deviation, ends):
            raise ValueError(
                f"X: got numbers up to {ends.max():.6g} that differ by {np.linalg.norm(about.deviation):.2g}, which "
                "float32 rounds off; scale them (StandardScaler), or set dtype='float64'"
            )
    return x.astype(dtype, copy=False)


def _array_of_images(X: Any) -> Any:
    """Return images, be they a list or a tensor, as an array, and all else as it is."""
    if isinstance(X, list | tuple) and len(X) and np.ndim(X[0]) > 1:
        try:
            return np.asarray(X)
        except ValueError:
            raise ValueError("X: got images of several sizes, expected one; resize them") from None
    return np.asarray(X) if getattr(X, "ndim", 0) > 2 else X  # a tensor, for example


def check_device(device: str) -> str:
    """Return the name of a device; raise a ValueError where this PyTorch cannot use it."""
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).split("\n")[0].rstrip(".")[:120]
        raise ValueError(f"device={device!r} should be one that PyTorch can use here ({reason}); take 'cpu'") from None
    return device
