"""The form of the data that a model was trained on: what new raw numbers must be like, and how they are scaled."""

import json
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from deepkm.datasets.arrays import check_feature
from deepkm.datasets.converted import read_converted
from deepkm.datasets.features import Scaler, Statistics, measure, pieces, stored_statistics
from deepkm.datasets.labels import listed
from deepkm.datasets.roles import own_options
from deepkm.datasets.streaming import ABOUT

_WORDS = ("scaling", "shape", "whole", "feature_names", "options", "turned")  # of a `Form`, beside its statistics
TURNED = ("deepkm.datasets.matlab:convert_faces",)  # converters of rows of pixels that stand column by column
_ENOUGH = 10  # samples, that a share of them says something
_DECIMALS = 0.1  # of the numbers, at most, where all were whole
_LARGEST = 1e15  # of scaled numbers: float32 holds the sum of many squares
_MARGIN = 0.01  # of a feature's range, that numbers may lie outside of it


@dataclass(frozen=True, kw_only=True, eq=False)
class Form:
    """What is kept of the data that a model was trained on.

    Attributes
    ----------
    statistics : deepkm.datasets.features.Statistics
        Of the raw numbers, in their own type.
    scaling : {"unit", "symmetric", "standard", "rows", "none"}
    shape : tuple of int
        Of a sample, (F,), (H, W) or (H, W, C).
    whole : bool
        Whether all raw numbers were whole ones.
    feature_names : list of str
        The columns of a table; empty where features have no names.
    options : dict
        What a user's file was read with, as in `deepkm.datasets.roles.Options`.
    turned : bool
        Whether raw rows hold the pixels column by column: those of training were turned upright.
    """

    statistics: Statistics
    scaling: str
    shape: tuple
    whole: bool
    feature_names: list = field(default_factory=list)
    options: dict = field(default_factory=dict)
    turned: bool = False

    @property
    def n_features(self):
        """F."""
        return int(np.prod(self.shape))

    def scaled(self, x, name="X"):
        """Return new raw samples as training saw its own, (n, F), float32.

        Parameters
        ----------
        x : array-like of shape (n, F) or (n, *shape), or DataFrame
            Of a DataFrame, the columns of the training data are taken, in their order. Where images were `turned`, no
            rows.
        name : str
            For messages.

        Raises
        ------
        ValueError
            When they have other features, are no finite numbers, or seem to be scaled already.
        """
        x = self._rows(x, name)
        self._check_units(x, name)
        low = self.statistics.low
        if x.dtype.kind in "iu" and x.dtype.itemsize == 8 and (x.dtype != low.dtype or (x < low).any()):
            x = x.astype(np.float64)  # the scaler counts on long integers of its own type, none below the smallest
        scaler, scaled = Scaler(self.statistics, self.scaling), np.empty(x.shape, np.float32)
        with np.errstate(over="ignore", invalid="ignore"):  # looked for in the next line
            for start, part in pieces(x):
                scaled[start : start + len(part)] = scaler(part)
            if not np.abs(scaled).max() < _LARGEST:
                raise ValueError(f"{name}: got numbers too large for distances in float32; {self._expected()}")
        return scaled

    def unscaled(self, x):
        """Return scaled samples (n, F) in the raw numbers' units, (n, *shape), float64; the length of rows is lost."""
        x, about = np.asarray(x, np.float64), self.statistics
        low, high = about.low.astype(np.float64), about.high.astype(np.float64)
        if self.scaling == "standard":
            x = x * np.where(about.deviation > 0, about.deviation, 1.0) + about.mean + low
        elif self.scaling in ("unit", "symmetric"):
            unit = x if self.scaling == "unit" else (x + 1) / 2
            width = high.max() - low.min()
            x = unit * (width if width > 0 else 1.0) + low.min()
        return x.reshape(len(x), *self.shape)

    def _rows(self, x, name):
        """Return new samples as rows of numbers, (n, F)."""
        columns = getattr(x, "columns", None)
        if columns is not None and self.feature_names:
            counts = Counter(columns)
            if wrong := [column for column in self.feature_names if counts[column] != 1]:
                raise ValueError(
                    f"{name}: got {counts[wrong[0]] or 'no'} columns {wrong[0]!r} among {listed([*map(str, counts)])}, "
                    "expected one; name the columns as in the training data"
                )
            x = x[self.feature_names]
        x = np.asarray(x)
        grey = (*self.shape, 1) if len(self.shape) == 2 else self.shape
        if x.ndim < 2 or x.shape[1:] not in ((self.n_features,), self.shape, grey):
            features = f"{self.n_features} features"
            raise ValueError(
                f"{name}: got an array of shape {x.shape}, expected a row of {features} for each sample"
                + (f", or the shape {self.shape}" if len(self.shape) > 1 else "")
            )
        if self.turned and x.ndim == 2:
            height, width = self.shape
            raise ValueError(
                f"{name}: got rows of {self.n_features} pixels, which stood column by column in the training data; "
                f"give upright images, of such rows x.reshape(-1, {width}, {height}).transpose(0, 2, 1)"
            )
        check_feature(x, name)
        return x.reshape(len(x), -1)

    def _check_units(self, x, name):
        """Raise a ValueError over numbers that are most likely scaled already, or measured in other units."""
        about, enough = self.statistics, len(x) >= _ENOUGH
        if self.whole and x.dtype.kind == "f":
            most = 0 if about.low.dtype.itemsize == 1 else _DECIMALS if enough else 1  # bytes are whole for good
            if np.mean(x != np.floor(x)) > most:
                raise ValueError(f"{name}: got numbers with decimals, expected whole ones; {self._expected()}")
        if self.scaling == "rows" or not enough:
            return
        low, high = about.low.astype(np.float64), about.high.astype(np.float64)
        varies = high > low
        margin = _MARGIN * (high - low)
        outside = ((x < low - margin) | (x > high + margin))[:, varies]
        if outside.size and outside.mean() > 0.5:
            raise ValueError(
                f"{name}: got numbers from {x.min():.4g} to {x.max():.4g}, most of them outside of what their features "
                f"ranged over in training; {self._expected()}"
            )

    def kept(self):
        """Return what a file keeps of it, arrays by name and what JSON holds: the arguments of `form_of_kept`."""
        arrays = {name: array for name, array in vars(self.statistics).items() if array is not None}
        return arrays, {name: getattr(self, name) for name in _WORDS}

    def _expected(self):
        about = self.statistics
        return (
            f"give raw numbers as those of training, {about.low.min():.4g} to {about.high.max():.4g}: they are scaled "
            f"here (`scaling: {self.scaling}`)"
        )


