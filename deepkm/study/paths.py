"""The files of a study: the one place for their names.

A pattern is written as Snakemake reads it: ``<data>`` and ``<results>`` are the study's two folders, names in braces
its wildcards. `path_of` fills in both.
"""

import glob
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path

from deepkm.datasets.unreadable import check_regular
from deepkm.study.spec import digest

RAW_FILE = "<data>/raw/{source}/{file}"
DATASET = "<data>/{dataset}.npz"
META = "<data>/{dataset}.meta.json"

AUTOENCODER = "<results>/autoencoders/{autoencoder}/{dataset}/{stack}.h5"
CLUSTERING = "<results>/clusterings/{method}/{dataset}/{stack}.h5"
TRIAL = "<results>/search/{method}/{dataset}/{part}.h5"  # settings of a search that one stack holds
TRAINED = {"autoencoder": AUTOENCODER, "cluster": CLUSTERING, "search": TRIAL}  # by the rule that trains it
SIDE_FILES = ("checkpoint", "lock")  # of a result, beside it
LEFT_BY_JOBS = (".h5", ".checkpoint", ".lock", ".tmp")  # suffixes of all files in the folders of results

CONTENTS = "<results>/.contents.h5"  # digests of what data sets are made from
STUDY = "<results>/study.json"  # the configuration, as the study was asked for
LABELS = "<results>/labels/{dataset}.csv"  # a row per sample, a column per run
STRUCTURE = "<results>/structure.csv"  # a row per run on data without classes
AGREEMENT = "<results>/agreement.csv"  # of the same, a row per method and pair of methods
SCORES = "<results>/scores.csv"  # a row per run
EPOCHS = "<results>/epochs.csv"  # a row per run and epoch
JOBS = "<results>/jobs.csv"  # a row per training job
PARAMETERS = "<results>/parameters.csv"  # a row per data set and method
STATISTICS = CONTRASTS, PAIRWISE, BEST, OVERALL, IMPROVEMENT, FRIEDMAN, NEMENYI = tuple(
    f"<results>/statistics/{table}.csv"
    for table in "contrasts pairwise best overall improvement friedman nemenyi".split()
)
TABLE = "<results>/tables/{table}.{kind}"
FIGURES = "<results>/figures"
FIGURES_INDEX = "figures.json"  # within that folder: what each figure shows
FIGURES_CHECKSUMS = "<results>/figures.sha256"
# Of a search: what needs no classes, by run and by setting; what was chosen, as a --configfile; and scores of all runs.
SEARCH = TRIALS, CHOICE, CHOICE_TABLE, CHOSEN, PEEKED = tuple(
    f"<results>/search/{name}" for name in "runs.csv choice.csv choice.md chosen.yaml peeked.csv".split()
)
PAGE = "<results>/report.html"
DESCRIPTION = "<results>/datasets"  # a folder, with these two in it
DESCRIPTION_TABLE, DESCRIPTION_SAMPLES = "datasets", "samples"  # without suffixes
PARTIAL = "<results>/partial"  # a folder like that of all results, of those that there are

# What the rules after training read of each other, and what they write, in their order; of tables, see `table_files`.
READS = {
    "statistics": (SCORES,),
    "tables": (SCORES, JOBS, PARAMETERS, CONTRASTS, PAIRWISE, BEST, OVERALL, IMPROVEMENT, FRIEDMAN),
    "figures": (SCORES, EPOCHS, JOBS, PARAMETERS, FRIEDMAN, NEMENYI, AGREEMENT),
    "report": (
        SCORES,
        JOBS,
        PARAMETERS,
        CONTRASTS,
        PAIRWISE,
        BEST,
        OVERALL,
        IMPROVEMENT,
        FRIEDMAN,
        STRUCTURE,
        AGREEMENT,
    ),
}
WRITES = {
    "score": (SCORES, EPOCHS, JOBS, PARAMETERS),
    "statistics": STATISTICS,
    "figures": (FIGURES, FIGURES_CHECKSUMS),
    "report": (PAGE,),
}


