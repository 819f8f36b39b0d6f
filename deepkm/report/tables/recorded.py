"""A study's raw numbers as a repository keeps them: a row per run, what made it, the data and the study itself.

A folder of four small files, read without anything else of the study. Rows accumulate: what other machines or other
days have run stays, and a run that is done again takes the place of its row.
"""

import json
from collections.abc import Iterable, Mapping
from itertools import repeat
from os import PathLike
from pathlib import Path

import pandas as pd
import yaml
from pandas.api.types import is_integer_dtype, is_numeric_dtype

from deepkm.datasets.converted import read_converted
from deepkm.numerics.metrics import METRICS
from deepkm.report.frames import read_frame
from deepkm.study.paths import meta_of
from deepkm.study.plan import Study
from deepkm.study.settings import nearer, of_dataset
from deepkm.study.spec import differing

SCORES, RUNS, DATA, STUDY = "scores.csv", "runs.csv", "data.csv", "study.yaml"
# What tells rows apart.
KEYS = {SCORES: ["dataset", "method", "seed"], RUNS: ["dataset", "stage", "key", "seed"], DATA: ["dataset"]}
_SUMS = ["sha256_of_feature", "sha256_of_target"]
_COLUMNS = {
    SCORES: [*KEYS[SCORES], *METRICS, "n_clusters"],
    RUNS: [*KEYS[RUNS], "settings", "source_digest", "data"],
    DATA: [*KEYS[DATA], "scaling", *_SUMS[:1]],
}
_ENTRIES = ("datasets", "autoencoders", "methods")
_OF_A_JOB = ["stack", "seeds", "n_diverged", "epochs", "spec"]  # say nothing of one of its runs
_SHARED = ["seconds", "cpu_seconds", "device_seconds"]  # by the runs of a job


def runs_of(jobs: pd.DataFrame) -> pd.DataFrame:
    """Return a row per run of ``results/jobs.csv``: its share of the time, versions, processor, data, day."""
    each = jobs.assign(seed=jobs["seeds"].str.split()).explode("seed", ignore_index=True)
    n_seeds = jobs["seeds"].str.split().str.len()
    for name in _SHARED:
        each[name] = (jobs[name] / n_seeds).repeat(n_seeds).to_numpy()
    each["seed"] = each["seed"].astype(int)
    each["device"] = each["device"].str.replace(r" \(GPU-[\w-]+\)$", "", regex=True)  # which of its kind says nothing
    return each.drop(columns=_OF_A_JOB)


def data_of(study: Study, datasets: Iterable[str]) -> pd.DataFrame:
    """Return a row per data set that rows are of: its size, and checksums of what it holds.

    Raises
    ------
    ValueError
        One line, where one of them is not there: rows without checksums of their data cannot be held against others.
    """
    rows = []
    for key in sorted(set(datasets), key=study.datasets.index):
        path = study.data_file(key)
        if path.exists():
            text = str(read_converted(path, "meta")["meta"])
        elif meta_of(path).exists():
            text = meta_of(path).read_text(encoding="utf-8")
        else:
            raise ValueError(f"got results on {key} without {path}, expected its checksums; run `snakemake data`")
        meta = json.loads(text)
        form = {"shape": " ".join(map(str, meta["shape"])), "type": meta["type"]}
        form["n_classes"] = len(meta["class_counts"] or [])
        sums = {f"sha256_of_{name}": value for name, value in meta["sha256"].items()}
        rows.append({"dataset": key, "scaling": study.scaling_of(key), **form, **sums})
    return pd.DataFrame(rows)


