"""What a fitted estimator gives: labels, memberships, codes, and all in the names that scikit-learn has for them."""

import copy
from typing import Any, Self, cast

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_array, check_is_fitted, validate_data
from torch import Tensor, nn

from deepkm.estimators.encoder import Encoder
from deepkm.estimators.restarts import squared_error
from deepkm.estimators.samples import MASKED, as_rows, as_type, smallest_type
from deepkm.methods.base import DeepClustering
from deepkm.networks.layers import exact_convolutions
from deepkm.numerics.memory import CHUNK_NUMEL
from deepkm.training.loop import final_labels
from deepkm.training.run import Run


def _labels_new_samples(estimator: Any) -> bool:
    if not estimator.labels_new_samples:
        name = type(estimator).__name__
        raise AttributeError(f"{name} has no rule for new samples; fit it on all of them, or take another method")
    return True


class Fitted(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, BaseEstimator):
    """What `deepkm.estimators.estimator.Estimator` gives once it is fitted.

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,)
        The method's own assignment on the final code.
    cluster_centers_ : ndarray of shape (n_clusters, n_latent)
        Final centers, in the code's space.
    inertia_ : float
        Sum of squared distances of codes to the centers of their clusters, after `fit`. Codes of different fits are of
        different scales: it says nothing of which fit is better.
    losses_ : dict of str to ndarray of shape (n_epochs,)
        Each loss term, and what else the method notes of its epochs.
    history_ : DataFrame
        The same by epoch, counted from 1; needs pandas.
    label_history_ : ndarray of shape (n_read_outs, n_samples)
        The labels before the first epoch and after those that they were read after.
    label_epochs_ : ndarray of shape (n_read_outs,)
        These epochs, 0 for before the first; with ``read_out="all"``, all of them.
    encoder_ : torch.nn.Module
        From samples (n, n_features), scaled as in training, to what `transform` gives; `torch.export.export` takes it.
    n_iter_ : int
        Fine-tuning epochs done, up to the method's stopping rule where it has one.
    n_features_in_ : int
        F.
    sample_shape_ : tuple of int
        (F,); of images, (H, W) or (H, W, C).
    doubts_ : list of str
        What should be known of the result, such as a mixture that did not converge.
    form_ : deepkm.datasets.form.Form or None
        Of an estimator from a result: how raw data become what training saw. None: data are taken as they are.
    """

    form_ = cast(Any, None)  # no annotation: it is no parameter

    def _take(self, run: Run) -> Self:
        """Be what a run, S = 1, has become."""
        self._run = run
        self.labels_ = final_labels(run)[0]
        self.cluster_centers_ = run.centers[0].numpy(force=True)
        self.losses_ = {name: np.stack(values)[:, 0] for name, values in run.history.items()}
        self.label_history_ = self.losses_.pop("labels")
        every = np.arange(len(self.label_history_))  # as files have it that are older than read-outs on a schedule
        self.label_epochs_ = self.losses_.pop("label_epochs", every)
        stopped = self.losses_.get("stopped", np.zeros(1, dtype=bool))
        self.doubts_ = run.doubts
        self.n_iter_ = int(stopped.argmax()) + 1 if stopped.any() else run.epoch
        return self

    @property
    def history_(self) -> Any:
        check_is_fitted(self)
        try:
            import pandas as pd  # noqa: PLC0415  whoever only clusters does without it
        except ImportError:
            raise ImportError("history_ needs pandas; pip install pandas, or take losses_, a dict of arrays") from None
        epochs = pd.RangeIndex(1, self._run.epoch + 1, name="epoch")
        return pd.DataFrame(self.losses_, index=epochs)

    @property
    def encoder_(self) -> nn.Module:
        check_is_fitted(self)
        return Encoder(self, self._run)

    @property
    def _n_features_out(self) -> int:
        return self.cluster_centers_.shape[1]

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

    @available_if(_labels_new_samples)
    def score(self, X: ArrayLike, y: object = None) -> float:
        """Return the negative `inertia_` of `X` with the labels that `predict` gives, as scikit-learn's KMeans does."""
        z = self._encode(X)
        with torch.no_grad():
            labels = self.assign_new(z, self._run)[0]
            return -squared_error(self.embed(z, self._run)[0], self._run.centers[0], labels.to(z.device).long())

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Return the code of each sample of `X`, (n_samples, n_latent)."""
        return self.embed(self._encode(X), self._run)[0].numpy(force=True)

    def decode(self, Z: ArrayLike) -> np.ndarray:
        """Return the samples that codes, (n, n_latent), stand for, as `X` was given; without a decoder, a ValueError.

        An estimator from a result gives them in the units of the raw data.
        """
        check_is_fitted(self)
        centers = self.cluster_centers_
        codes: np.ndarray = check_array(Z, dtype=centers.dtype, input_name="Z")
        if codes.shape[1] != centers.shape[1]:
            raise ValueError(f"Z: got {codes.shape[1]} numbers to a code, expected {centers.shape[1]}")
        pieces = torch.tensor(codes, device=self._run.centers.device).split(max(1, CHUNK_NUMEL // self.n_features_in_))
        decoded = [self._decode(piece) for piece in pieces]
        x = torch.cat(decoded).numpy(force=True)
        return x.reshape(len(x), *self.sample_shape_) if self.form_ is None else self.form_.unscaled(x)

    def inverse_transform(self, X: ArrayLike) -> np.ndarray:
        """Return the same as `decode`, under the name that scikit-learn has for it."""
        return self.decode(X)

    @exact_convolutions()
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
        device, dtype = self._run.centers.device, self.cluster_centers_.dtype.type
        if self.form_ is not None:
            if np.ma.is_masked(X):
                raise ValueError(MASKED)
            if hasattr(X, "toarray"):
                raise ValueError("X: got a sparse matrix, expected an array; give X.toarray()")
            return self._run.encode(torch.from_numpy(self.form_.scaled(X)).to(device))
        rows = as_rows(X, self.sample_shape_)
        array: np.ndarray = validate_data(self, rows, dtype=smallest_type(X, dtype), order="C", reset=False)
        return self._run.encode(torch.tensor(as_type(array, dtype, fitted=True), device=device))
