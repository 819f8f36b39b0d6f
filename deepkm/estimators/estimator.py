"""The scikit-learn estimator that is made of a method: its parameters, and `fit` on top of its hooks."""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from numbers import Integral
from typing import Any, Literal, Self, cast, get_type_hints

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import validate_data
from torch import Tensor

from deepkm.estimators.fitted import Fitted
from deepkm.estimators.pretrained import start_pretrained
from deepkm.estimators.progress import shown
from deepkm.estimators.restarts import objectives, only_run, restart_seeds, squared_error
from deepkm.estimators.samples import as_rows, as_type, check_device, check_images, sample_shape, smallest_type
from deepkm.methods.base import DeepClustering
from deepkm.networks.images import check_range, sides_of
from deepkm.networks.modules import ModulePair, is_pair
from deepkm.numerics.seeding import generator
from deepkm.training.run import Run
from deepkm.values import NonNegativeInt, PositiveInt, expected


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
        A subclass of both `Estimator` and `method`, the same one for each call.

    Raises
    ------
    ValueError
        When it is no such class, or has a parameter or a function that is named as one of the estimator's own.

    Examples
    --------
    >>> from deepkm.methods.km import KMeans
    >>> as_estimator(KMeans)(n_clusters=2, random_state=0).fit([[0.0], [1.0], [8.0], [9.0]]).cluster_centers_
    array([[8.5],
           [0.5]], dtype=float32)
    """
    if not isinstance(method, type) or not issubclass(method, DeepClustering):
        raise ValueError(f"got {method!r:.80}, expected a method, a subclass of DeepClustering; give the class itself")
    if issubclass(method, Estimator):
        return method
    own = {name for cls in method.__mro__ if cls not in DeepClustering.__mro__ for name in vars(cls)}
    taken = {name for cls in Estimator.__mro__ for name in vars(cls)} - set(dir(DeepClustering))
    if clash := sorted(name for name in own & taken if not name.startswith("__")):
        raise ValueError(
            f"{method.__qualname__}.{clash[0]}: estimators have one of this name, and hooks may not; rename it"
        )
    module = "deepkm" if method.__module__.startswith("deepkm.methods.") else method.__module__
    names = {"__doc__": method.__doc__, "__module__": module, "__qualname__": method.__qualname__, "_method": method}
    return dataclass(kw_only=True, eq=False, repr=False)(type(method.__name__, (Estimator, method), names))


@dataclass(kw_only=True, eq=False, repr=False)
class Estimator(Fitted):
    """The scikit-learn interface of a method; `deepkm.estimators.fitted.Fitted` says what there is after `fit`.

    Parameters
    ----------
    n_init_runs : int
        Restarts of the whole method, trained side by side, of which the best by its own objective is kept: the lowest
        loss of the last epoch, or, where that knows no clusters, the least variance left unexplained by them. The first
        is the run that `random_state` gives by itself.
    autoencoder : str, pair of torch.nn.Module or None
        Beside the kinds that a method names: an encoder from rows (n, F) to codes (n, D) and a decoder back, which are
        copied and start with the weights that they have; `hidden_widths`, `n_latent` and `precision` are not theirs.
    pretrained : estimator, path-like or pair of torch.nn.Module, optional
        Takes the place of pretraining: a fitted estimator, whose network's weights are taken as they are; a file of
        ``results/autoencoders``, of several seeds that of `random_state`; or a trained pair, which is the autoencoder.
    dtype : {"float32", "float64"}
        What data are converted to and trained in, whatever they are.
    verbose : bool or int
        Show the epochs, their losses and the time that is left.
    """

    n_init_runs: PositiveInt = 1
    pretrained: object = None
    dtype: Literal["float32", "float64"] = "float32"
    verbose: bool | NonNegativeInt = False

    def __reduce__(self) -> tuple:
        """Let pickle find the method's class: the estimator's own stands under no name in a user's module."""
        return _unpickled, (self._method,), self.__getstate__()

    def __sklearn_clone__(self) -> Self:
        """Return the same without what was fitted, but for what is `pretrained`: that is what it starts from."""
        bare = copy.copy(self)
        bare.pretrained = None
        cloned = super(Estimator, bare).__sklearn_clone__()
        cloned.pretrained = self.pretrained
        return cloned

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = [self.dtype]
        return tags

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Pretrain, train and label.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Images may keep their form, (n_samples, H, W) or (n_samples, H, W, C).
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
        method = replace(cast(Any, self), autoencoder=self.pretrained) if is_pair(self.pretrained) else self
        seeds = restart_seeds(self._seed(), self.n_init_runs)
        with method.own_draws(seeds[0]):
            run = method.train_runs(x, seeds=seeds)
        if run.diverged.all():
            raise ValueError(
                f"got weights, codes or centers that are no finite numbers: training diverged; lower {self._rates()}, "
                "or scale X"
            )
        if len(seeds) > 1:
            run = only_run(method, run, int(objectives(method, run, x).argmin()), x)
        run.optimizer, self.form_ = None, None
        self._take(run)
        with torch.no_grad():
            labels = torch.from_numpy(self.labels_).to(x.device).long()
            self.inertia_ = squared_error(self.embed(run.encode(x), run)[0], run.centers[0], labels)
        return self

    # How it trains: what a method's hooks do not know of.

    def start(self, x: Tensor, *, seeds: Sequence[int]) -> Run:
        """Return a fresh run; see `deepkm.methods.base.DeepClustering.start`."""
        if is_pair(self.autoencoder):
            network = ModulePair(*self.autoencoder, n_runs=len(seeds), n_features=x.shape[1])
            run = Run(seeds, network.to(x))
        else:
            run = self._method.start(self, x, seeds=seeds)
        if self.pretrained is not None:
            start_pretrained(run, self.pretrained)
            run.epoch = self.pretraining()["epochs"]  # none is left
        return run

    def follow(self, runs: Iterator[Run], *, epochs: int, stage: str) -> Iterator[Run]:
        """Return the runs that training yields; where it is `verbose`, they are shown."""
        if not self.verbose or (stage == "pretraining" and self.pretrained is not None):
            return runs
        return shown(runs, epochs=epochs, title=f"{type(self).__name__}, {stage}")

    def starts_warm(self, how: str) -> bool:
        """Tell whether fine-tuning has a pretrained code to spare, its own or one that was given."""
        return super().starts_warm(how) or (self.pretrained is not None and self.warm_start == how and self.epochs > 0)

    def check_parameters(self) -> None:
        super().check_parameters()
        if is_pair(self.pretrained):
            replace(cast(Any, self), autoencoder=self.pretrained, pretrained=None).check_parameters()
        if self.pretrained is not None and self.starts_warm("moments"):
            raise ValueError("warm_start='moments' should be another one where `pretrained` is given, without moments")

    def _check_values(self, **known: int) -> None:
        kind = self.autoencoder
        if kind is None or isinstance(kind, str):
            self._method._check_values(self, **known)
            return
        hint = get_type_hints(type(self), include_extras=True)["autoencoder"]
        allowed = expected(hint, "mlp") or expected(hint, object())
        if not is_pair(kind):
            pair = ", or a pair of torch.nn.Module, encoder and decoder" if self.takes_modules else ""
            raise ValueError(f"autoencoder: got {_kinds(kind)}, expected {allowed}{pair}")
        if not self.takes_modules or expected(hint, "mlp"):
            raise ValueError(f"autoencoder: got a pair of modules, but {type(self).__name__} takes {allowed} alone")
        if getattr(self, "reset_interval", 0):
            raise ValueError("reset_interval should be 0 where the autoencoder is a pair of modules of one's own")
        replace(cast(Any, self), autoencoder="mlp")._check_values(**known)

    def check_data(self, X: ArrayLike) -> Tensor:
        """Return what `fit` trains on, once parameters and `X` are found to be as documented."""
        self.check_parameters()
        dtype = np.dtype(self.dtype).type
        array: np.ndarray = validate_data(self, as_rows(X), dtype=smallest_type(X, dtype), order="C")
        self.sample_shape_ = sample_shape(X, array.shape[1])
        self.check_takes(array, self.sample_shape_)
        return torch.tensor(as_type(array, dtype), device=self._device())

    def check_takes(self, array: np.ndarray | Tensor, shape: tuple[int, ...]) -> None:
        """Raise a ValueError for samples (N, F), each of a `shape`, that it cannot be fitted on."""
        self.check_samples(len(array))
        pair = is_pair(self.autoencoder) or is_pair(self.pretrained)
        views = bool(self.views or self.pretraining_views is not None)
        own = self.convolutional and not self.autoencoder and not pair
        check_images(shape, sides_of(None if pair else self.autoencoder, convolutional=own, views=views))
        check_range(self.autoencoder, float(array.min()), float(array.max()))

    @contextmanager
    def own_draws(self, seed: int) -> Iterator[None]:
        """Let a user's modules, such as dropout, draw from a stream of `seed`; PyTorch's generators stay as they were.

        Modules take no generator of their own: they draw from that of the device.
        """
        if not is_pair(self.autoencoder):
            yield
            return
        gpus = [*range(torch.cuda.device_count())]
        with torch.random.fork_rng(devices=gpus):
            torch.set_rng_state(generator(seed, "modules").get_state())
            for gpu in gpus:
                own = torch.Generator(f"cuda:{gpu}").manual_seed(generator(seed, "modules").initial_seed())
                torch.cuda.set_rng_state(own.get_state(), gpu)
            yield

    def _seed(self) -> int:
        if isinstance(self.random_state, Integral):
            return int(self.random_state)
        return check_random_state(self.random_state).randint(2**31)

    def _rates(self) -> str:
        rates = [f"learning_rate={self.learning_rate}"]
        if self.autoencoder and self.pretraining_epochs:
            rates.append(f"pretraining_learning_rate={self.pretraining_learning_rate}")
        return " or ".join(rates)

    def _device(self) -> str:
        return check_device(self.device or ("cuda" if torch.cuda.is_available() else "cpu"))


def _kinds(value: object) -> str:
    """Return the types in a value in words: what modules print takes many lines."""
    kinds = [type(one).__name__ for one in value] if isinstance(value, tuple | list) else [type(value).__name__]
    return " and ".join(kinds)


def _unpickled(method: type) -> object:
    estimator: Any = as_estimator(method)
    return estimator.__new__(estimator)
