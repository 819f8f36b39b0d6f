"""Data sets of which each seed draws a share: what of a study they change."""

from collections.abc import Mapping
from typing import Any


def find_resampled(config: Mapping[str, Any]) -> dict[str, list]:
    """Return of each such data set of a study the share, and the study's data set of all its samples, or ""."""
    entries = {key: dict(config["datasets"][key]) for key in config["study"]["datasets"]}
    shares = {key: entry.pop("resample") for key, entry in entries.items() if "resample" in entry}
    for entry in entries.values():
        entry.pop("title", None)
    return {
        key: [share, next((other for other in entries.keys() - shares if entries[other] == entries[key]), "")]
        for key, share in shares.items()
    }


def beside(resampled: Mapping[str, list]) -> list[str]:
    """Return those that are shares of another one in the study: over data sets, they count as no other."""
    return [key for key, (_, whole) in resampled.items() if whole]


def drawn_by(config: Mapping[str, Any], dataset: str) -> list[str]:
    """Return the modules that decide which samples of a data set a seed has."""
    return ["deepkm.datasets.resampling"] if "resample" in config["datasets"][dataset] else []
