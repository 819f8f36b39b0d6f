"""DeepKM: a benchmark of deep k-means clustering.

The method classes are scikit-learn estimators and are exported here; they load on first use, so that the modules that
make tables never import PyTorch.
"""

from importlib import import_module

__version__ = "0.1.0"

_METHODS = {
    "CT": "ct",
    "ConvDKM": "conv_dkm",
    "DCN": "dcn",
    "DEC": "dec",
    "DKM": "dkm",
    "DeepCluster": "deepcluster",
    "DeepPowerKMeans": "deep_power_kmeans",
    "IDEC": "idec",
    "KMeans": "km",
    "PowerKMeans": "power_kmeans",
    "SoftKMeans": "soft_kmeans",
    "SoftKMeansFree": "soft_kmeans_free",
}
__all__ = [
    "CT",
    "DCN",
    "DEC",
    "DKM",
    "IDEC",
    "ConvDKM",
    "DeepCluster",
    "DeepPowerKMeans",
    "KMeans",
    "PowerKMeans",
    "SoftKMeans",
    "SoftKMeansFree",
]


def __getattr__(name):
    if name not in _METHODS:
        raise AttributeError(f"module 'deepkm' has no attribute {name!r}")
    return getattr(import_module(f"deepkm.methods.{_METHODS[name]}"), name)


def __dir__():
    return [*globals(), *_METHODS]