def form_of_kept(arrays, words):
    """Return a `Form` from what `Form.kept` returns of it."""
    return Form(statistics=Statistics(**arrays), **{**words, "shape": tuple(words["shape"])})


def form_of(path, scaling):
    """Return the `Form` of a converted data set.

    Parameters
    ----------
    path : path-like
        ``data/{dataset}.npz``.
    scaling : str
        As in `deepkm.datasets.features.scale`.
    """
    found = read_converted(path, optional=("feature", "spec", "feature_names", "image_shape", *ABOUT))
    shape = tuple(found["feature_shape"] if "feature_shape" in found else found["feature"].shape)[1:]
    if np.prod(image := found.get("image_shape", ())) == np.prod(shape):
        shape = image
    if "feature" in found:
        statistics, whole = measure(found["feature"], scaling), _is_whole(found["feature"])
    else:
        statistics = stored_statistics(found)
        whole = statistics.low.dtype.kind in "biu"  # of decimals, no second look at a file larger than memory
    spec = json.loads(str(found["spec"])) if "spec" in found else {}
    options, columnwise = own_options(spec), spec.get("columnwise", False)
    if columnwise:  # the size may be the file's own word, which new files need not have
        options["image_size"] = [*map(int, shape)]
    return Form(
        statistics=statistics,
        scaling=scaling,
        shape=tuple(map(int, shape)),
        whole=bool(whole),
        feature_names=found["feature_names"].tolist() if "feature_names" in found else [],
        options=options,
        turned=columnwise or spec.get("conversion", {}).get("converter") in TURNED,
    )


def _is_whole(feature):
    return feature.dtype.kind in "biu" or all((x == np.floor(x)).all() for _, x in pieces(feature))
