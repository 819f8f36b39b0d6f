"""What tables and pages say of a data set's entry."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deepkm.datasets.catalogue import load_catalogue
from deepkm.study.spec import AboutSpec, OriginSpec, title_of_data

# Of the sources beside the catalogue's.
BUNDLED_LICENCES = {"digits": "CC BY 4.0", "blobs": "none needed"}


def about_data(entry: Mapping[str, Any], key: str) -> AboutSpec:
    """Return what a table of data sets says of one."""
    source = entry.get("source", "file")
    licence = BUNDLED_LICENCES.get(source) or load_catalogue().get(source, {}).get("licence", "-")
    return {
        "title": title_of_data(key, entry),
        "n_clusters": entry["n_clusters"],
        "source": Path(entry["path"]).name if "path" in entry else source,
        "licence": licence,
    }


def origin_of(entry: Mapping[str, Any]) -> OriginSpec:
    """Return the source whose published figures a data set may be held against, and how it departs from it."""
    departs = [f"first {entry['first']} samples"] if "first" in entry else []
    departs += ["from a file of one's own"] if "path" in entry else []
    departs += [f"{100 * entry['resample']:g} % of the samples, drawn by seed"] if "resample" in entry else []
    return {"source": entry.get("source", "file"), "departs": "; ".join(departs)}
