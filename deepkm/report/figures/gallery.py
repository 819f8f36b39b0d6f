"""All figures of a study, one after the other, in the order in which they are shown."""

from deepkm.numerics.metrics import METRICS
from deepkm.report.figures.ablation import draw_ablations
from deepkm.report.figures.agreement import draw_agreement
from deepkm.report.figures.contingency import draw_contingency
from deepkm.report.figures.cost import draw_cost
from deepkm.report.figures.curves import draw_losses, draw_scores
from deepkm.report.figures.inputs import read_memberships, read_run
from deepkm.report.figures.members import draw_members
from deepkm.report.figures.memberships import draw_memberships
from deepkm.report.figures.profiles import draw_profiles
from deepkm.report.figures.ranks import draw_critical_difference, draw_ranks
from deepkm.report.figures.search import draw_search
from deepkm.report.figures.sensitivity import draw_sensitivity, find_grids
from deepkm.report.figures.style import methods_of
from deepkm.report.figures.tsne import draw_tsne

MOST_PANELS = 5


def draw_study(numbers, spec, *, files, load):
    """Yield each `Drawing` of a study.

    Parameters
    ----------
    numbers : Numbers
    spec : dict
        From `Study.figures_spec`.
    files : dict of (str, str) to list of path
        The results of each data set and method, of the first stack of seeds first; those that exist.
    load : callable
        Returns a `Dataset` for a data set's key.
    """
    methods, datasets = methods_of(dict(spec["methods"]), spec["colors"]), dict(spec["datasets"])
    yield from filter(None, _draw_over_datasets(numbers, methods, datasets))
    for key, title in datasets.items():
        paths = {method: found for (dataset, method), found in files.items() if dataset == key and found}
        yield from filter(None, _draw_dataset(numbers.of(key), spec, methods, dataset=(key, title)))
        if paths:
            yield from filter(None, _draw_runs(numbers.of(key), spec, methods, paths=paths, dataset=load(key)))


def chosen_methods(methods, panels):
    """Return which of a study's methods get panels of their own: those named, or else the first few."""
    named = [method for method in methods if method in panels]
    return named or list(methods)[:MOST_PANELS]


def _draw_over_datasets(numbers, methods, datasets):
    yield draw_ranks(numbers.scores, methods, datasets)
    yield draw_profiles(numbers.scores, methods, datasets)
    for metric in METRICS:
        yield draw_critical_difference(numbers.friedman, numbers.nemenyi, methods, metric=metric)


def _draw_dataset(numbers, spec, methods, *, dataset):
    yield draw_scores(numbers.epochs, methods, dataset=dataset)
    yield draw_losses(numbers.epochs, methods, dataset=dataset)
    yield draw_ablations(numbers.scores, methods, spec["ablations"], dataset=dataset)
    yield draw_agreement(numbers.agreement, methods, dataset=dataset)
    yield draw_cost(numbers.scores, numbers.jobs, methods, dict(spec["jobs"]["methods"]), dataset=dataset)
    for number, grid in enumerate(find_grids(numbers.parameters), 1):
        stem = f"{dataset[0]}_sensitivity_{number}"
        yield draw_sensitivity(grid, numbers.scores, methods, dataset=dataset, stem=stem)
    for method, rows in numbers.choice.groupby("method", sort=False) if len(numbers.choice) else ():
        peeked = numbers.peeked[numbers.peeked["method"] == method]
        yield draw_search(rows, peeked, method, methods, dataset=dataset)


def _draw_runs(numbers, spec, methods, *, paths, dataset):
    """Yield what is drawn from the results themselves: the first seed of the chosen methods."""
    shown = chosen_methods([method for method in methods if method in paths], spec["panels"])
    names = [path.name for method in shown for path in paths[method]]
    name = max(dict.fromkeys(names), key=names.count)  # seeds that all of them have, unless runs are missing
    runs = {method: read_run(path) for method in shown for path in paths[method] if path.name == name}
    runs = {method: run for method, run in runs.items() if run.codes is not None or dataset.in_memory}
    yield draw_tsne(runs, methods, numbers.epochs, dataset=dataset)
    memberships = {method: read_memberships(paths[method]) for method in methods if method in paths}
    soft = {method: pair for method, pair in memberships.items() if pair is not None}
    n_clusters = spec["features"][dataset.key]["n_clusters"]
    yield draw_memberships(soft, methods, n_clusters, dataset=dataset)
    yield draw_contingency(runs, methods, dataset=dataset)
    for method, run in runs.items():
        yield draw_members(method, run, methods, dataset=dataset)