def with_plain_paths(config: dict) -> dict:
    """Return the configuration with paths that Snakemake, a shell and a stage all take for the same."""
    for key in ("results_dir", "data_dir"):
        config[key] = plain_path(key, config[key])
    for key in config["study"]["datasets"]:
        entry = config["datasets"][key]
        if "path" in entry:
            entry["path"] = plain_path(f"datasets.{key}.path", entry["path"])
    return config


def plain_path(key: str, text: str) -> str:
    """Return a path of the configuration as one that Snakemake and the commands of its jobs take for what it is.

    Parameters
    ----------
    key : str
        Where it stands, for messages.
    text : str
        ``~`` is a home folder. What starts with a dash, as options do, becomes absolute.

    Raises
    ------
    ValueError
        On characters of which Snakemake's patterns are made, a home that there is not, and what only other programs
        take for something else than a name: ``$HOME``, ``s3://``.

    Examples
    --------
    >>> plain_path("results_dir", "./a//b/")
    'a/b'
    """
    try:
        path = str(Path(text).expanduser())
        path = os.path.abspath(path) if path.startswith("-") else path
    except RuntimeError:
        raise ValueError(f"{key}: got {text!r}, expected the home folder of a user; write the path in full") from None
    if found := re.search("[{}<>]", path):
        raise ValueError(
            f"{key}: got {text!r} with {found[0]!r}, expected a path without braces and angle brackets, of which "
            "Snakemake's patterns are made; rename it, or name a link to it"
        )
    if found := re.match(r"[$]\w+|\w+://", text) or re.search(r"[\0-\x1f\x7f]", text):
        raise ValueError(
            f"{key}: got {text!r} with {found[0]!r}, expected the path of a file or folder, without variables, "
            "addresses and ends of lines; write it in full"
        )
    return path


def check_folders(*, results: str, data: str, absent: list[str]) -> None:
    """Raise a ValueError where a study cannot write to its folders: of data, only where converted files are absent."""
    otherwise = f", or that holds {', '.join(absent)} already"
    for key, name, hint in (("results_dir", results, ""), ("data_dir", data, otherwise))[: 2 if absent else 1]:
        folder = Path(name).absolute()
        existing = next(path for path in (folder, *folder.parents) if path.exists())
        if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
            raise ValueError(f"{key}: got {name}, expected a folder that can be written to{hint}; name another one")


def check_file(dataset: str, path: str | None, converted: Path) -> None:
    """Raise a ValueError where a data set's own file is not there, or none that is read, or its converted copy."""
    if path is None:
        return
    if Path(path).resolve() == converted.resolve():
        raise ValueError(
            f"datasets.{dataset}.path: got {path}, where the converted copy is written; keep your file elsewhere"
        )
    if not Path(path).exists():
        raise ValueError(
            f"datasets.{dataset}.path: got {path}, expected an existing file or folder; put it there or name "
            f"yours with --config 'datasets={{{dataset}: {{path: FILE}}}}'"
        )
    check_regular(Path(path))


def named(patterns: Iterable[str]) -> dict[str, str]:
    """Return patterns by the names of their tables, under which rules and stages know them.

    Examples
    --------
    >>> named(READS["statistics"])
    {'scores': '<results>/scores.csv'}
    """
    return {Path(pattern).stem: pattern for pattern in patterns}


def table_files(names: Iterable[str], kinds: Iterable[str] = ("csv", "md", "tex")) -> list[str]:
    """Return the patterns of tables of these names.

    Examples
    --------
    >>> table_files(["acc"], ["md"])
    ['<results>/tables/acc.md']
    """
    return [TABLE.format(table=name, kind=kind) for kind in kinds for name in names]


def log_of(rule: str, output: str = "") -> str:
    """Return the pattern of a rule's log: one for each combination of the wildcards of its output.

    Examples
    --------
    >>> log_of("cluster", CLUSTERING), log_of("score")
    ('<results>/logs/cluster/{method}/{dataset}/{stack}.log', '<results>/logs/score.log')
    """
    return "/".join(["<results>/logs", rule, *_wildcards(output)]) + ".log"


