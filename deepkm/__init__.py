"""DeepKM: a benchmark of deep k-means clustering.

The methods are exported here as scikit-learn estimators. They are made on first use, so that the modules that make
tables never import PyTorch, and the jobs that train never import scikit-learn, but for
the controls that are made of it.
"""

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
    """Return the fitted estimator of a run in a result of the workflow.

    Its `predict`, `predict_proba` and `transform` take new raw data, arrays or DataFrames, and scale them as the
    training data were; `decode` gives codes in the units of the raw data.

    Parameters
    ----------
    path : path-like
        ``results/clusterings/{method}/{dataset}/*.h5``
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


def __getattr__(name: str) -> type:
    if name not in _METHODS:
        raise AttributeError(f"module 'deepkm' has no attribute {name!r}")
    from deepkm.methods.estimator import as_estimator  # noqa: PLC0415  it imports PyTorch and scikit-learn

    return as_estimator(getattr(import_module(f"deepkm.methods.{_METHODS[name]}"), name))


def __dir__() -> list[str]:
    return [*globals(), *_METHODS]
