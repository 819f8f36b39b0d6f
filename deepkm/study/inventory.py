"""What lies in a study's results folder, compared with what its configuration asks for. Needs no `.snakemake`."""

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepkm.datasets.catalogue import load_catalogue
from deepkm.datasets.converted import read_converted
from deepkm.files import check_hdf5, is_held, read_attributes, sha256_of
from deepkm.study.options import Files, method_folders, read_config
from deepkm.study.paths import (
    AUTOENCODER,
    CLUSTERING,
    LEFT_BY_JOBS,
    SIDE_FILES,
    TRAINED,
    folder_of,
    log_of,
    meta_of,
    path_of,
    side_file,
)
from deepkm.study.plan import Study
from deepkm.study.spec import JobsSpec, digest

if TYPE_CHECKING:
    import pandas as pd

STATES = ("done", "running", "unfinished", "stale", "unreadable", "missing", "foreign")


@dataclass(frozen=True, kw_only=True)
class Job:
    """One training job of a study, and its files.

    Attributes
    ----------
    path : Path
        The result.
    spec : dict
        What the study asks for now.
    log : Path
    stage : str
        A key of `deepkm.study.paths.TRAINED`.
    data : str
        The digest of the data that lie there now; empty where unknown.
    """

    path: Path
    spec: Mapping[str, Any]
    log: Path
    stage: str
    data: str = ""

    @property
    def epochs(self) -> int | str:
        """Epochs that it trains; "?" where it counts steps, before it knows how many samples there are."""
        own = "" if self.stage == "cluster" else "pretraining_"
        epochs, *steps = (self.spec["parameters"][f"{own}{name}"] for name in ("epochs", "steps", "min_steps"))
        return "?" if any(steps) else epochs

    def side_file(self, suffix: str) -> Path:
        """Return the path of its ``checkpoint`` or ``lock``."""
        return side_file(self.path, self.spec, suffix)

    def state(self, *, whole: bool = False) -> tuple[str, str]:
        """Return one of `STATES`, and what there is to say about it; `whole`: with a look at each bit of the result."""
        if is_held(self.side_file("lock")):
            return "running", ""
        if not self.path.exists():
            return ("unfinished", "has a checkpoint") if self.side_file("checkpoint").exists() else ("missing", "")
        try:
            found = (check_hdf5 if whole else read_attributes)(self.path)
        except OSError as error:
            return "unreadable", str(error)
        others = differing(found.get("spec", {}), self.spec)
        if self.data and found.get("inputs", {}).get("data", self.data) != self.data:
            others.append("data")
        return ("stale", f"other {', '.join(others)}") if others else ("done", "")


def load_study(configfiles: Files = (), settings: Sequence[str] = ()) -> Study:
    """Return the study that Snakemake runs when it is called with these files and ``KEY=VALUE`` settings.

    Methods beside the files are found from then on.

    Raises
    ------
    ValueError
        When the configuration is wrong.
    """
    sys.path[:0] = [folder for folder in method_folders(configfiles) if folder not in sys.path]
    return Study(read_config(configfiles, settings))


def jobs_of(study: Study) -> Iterator[Job]:
    """Yield each training job of a study."""
    for dataset in study.datasets:
        data = str(_about(study, dataset).get("sha256", ""))
        for stack in study.stacks:
            for key in dict.fromkeys(filter(None, map(study.autoencoder_of, study.methods))):
                wanted = study.autoencoder_spec(dataset, key, stack)
                yield _job(study, "autoencoder", wanted, data, autoencoder=key, dataset=dataset, stack=stack)
            for method in study.methods:
                spec = study.cluster_spec(dataset, method, stack)
                yield _job(study, "cluster", spec, data, method=method, dataset=dataset, stack=stack)


def data_states(study: Study) -> Iterator[tuple[str, str, Path]]:
    """Yield [state, remark, path] of each converted data set."""
    for dataset in study.datasets:
        path = study.data_file(dataset)
        yield *(_data_state(study, dataset, path) if path.exists() else ("missing", "")), path


def _data_state(study: Study, dataset: str, path: Path) -> tuple[str, str]:
    try:
        _check_converted(path)
    except OSError as error:
        return "unreadable", str(error)
    if not meta_of(path).exists():
        return "missing", f"without {meta_of(path).name}"
    wanted = study.dataset_spec(dataset)
    others = differing(_about(study, dataset).get("spec", wanted), wanted)
    return ("stale", f"other {', '.join(others)}") if others else ("done", "")


def check_data(study: Study) -> None:
    """Raise an OSError where a converted data set, or the description beside it, is not what was written.

    Snakemake would find nothing to be done: to it, the description is the data.
    """
    for path in map(study.data_file, study.datasets):
        if path.exists():
            _check_converted(path)


def _check_converted(path: Path) -> None:
    found, meta = read_converted(path, optional=["meta"]), meta_of(path)
    if "meta" in found and meta.exists() and meta.read_bytes() != str(found["meta"]).encode():
        raise OSError(f"{meta}: is not what was written with {path.name}; delete it and run `snakemake data` again")


