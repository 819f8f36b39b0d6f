"""The data sets that can be fetched by name: what is downloaded, how it is converted, what must come out."""

from functools import cache
from pathlib import Path

import yaml

from deepkm.datasets.checksums import NOTED

CATALOGUE = Path(__file__).with_name("catalogue.yaml")


@cache
def load_catalogue():
    """Return the entries of catalogue.yaml by name, each with its `urls` complete.

    Examples
    --------
    >>> load_catalogue()["usps"]["shape"]
    [9298, 16, 16]
    """
    catalogue = yaml.safe_load(CATALOGUE.read_text(encoding="utf-8"))
    for entry in catalogue.values():
        entry["files"] = {
            name: {**file, "urls": [url.format(file=name) for url in file["urls"]]}
            for name, file in entry["files"].items()
        }
    return catalogue


def raw_file_of(name, path):
    """Tell whether `path` is the one raw file of a data set, by its name: downloaded by hand."""
    files = load_catalogue()[name]["files"]
    return len(files) == 1 and Path(path).name in files


def conversion_of(name, *, checked=True):
    """Return what shapes the result of a conversion, in plain types: a part of its spec.

    `checked` is false where the user gives the raw file: its own checksum is not demanded then; its pictures' is.
    """
    entry = load_catalogue()[name]
    return {
        "converter": entry["converter"],
        "options": entry.get("options", {}),
        "files": [[file, _known(about, checked)] for file, about in entry["files"].items()],
        "shape": entry["shape"],
        "class_counts": entry["class_counts"],
        "class_names": entry.get("class_names"),
    }


def known_checksums(about):
    """Return all that a raw file may be known by: its checksum, and that of its pictures, however they are packed."""
    return [*filter(None, [about["checksum"]]), *_known_pictures(about)]


def _known(about, checked):
    """Return what `deepkm.datasets.checksums.check_raw_file` is to know of a raw file."""
    known = known_checksums(about) if checked else _known_pictures(about)
    if len(known) < 2:
        return known[0] if known else NOTED if checked else None
    return known


def _known_pictures(about):
    return [f"pictures:{about['pictures']}"] if "pictures" in about else []
