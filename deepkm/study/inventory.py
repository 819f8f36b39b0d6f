"""What lies in a study's results folder, compared with what its configuration asks for. Needs no `.snakemake`."""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepkm.files import check_hdf5, is_held, read_attributes
from deepkm.study.data import Data, found_data
from deepkm.study.options import Files, method_folders, read_config
from deepkm.study.paths import (
    AUTOENCODER,
    CLUSTERING,
    LEFT_BY_JOBS,
    SIDE_FILES,
    TRAINED,
    folder_of,
    log_of,
    path_of,
    side_file,
    stacks_of,
)
from deepkm.study.plan import Study
from deepkm.study.results import what_is_carried
from deepkm.study.spec import JobsSpec, conversion_digest, differing, digest
from deepkm.study.trials import trial_autoencoder, trial_places

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
    conversion : str
        The digest of what the data are converted by.
    autoencoder : Path or None
        The pretrained one that it builds on.
    """

    path: Path
    spec: Mapping[str, Any]
    log: Path
    stage: str
    data: str = ""
    conversion: str = ""
    autoencoder: Path | None = None

    @property
    def epochs(self) -> int | str:
        """Epochs that it trains; "?" where it counts steps, before it knows how many samples there are."""
        own = "pretraining_" if self.stage == "autoencoder" else ""
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
        others, inputs = differing(found.get("spec", {}), self.spec), found.get("inputs", {})
        now = {"data": self.data, "autoencoder": self._carried()}
        others += [name for name, digest in now.items() if digest and inputs.get(name, digest) != digest]
        if not self.data and found.get("conversion", self.conversion) != self.conversion:
            others.append("data")
        return ("stale", f"other {', '.join(others)}") if others else ("done", "")

    def _carried(self) -> str:
        """Return the digest of what it takes from its autoencoder; empty where unknown."""
        try:
            found = read_attributes(self.autoencoder) if self.autoencoder else {}
        except OSError:
            found = {}
        return found.get("carried", {}).get(what_is_carried(self.spec), "")


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


def jobs_of(study: Study, data: Mapping[str, Data] | None = None) -> Iterator[Job]:
    """Yield each training job of a study; `data`: from `deepkm.study.data.found_data`, where it was called."""
    found = found_data(study) if data is None else data
    for dataset, one in found.items():
        for stack in study.stacks_of(dataset):
            for key in dict.fromkeys(filter(None, map(study.autoencoder_of, study.methods))):
                yield _job(study, "autoencoder", one, autoencoder=key, dataset=dataset, stack=stack)
            for method in study.methods:
                yield _job(study, "cluster", one, method=method, dataset=dataset, stack=stack)
    yield from _search_jobs(study, found)


def _search_jobs(study: Study, data: Mapping[str, Data]) -> Iterator[Job]:
    """Yield each job of a study's search, the autoencoders that it builds on first."""
    places = trial_places(study)
    below = [trial_autoencoder(study, **place) for place in places]
    for place in {tuple(place.items()): place for place in below if place}.values():
        yield _job(study, "autoencoder", data[place["dataset"]], **place)
    for place in places:
        yield _job(study, "search", data[place["dataset"]], **place)


def is_of_search(job: Job, study: Study) -> bool:
    """Tell whether a job is one of the study's search, or an autoencoder that those build on."""
    return job.stage == "search" or job.spec["seeds"] in study.search_stack.values()


def _job(study: Study, stage: str, data: Data, **wildcards: str) -> Job:
    pattern = TRAINED[stage]
    path, log = (path_of(name, **study.folders, **wildcards) for name in (pattern, log_of(stage, pattern)))
    below = study.autoencoder_below(stage, **wildcards)
    autoencoder = path_of(AUTOENCODER, **study.folders, **below) if below else None
    return Job(
        path=path,
        spec=study.spec_of(stage, **wildcards),
        log=log,
        stage=stage,
        data=data.digest,
        conversion=conversion_digest(study.dataset_spec(wildcards["dataset"])),
        autoencoder=autoencoder,
    )


def result_files(folder: str | PathLike, jobs: JobsSpec) -> list[list[Path]]:
    """Return the result files of a study's clusterings, and of the autoencoders that they build on.

    Parameters
    ----------
    folder : path-like
        The study's results.
    jobs : dict
        From `Study.training_jobs`.
    """
    places = [
        {"dataset": dataset, "stack": stack} for dataset in jobs["datasets"] for stack in stacks_of(jobs, dataset)
    ]
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
