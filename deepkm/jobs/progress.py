"""How far the jobs of a study are that Snakemake runs, in words."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from deepkm.study.durations import Durations, guess_seconds, kind_of, measured_seconds
from deepkm.study.paths import TRAINED, path_of, side_file
from deepkm.study.plan import Study

MOST_SEEDS = 6  # named one by one
WORDS = {
    "autoencoder": "autoencoder {autoencoder} on {dataset}, {seeds}",
    "choose": "choice of settings",
    "cluster": "{method} on {dataset}, {seeds}",
    "dataset": "data set {dataset}",
    "download": "download of {file}",
    "labels": "tables of labels",
    "score": "scores",
    "record": "what the study asks for",
    "report": "page",
    "search": "settings of {method} on {dataset}, {part}",
}


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A job that a study has to do.

    Attributes
    ----------
    rule : str
    words : str
        What it is, for people.
    kind : tuple of str
        As `deepkm.study.durations.Durations` takes it.
    guess : float
        Seconds that it may take.
    trains : bool
    resumes : bool
        Whether it was interrupted, and goes on.
    benchmark : str or None
        Where Snakemake notes what it took.
    """

    rule: str
    words: str
    kind: tuple[str, ...]
    guess: float
    trains: bool
    resumes: bool = False
    benchmark: str | None = None


class Progress:
    """Which jobs of a study have ended, and how long the others will take.

    Parameters
    ----------
    jobs : dict of int to Planned
    slots : int or None
        Training jobs at once; None where a queue decides.
    clock : callable
        Returns seconds.
    """

    def __init__(
        self, jobs: Mapping[int, Planned], *, slots: int | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.jobs, self.slots, self.clock = jobs, slots, clock
        self.running: dict[int, float] = {}
        self.ended: dict[int, float] = {}
        self.durations = Durations()
        self.started = clock()

    @property
    def seconds(self) -> float:
        """Seconds since the study began."""
        return self.clock() - self.started

    def begin(self, number: int) -> None:
        """Note that a job begins, or is sent."""
        self.running[number] = self.clock()

    def end(self, number: int) -> float:
        """Note that a job ended well, and return what it took in seconds."""
        began = self.running.pop(number, self.clock())
        job = self.jobs[number]
        seconds = measured_seconds(job.benchmark)
        self.ended[number] = self.clock() - began if seconds is None else seconds
        self.durations.note(job.kind, guess=job.guess, seconds=self.ended[number])
        return self.ended[number]

    def seconds_left(self) -> float | None:
        """Return the seconds until the study is done; None before any training job told how long they take."""
        todo = {number: job for number, job in self.jobs.items() if number not in self.ended}
        trained = [self.ended[number] for number in self.ended if self.jobs[number].trains]
        if not trained and any(job.trains for job in todo.values()):
            return None
        left = {number: self._left(number) for number in todo}
        training = [seconds for number, seconds in left.items() if todo[number].trains]
        slots = self.slots or max(1.0, sum(trained) / max(self.seconds, 1e-9))
        return max(sum(training) / slots, *training, 0) + sum(left.values()) - sum(training)

    def _left(self, number: int) -> float:
        expected = self.durations.expect(self.jobs[number].kind, self.jobs[number].guess)
        spent = self.clock() - self.running[number] if number in self.running and self.slots else 0.0
        return max(expected - spent, 0.0)


def plan_jobs(study: Study, jobs: Iterable) -> Iterator[tuple[int, Planned]]:
    """Yield number and description of each of Snakemake's jobs that does something."""
    for job in jobs:
        if not job.rule.norun:
            rule, wildcards = job.rule.name, dict(job.wildcards_dict)
            yield (
                job.jobid,
                Planned(
                    rule=rule,
                    words=in_words(study, rule, wildcards),
                    kind=kind_of(rule, wildcards),
                    guess=guess_seconds(study, rule, wildcards),
                    trains=rule in TRAINED,
                    resumes=rule in TRAINED and _has_checkpoint(study, rule, wildcards),
                    benchmark=job.benchmark and str(job.benchmark),
                ),
            )


def _has_checkpoint(study: Study, rule: str, wildcards: Mapping[str, str]) -> bool:
    result = path_of(TRAINED[rule], **study.folders, **wildcards)
    return side_file(result, study.spec_of(rule, **wildcards), "checkpoint").exists()


def in_words(study: Study, rule: str, wildcards: Mapping[str, str]) -> str:
    """Return what a job is, for people: titles, and seeds instead of a stack's name."""
    named = dict(wildcards)
    for key, entries in (("dataset", "datasets"), ("method", "methods")):
        if key in named:
            named[key] = " ".join(study.config[entries][named[key]].get("title", named[key]).split())
    seeds = list(map(str, study.seeds_of(named.get("stack", ""))))
    many = f"{len(seeds)} seeds from {seeds[0]}" if len(seeds) > MOST_SEEDS else f"seeds {' '.join(seeds)}"
    named["seeds"] = f"seed {seeds[0]}" if len(seeds) == 1 else many if seeds else ""
    return WORDS.get(rule, rule).format(**named)


def training_place(gpus: Iterable[str], *, gpu: int | None, cores: int, jobs_per_gpu: int) -> tuple[str, int]:
    """Return in words where jobs train, and how many at once.

    Examples
    --------
    >>> training_place([], gpu=1, cores=2, jobs_per_gpu=1)
    ('no GPU here: training on the CPU, 2 jobs at a time', 2)
    >>> training_place(["a", "b"], gpu=6, cores=8, jobs_per_gpu=3)
    ('training on 2 GPUs, 6 jobs at a time', 6)
    """
    gpus = list(gpus)
    if gpus and gpu != 0:
        slots = min(cores, len(gpus) * jobs_per_gpu, gpu or cores)
        where = f"training on {counted(min(len(gpus), slots), 'GPU')}"
    else:
        slots = cores
        where = f"{'gpu=0' if gpus else 'no GPU here'}: training on the CPU"
    return f"{where}, {counted(slots, 'job')} at a time", slots


def duration(seconds: float) -> str:
    """Return a duration in words.

    Examples
    --------
    >>> duration(21.4), duration(400), duration(30_000)
    ('21 s', '7 min', '8.3 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 100 * 60 else f"{seconds / 3600:.1f} h"


def about(seconds: float) -> str:
    """Return a guessed duration in words.

    Examples
    --------
    >>> about(20), about(200)
    ('less than a minute', 'about 3 min')
    """
    if seconds < 50:
        return "less than a minute"
    return f"about {duration(seconds)}" if seconds > 100 else "about 1 min"


def counted(number: int, noun: str) -> str:
    """Return a number of things.

    Examples
    --------
    >>> counted(1, "job"), counted(2, "job")
    ('1 job', '2 jobs')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"
