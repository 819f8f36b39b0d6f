"""The features that methods see: raw numbers, scaled in float64. True labels are never read here."""

from dataclasses import dataclass, fields

import numpy as np

from deepkm.datasets.converted import read_converted
from deepkm.datasets.rows import length_of, of_length_one, or_one

# What each scaling does, and what it is for.
SCALINGS = {
    "unit": "[0, 1] over the whole array, for images",
    "symmetric": "[-1, 1], for images too",
    "standard": "mean 0 and deviation 1 per feature, for measurements",
    "rows": "each row divided by its length, for counts and tf-idf",
    "none": "as they are, where that is meant",
}
PIECE_BYTES = 2**24  # of float64, held at once


@dataclass(frozen=True, kw_only=True, eq=False)
class Statistics:
    """What scaling needs to know of raw numbers (N, F), be they in memory or in a file.

    Attributes
    ----------
    low, high : ndarray of shape (F,)
        Smallest and largest number of each feature, in the numbers' own type.
    mean : ndarray of shape (F,), float64
        Above `low`, so that what all numbers have in common does not round off what they differ by.
    deviation : ndarray of shape (F,), float64
        Of the population; 0 where the numbers differ by no more than their type rounds off.
    """

    low: np.ndarray
    high: np.ndarray
    mean: np.ndarray | None = None
    deviation: np.ndarray | None = None


def stored_statistics(about):
    """Return the `Statistics` in what was noted of features that stay in their file."""
    return Statistics(**{field.name: about[f"feature_{field.name}"] for field in fields(Statistics)})


class Scaler:
    """Scales raw numbers: measured from an origin among them and divided in float64, cast last.

    Parameters
    ----------
    statistics : Statistics
    scaling : {"unit", "symmetric", "standard", "rows", "none"}
        As in `scale`.
    """

    def __init__(self, statistics, scaling):
        if scaling not in SCALINGS:
            raise ValueError(f"scaling={scaling!r} should be one of {', '.join(SCALINGS)}")
        self._statistics, self._scaling = statistics, scaling
        if scaling == "standard":
            self._origin, self._shift, width = statistics.low, statistics.mean, statistics.deviation
        else:
            self._origin, self._shift = statistics.low.min(), 0.0
            width = _above(self._origin, statistics.high.max())
        self._width = or_one(width)

    def __call__(self, x, kind=np.float32):
        """Return x (n, F), scaled, of type `kind`."""
        if self._scaling == "none":
            return x.astype(kind)
        if self._scaling == "rows":
            return of_length_one(x.astype(np.float64)).astype(kind)
        unit = ((_above(self._origin, x) - self._shift) / self._width).astype(kind)
        return 2 * unit - 1 if self._scaling == "symmetric" else unit

    def within_range(self, name):
        """Return itself; raise a ValueError, which begins with `name`, where float64 cannot hold their differences."""
        about = self._statistics
        if not np.isfinite(_above(about.low.min(), about.high.max())):
            raise ValueError(
                f"{name}: got numbers from {about.low.min():.3g} to {about.high.max():.3g}, farther apart than float64 "
                "can tell; divide them by what is common to all"
            )
        return self

    def checked(self, name):
        """Return itself; raise a ValueError, which begins with `name`, where float32 cannot hold what it gives."""
        about, kind = self.within_range(name)._statistics, self._statistics.low.dtype
        if self._scaling == "rows" and len(about.low) == 1:
            raise ValueError(f"{name}: got one feature, of which `scaling: rows` leaves the sign; choose another one")
        if self._scaling == "none":
            check_magnitude(self._ends().max(), len(about.low), np.float32, name=name)
        wide = self._scaling != "standard" and not np.can_cast(kind, np.float32)
        if wide and loses_differences(about.deviation / self._divisor(), self._ends()):
            raise ValueError(
                f"{name}: got numbers up to {np.abs([about.low, about.high]).max():.6g} that differ by "
                f"{np.linalg.norm(about.deviation):.2g}, which `scaling: {self._scaling}` rounds off in float32; "
                "choose `scaling: standard`"
            )
        return self

    def ends(self):
        """Return the bounds of what it gives, (low, high): for ``rows`` those that any rows of these signs have."""
        low, high = self._statistics.low, self._statistics.high
        if self._scaling == "rows":
            return -float(low.min() < 0), float(high.max() > 0)
        scaled = self(np.stack([low, high]))
        return float(scaled.min()), float(scaled.max())

    def _ends(self):
        """Return the largest absolute value that each feature takes, (F,): in rows, those of usual length."""
        ends = np.stack([self._statistics.low, self._statistics.high])
        found = ends.astype(np.float64) / self._divisor() if self._scaling == "rows" else self(ends, np.float64)
        return np.abs(found).max(0)

    def _divisor(self):
        """Return what differences are divided by; those of rows by the root of their mean squared length."""
        about = self._statistics
        if self._scaling == "rows":
            return length_of(np.hstack([about.low + about.mean, about.deviation])[None])[0] or 1.0
        return {"none": 1, "unit": self._width, "symmetric": self._width / 2}[self._scaling]


def loses_differences(deviation, ends):
    """Tell whether float32 rounds off what features of these deviations differ by, at absolute values up to `ends`."""
    rounding = np.linalg.norm(np.spacing(ends.astype(np.float32)).astype(np.float64)) / np.sqrt(12)
    return 0 < np.linalg.norm(deviation) < 16 * rounding


