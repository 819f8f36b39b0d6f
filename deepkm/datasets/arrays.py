"""What every conversion gives, and the checks that each must pass. Every problem is one ValueError."""

import math
from dataclasses import dataclass, field, replace

import numpy as np

COLOURS = (1, 3, 4)  # grey, RGB, and RGB with transparency


@dataclass
class Arrays:
    """A data set.

    Attributes
    ----------
    feature : ndarray of shape (N, F), (N, H, W) or (N, H, W, C)
        In its native type: uint8 for images.
    target : ndarray of shape (N,), int64, or None
        Classes numbered from 0.
    class_names : list of str
        By class; empty without labels.
    image_shape : tuple of int
        (H, W) or (H, W, C); empty when the features are no images.
    feature_names : list of str
        The columns of a table; empty where features have no names.
    sample_ids : list of str
        What the samples are called; empty where they have no names.
    """

    feature: np.ndarray
    target: np.ndarray | None = None
    class_names: list = field(default_factory=list)
    image_shape: tuple = ()
    feature_names: list = field(default_factory=list)
    sample_ids: list = field(default_factory=list)

    def __post_init__(self):
        self.image_shape = tuple(int(size) for size in self.image_shape or self.feature.shape[1:])
        if len(self.image_shape) < 2:  # a plain table
            self.image_shape = ()
        if self.image_shape[2:] == (1,):  # grey
            self.image_shape = self.image_shape[:2]

    def head(self, n_samples):
        """Return the first samples."""
        if n_samples > len(self.feature):
            raise ValueError(f"first={n_samples} should be <= n_samples={len(self.feature)}; lower it")
        target = None if self.target is None else self.target[:n_samples]
        return replace(self, feature=self.feature[:n_samples], target=target, sample_ids=self.sample_ids[:n_samples])


def check_feature(feature, path):
    """Raise a ValueError unless `feature` is a finite, real, non-empty array of 2 to 4 dimensions."""
    check_form(feature.shape, feature.dtype, path)
    bad = ~np.isfinite(feature.reshape(len(feature), -1))
    if bad.any():
        raise ValueError(
            f"{path}: got {bad.sum()} NaN or infinite numbers in {bad.any(1).sum()} of {len(feature)} samples, "
            "expected finite ones; drop those samples or fill them in"
        )


def check_form(shape, kind, path):
    """Raise a ValueError unless an array of this shape and type can be a data set's features."""
    if kind.kind not in "biuf":
        raise ValueError(
            f"{path}: got feature of type {kind}, expected real numbers; convert it with .astype('float32')"
        )
    if shape is None or not 2 <= len(shape) <= 4 or 0 in shape:
        raise ValueError(
            f"{path}: got feature of shape {shape}, expected (N, F), (N, H, W) or (N, H, W, C) without empty "
            "axes; reshape it to one row per sample"
        )
    if len(shape) == 4 and (shape[3] not in COLOURS or (shape[1] in COLOURS and shape[3] not in (1, 3))):
        remedy = "x.transpose(0, 2, 3, 1) puts colours last" if shape[1] in COLOURS else "reshape it to (N, F)"
        raise ValueError(
            f"{path}: got feature of shape {tuple(shape)}, expected (N, H, W, C) with {COLOURS} colours C; {remedy}"
        )


def check_rounding(values, path, what="feature"):
    """Raise a ValueError where float64 rounds off what numbers of another type differ by.

    Parameters
    ----------
    values : ndarray of shape (N, ...)
    """
    low, high = values.min(0), values.max(0)
    with np.errstate(over="ignore"):  # integers wrap around
        width = high - low if values.dtype.kind == "f" else high.astype(np.uint64) - low.astype(np.uint64)
    low, high = low.astype(np.float64), high.astype(np.float64)
    rounding = np.spacing(np.maximum(np.abs(low), np.abs(high)))
    bad = (width > 0) & (width < 16 * rounding)
    if bad.any():
        raise ValueError(
            f"{path}: got {what} with numbers up to {np.max(high):.17g} that differ by {np.max(width[bad]):.3g}, which "
            "float64 rounds off; subtract what all have in common"
        )


