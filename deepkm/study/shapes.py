"""Refuses methods that cannot take a data set, as far as its shape is known before anything runs."""

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from deepkm.datasets.catalogue import load_catalogue, raw_file_of
from deepkm.datasets.converted import read_converted
from deepkm.networks.images import Sides, image_side, sides_of
from deepkm.study.parameters import fields_of, flag_of
from deepkm.study.settings import method_parameters, sees_views

# From a data set's key to its converted file and the spec of that conversion.
Conversion = Callable[[str], tuple[Path, Mapping[str, Any]]]


def check_shapes(config: dict, conversion_of: Conversion) -> None:
    """Raise a ValueError for a method of the study that takes images alone, on a data set that holds others or none."""

    @cache
    def shape_of(dataset: str) -> list[int] | None:
        return _known_shape(config["datasets"][dataset]) or _converted_shape(*conversion_of(dataset))

    for method in config["study"]["methods"]:
        for dataset in config["study"]["datasets"]:
            sides = _sides(config, dataset, method)
            if not sides or not (shape := shape_of(dataset)):
                continue
            try:
                image_side(*shape, sides=sides)
            except ValueError as error:
                raise ValueError(
                    f"methods.{method}: got the data set {dataset}, which it cannot take: {error}; leave one of the "
                    "two out of the study"
                ) from None


def _known_shape(entry: dict) -> list[int] | None:
    """Return the shape of a data set's samples where its entry or the catalogue tells, else None."""
    source, path = entry.get("source", "file"), entry.get("path")
    if source == "digits":
        return [8, 8]
    if source == "blobs":
        return [entry["n_features"]]
    if source in load_catalogue() and (not path or raw_file_of(source, path)):
        return load_catalogue()[source]["shape"][1:]
    return entry["image_size"] if "image_size" in entry and entry.get("grey", True) else None


def _sides(config: dict, dataset: str, method: str) -> Sides | None:
    estimator = config["methods"][method]["estimator"]
    values = method_parameters(config, dataset, method, fields_of(estimator))
    own = values["autoencoder"] is None and flag_of(estimator, "convolutional")
    return sides_of(values["autoencoder"], convolutional=own, views=sees_views(values))


def _converted_shape(npz: Path, spec: Mapping[str, Any]) -> list[int] | None:
    """Return the shape of a converted data set if that was made from the content and the options that are there now."""
    try:
        found = read_converted(npz, "spec", "meta")
    except OSError:  # missing, or damaged: whoever looks at data says so
        return None
    return json.loads(str(found["meta"]))["shape"][1:] if json.loads(str(found["spec"])) == spec else None