def record_of(config: dict) -> dict:
    """Return what a configuration says of the entries that its study names; of paths, only the file's name."""
    selected = config["study"]
    methods = {key: config["methods"][key] for key in selected["methods"]}
    autoencoders = {entry["autoencoder"] for entry in methods.values() if entry.get("autoencoder")}
    datasets = {key: dict(config["datasets"][key]) for key in selected["datasets"]}
    for entry in datasets.values():
        if "path" in entry:
            entry["path"] = Path(entry["path"]).name
    return {
        "study": selected,
        "training": config["training"],
        "datasets": datasets,
        "autoencoders": {key: config["autoencoders"][key] for key in sorted(autoencoders)},
        "methods": methods,
    }


def read_record(folder: str | PathLike) -> tuple[dict[str, pd.DataFrame], dict]:
    """Return the tables of a record by file, and its study; nothing of a folder that holds none.

    Raises
    ------
    ValueError
        One line, where a file of the four is missing or is no such table: a run's row alone says too little.
    """
    folder = Path(folder)
    there = [name for name in (*KEYS, STUDY) if (folder / name).exists()]
    if not there:
        return {}, {}
    if missing := [name for name in (*KEYS, STUDY) if name not in there]:
        raise ValueError(
            f"{folder}: got {', '.join(there)} without {', '.join(missing)}, expected all of them; take the folder as "
            "it was published, or publish to another one"
        )
    return {name: _read_table(folder / name) for name in KEYS}, _read_study(folder / STUDY)


def _read_table(path: Path) -> pd.DataFrame:
    remedy = "take the file as it was published"
    try:
        table = read_frame(path)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: got no table ({error}), expected CSV; {remedy}") from None
    if missing := [name for name in _COLUMNS[path.name] if name not in table]:
        raise ValueError(f"{path}: got no column {', '.join(missing)}, expected it; {remedy}")
    for name in (name for name in ("seed", *METRICS) if name in table):
        if not (is_integer_dtype if name == "seed" else is_numeric_dtype)(table[name]):
            raise ValueError(f"{path}: got text or nothing among the values of {name}, expected numbers; {remedy}")
    keys = KEYS[path.name]
    if (twice := table.duplicated(keys)).any():
        place = " ".join(map(str, table.loc[twice, keys].iloc[0]))
        raise ValueError(f"{path}: got two rows of {place}, expected one of each {', '.join(keys)}; {remedy}")
    return table


def _read_study(path: Path) -> dict:
    try:
        told = yaml.safe_load(path.read_text(encoding="utf-8"))
        if all(isinstance(told[part], dict) for part in ("study", "training", *_ENTRIES)):
            return told
        found = "other parts"
    except (yaml.YAMLError, UnicodeDecodeError, TypeError, KeyError) as error:
        found = " ".join(str(error).split())
    raise ValueError(f"{path}: got {found}, expected a study; take the file as it was published")


def record(folder: str | PathLike, tables: Mapping[str, pd.DataFrame], config: dict) -> list[str]:
    """Lay rows, and the study that made them, over those that a record has, in order of their keys.

    Parameters
    ----------
    folder : path-like
    tables : dict of str to DataFrame
        New rows by file: the keys of `KEYS`.
    config : dict
        Of the study.

    Returns
    -------
    list of str
        A line each: runs that were left out, since that method now runs with other settings, or on other data; how many
        methods' rows are of several states of their source.

    Raises
    ------
    ValueError
        One line, where rows that stay were made with other settings than the study's: it cannot tell of both.
    """
    folder = Path(folder)
    old, told = read_record(folder)
    outdated = _outdated(old, tables) if old else set()
    merged = {}
    for name, rows in tables.items():
        before = old.get(name, rows[:0])
        kept = [place not in outdated for place in _places(before)]
        both = pd.concat([before[kept], rows], ignore_index=True) if len(before) else rows
        merged[name] = both.drop_duplicates(KEYS[name], keep="last").sort_values(KEYS[name])
    text = _text_of(_merged_study(folder, told, record_of(config), merged[RUNS], set(_places(tables[RUNS]))))
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in merged.items():
        table.to_csv(folder / name, index=False)
    (folder / STUDY).write_text(text, encoding="utf-8")
    dropped = sorted({(key, dataset) for _, dataset, key in outdated})
    lines = [f"{key} on {dataset}: its rows with other settings or data were dropped" for key, dataset in dropped]
    return lines + ([f"note: {mixed}"] if (mixed := describe_sources(merged[RUNS])) else [])