def check_clusters(n_samples, n_clusters, name):
    """Raise a ValueError when there are more clusters than samples."""
    if n_clusters > n_samples:
        raise ValueError(
            f"datasets.{name}: n_clusters={n_clusters} should be <= n_samples={n_samples}; lower n_clusters"
        )


def check_expected(arrays, *, shape, class_counts, name):
    """Raise a ValueError unless the data set is the one that is known under this name.

    Parameters
    ----------
    shape : sequence of int
        Of the feature.
    class_counts : sequence of int, int or None
        Samples per class; one number when all classes are equally large; None when unknown.
    """
    if list(arrays.feature.shape) != list(shape):
        raise ValueError(
            f"{name}: got {_by(arrays.feature.shape)} numbers, expected {_by(shape)}; the file is another version"
        )
    got = np.bincount(arrays.target).tolist()
    n_classes = len(arrays.class_names)
    expected = [class_counts] * n_classes if isinstance(class_counts, int) else class_counts
    if len(got) != n_classes or 0 in got:
        raise ValueError(
            f"{name}: got {np.count_nonzero(got)} classes, expected {n_classes}; the file is another version"
        )
    if expected is not None and got != list(expected):
        k = next((k for k, (n, m) in enumerate(zip(got, expected, strict=False)) if n != m), n_classes - 1)
        raise ValueError(
            f"{name}: got {got[k]} samples of class {arrays.class_names[k]} and {n_classes} classes, expected "
            f"{expected[min(k, len(expected) - 1)]} and {len(expected)}; the file is another version"
        )
    _check_distinct(arrays, name)


def _check_distinct(arrays, name):
    """Raise a ValueError when two classes hold the same samples: copies of USPS-11000 with this fault are about."""
    seen = {}
    for k, class_name in enumerate(arrays.class_names):
        samples = arrays.feature[arrays.target == k].tobytes()
        if samples in seen:
            raise ValueError(
                f"{name}: got the same samples in classes {seen[samples]} and {class_name}, expected different ones; "
                "the file is damaged, get another copy"
            )
        seen[samples] = class_name


def _by(shape):
    return " x ".join(map(str, shape))


def check_size(size, path):
    """Raise a ValueError over an `image_size` that is no (height, width); None will do."""
    if size is not None and min(size) < 1:
        raise ValueError(f"{path}: got image_size {list(size)}, expected sizes in pixels; correct it")


def image_shape_of(feature_shape, size, path, stored=None):
    """Return the shape of an image that a file (`stored`) or its entry (`size`) names; () for that of the features.

    Raises
    ------
    ValueError
        Where features of a shape (N, ...) are no such images.
    """
    shape = size or () if stored is None else stored
    numbers = np.ravel(shape)
    if numbers.dtype.kind not in "biuf" or (numbers < 1).any() or (numbers != np.floor(numbers)).any():
        raise ValueError(f"{path}: got image_shape {numbers.tolist()}, expected sizes in pixels; correct it")
    shape = tuple(int(number) for number in numbers)
    n_features = math.prod(feature_shape[1:])
    if size and shape[:2] != tuple(size):
        raise ValueError(f"{path}: got image_size {list(size)}, but the file says {shape}; remove one of them")
    if len(feature_shape) > 2:
        own = tuple(map(int, feature_shape[1:]))
        if shape not in ((), own[:2], own):
            raise ValueError(
                f"{path}: got image_size {list(shape)} for images of {' x '.join(map(str, own))}, which are "
                "taken as they are, not scaled; remove it"
            )
        return ()
    if shape and (math.prod(shape) != n_features or len(shape) not in (2, 3)):
        raise ValueError(f"{path}: got image_shape {shape} for {n_features} features; correct it")
    if len(shape) == 3 and shape[2] not in (1, 3, 4):
        raise ValueError(f"{path}: got image_shape {shape}, expected (H, W) or (H, W, C) with 1, 3 or 4 colours C")
    return shape
