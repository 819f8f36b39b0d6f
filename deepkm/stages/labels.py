"""Write the labels that all runs found, and what can be said of them where there are no true classes."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from deepkm.datasets.converted import digest_of, read_converted
from deepkm.files import replacing
from deepkm.report.frames import name_rows
from deepkm.report.statistics.structure import (
    AGREEMENT_COLUMNS,
    LARGEST_SAMPLE,
    NOT_DRAWN,
    STRUCTURE_COLUMNS,
    agreement,
    compared_samples,
    describe_sizes,
    load_in_memory,
    on_code,
    on_data,
)
from deepkm.study.inventory import result_files
from deepkm.study.results import read_result
from deepkm.study.spec import ScoreSpec


def add_arguments(parser):
    parser.add_argument("--data", nargs="+", required=True, type=Path, help="data/{dataset}.npz of each data set")
    parser.add_argument("--results", required=True, type=Path, help="the folder of results; the spec says which")
    parser.add_argument("--output", nargs="+", required=True, type=Path, help="labels/{dataset}.csv of each data set")
    parser.add_argument("--structure", required=True, type=Path, help="structure.csv: a row per run without classes")
    parser.add_argument("--agreement", required=True, type=Path, help="agreement.csv: a row per pair of methods")


def main(args):
    spec: ScoreSpec = args.spec
    files, _ = result_files(args.results, spec)
    given = {"data": args.data, "output": args.output, "jobs": spec}
    write_labels(files, structure=args.structure, agree=args.agreement, **given)


def write_labels(files, *, data, output, structure, agree, jobs):
    """Write the tables of labels, and those of what needs no classes.

    Parameters
    ----------
    files : list of path
        Results of clusterings.
    data : list of path
        ``{dataset}.npz`` of each data set.
    output : list of path
        For each of them: ``sample``, the number of a row in the data, from 0; ``id``, where samples have names; and a
        column ``{method}_seed{seed}`` for each run, empty where a sample is none of those that its seed drew.
    structure, agree : path
        Of the data sets without true classes: a row per run, and one per method and pair of methods.
    jobs : dict
        From `deepkm.study.plan.Study.training_jobs`.

    Raises
    ------
    OSError
        One line, when a file is damaged, or a result is not of what its name says or of other data.
    """
    runs, pairs = [], []
    for path, table in zip(data, output, strict=True):
        own = [file for file in files if file.parent.name == path.stem]
        columns, about = _read_runs(own, path, jobs)
        ids = read_converted(path, optional=["sample_ids"]).get("sample_ids", ())
        labels = {f"{method}_seed{seed}": run for method, of in columns.items() for seed, run in of.items()}
        # In the middle of a study there may be names of samples, and no run.
        runs_of = pd.DataFrame(labels, index=range(len(ids)) if len(ids) else None)
        drawn = runs_of != NOT_DRAWN
        _write(table, name_rows(runs_of if drawn.all(axis=None) else runs_of.astype("Int64").where(drawn), ids))
        runs += [{"dataset": path.stem, **row} for row in about]
        pairs += [{"dataset": path.stem, **row} for row in agreement(columns) if about]
        print(f"{table}: {len(labels)} runs")
    _write(structure, pd.DataFrame(runs, columns=STRUCTURE_COLUMNS))
    _write(agree, pd.DataFrame(pairs, columns=AGREEMENT_COLUMNS))


def _read_runs(files, data, jobs):
    """Return labels by method and seed, and a row of `STRUCTURE_COLUMNS` for each run where there are no classes."""
    expected = {"stage": "cluster", "jobs": jobs, "data": digest_of(data)}
    labels: dict[str, dict[int, np.ndarray]] = {}
    about = []
    classes = bool(read_converted(data, optional=["target"]))
    for place, path in enumerate(files):
        prefix = ("labels", "samples", *(() if classes else ("snapshots/codes", "snapshots/sample")))
        arrays, attributes = read_result(path, prefix, **expected)
        spec, method = attributes["spec"], attributes["spec"]["method"]
        of_all = arrays["labels"] if "samples" not in arrays else _of_all_samples(arrays, data)
        labels.setdefault(method, {}).update(zip(spec["seeds"], of_all, strict=True))
        if classes:
            continue
        if place == 0:
            x = load_in_memory(data, spec["dataset"]["scaling"])
            compared = None if x is None else compared_samples(x, LARGEST_SAMPLE)
        for s, seed in enumerate(spec["seeds"]):
            sizes = describe_sizes(arrays["labels"][s], spec["dataset"]["n_clusters"])
            row = {"method": method, "seed": seed, **sizes}
            about.append(row | on_data(compared, of_all[s]) | on_code(arrays, s))
    return labels, about


def _of_all_samples(arrays, data):
    """Return the labels of a run on samples that its seed drew, as those of all samples of the data set, (1, N)."""
    n_samples = json.loads(str(read_converted(data, "meta")["meta"]))["shape"][0]
    labels = np.full((1, n_samples), NOT_DRAWN, arrays["labels"].dtype)
    labels[0, arrays["samples"][0]] = arrays["labels"][0]
    return labels


def _write(path, table):
    with replacing(path) as file:
        table.to_csv(file, index=False)
