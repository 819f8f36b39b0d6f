"""All figures of a study, one after the other, in the order in which they are shown."""

from dataclasses import dataclass

import pandas as pd

from deepkm.numerics.metrics import METRICS
from deepkm.report.figures.clusters import draw_contingency, draw_members
from deepkm.report.figures.curves import draw_losses, draw_scores
from deepkm.report.figures.embeddings import draw_embeddings, draw_memberships
from deepkm.report.figures.landscapes import draw_landscapes
from deepkm.report.figures.methods import draw_ablations, draw_cost, draw_critical_difference, draw_ranks
from deepkm.report.figures.runs import read_memberships, read_run
from deepkm.report.figures.sensitivity import draw_sensitivity, find_grids

MOST_PANELS = 5


@dataclass(frozen=True, kw_only=True)
class Tables:
    """The tables of a study: ``results/*.csv`` and ``results/statistics/*.csv``."""

    scores: pd.DataFrame
    epochs: pd.DataFrame
    runs: pd.DataFrame
    parameters: pd.DataFrame
    friedman: pd.DataFrame
    nemenyi: pd.DataFrame

    def of(self, dataset):
        """Return the rows of one data set, of all tables that name any."""
        rows = {name: table[table["dataset"] == dataset] for name, table in vars(self).items() if "dataset" in table}
        return Tables(**{**vars(self), **rows})


def draw_study(tables, spec, *, files, load):
    """Yield each `Drawing` of a study.

    Parameters
    ----------
    tables : Tables
    spec : dict
        From `Study.figures_spec`.
    files : dict of (str, str) to list of path
        The results of each data set and method, of the first block of seeds first; those that exist.
    load : callable
        Returns a `Dataset` for a data set's key.
    """
    titles, datasets = dict(spec["methods"]), dict(spec["datasets"])
    drawings = [draw_ranks(tables.scores, titles, datasets)]
    drawings += [draw_critical_difference(tables.friedman, tables.nemenyi, titles, metric=metric) for metric in METRICS]
    yield from filter(None, drawings)
    for key, title in datasets.items():
        paths = {method: found for (dataset, method), found in files.items() if dataset == key and found}
        yield from filter(None, _draw_tables(tables.of(key), spec, titles, dataset=(key, title)))
        if paths:
            yield from filter(None, _draw_runs(tables.of(key), spec, titles, paths=paths, dataset=load(key)))
    rows = tables.parameters
    for method in rows.loc[rows["estimator"].str.endswith(":PowerKMeans"), "method"].head(1):
        yield draw_landscapes(titles, method=method)


def chosen_methods(methods, panels):
    """Return which of a study's methods get panels of their own: those named, or else the first few."""
    named = [method for method in methods if method in panels]
    return named or list(methods)[:MOST_PANELS]


def _draw_tables(tables, spec, titles, *, dataset):
    yield draw_scores(tables.epochs, titles, dataset=dataset)
    yield draw_losses(tables.epochs, titles, dataset=dataset)
    yield draw_ablations(tables.scores, titles, spec["ablations"], dataset=dataset)
    yield draw_cost(tables.scores, tables.runs, titles, dict(spec["jobs"]["methods"]), dataset=dataset)
    for number, grid in enumerate(find_grids(tables.parameters), 1):
        stem = f"{dataset[0]}_sensitivity_{number}"
        yield draw_sensitivity(grid, tables.scores, titles, dataset=dataset, stem=stem)


def _draw_runs(tables, spec, titles, *, paths, dataset):
    """Yield what is drawn from the results themselves: the first seed of the chosen methods."""
    shown = chosen_methods([method for method in titles if method in paths], spec["panels"])
    blocks = [path.name for method in shown for path in paths[method]]
    block = max(dict.fromkeys(blocks), key=blocks.count)  # one that all of them have, unless runs are missing
    runs = {method: read_run(path) for method in shown for path in paths[method] if path.name == block}
    runs = {method: run for method, run in runs.items() if run.codes is not None or dataset.in_memory}
    yield draw_embeddings(runs, titles, tables.epochs, dataset=dataset)
    memberships = {method: read_memberships(paths[method]) for method in titles if method in paths}
    soft = {method: pair for method, pair in memberships.items() if pair is not None}
    n_clusters = spec["features"][dataset.key]["n_clusters"]
    yield draw_memberships(soft, titles, n_clusters, dataset=dataset)
    yield draw_contingency(runs, titles, dataset=dataset)
    for method, run in runs.items():
        yield draw_members(method, run, titles, dataset=dataset)
