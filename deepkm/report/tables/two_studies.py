"""Two sets of results side by side: what was changed, and what it did to the numbers."""

from itertools import product

import numpy as np
import pandas as pd

from deepkm.numerics.metrics import METRICS, title_of
from deepkm.report.statistics.paired import compare_differences, paired_differences
from deepkm.report.tables.layout import Cell, Table, interval_cell, number_cell
from deepkm.study.spec import differing

# Of each method on a data set that both have, by metric. Differences are second minus first, in points.
NUMBERS = (
    "dataset metric method n mean_first mean_second mean_difference low high effect statistic p p_holm verdict reason"
).split()


def compare_jobs(first, second):
    """Return what differs in how shared methods were run on shared data sets.

    Parameters
    ----------
    first, second : dict of (stage, key, dataset) to dict of int to dict
        What is known of such jobs, by seed: parameters, source digest, versions and so on, nested.

    Returns
    -------
    DataFrame with columns stage, key, dataset, what, first, second, seeds
        ``what`` is the dotted name of a value; ``seeds`` are those of which this is so, "" where it is all. Seeds are
        held against themselves; where both have none in common, all of the one against all of the other.
    """
    rows: dict[tuple, list] = {}
    for place in (place for place in first if place in second):
        here, there = first[place], second[place]
        shared = [(seed, seed) for seed in sorted(here) if seed in there]
        pairs = shared or list(product(sorted(here), sorted(there)))
        for a, b in pairs:
            for what in differing(here[a], there[b]):
                values = [_look_up(described, what) for described in (here[a], there[b])]
                rows.setdefault((*place, what, *values), [len(pairs)]).append(a)
    listed = [
        [*change, "" if len(seeds) == n_pairs else ", ".join(map(str, dict.fromkeys(seeds)))]
        for change, (n_pairs, *seeds) in rows.items()
    ]
    return pd.DataFrame(listed, columns=["stage", "key", "dataset", "what", "first", "second", "seeds"])


def compare_scores(first, second):
    """Return the change of each shared method on each shared data set, paired over the seeds that both have.

    Parameters
    ----------
    first, second : DataFrame
        ``scores.csv`` of each.

    Returns
    -------
    DataFrame with the columns `NUMBERS`
        Holm's correction is over the methods of a data set, by metric.
    """
    both = first.merge(second, on=["dataset", "method", "seed"], suffixes=("_first", "_second"), validate="1:1")
    frames = []
    for dataset, rows in both.groupby("dataset", sort=False):
        methods = dict(iter(rows.groupby("method", sort=False)))
        for metric in METRICS:
            columns = [f"{metric}_first", f"{metric}_second"]
            sides = [100 * found[columns].dropna() for found in methods.values()]
            differences = [paired_differences(side[columns[1]], side[columns[0]]) for side in sides]
            table = compare_differences(differences, stream=f"{dataset}/{metric}", n_seeds=rows["seed"].nunique())
            means = np.array([side.mean().to_numpy() for side in sides])
            table = table.assign(dataset=dataset, metric=metric, method=[*methods])
            table[["mean_first", "mean_second"]] = means
            if rows[columns].isna().all(axis=None):
                table["reason"] = "no labels"
            frames.append(table)
    return pd.concat(frames, ignore_index=True)[NUMBERS] if frames else pd.DataFrame(columns=NUMBERS)


def changes_table(changes):
    """Return what was changed, each change once with the methods and data sets that it concerns."""
    rows = []
    for (what, first, second, seeds), found in changes.groupby(["what", "first", "second", "seeds"], sort=False):
        where = [row.key if row.stage == "cluster" else f"autoencoder {row.key}" for row in found.itertuples()]
        datasets = dict.fromkeys(found["dataset"])
        cells = [what, first, second, ", ".join(dict.fromkeys(where)), ", ".join(datasets), seeds or "all"]
        rows.append([Cell(text) for text in cells])
    header = ["What", "First", "Second", "Methods", "Data sets", "Seeds"]
    return Table("changes", "What was changed", header, rows, align="llllll")


def numbers_table(numbers):
    """Return the change of the numbers, a row per data set, method and metric."""
    rows = [
        [
            *(Cell(text) for text in (row.dataset, row.method, title_of(row.metric))),
            *(number_cell(value, ".1f") for value in (row.mean_first, row.mean_second)),
            number_cell(row.mean_difference, "+z.1f"),
            interval_cell(row.low, row.high),
            number_cell(row.p_holm, ".2g"),
            Cell(str(row.n), row.n),
            Cell(f"{row.verdict}{f' ({row.reason})' if row.reason else ''}"),
        ]
        for row in numbers.sort_values(["dataset", "method"], kind="stable").itertuples()
    ]
    header = ["Data set", "Method", "Metric", "First, %", "Second, %", "Difference", "95 % interval", "p", "Seeds"]
    notes = [
        "Means over the seeds that both have; differences are second minus first, in points, with a percentile "
        "bootstrap over seeds; p is Wilcoxon's signed-rank test with Holm's correction over the methods of a data set."
    ]
    return Table("numbers", "What it did", [*header, "Verdict on the second"], rows, notes, align="lllrrrrrrl")


def _look_up(described, dotted):
    """Return a nested value as text, by its dotted name; names themselves may hold dots."""
    if dotted in described or "." not in dotted:
        return str(described.get(dotted, "-"))
    head, _, rest = dotted.partition(".")
    inner = described.get(head)
    return _look_up(inner, rest) if isinstance(inner, dict) else "-"