def benchmark_of(rule: str, output: str = "") -> str:
    """Return the pattern of what Snakemake notes of a rule's time and memory, named like its log."""
    return "/".join(["<results>/benchmarks", rule, *_wildcards(output)]) + ".jsonl"


def path_of(pattern: str, *, results: str | PathLike = "", data: str | PathLike = "", **wildcards: str) -> Path:
    """Return a file of a study.

    Parameters
    ----------
    pattern : str
    results, data : path-like
        The study's folders.
    **wildcards : str
        Values of the names in braces.

    Examples
    --------
    >>> str(path_of(CLUSTERING, results="results", method="ct", dataset="usps", stack="seed0"))
    'results/clusterings/ct/usps/seed0.h5'
    """
    folder, _, rest = pattern.partition("/")
    return Path({"<results>": results, "<data>": data}[folder], rest.format(**wildcards))


def folder_of(pattern: str, results: str | PathLike) -> Path:
    """Return the folder that holds all files of a pattern of results, whatever their wildcards.

    Examples
    --------
    >>> str(folder_of(CLUSTERING, "results"))
    'results/clusterings'
    """
    return path_of(pattern.partition("/{")[0], results=results)


def files_of(pattern: str, results: str | PathLike) -> list[Path]:
    """Return the files of a pattern that there are in a folder of results, in order."""
    return sorted(Path(results).glob(re.sub(r"{\w+}", "*", pattern.removeprefix("<results>/"))))


def meta_of(dataset: str | PathLike) -> Path:
    """Return the small description beside a converted data set."""
    return Path(dataset).with_suffix(".meta.json")


def stack_name(seeds: Sequence[int]) -> str:
    """Return the name of a stack of seeds that one job trains.

    Examples
    --------
    >>> stack_name([3]), stack_name([3, 9])
    ('seed3', 'seed3x2')
    """
    return f"seed{seeds[0]}" if len(seeds) == 1 else f"seed{seeds[0]}x{len(seeds)}"


def stacks_of(jobs: Mapping, dataset: str) -> dict[str, list[int]]:
    """Return the seeds of each stack of a data set.

    Parameters
    ----------
    jobs : dict
        From `deepkm.study.plan.Study.training_jobs`.
    dataset : str
        Its key.

    Examples
    --------
    >>> stacks_of({"stacks": [["seed3x2", [3, 9]]], "resampled": ["half"]}, "half")
    {'seed3': [3], 'seed9': [9]}
    """
    if dataset not in jobs.get("resampled", ()):
        return dict(jobs["stacks"])
    return {stack_name([seed]): [seed] for _, seeds in jobs["stacks"] for seed in seeds}


def side_file(result: str | PathLike, spec: Mapping, suffix: str) -> Path:
    """Return the path of a result's ``checkpoint`` or ``lock``, beside it; another spec has another one."""
    return Path(result).with_name(f".{Path(result).stem}.{digest(spec)}.{suffix}")


def side_files(result: str | PathLike, suffix: str) -> list[Path]:
    """Return a result's side files of one kind that there are, of whatever spec."""
    return sorted(Path(result).parent.glob(f".{glob.escape(Path(result).stem)}.*.{suffix}"))


def locks_of_writers(left: str | PathLike) -> list[Path]:
    """Return the locks that whoever may still write a file holds: a side file, or the `.tmp` of one or of a result.

    Examples
    --------
    >>> [path.name for path in locks_of_writers(".seed0.12ab.checkpoint.tmp")]
    ['.seed0.12ab.lock']
    """
    path = Path(os.fspath(left).removesuffix(".tmp"))
    return [path.with_suffix(".lock")] if path.name.startswith(".") else side_files(path, "lock")


def lock_of(path: str | PathLike) -> Path:
    """Return the path of the lock of a file that has one writer at a time."""
    return Path(path).with_name(f".{Path(path).name}.lock")


def _wildcards(pattern: str) -> list[str]:
    return re.findall(r"{\w+}", pattern)
