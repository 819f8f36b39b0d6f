"""Refuses methods that cannot take a data set or lack a package, as far as that is known before anything runs."""

import json
from collections.abc import Callable, Mapping
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

from deepkm.datasets.catalogue import load_catalogue, raw_file_of
from deepkm.datasets.converted import read_converted, sample_shape_of
from deepkm.datasets.resampling import check_sample, sample_size
from deepkm.networks.images import Sides, check_range, image_side, sides_of
from deepkm.study.parameters import constant_of, fields_of
from deepkm.study.settings import method_parameters, sees_views
from deepkm.values import STARTS, check_at_most, check_installed

# From a data set's key to its converted file and the spec of that conversion.
Conversion = Callable[[str], tuple[Path, Mapping[str, Any]]]


def check_shapes(config: dict, conversion_of: Conversion) -> None:
    """Raise a ValueError for a method of the study that lacks a package, or that cannot take one of its data sets."""

    @cache
    def shape(dataset: str) -> list[int | None]:
        return shape_of(config, dataset, conversion_of)

    for dataset in config["study"]["datasets"]:
        _check_resampled(config, dataset, conversion_of)
    for method, dataset in product(config["study"]["methods"], config["study"]["datasets"]):
        for name, estimator in _classes(config, dataset, method).items():
            try:
                check_installed(constant_of(estimator, "package"))
            except ValueError as error:
                raise ValueError(f"methods.{method}: {name}{error}; or leave it out of the study") from None
            try:
                _check_shape(config, dataset, method, shape)
                _check_size(estimator, dataset, shape)
            except ValueError as error:
                raise ValueError(
                    f"methods.{method}: got the data set {dataset}, which it cannot take: {name}{error}; leave one of "
                    "the two out of the study"
                ) from None


def _classes(config: dict, dataset: str, method: str) -> dict[str, str]:
    """Return whose limits a method keeps, and what names them: its class's, and those of the control it starts from."""
    estimator = config["methods"][method]["estimator"]
    start = method_parameters(config, dataset, method, fields_of(estimator))["initial_centers"]
    return {"": estimator} | ({f"initial_centers={start!r}: ": STARTS[start]} if start in STARTS else {})


def shape_of(config: dict, dataset: str, conversion_of: Conversion) -> list[int | None]:
    """Return what is known of a data set's shape: the number of samples, or None, and the shape of a sample, or none.

    Of data of which each seed draws a share, it is the number that a seed has. Where neither its entry nor the
    catalogue tells, its converted file does, if there is one.
    """
    entry = config["datasets"][dataset]
    shape = _known_shape(entry) or _converted_shape(*conversion_of(dataset))
    n_samples = entry.get("first", shape[0])
    return [sample_size(n_samples, entry["resample"]) if n_samples and "resample" in entry else n_samples, *shape[1:]]


def _check_resampled(config: dict, dataset: str, conversion_of: Conversion) -> None:
    whole = dict(config["datasets"][dataset])
    share = whole.pop("resample", None)
    n_samples = share and shape_of({"datasets": {dataset: whole}}, dataset, conversion_of)[0]
    if n_samples:
        check_sample(n_samples, share, whole["n_clusters"], name=f"datasets.{dataset}.resample")


def _known_shape(entry: dict) -> list[int | None] | None:
    """Return the shape of a data set where its entry or the catalogue tells, else None."""
    source, path = entry.get("source", "file"), entry.get("path")
    if source == "digits":
        return [1797, 8, 8]
    if source == "blobs":
        return [entry["n_samples"], entry["n_features"]]
    if source in load_catalogue() and (not path or raw_file_of(source, path)):
        return load_catalogue()[source]["shape"]
    return [None, *entry["image_size"]] if "image_size" in entry and entry.get("grey", True) else None


def _check_shape(config: dict, dataset: str, method: str, shape_of: Callable) -> None:
    sides = _sides(config, dataset, method)
    if sides and shape_of(dataset)[1:]:
        image_side(*shape_of(dataset)[1:], sides=sides, rows=False)
    if low := {"symmetric": -1, "standard": -float("inf")}.get(config["datasets"][dataset].get("scaling")):
        own = fields_of(config["methods"][method]["estimator"])
        check_range(method_parameters(config, dataset, method, own)["autoencoder"], low, -low)


def _check_size(estimator: str, dataset: str, shape_of: Callable) -> None:
    most = constant_of(estimator, "most_samples")
    if most and (n_samples := shape_of(dataset)[0]):
        check_at_most(n_samples, most)


def _sides(config: dict, dataset: str, method: str) -> Sides | None:
    estimator = config["methods"][method]["estimator"]
    values = method_parameters(config, dataset, method, fields_of(estimator))
    own = values["autoencoder"] is None and bool(constant_of(estimator, "convolutional"))
    return sides_of(values["autoencoder"], convolutional=own, views=sees_views(values))


def _converted_shape(npz: Path, spec: Mapping[str, Any]) -> list[int | None]:
    """Return the shape of a converted data set if that was made from the content and the options that are there now."""
    try:
        found = read_converted(npz, "spec", "meta", optional=["image_shape"])
    except OSError:  # missing, or damaged: whoever looks at data says so
        return [None]
    if json.loads(str(found["spec"])) != spec:
        return [None]
    return [json.loads(str(found["meta"]))["shape"][0], *sample_shape_of(found)]
