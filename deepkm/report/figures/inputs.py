"""What figures are drawn from: a study's numbers, its data sets, and single runs with their snapshots."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from deepkm.datasets.converted import read_converted
from deepkm.datasets.features import load_features
from deepkm.datasets.unreadable import printable
from deepkm.study.results import read_result

_MOST_LETTERS = 30  # of a class's name in a figure


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """The numbers of a study: ``results/*.csv``, ``results/statistics/*.csv`` and those of its search."""

    scores: pd.DataFrame
    epochs: pd.DataFrame
    jobs: pd.DataFrame
    parameters: pd.DataFrame
    friedman: pd.DataFrame
    nemenyi: pd.DataFrame
    agreement: pd.DataFrame = field(default_factory=pd.DataFrame)
    choice: pd.DataFrame = field(default_factory=pd.DataFrame)
    peeked: pd.DataFrame = field(default_factory=pd.DataFrame)

    def of(self, dataset):
        """Return the rows of one data set, of all frames that name any."""
        rows = {name: frame[frame["dataset"] == dataset] for name, frame in vars(self).items() if "dataset" in frame}
        return Numbers(**{**vars(self), **rows})


class Dataset:
    """One data set of a study.

    Parameters
    ----------
    path : path-like
        ``data/{dataset}.npz``.
    key, title, scaling : str

    Attributes
    ----------
    target : ndarray of shape (N,) or None
        True classes.
    class_names : list of str
        In one line each, and cut where they would leave no room for the figure.
    image_shape : tuple of int
        Empty when the samples are no images, or lie in a file of their own.
    """

    def __init__(self, path, *, key, title, scaling):
        self.key, self.title = key, title
        self._path, self._scaling, self._samples = path, scaling, None
        found = read_converted(path, optional=("feature_file", "target", "class_names", "image_shape"))
        self.in_memory = "feature_file" not in found
        self.target = found.get("target")
        names = found.get("class_names", np.array([])).tolist()
        shape = found["image_shape"].tolist() if "image_shape" in found and self.in_memory else []
        n_classes = 0 if self.target is None else int(self.target.max()) + 1
        names = names if len(names) >= n_classes else [str(k) for k in range(n_classes)]
        self.class_names = [printable(" ".join(name.split()), _MOST_LETTERS) for name in names]
        self.image_shape = tuple(int(size) for size in shape)

    @cached_property
    def features(self):
        """The scaled features, (N, F)."""
        features = load_features(self._path, self._scaling)
        return features if self._samples is None else features[self._samples]

    def keep(self, samples):
        """Become the data set of these samples alone, (n,)."""
        self._samples = samples
        self.target = None if self.target is None else self.target[samples]


@dataclass(frozen=True, kw_only=True)
class ClusteringRun:
    """One run: what its job kept.

    Attributes
    ----------
    seed : int
    labels : ndarray of shape (N,)
    drawn : ndarray of shape (N,), or None
        Which samples of the data set they are of, where the seed drew a share of these.
    epochs : ndarray of shape (E,)
        Of the snapshots; the following are None without any.
    sample : ndarray of shape (M,)
    codes : ndarray of shape (E, M, D)
        None where the data themselves are clustered.
    centers : ndarray of shape (E, K, D)
    decoded_centers : ndarray of shape (K, F), or None
    """

    seed: int
    labels: np.ndarray
    drawn: np.ndarray | None = None
    epochs: np.ndarray | None = None
    sample: np.ndarray | None = None
    codes: np.ndarray | None = None
    centers: np.ndarray | None = None
    decoded_centers: np.ndarray | None = None


def read_run(path):
    """Return the first run of a result file of the cluster stage."""
    arrays, attributes = read_result(path, ("snapshots/", "labels", "samples", "decoded_centers"), stage="cluster")
    names = {"epochs": "snapshots/epoch", "sample": "snapshots/sample"}
    stacked = {"labels": "labels", "drawn": "samples", "decoded_centers": "decoded_centers"}
    stacked |= {"codes": "snapshots/codes", "centers": "snapshots/centers"}
    found = {field: arrays[name] for field, name in names.items() if name in arrays}
    found |= {field: arrays[name][0] for field, name in stacked.items() if name in arrays}
    return ClusteringRun(seed=attributes["spec"]["seeds"][0], **found)


def read_memberships(paths):
    """Return the highest memberships at the first and the last snapshot, all runs of the files together, or None.

    Returns
    -------
    (ndarray, ndarray) or None
        Each flat.
    """
    name = "snapshots/membership"
    found = [read_result(path, name, stage="cluster")[0].get(name) for path in paths]
    found = [array for array in found if array is not None]
    if not found:
        return None
    return tuple(np.concatenate([array[:, i].ravel() for array in found]) for i in (0, -1))
