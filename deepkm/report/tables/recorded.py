"""A study's raw numbers as a repository keeps them: a row per run, what made it, the data and the study itself.

A folder of four small files, read without anything else of the study. Rows accumulate: what other machines or other
days have run stays, and a run that is done again takes the place of its row.
"""

import json
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path

import pandas as pd
import yaml

from deepkm.report.frames import read_frame
from deepkm.study.paths import meta_of
from deepkm.study.plan import Study

SCORES, RUNS, DATA, STUDY = "scores.csv", "runs.csv", "data.csv", "study.yaml"
# What tells rows apart.
KEYS = {SCORES: ["dataset", "method", "seed"], RUNS: ["dataset", "stage", "key", "seed"], DATA: ["dataset"]}
_OF_A_JOB = ["stack", "seeds", "n_diverged", "epochs", "spec"]  # say nothing of one of its runs
_SHARED = ["seconds", "cpu_seconds", "device_seconds"]  # by the runs of a job


def runs_of(jobs: pd.DataFrame) -> pd.DataFrame:
    """Return a row per run of ``results/jobs.csv``: its share of the time, versions, processor, data, day."""
    each = jobs.assign(seed=jobs["seeds"].str.split()).explode("seed", ignore_index=True)
    n_seeds = jobs["seeds"].str.split().str.len()
    for name in _SHARED:
        each[name] = (jobs[name] / n_seeds).repeat(n_seeds).to_numpy()
    each["seed"] = each["seed"].astype(int)
    return each.drop(columns=_OF_A_JOB)


def data_of(study: Study) -> pd.DataFrame:
    """Return a row per data set that is converted: its size, and checksums of what it holds."""
    rows = []
    for key in study.datasets:
        path = meta_of(study.data_file(key))
        if path.exists():
            meta = json.loads(path.read_text(encoding="utf-8"))
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


def merge(folder: str | PathLike, tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """Lay rows over those that a record has, in order of their keys.

    Parameters
    ----------
    folder : path-like
    tables : dict of str to DataFrame
        New rows by file: a key of `KEYS`.

    Returns
    -------
    list of str
        What was left out, a line each: runs of a method that now runs with other settings, or on other data.
    """
    paths = {name: Path(folder) / name for name in tables}
    old = {name: read_frame(path) for name, path in paths.items() if path.exists()}
    outdated = _outdated(old, tables) if {RUNS, DATA} <= old.keys() else set()
    for name, rows in tables.items():
        before = old.get(name, rows[:0])
        kept = [place not in outdated for place in _places(before)]
        merged = pd.concat([before[kept], rows], ignore_index=True) if len(before) else rows
        merged.drop_duplicates(KEYS[name], keep="last").sort_values(KEYS[name]).to_csv(paths[name], index=False)
    return [
        f"{key} on {dataset}: its rows with other settings or data were dropped" for dataset, key in sorted(outdated)
    ]


def _places(rows: pd.DataFrame) -> Iterable[tuple]:
    """Return data set and method, or autoencoder, of each row; of rows about data, nothing."""
    names = [name for name in ("method", "key") if name in rows]
    return zip(rows["dataset"], rows[names[0]], strict=True) if names else [()] * len(rows)


def _outdated(old: Mapping[str, pd.DataFrame], new: Mapping[str, pd.DataFrame]) -> set[tuple]:
    """Return data set and method, or autoencoder, of old rows beside which new ones cannot stand."""
    settings = dict(zip(_places(new[RUNS]), new[RUNS]["settings"], strict=True))
    sums = [tables[DATA].set_index("dataset")["sha256_of_feature"].to_dict() for tables in (old, new)]
    changed = {dataset for dataset, found in sums[0].items() if sums[1].get(dataset, found) != found}
    found = zip(_places(old[RUNS]), old[RUNS]["settings"], strict=True)
    return {place for place, digest in found if place[0] in changed or settings.get(place, digest) != digest}


def merge_study(folder: str | PathLike, config: dict) -> None:
    """Lay the entries of a configuration over those that a record has: it keeps all that has ever run."""
    path, new = Path(folder) / STUDY, record_of(config)
    old = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}
    for part in ("datasets", "autoencoders", "methods"):
        new[part] = old.get(part, {}) | new[part]
    for name in ("datasets", "methods", "seeds"):
        new["study"][name] = list(dict.fromkeys([*old.get("study", {}).get(name, []), *new["study"][name]]))
    text = yaml.safe_dump(json.loads(json.dumps(new)), sort_keys=False, width=120, allow_unicode=True)
    path.write_text(text, encoding="utf-8")