def check_shared_data(study: Study) -> None:
    """Raise a ValueError where a data folder outside this one holds a data set of another study under the same name.

    In a folder of its own, Snakemake converts anew what changed; the data of others must not change under their feet.
    """
    if Path(study.config["data_dir"]).resolve().is_relative_to(Path.cwd()):
        return
    for dataset in study.datasets:
        found, wanted = _about(study, dataset), study.dataset_spec(dataset)
        harmless = {"source_digest"} if wanted["source"] == "blobs" else {"source_digest", "n_clusters"}
        others = [key for key in differing(found.get("spec", wanted), wanted) if key not in harmless]
        own = study.config["datasets"][dataset].get("path", "")
        if Path(own).is_file() and "source_sha256" in found and sha256_of(own) not in str(found["source_sha256"]):
            others.append("path")
        if others:
            raise ValueError(
                f"data_dir: got {study.data_file(dataset)}, converted for another study from other data or options "
                f"({', '.join(others)}); rename the data set or name another data_dir"
            )


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


def _about(study: Study, dataset: str) -> dict[str, Any]:
    """Return what a converted data set says of itself; {} where it is missing, unreadable or not DeepKM's."""
    try:
        found = read_converted(study.data_file(dataset), optional=("sha256", "spec", "source_sha256"))
    except OSError:
        return {}
    return found | {"spec": json.loads(str(found["spec"]))} if "spec" in found else {}


def result_files(folder: str | PathLike, jobs: JobsSpec) -> list[list[Path]]:
    """Return the result files of a study's clusterings, and of the autoencoders that they build on.

    Parameters
    ----------
    folder : path-like
        The study's results.
    jobs : dict
        From `Study.training_jobs`.
    """
    places = [{"dataset": dataset, "stack": stack} for dataset in jobs["datasets"] for stack in jobs["stacks"]]
    methods = [key for key, _ in jobs["methods"] if key]
    autoencoders = dict.fromkeys(key for _, key in jobs["methods"] if key)
    return [
        [path_of(CLUSTERING, results=folder, method=key, **place) for place in places for key in methods],
        [path_of(AUTOENCODER, results=folder, autoencoder=key, **place) for place in places for key in autoencoders],
    ]


def foreign_files(study: Study) -> list[Path]:
    """Return results and side files that no job of the study makes."""
    jobs = list(jobs_of(study))
    ours = {job.path for job in jobs} | {job.side_file(kind) for job in jobs for kind in SIDE_FILES}
    folders = [folder_of(pattern, study.folders["results"]) for pattern in TRAINED.values()]
    found = {path for folder in folders for path in folder.rglob("*") if path.is_file()}
    return sorted(path for path in found - ours if path.suffix in LEFT_BY_JOBS)


def stale_results(study: Study, jobs: "pd.DataFrame") -> list[str]:
    """Return the results that were made by other parameters or other source than the study's.

    Parameters
    ----------
    study : Study
    jobs : DataFrame
        ``results/jobs.csv``: ``spec`` is the digest of what made each result.
    """
    made = {(row.stage, row.key, row.dataset, row.stack): row.spec for row in jobs.itertuples()}
    ours = {(job.stage, *job.path.with_suffix("").parts[-3:]): job for job in jobs_of(study)}
    return [str(job.path) for key, job in ours.items() if key in made and made[key] != digest(job.spec)]


def differing(first: Mapping[str, Any], second: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Return the dotted keys in which two specs differ.

    Examples
    --------
    >>> differing({"seeds": [0], "parameters": {"alpha": 1.0, "n": 2}}, {"seeds": [0], "parameters": {"alpha": 3.0}})
    ['parameters.alpha', 'parameters.n']
    """
    keys = []
    for key in sorted(first.keys() | second.keys()):
        a, b = first.get(key), second.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            keys += differing(a, b, f"{prefix}{key}.")
        elif a != b:
            keys.append(f"{prefix}{key}")
    return keys


def progress(log: Path) -> tuple[int, int, str] | None:
    """Return (epoch, epochs, time left) of the last progress bar in a job's log, or None.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     _ = Path(file.name).write_text("  0%| | 0/9 [00:00<?, ?epoch/s]\\r 33%|# | 3/9 [00:06<00:12,  2.0s/epoch]")
    ...     progress(Path(file.name))
    (3, 9, '00:12')
    """
    if not log.exists():
        return None
    bars = re.findall(r"(\d+)/(\d+) \[[\d:]+<([^,]+),", log.read_text(errors="replace"))
    return (int(bars[-1][0]), int(bars[-1][1]), bars[-1][2]) if bars else None


def _job(study: Study, stage: str, spec: Mapping[str, Any], data: str, **wildcards: str) -> Job:
    pattern = TRAINED[stage]
    files = [path_of(name, **study.folders, **wildcards) for name in (pattern, log_of(stage, pattern))]
    return Job(path=files[0], spec=spec, log=files[1], stage=stage, data=data)
