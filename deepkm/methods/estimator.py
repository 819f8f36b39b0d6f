"""The scikit-learn estimator that is made of a method: `fit`, `predict` and `transform` on top of its hooks."""

import copy
from functools import cache
from numbers import Integral
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClusterMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_array, check_is_fitted, validate_data
from torch import Tensor

from deepkm.datasets.arrays import check_rounding
from deepkm.datasets.features import check_magnitude
from deepkm.methods.base import DeepClustering
from deepkm.numerics.memory import CHUNK_NUMEL
from deepkm.training.loop import final_labels
from deepkm.training.run import Run


@cache
def as_estimator(method: type) -> type:
    """Return the scikit-learn estimator of a method: a class of the same name, with its parameters and hooks.

    Parameters
    ----------
    method : type
        A subclass of `deepkm.methods.base.DeepClustering`.

    Returns
    -------
    type
        A subclass of both `method` and `Estimator`, the same one for each call.

    Examples
    --------
    >>> from deepkm.methods.km import KMeans
    >>> as_estimator(KMeans)(n_clusters=2, random_state=0).fit([[0.0], [1.0], [8.0], [9.0]]).cluster_centers_
    array([[8.5],
           [0.5]])
    """
    if issubclass(method, Estimator):
        return method
    module = "deepkm" if method.__module__.startswith("deepkm.methods.") else method.__module__
    names = {"__doc__": method.__doc__, "__module__": module, "__qualname__": method.__qualname__, "_method": method}
    return type(method.__name__, (method, Estimator), names)


def _labels_new_samples(estimator: Any) -> bool:
    if not estimator.labels_new_samples:
        name = type(estimator).__name__
        raise AttributeError(f"{name} has no rule for new samples; fit it on all of them, or take another method")
    return True


