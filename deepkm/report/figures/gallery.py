"""All figures of a study, one after the other, in the order in which they are shown."""

import sys
from functools import partial

from deepkm.numerics.metrics import METRICS
from deepkm.report.figures.agreement import draw_agreement
from deepkm.report.figures.contingency import draw_contingency
from deepkm.report.figures.cost import draw_cost
from deepkm.report.figures.curves import draw_scores
from deepkm.report.figures.differences import draw_ablations, draw_baseline
from deepkm.report.figures.inputs import read_memberships, read_run
from deepkm.report.figures.losses import draw_losses
from deepkm.report.figures.members import draw_members
from deepkm.report.figures.memberships import draw_memberships
from deepkm.report.figures.profiles import draw_profiles
from deepkm.report.figures.ranks import draw_critical_difference, draw_ranks
from deepkm.report.figures.search import draw_search
from deepkm.report.figures.sensitivity import draw_sensitivity, find_grids
from deepkm.report.figures.style import methods_of
from deepkm.report.figures.tsne import draw_tsne
from deepkm.study.panels import MOST_PANELS


def draw_study(numbers, spec, *, files, load):
    """Yield each `Drawing` of a study. One that cannot be drawn is left out, with a line on the standard error.

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
    chosen = chosen_methods(methods, spec["panels"])
    yield from _drawn("all data", partial(_of_study, numbers, methods, datasets, chosen))
    for key, title in datasets.items():
        of = numbers.of(key)
        yield from _drawn(key, partial(_of_numbers, of, spec, methods, dataset=(key, title), chosen=chosen))
        paths = {method: found for (dataset, method), found in files.items() if dataset == key and found}
        if paths:
            yield from _drawn(key, partial(_of_runs, of, spec, methods, paths=paths, load=partial(load, key)))


def chosen_methods(methods, panels):
    """Return which of a study's methods get panels of their own: those named, or else the first few."""
    named = [method for method in methods if method in panels]
    return named or list(methods)[:MOST_PANELS]


def attempt(what, call):
    """Return what a function returns; None where data are so odd that it fails, with a line on the standard error.

    Damaged files are for the stage to report.

    Parameters
    ----------
    what : str
        What is drawn, for the line.
    call : partial
    """
    try:
        return call()
    except OSError:
        raise
    except Exception as error:  # libraries raise anything over odd data, which costs no other figure
        name, told = (
            call.func.__name__.rpartition("draw_")[2].strip("_").replace("_", " "),
            " ".join(str(error).split()),
        )
        print(f"warning: {what}: no figure {name}: {type(error).__name__}: {told}", file=sys.stderr, flush=True)
        return None


def _drawn(what, listed):
    """Yield each drawing of those that `listed` returns functions for."""
    for call in attempt(what, listed) or []:
        drawing = attempt(what, call)
        if drawing is not None:
            yield drawing


def _of_study(numbers, methods, datasets, chosen):
    critical = partial(draw_critical_difference, numbers.friedman, numbers.nemenyi, methods)
    return [
        partial(draw_ranks, numbers.scores, methods, datasets),
        partial(draw_profiles, numbers.scores, methods, datasets, chosen=chosen),
        *(partial(critical, metric=metric) for metric in METRICS),
    ]


def _of_numbers(numbers, spec, methods, *, dataset, chosen):
    known = numbers.parameters
    estimators = dict(zip(known["method"], known["estimator"], strict=True)) if "estimator" in known else {}
    of, scores = {"dataset": dataset}, numbers.scores
    return [
        partial(draw_baseline, scores, methods, **of),
        partial(draw_ablations, scores, methods, spec["ablations"], **of),
        partial(draw_scores, numbers.epochs, methods, chosen=chosen, estimators=estimators, **of),
        partial(draw_losses, numbers.epochs, methods, estimators=estimators, starts=scores, **of),
        partial(draw_agreement, numbers.agreement, methods, **of),
        partial(draw_cost, scores, numbers.jobs, methods, dict(spec["jobs"]["methods"]), **of),
        *(
            partial(draw_sensitivity, grid, scores, methods, stem=f"{dataset[0]}_sensitivity_{number}", **of)
            for number, grid in enumerate(find_grids(known), 1)
        ),
        *(partial(_search_of, numbers, method, methods, **of) for method in dict.fromkeys(_searched(numbers))),
    ]


def _searched(numbers):
    return numbers.choice["method"] if len(numbers.choice) else ()


def _search_of(numbers, method, methods, *, dataset):
    choice, peeked = (frame[frame["method"] == method] for frame in (numbers.choice, numbers.peeked))
    return draw_search(choice, peeked, method, methods, dataset=dataset)


def _of_runs(numbers, spec, methods, *, paths, load):
    """Return what is drawn from the results themselves: the first seed of the chosen methods."""
    dataset = load()
    shown = chosen_methods([method for method in methods if method in paths], spec["panels"])
    names = [path.name for method in shown for path in paths[method]]
    name = max(dict.fromkeys(names), key=names.count)  # seeds that all of them have, unless runs are missing
    runs = {method: read_run(path) for method in shown for path in paths[method] if path.name == name}
    runs = {method: run for method, run in runs.items() if run.codes is not None or dataset.in_memory}
    memberships = {method: read_memberships(paths[method]) for method in methods if method in paths}
    soft = {method: pair for method, pair in memberships.items() if pair is not None}
    return [
        partial(draw_tsne, runs, methods, numbers.epochs, dataset=dataset),
        partial(draw_memberships, soft, methods, dataset=dataset),
        partial(draw_contingency, runs, methods, dataset=dataset),
        *(partial(draw_members, method, run, methods, dataset=dataset) for method, run in runs.items()),
    ]