def check_magnitude(largest, n_features, kind, *, name):
    """Raise a ValueError where squared distances of numbers up to `largest` leave the range of the type `kind`."""
    limits = np.finfo(kind)
    least = np.sqrt(float(limits.tiny) / limits.eps)
    most = np.sqrt(float(limits.max) / n_features) / 2**13  # many squared distances are added up
    if largest and not least <= largest <= most:
        raise ValueError(
            f"{name}: got numbers up to {largest:.3g}, expected {least:.0e} to {most:.0e}: {np.dtype(kind)} holds no "
            "squared distances of others; scale them (`scaling: standard`, or StandardScaler)"
        )


def load_features(path, scaling):
    """Return the scaled features of ``data/{dataset}.npz``, one row per sample.

    Parameters
    ----------
    path : path-like
        A file that the dataset stage wrote.
    scaling : {"unit", "symmetric", "standard", "rows", "none"}
        As in `scale`.

    Returns
    -------
    ndarray of shape (N, F), float32

    Raises
    ------
    ValueError
        Where float32 cannot hold them.
    """
    feature = read_converted(path, "feature")["feature"]
    return _scale(feature, Scaler(measure(feature, scaling), scaling).checked(path), np.float32)


def scale(x, scaling):
    """Scale x (N, F).

    ``unit`` maps the smallest and largest number of the whole array to 0 and 1, ``symmetric`` to -1 and 1, ``standard``
    gives each feature mean 0 and standard deviation 1 (constant features become 0), ``rows`` divides each row by its
    Euclidean length (rows of zeros stay so), ``none`` changes nothing.

    Examples
    --------
    >>> scale(np.array([[0.0, 255.0], [51.0, 0.0]]), "symmetric")
    array([[-1. ,  1. ],
           [-0.6, -1. ]])
    """
    if scaling == "none":
        return x
    scaler = Scaler(measure(x, scaling), scaling).within_range("x")
    return _scale(x, scaler, x.dtype if x.dtype.kind == "f" else np.float64)


def _scale(feature, scaler, kind):
    """Return all samples scaled, of type `kind`: piece by piece, since float64 would hold all of them once more."""
    scaled = np.empty((len(feature), int(np.prod(feature.shape[1:]))), kind)
    for start, x in pieces(feature):
        scaled[start : start + len(x)] = scaler(x, kind)
    return scaled


def measure(feature, scaling="standard"):
    """Return what `scaling` needs to know of features in memory, (N, ...)."""
    low, high = extremes(x for _, x in pieces(feature))
    if scaling != "standard" and np.can_cast(feature.dtype, np.float32):
        return Statistics(low=low, high=high)
    return moments(feature, low, high)


def pieces(feature):
    """Yield (start, x) of an array or an HDF5 data set, x (n, F): as many samples at a time as fit `PIECE_BYTES`."""
    rows = max(1, PIECE_BYTES // (8 * int(np.prod(feature.shape[1:]))))
    for start in range(0, len(feature), rows):
        x = feature[start : start + rows]
        yield start, x.reshape(len(x), -1)


def extremes(parts):
    """Return the smallest and the largest number of each feature, (F,), of parts (n, F); NaN where one of them is."""
    low, high = None, None
    for x in parts:
        low = x.min(0) if low is None else np.minimum(low, x.min(0))
        high = x.max(0) if high is None else np.maximum(high, x.max(0))
    return low, high


@np.errstate(invalid="ignore")  # where they are farther apart than float64 can tell, which is looked for
def moments(feature, low, high):
    """Return the `Statistics` of an array or an HDF5 data set whose extremes, (F,), are known."""
    width = _above(low, high)
    unit = np.where(width > 0, width, 1.0)
    mean, squares = np.zeros(len(low)), np.zeros(len(low))  # squares: of the deviations from the mean
    for count, part in pieces(feature):
        x = _above(low, part) / unit  # in [0, 1]: no square leaves the range of numbers
        center, total = x.mean(0), count + len(x)
        # Chan, Golub, LeVeque 1979: the moments of two parts give those of the whole.
        squares += np.square(x - center).sum(0) + (center - mean) ** 2 * count * len(x) / total
        mean += (center - mean) * len(x) / total
    deviation = np.sqrt(squares / len(feature)) * width
    deviation[deviation <= _rounding(low, high)] = 0
    return Statistics(low=low, high=high, mean=mean * width, deviation=deviation)


def _above(origin, x):
    """Return x - origin >= 0 in float64, rounded once: 64-bit integers, of which it cannot hold all, wrap around."""
    with np.errstate(over="ignore"):  # of integers it is meant; what is infinite is looked for
        if x.dtype.kind in "iu" and x.dtype.itemsize == 8:
            return (x.astype(np.uint64) - origin.astype(np.uint64)).astype(np.float64)
        return np.subtract(x, origin, dtype=np.float64, casting="unsafe")


def _rounding(low, high):
    """Return what the numbers' own type rounds off numbers of this size, (F,): nothing off integers."""
    if low.dtype.kind != "f":
        return 0.0
    largest = np.maximum(np.abs(low), np.abs(high)).astype(np.float64)
    return 2 * max(np.finfo(low.dtype).eps, np.finfo(np.float64).eps) * largest
