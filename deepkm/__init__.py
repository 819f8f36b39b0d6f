"""DeepKM: a benchmark of deep k-means clustering.

The methods are exported here as scikit-learn estimators. They are made on first use, so that the modules that make
tables never import PyTorch, and the jobs that train never import scikit-learn, but for
the controls that are made of it.
"""

from collections.abc import Sequence
from importlib import import_module
from os import PathLike
from typing import Any

__version__ = "0.1.0"

_METHODS = {
    "AEC": "aec",
    "CT": "ct",
    "ConvDKM": "conv_dkm",
    "DCN": "dcn",
    "DEC": "dec",
    "DEKM": "dekm",
    "DKM": "dkm",
    "DeepCluster": "deepcluster",
    "DeepPowerKMeans": "deep_power_kmeans",
    "GaussianMixture": "gmm",
    "IDEC": "idec",
    "KMeans": "km",
    "N2D": "n2d",
    "PCAKMeans": "pca_km",
    "PowerKMeans": "power_kmeans",
    "RandomLabels": "random_labels",
    "SoftKMeans": "soft_kmeans",
    "SoftKMeansFree": "soft_kmeans_free",
    "VaDE": "vade",
    "Spectral": "spectral",
    "Ward": "ward",
}
__all__ = [
    "AEC",
    "CT",
    "DCN",
    "DEC",
    "DEKM",
    "DKM",
    "IDEC",
    "N2D",
    "ConvDKM",
    "DeepCluster",
    "DeepPowerKMeans",
    "GaussianMixture",
    "KMeans",
    "PCAKMeans",
    "PowerKMeans",
    "RandomLabels",
    "SoftKMeans",
    "SoftKMeansFree",
    "Spectral",
    "VaDE",
    "Ward",
]


def load(path: str | PathLike, seed: int | None = None, *, device: str = "cpu") -> Any:
    """Return the fitted estimator of a run in a result of the workflow, or of what `save` wrote.

    Its `predict`, `predict_proba` and `transform` take new raw data, arrays or DataFrames, and scale them as the
    training data were; `decode` gives codes in the units of the raw data.

    Parameters
    ----------
    path : path-like
        ``results/clusterings/{method}/{dataset}/*.h5``, or where `save` wrote.
    seed : int, optional
        Which run; needed where the file holds several models.
    device : str
        A PyTorch device.

    Raises
    ------
    OSError, ValueError
        One line: where the file is damaged, holds no model, or one that this version cannot read.
    """
    from deepkm.jobs.models import load as load_model  # noqa: PLC0415  it imports PyTorch and scikit-learn

    return load_model(path, seed, device=device)


def save(estimator: Any, path: str | PathLike) -> None:
    """Write a fitted estimator to a file that `load` reads: arrays and JSON with a checksum, no pickles.

    What it was `pretrained` by is not saved.

    Parameters
    ----------
    estimator : estimator
        One of those here, or of `deepkm.as_estimator`.
    path : path-like
        Ends in ``.h5``; its folder is made.

    Raises
    ------
    OSError, ValueError
        One line: where it is not fitted, or has parts that arrays do not hold: modules of one's own, UMAP.
    """
    from deepkm.jobs.saving import save as save_model  # noqa: PLC0415  it imports PyTorch

    save_model(estimator, path)


def tune(
    estimator: Any,
    X: Any,
    space: Any,
    y: Any = None,
    *,
    seeds: Sequence[int] = (1, 2, 3),
    criterion: str = "agreement",
    runs_per_stack: int = 24,
    verbose: bool = False,
) -> Any:
    """Try values of an estimator's parameters, and choose one by what needs no true classes.

    Parameters
    ----------
    estimator : estimator
        Of this package; its other parameters are kept. An integer `random_state` must be none of `seeds`: what is
        chosen on a seed is not tested by it.
    X : array-like of shape (n_samples, n_features)
    space : dict of str to list, or list of dict
        A grid, ``{"clustering_weight": [0.1, 1, 10], "alpha": [1, 1000]}``, or the settings themselves. K is the
        parameter `n_clusters`. Runs that differ in the weight and in alpha alone are trained side by side.
    y : array-like of shape (n_samples,), optional
        True classes. They are looked at once the choice is made, to say what they would have chosen.
    seeds : sequence of int
        Of the runs of each setting.
    criterion : str
        "agreement", "objective", "silhouette_data", "silhouette_code", "davies_bouldin_data" or "davies_bouldin_code":
        what decides between settings of which equally few runs fail: that diverge, end below their own start or lose
        clusters. "agreement": the mean adjusted Rand index of pairs of seeds. "objective": the method's own, where
        no parameter that is tried is a part of it.
    runs_per_stack : int
        Settings times seeds that are trained side by side, at most.
    verbose : bool
        Whether to show progress.

    Returns
    -------
    deepkm.tuning.Tuning
        ``best_params_``, ``best_estimator_`` (not fitted) and ``settings_``, a DataFrame of all that was tried.
        Printed, it is a table.

    Raises
    ------
    ValueError
        One line, before anything is trained: unknown parameters, wrong values, seeds that tests need.
    """
    try:
        from deepkm.tuning import tune as tune_estimator  # noqa: PLC0415  it imports PyTorch and scikit-learn
    except ModuleNotFoundError as error:  # tables are made by pandas, which estimators do without
        raise ImportError(f"deepkm.tune needs {error.name}; pip install 'deepkm[workflow]'", name=error.name) from None

    return tune_estimator(
        estimator,
        X,
        space,
        y,
        seeds=seeds,
        criterion=criterion,
        runs_per_stack=runs_per_stack,
        verbose=verbose,
    )


def __getattr__(name: str) -> Any:
    if name != "as_estimator" and name not in _METHODS:
        raise AttributeError(f"module 'deepkm' has no attribute {name!r}")
    from deepkm.estimators.estimator import as_estimator  # noqa: PLC0415  it imports PyTorch and scikit-learn

    if name == "as_estimator":
        return as_estimator
    return as_estimator(getattr(import_module(f"deepkm.methods.{_METHODS[name]}"), name))


def __dir__() -> list[str]:
    return [*globals(), *_METHODS, "as_estimator"]
