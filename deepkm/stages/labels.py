"""Write the labels that all runs found: a table of each data set, a row per sample, a column per method and seed."""

from pathlib import Path

import numpy as np
import pandas as pd

from deepkm.datasets.converted import digest_of, read_converted
from deepkm.files import replacing
from deepkm.report.frames import name_rows
from deepkm.study.inventory import result_files
from deepkm.study.results import read_result
from deepkm.study.spec import ScoreSpec


def add_arguments(parser):
    parser.add_argument("--data", nargs="+", required=True, type=Path, help="data/{dataset}.npz of each data set")
    parser.add_argument("--results", required=True, type=Path, help="the folder of results; the spec says which")
    parser.add_argument("--output", nargs="+", required=True, type=Path, help="labels/{dataset}.csv of each data set")


def main(args):
    spec: ScoreSpec = args.spec
    files, _ = result_files(args.results, spec)
    for data, output in zip(args.data, args.output, strict=True):
        own = [path for path in files if path.parent.name == data.stem]
        write_labels(own, data=data, output=output, stacks=spec["stacks"])


def write_labels(files, *, data, output, stacks):
    """Write the table of one data set.

    Parameters
    ----------
    files : list of path
        Results of its clusterings.
    data : path
        ``{dataset}.npz``
    output : path
        ``sample``, the number of a row in the data, from 0; ``id``, where samples have names; and a column
        ``{method}_seed{seed}`` for each run.
    stacks : dict of str to list of int
        The study's seeds by stack.

    Raises
    ------
    OSError
        One line, when a file is damaged, or a result is not of what its name says or of other data.
    """
    digest, columns = digest_of(data), {}
    for path in files:
        arrays, attributes = read_result(path, "labels", stage="cluster", stacks=stacks, data=digest)
        spec = attributes["spec"]
        for seed, labels in zip(spec["seeds"], arrays["labels"], strict=True):
            columns[f"{spec['method']}_seed{seed}"] = labels
    ids = read_converted(data, optional=["sample_ids"]).get("sample_ids", np.array([]))
    with replacing(output) as file:
        name_rows(pd.DataFrame(columns), ids).to_csv(file, index=False)
    print(f"{output}: {len(columns)} runs")
