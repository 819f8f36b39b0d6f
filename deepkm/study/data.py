"""A study's converted data sets: what lies there, compared with what its configuration asks for."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepkm.datasets.catalogue import load_catalogue
from deepkm.datasets.converted import read_converted
from deepkm.study.paths import meta_of
from deepkm.study.plan import Study
from deepkm.study.spec import SAME_NUMBERS, differing


@dataclass(frozen=True, kw_only=True)
class Data:
    """A converted data set of a study, as it lies there now.

    Attributes
    ----------
    path : Path
    state : str
        One of `deepkm.study.inventory.STATES`.
    remark : str
        What there is to say about it; all of it where it is unreadable.
    digest : str
        Of its features; empty where unknown.
    others : list of str
        In what its spec differs from that of the study.
    raw : list of str
        The raw files of other content than it was converted from; those that were deleted since do not matter.
    """

    path: Path
    state: str
    remark: str = ""
    digest: str = ""
    others: Sequence[str] = ()
    raw: Sequence[str] = ()


def found_data(study: Study) -> dict[str, Data]:
    """Return the converted data sets of a study by key, as they lie there, once all of each is read."""
    return {dataset: _found(study, dataset) for dataset in study.datasets}


def _found(study: Study, dataset: str) -> Data:
    path = study.data_file(dataset)
    if not path.exists():
        return Data(path=path, state="missing")
    try:
        found = _read_whole(path)
    except OSError as error:
        return Data(path=path, state="unreadable", remark=str(error))
    if not meta_of(path).exists():
        return Data(path=path, state="missing", remark=f"without {meta_of(path).name}", digest=str(found["sha256"]))
    others = differing(json.loads(str(found["spec"])), study.dataset_spec(dataset))
    raw = [] if others else _other_raw_files(study, dataset, found)
    remark = f"other {', '.join([*others, *raw])}" if others or raw else ""
    state = "stale" if remark else "done"
    return Data(path=path, state=state, remark=remark, digest=str(found["sha256"]), others=others, raw=raw)


def check_data(study: Study) -> dict[str, Data]:
    """Return what `found_data` does, once it is known that a study can go on from there.

    Raises
    ------
    OSError
        Where one of them, or the description beside it, is not what was written, or a raw file not what it was
        converted from. Snakemake would find nothing to be done: to it, the description is the data.
    ValueError
        Where a data folder outside this one holds a data set of another study under the same name. In a folder of its
        own, Snakemake converts anew what changed; the data of others must not change under their feet.
    """
    found = found_data(study)
    for dataset, data in found.items():
        if data.state == "unreadable":
            raise OSError(data.remark)
        if data.raw:
            raise OSError(
                f"{data.raw[0]}: got other content than {data.path} was converted from; delete it, or {data.path} to "
                "convert that anew"
            )
        drawn = study.config["datasets"][dataset].get("source") == "blobs"
        harmless = SAME_NUMBERS if drawn else {*SAME_NUMBERS, "n_clusters"}
        if is_shared(study) and not harmless.issuperset(data.others):
            others = ", ".join(key for key in data.others if key not in harmless)
            raise ValueError(
                f"data_dir: got {data.path}, converted for another study from other data or options ({others}); "
                "rename the data set or name another data_dir"
            )
    return found


def is_shared(study: Study) -> bool:
    """Tell whether the data folder lies outside this one: others may use it."""
    return not Path(study.config["data_dir"]).resolve().is_relative_to(Path.cwd())


def files_by_hand(study: Study) -> Iterator[str]:
    """Yield a line for each raw file that the study needs, has not got, and can download from nowhere."""
    for dataset in study.datasets:
        if study.data_file(dataset).exists() or study.mirror:
            continue
        sources = load_catalogue().get(study.config["datasets"][dataset].get("source"), {"files": {}})["files"]
        for path in map(Path, study.dataset_files(dataset)):
            if not path.exists() and sources[path.name]["urls"] == []:
                yield (
                    f"datasets.{dataset}: get {path.name} by hand, no public address of it is known; put it into "
                    f"{path.parent}, or name it as `path:`"
                )


def _read_whole(path: Path) -> dict[str, Any]:
    """Return what a data set says of itself, once it and the description beside it are as they were written."""
    found, meta = read_converted(path, "spec", "sha256", optional=["meta", "source_sha256"]), meta_of(path)
    if "meta" in found and meta.exists() and meta.read_bytes() != str(found["meta"]).encode():
        raise OSError(f"{meta}: is not what was written with {path.name}; delete it and run `snakemake data` again")
    return found


def _other_raw_files(study: Study, dataset: str, found: Mapping[str, Any]) -> list[str]:
    if "path" in study.config["datasets"][dataset]:
        return []  # its content is a part of the spec
    noted = found["source_sha256"].tolist() if "source_sha256" in found else []
    files = [path for path in map(Path, study.dataset_files(dataset)) if path.exists()]
    return [str(path) for path in files if f"{study.content_of(path)}  {path.name}" not in noted]
