"""Which models a study keeps in its results, and how large they are. No part of a spec: they change no number."""

from collections.abc import Iterator
from itertools import pairwise
from math import prod
from typing import Any

from deepkm.files import read_attributes
from deepkm.study import paths
from deepkm.study.parameters import constant_of
from deepkm.study.plan import Study
from deepkm.study.shapes import shape_of

MOST_BYTES = 2 * 10**9  # of all models of a study that does not say which it keeps
# Weights of convolutional networks without their layers to and from the code, about.
_CONVOLUTIONS = {"conv": 46_000, "conv_sigmoid": 46_000, "conv_dcec": 250_000}
_CONVNET = 92_000, 512  # that of DeepCluster, and what a number of its code takes


def model_options(study: Study, method: str, stack: str) -> list[str]:
    """Return the options that tell the job of a method and a stack of seeds which models to keep."""
    seeds = [str(seed) for seed in study.seeds_of(stack) if _is_kept(study, method, seed)]
    share = _share(study)
    return ["--keep-models", *seeds, *([] if share is None else ["--largest-model", str(share)])]


def describe_models(study: Study, *, trains: bool) -> Iterator[str]:
    """Yield what to know of models before a study runs, a line each.

    Parameters
    ----------
    study : Study
    trains : bool
        Whether anything is clustered: else only results are named that lack a model that the configuration asks for.
    """
    if trains:
        yield from _sizes(study)
    if study.config.get("keep_models") and (without := [*_results_without(study)]):
        yield (
            f"{len(without)} results hold no model though `keep_models` asks for it, such as {without[0]}: they stay "
            "as they are; delete them to train them again"
        )


def model_bytes(parameters: dict[str, Any], estimator: str, n_features: int) -> int:
    """Return about how many bytes the model of one run takes: weights and centers in float32.

    Examples
    --------
    >>> mlp = {"autoencoder": "mlp", "hidden_widths": [500, 500, 2000], "n_latent": 10, "n_clusters": 10}
    >>> model_bytes(mlp, "deepkm.methods.dkm:DKM", 784)
    13323576
    """
    kind, n_latent = parameters["autoencoder"], parameters["n_latent"] or parameters["n_clusters"]
    if kind == "mlp":
        widths = [n_features, *parameters["hidden_widths"], n_latent]
        numbers = sum((n_in + 1) * n_out for way in (widths, widths[::-1]) for n_in, n_out in pairwise(way))
    elif kind:
        numbers = _CONVOLUTIONS[kind] + 4 * n_features * n_latent
    elif constant_of(estimator, "convolutional"):
        numbers = _CONVNET[0] + _CONVNET[1] * n_latent
    else:
        kept = parameters.get("n_components") or 0
        numbers, n_latent = kept * n_features, n_features
        if "covariance" in parameters:  # in float64, three matrices
            numbers += kept * n_features + 6 * kept**2
    return 4 * (numbers + parameters["n_clusters"] * n_latent)


def _is_kept(study: Study, method: str, seed: int) -> bool:
    chosen = study.config.get("keep_models") or {}
    return method in chosen.get("methods", [method]) and seed in chosen.get("seeds", [seed])


def _share(study: Study) -> int | None:
    """Return the bytes that one run's model may have; None where the configuration says which are kept."""
    if study.config.get("keep_models") is not None:
        return None
    return MOST_BYTES // (len(study.datasets) * len(study.methods) * len(study.seeds))


def _sizes(study: Study) -> Iterator[str]:
    share, runs, total = _share(study), 0, 0
    unknown, large = [], []
    for dataset in study.datasets:
        shape = shape_of(study.config, dataset, study.conversion_of)[1:]
        for method in study.methods:
            seeds = sum(_is_kept(study, method, seed) for seed in study.seeds)
            if not shape:
                unknown.append(dataset)
                continue
            spec = study.cluster_spec(dataset, method, next(iter(study.stacks_of(dataset))))
            size = model_bytes(spec["parameters"], spec["estimator"], prod(shape))  # type: ignore[arg-type]
            if share is not None and size > share:
                large.append(f"{method} on {dataset} ({size / 1e6:.0f} MB a run)")
            else:
                runs, total = runs + seeds, total + seeds * size
    if runs or not unknown:
        yield f"models of {runs} runs are kept in their results, about {total / 1e6:.1f} MB in all (`keep_models`)"
    if unknown:
        yield f"models on {', '.join(dict.fromkeys(unknown))}: how large they are shows once the data are converted"
    if large:
        rest = f" and {len(large) - 3} more" if len(large) > 3 else ""
        yield f"models above their share of {MOST_BYTES / 1e9:.0f} GB are not kept: {', '.join(large[:3])}{rest}"


def _results_without(study: Study) -> Iterator[str]:
    for dataset in study.datasets:
        for method in study.methods:
            for stack, seeds in study.stacks_of(dataset).items():
                place = {"method": method, "dataset": dataset, "stack": stack}
                path = paths.path_of(paths.CLUSTERING, **study.folders, **place)
                wanted = {seed for seed in seeds if _is_kept(study, method, seed)}
                if path.exists() and not wanted.issubset(_seeds_kept(path)):
                    yield str(path)


def _seeds_kept(path: Any) -> list[int]:
    try:
        return read_attributes(path).get("model", {}).get("seeds", [])
    except OSError:  # damaged: it is made again
        return []