class Estimator(TransformerMixin, ClusterMixin, BaseEstimator):
    """The scikit-learn interface of a method.

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,)
        The method's own assignment on the final code.
    cluster_centers_ : ndarray of shape (n_clusters, n_latent)
        Final centers, in the code's space.
    history_ : dict of str to ndarray
        Per epoch: each loss term, and the labels (from before the first epoch on).
    n_iter_ : int
        Fine-tuning epochs done, up to the method's stopping rule where it has one.
    n_features_in_ : int
        F.
    doubts_ : list of str
        What should be known of the result, such as a mixture that did not converge.
    form_ : deepkm.datasets.form.Form or None
        Of an estimator from a file: how raw data become what training saw. None: data are taken as they are.
    """

    form_: Any = None

    def __reduce__(self) -> tuple:
        """Let pickle find the method's class: the estimator's own stands under no name in a user's module."""
        return _unpickled, (self._method,), self.__getstate__()

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Pretrain, train and label.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            float32 input trains in float32, everything else in float64.
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        ValueError
            When a parameter or `X` is not as documented, or training diverges.
        """
        x = self.check_data(X)
        if isinstance(self.random_state, Integral):
            seed = self.random_state
        else:
            seed = check_random_state(self.random_state).randint(2**31)
        run = self.train_runs(x, seeds=[seed])
        if run.diverged.any():
            raise ValueError(
                f"got weights, codes or centers that are no finite numbers: training diverged; lower {self._rates()}, "
                "or scale X"
            )
        self.form_ = None
        return self._take(run)

    def check_data(self, X: ArrayLike) -> Tensor:
        """Return what `fit` trains on, once parameters and `X` are found to be as documented."""
        self.check_parameters()
        _check_kept(X)
        array: np.ndarray = validate_data(self, X, dtype=[np.float64, np.float32], order="C")
        self.check_samples(len(array))
        check_magnitude(np.abs(array).max(), array.shape[1], array.dtype, name="X")
        return torch.tensor(array, device=self._device())

    def _take(self, run: Run) -> Self:
        """Be what a run, S = 1, has become."""
        self._run = run
        self.labels_ = final_labels(run)[0]
        self.cluster_centers_ = run.centers[0].numpy(force=True)
        self.history_ = {name: np.stack(values)[:, 0] for name, values in run.history.items()}
        stopped = self.history_.get("stopped", np.zeros(1, dtype=bool))
        self.doubts_ = run.doubts
        self.n_iter_ = int(stopped.argmax()) + 1 if stopped.any() else run.epoch
        return self

    @available_if(_labels_new_samples)
    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the label of each sample of `X`, (n_samples,); a method without a rule for new samples has it not."""
        z = self._encode(X)
        with torch.no_grad():
            return self.assign_new(z, self._run)[0].numpy(force=True).astype(np.int32)

    @available_if(_labels_new_samples)
    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Return the membership of each sample of `X` in each cluster, (n_samples, n_clusters); rows sum to 1.

        They are 0 and 1 where a method has no soft memberships of new samples.
        """
        z = self._encode(X)
        soft = self._memberships(z)
        if soft is not None:
            return soft
        with torch.no_grad():
            labels = self.assign_new(z, self._run)[0].numpy(force=True)
        return np.eye(self.n_clusters, dtype=self.cluster_centers_.dtype)[labels]

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Return the code of each sample of `X`, (n_samples, n_latent)."""
        return self.embed(self._encode(X), self._run)[0].numpy(force=True)

    def decode(self, Z: ArrayLike) -> np.ndarray:
        """Return the samples that codes, (n, n_latent), stand for, as `X` was given; without a decoder, a ValueError.

        An estimator from a file gives them in the units of the raw data.
        """
        check_is_fitted(self)
        centers = self.cluster_centers_
        codes: np.ndarray = check_array(Z, dtype=centers.dtype, input_name="Z")
        if codes.shape[1] != centers.shape[1]:
            raise ValueError(f"Z: got {codes.shape[1]} numbers to a code, expected {centers.shape[1]}")
        pieces = torch.tensor(codes, device=self._run.centers.device).split(max(1, CHUNK_NUMEL // self.n_features_in_))
        decoded = [self._decode(piece) for piece in pieces]
        x = torch.cat(decoded).numpy(force=True)
        return x if self.form_ is None else self.form_.unscaled(x)

    def _decode(self, codes: Tensor) -> Tensor:
        run = copy.copy(self._run)
        run.state = {**run.state, "centers": codes.unsqueeze(0)}  # decoded as centers are, whatever a method does there
        with torch.no_grad():
            x = self.decode_centers(run)
        if x is None:
            raise ValueError(f"{type(self).__name__} has no decoder; take a method with an autoencoder")
        return x[0]

    def _memberships(self, z: Tensor) -> np.ndarray | None:
        """Return the soft memberships of codes (1, n, D), or None where they say nothing of new samples."""
        if type(self).assign_new is not DeepClustering.assign_new:  # what it knows of training samples is theirs alone
            [model] = self._run.models or [None]
            soft = getattr(model, "predict_proba", None)
            return soft(z[0].double().numpy(force=True)) if soft else None
        method, index = self.in_epochs(len(self.labels_)), torch.arange(z.shape[1], device=z.device)
        size = max(1, CHUNK_NUMEL // self._run.centers.numel())
        pieces = zip(z.split(size, dim=1), index.split(size), strict=True)
        with torch.no_grad():
            soft = [method.membership(*piece, self._run) for piece in pieces]
        return None if soft[0] is None else torch.cat(soft, dim=1)[0].numpy(force=True)

    def _encode(self, X: ArrayLike) -> Tensor:
        check_is_fitted(self)
        _check_kept(X)
        if self.form_ is not None:
            return self._run.encode(torch.from_numpy(self.form_.scaled(X)).to(self._run.centers.device))
        array: np.ndarray = validate_data(self, X, dtype=self.cluster_centers_.dtype, order="C", reset=False)
        check_magnitude(np.abs(array).max(), array.shape[1], array.dtype, name="X")
        return self._run.encode(torch.tensor(array, device=self._run.centers.device))

    def _rates(self) -> str:
        rates = [f"learning_rate={self.learning_rate}"]
        if self.autoencoder and self.pretraining_epochs:
            rates.append(f"pretraining_learning_rate={self.pretraining_learning_rate}")
        return " or ".join(rates)

    def _device(self) -> str:
        return self.device or ("cuda" if torch.cuda.is_available() else "cpu")


def _check_kept(X: ArrayLike) -> None:
    """Raise a ValueError over what scikit-learn's conversion to floats would lose: a mask, the end of long integers."""
    if np.ma.is_masked(X):
        raise ValueError("X: got masked numbers, expected none; drop those samples or fill them in")
    if isinstance(X, np.ndarray) and X.dtype.kind in "iu" and X.size:
        check_rounding(X, "X", "integers")


def _unpickled(method: type) -> object:
    estimator: Any = as_estimator(method)
    return estimator.__new__(estimator)
