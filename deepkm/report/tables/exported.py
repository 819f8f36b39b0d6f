"""A study's published record in the formats of other programs: a ranking tool, dataset search, research objects."""

import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import pandas as pd

from deepkm.files import sha256_of
from deepkm.numerics.metrics import PRIMARY_METRIC
from deepkm.report.frames import read_frame
from deepkm.report.tables.recorded import DATA, RUNS, SCORES, STUDY
from deepkm.study.paths import meta_of
from deepkm.study.plan import Study
from deepkm.study.resampled import beside
from deepkm.study.spec import title_of_data

RANKING = "ranking.csv"
CRATE = "ro-crate-metadata.json"
CROISSANT = "{dataset}.croissant.json"
_TYPES = {
    RANKING: "mean error of each method on each data set, for ranking tools",
    SCORES: "scores of each run, in [0, 1]",
    RUNS: "what made each run: versions, processor, seconds, digests of settings, source and data",
    DATA: "shape and checksums of each data set",
    STUDY: "the study: data sets, autoencoders, methods, seeds",
}
# The context that Croissant 1.0 prescribes, whole.
_CROISSANT_TERMS = """citeAs column equivalentProperty extract field fileProperty fileObject fileSet format includes
    isLiveDataset jsonPath key md5 parentField path recordSet references regex repeated replace samplingRate separator
    source subField transform"""
_CROISSANT_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{term: f"cr:{term}" for term in _CROISSANT_TERMS.split()},
}
# RO-Crate 1.1 has no word for a checksum; that of workflow runs has.
_CRATE_CONTEXT = ["https://w3id.org/ro/crate/1.1/context", {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"}]


def ranking(scores: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return what ranking tools such as bencheval read, method, task, metric_error, and what it leaves out.

    The error is 1 - NMI, the mean over the seeds that most methods of the data set have run: more than half of them. A
    method that lacks one of these gets no row, and is named: nothing is filled in.
    """
    rows, left_out = [pd.DataFrame(columns=["method", "task", "metric_error"])], []
    for dataset, runs in scores.groupby("dataset", sort=False):
        table = runs.pivot(index="method", columns="seed", values=PRIMARY_METRIC)
        table = table.loc[:, 2 * table.notna().sum() > len(table)]
        whole = table.dropna() if table.shape[1] else table[:0]
        found = {"method": whole.index, "task": dataset, "metric_error": 1 - whole.mean(axis=1)}
        rows += [pd.DataFrame(found)] if len(whole) else []
        for method, n in table.drop(whole.index).notna().sum(axis=1).items():
            left_out.append(f"{method} on {dataset}, {n} of {table.shape[1]} seeds that most methods have")
    return pd.concat(rows, ignore_index=True), left_out


def croissant(study: Study, dataset: str) -> dict[str, Any]:
    """Return a data set's description in Croissant 1.0: the converted file, its checksum, what it holds."""
    file = study.data_file(dataset)
    entry, meta = study.config["datasets"][dataset], json.loads(meta_of(file).read_text(encoding="utf-8"))
    told = f"an array `feature` of shape {' x '.join(map(str, meta['shape']))} ({meta['type']}), unscaled"
    if meta["class_counts"]:
        told += f", and true classes `target`, {len(meta['class_counts'])} of them"
    if "resample" in entry:
        told += f"; a seed draws a share of {entry['resample']} of them"
    told += "; the file that `snakemake data` converts"
    return {
        "@context": _CROISSANT_CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": dataset,
        "description": f"{title_of_data(dataset, entry)}: {told}",
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": file.name,
                "name": file.name,
                "contentUrl": file.name,
                "contentSize": f"{file.stat().st_size} B",
                "encodingFormat": "application/zip" if file.suffix == ".npz" else "application/x-hdf5",
                "sha256": sha256_of(file),
            }
        ],
    }


def run_crate(folder: str | PathLike, title: str) -> dict[str, Any]:
    """Return the RO-Crate metadata (Process Run Crate 0.5) of a record and what was exported beside it.

    Parameters
    ----------
    folder : path-like
        A record with `RANKING` and descriptions of its data sets.
    title : str
        Of the study.
    """
    folder = Path(folder)
    runs = read_frame(folder / RUNS)
    days = sorted(runs["finished"].dropna())
    files = [name for name in _TYPES if (folder / name).exists()]
    described = sorted(path.name for path in folder.glob(CROISSANT.format(dataset="*")))
    version = runs["deepkm"].iloc[-1]
    program = "#deepkm"
    profile = "https://w3id.org/ro/wfrun/process/0.5"
    graph = [
        _entity(CRATE, "CreativeWork", conformsTo=_id("https://w3id.org/ro/crate/1.1"), about=_id("./")),
        _entity(
            "./",
            "Dataset",
            conformsTo=_id(profile),
            name=title,
            description=f"A study of deep k-means clustering: {len(read_frame(folder / SCORES))} runs",
            datePublished=days[-1],
            hasPart=[_id(name) for name in (*files, *described)],
            author=_id("#authors"),
            mentions=_id("#study"),
        ),
        _entity(profile, "CreativeWork", name="Process Run Crate", version="0.5"),
        _entity(program, "SoftwareApplication", name="DeepKM", version=version),
        _entity("#authors", "Organization", name="Whoever ran the study"),
        _entity(
            "#study",
            "CreateAction",
            name=f"Run of {title}",
            description=f"Every run on {' and '.join(sorted(set(runs['device'])))}",
            instrument=_id(program),
            agent=_id("#authors"),
            object=[_id(name) for name in (STUDY, *described)],
            result=[_id(name) for name in files if name != STUDY],
            startTime=days[0],
            endTime=days[-1],
        ),
    ]
    graph += [_file(folder / name, _TYPES[name]) for name in files]
    graph += [_file(folder / name, "a data set's description (Croissant)") for name in described]
    return {"@context": _CRATE_CONTEXT, "@graph": graph}


def _id(name: str) -> dict[str, str]:
    return {"@id": name}


def _entity(identifier: str, kind: str, /, **told: Any) -> dict[str, Any]:
    return {"@id": identifier, "@type": kind, **told}


def _file(path: Path, description: str) -> dict[str, Any]:
    form = {".csv": "text/csv", ".yaml": "application/yaml", ".json": "application/json"}[path.suffix]
    size = str(path.stat().st_size)
    told = {"name": path.name, "description": description, "encodingFormat": form, "contentSize": size}
    return _entity(path.name, "File", **told, sha256=sha256_of(path))


def export(study: Study, folder: str | PathLike) -> tuple[list[str], list[str]]:
    """Write all exports into a record's folder; return their names, and what the ranking leaves out."""
    folder = Path(folder)
    scores = read_frame(folder / SCORES)
    table, left_out = ranking(scores[~scores["dataset"].isin(beside(study.resampled))])
    table.to_csv(folder / RANKING, index=False)
    texts: dict[str, Mapping] = {}
    for dataset in study.datasets:
        if meta_of(study.data_file(dataset)).exists():
            texts[CROISSANT.format(dataset=dataset)] = croissant(study, dataset)
    _write(folder, texts)
    _write(folder, {CRATE: run_crate(folder, folder.resolve().name)})
    return [RANKING, *texts, CRATE], left_out


def _write(folder: Path, texts: Mapping[str, Mapping]) -> None:
    for name, told in texts.items():
        (folder / name).write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