def describe_sources(runs: pd.DataFrame) -> str:
    """Return of how many methods the rows on a data set are of several states of their source; "" of none."""
    states = runs[runs["stage"] == "cluster"].groupby(["dataset", "key"])["source_digest"].nunique()
    of = f"{(states > 1).sum()} of {len(states)} methods on data sets"
    return f"rows of {of} are of several states of their source (`source_digest`)" if (states > 1).any() else ""


def _places(rows: pd.DataFrame) -> Iterable[tuple]:
    """Return stage, data set and method, or autoencoder, of each row; of rows about data, nothing."""
    if "method" in rows:
        return zip(repeat("cluster"), rows["dataset"], rows["method"], strict=False)
    return zip(rows["stage"], rows["dataset"], rows["key"], strict=True) if "stage" in rows else [()] * len(rows)


def _outdated(old: Mapping[str, pd.DataFrame], new: Mapping[str, pd.DataFrame]) -> set[tuple]:
    """Return stage, data set and key of old rows beside which new ones cannot stand."""
    settings = dict(zip(_places(new[RUNS]), new[RUNS]["settings"], strict=True))
    before = _about_data(old)
    changed = {dataset for dataset, told in _about_data(new).items() if before.get(dataset, told) != told}
    found = zip(_places(old[RUNS]), old[RUNS]["settings"], strict=True)
    return {place for place, digest in found if place[1] in changed or settings.get(place, digest) != digest}


def _about_data(tables: Mapping[str, pd.DataFrame]) -> dict[str, tuple]:
    """Return what all rows of a data set share: its values and classes, scaling, and the number of clusters asked."""
    clusters = tables[SCORES].groupby("dataset")["n_clusters"].agg(set).to_dict()
    table = tables[DATA].reindex(columns=["dataset", "scaling", *_SUMS]).fillna("").set_index("dataset")
    return {dataset: (*told, clusters.get(dataset)) for dataset, *told in table.itertuples()}


def _merged_study(folder: Path, old: dict, new: dict, runs: pd.DataFrame, renewed: set[tuple]) -> dict:
    """Return a study with the entries of all rows; refuse one that rows which stay were not run with."""
    both = {**new, **{part: old.get(part, {}) | new[part] for part in _ENTRIES}}
    for stage, dataset, key in sorted(set(_places(runs)) - renewed):
        part = "methods" if stage == "cluster" else "autoencoders"
        if key not in old.get(part, {}) or dataset not in old["datasets"]:
            continue  # nobody knows
        before = _as_applied(old, part, key, dataset)
        now = _as_applied({**both, "datasets": old["datasets"]}, part, key, dataset)
        if differs := differing(before, now):
            raise ValueError(
                f"{folder}: got another {' and '.join(differs)} of {key}, expected what its rows on {dataset} were run "
                "with, for they stay; publish to another folder, or run them again"
            )
    for name in ("datasets", "methods", "seeds"):
        both["study"][name] = list(dict.fromkeys([*old.get("study", {}).get(name, []), *new["study"][name]]))
    return both


def _as_applied(told: dict, part: str, key: str, dataset: str) -> dict:
    """Return what an entry says of its runs on a data set, with what it leaves to `training`."""
    entry = {name: value for name, value in told[part][key].items() if name not in ("title", "color", "per_dataset")}
    nearest = of_dataset(told, dataset, told[part][key].get("per_dataset", {}))[1]
    return {"training": told["training"], **nearer(entry, nearest)}


def _text_of(told: dict) -> str:
    return yaml.safe_dump(json.loads(json.dumps(told)), sort_keys=False, width=120, allow_unicode=True)
