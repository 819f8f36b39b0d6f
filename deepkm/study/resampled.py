"""Data sets of which each seed draws a share: what of a study they change."""

from collections.abc import Mapping
from typing import Any


def whole_of(datasets: Mapping[str, Mapping[str, Any]], key: str) -> str:
    """Return the entry of all samples that seeds draw shares of in another entry; "" where there is none."""
    told = {
        other: {name: value for name, value in entry.items() if name not in ("title", "resample")}
        for other, entry in datasets.items()
    }
    return next((other for other in told if "resample" not in datasets[other] and told[other] == told[key]), "")


def find_resampled(config: Mapping[str, Any]) -> dict[str, list]:
    """Return of each such data set of a study the share, and the study's data set of all its samples, or ""."""
    datasets = {key: config["datasets"][key] for key in config["study"]["datasets"]}
    shares = {key: entry["resample"] for key, entry in datasets.items() if "resample" in entry}
    return {key: [share, whole_of(datasets, key)] for key, share in shares.items()}


def beside(resampled: Mapping[str, list]) -> list[str]:
    """Return those that are shares of another one in the study: over data sets, they count as no other."""
    return [key for key, (_, whole) in resampled.items() if whole]


def drawn_by(config: Mapping[str, Any], dataset: str) -> list[str]:
    """Return the modules that decide which samples of a data set a seed has."""
    return ["deepkm.datasets.resampling"] if "resample" in config["datasets"][dataset] else []
