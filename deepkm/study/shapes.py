"""Refuses methods that cannot take a data set, as far as its shape is known before anything runs."""

import json
import zipfile
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from deepkm.datasets.catalogue import load_catalogue, raw_file_of
from deepkm.networks.images import image_side, smallest_side
from deepkm.study.parameters import flag_of
from deepkm.study.paths import meta_of
from deepkm.study.settings import autoencoder_parameters

if TYPE_CHECKING:
    from deepkm.study.plan import Study


def check_shapes(study: "Study") -> None:
    """Raise a ValueError for a method of the study that takes images alone, on a data set that holds others or none."""
    shape_of = cache(partial(known_shape, study))
    for method in study.methods:
        for dataset in study.datasets:
            least = _least_side(study.config, dataset, method)
            shape = shape_of(dataset)
            if not least or not shape:
                continue
            try:
                image_side(*shape, least=least)
            except ValueError as error:
                raise ValueError(
                    f"methods.{method}: got the data set {dataset}, which it cannot take: {error}; leave one of the "
                    "two out of the study"
                ) from None


def known_shape(study: "Study", dataset: str) -> list[int] | None:
    """Return the shape of a data set's samples where the configuration or an earlier conversion tells, else None."""
    entry = study.config["datasets"][dataset]
    source, path = entry.get("source", "file"), entry.get("path")
    if source == "digits":
        return [8, 8]
    if source == "blobs":
        return [entry["n_features"]]
    if source in load_catalogue() and (not path or raw_file_of(source, path)):
        return load_catalogue()[source]["shape"][1:]
    if "image_size" in entry and entry.get("grey", True):
        return entry["image_size"]
    return _converted_shape(study, dataset)


def _least_side(config: dict, dataset: str, method: str) -> int | None:
    estimator, key = (config["methods"][method][name] for name in ("estimator", "autoencoder"))
    kind = key and autoencoder_parameters(config, dataset, key)["autoencoder"]
    return smallest_side(kind, convolutional=kind is None and flag_of(estimator, "convolutional"))


def _converted_shape(study: "Study", dataset: str) -> list[int] | None:
    """Return the shape in a data set's .meta.json if that was made from the file and the options that are there now."""
    npz = study.data_file(dataset)
    try:
        with np.load(npz, allow_pickle=False) as file:
            current = json.loads(str(file["spec"])) == study.dataset_spec(dataset)
        newer = Path(study.config["datasets"][dataset]["path"]).stat().st_mtime > npz.stat().st_mtime
        return json.loads(meta_of(npz).read_text())["shape"][1:] if current and not newer else None
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None
