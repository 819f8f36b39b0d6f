"""All figures of a study, one after the other, in the order in which they are shown."""

import re
import sys
from dataclasses import replace
from functools import partial

from deepkm.numerics.metrics import METRICS
from deepkm.report.figures.agreement import GROUP as WITHOUT_CLASSES
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
from deepkm.report.figures.search import GROUP as SEARCH
from deepkm.report.figures.search import draw_search
from deepkm.report.figures.sensitivity import draw_sensitivity, find_grids
from deepkm.report.figures.style import Drawing, methods_of
from deepkm.report.figures.tsne import draw_tsne
from deepkm.study.panels import MOST_PANELS
from deepkm.study.resampled import beside


def draw_study(numbers, spec, *, files, load):
    """Yield each `Drawing` of a study, with its group. One that cannot be drawn has no figure, and says why.

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
    counted = {key: datasets[key] for key in datasets if key not in beside(spec.get("resampled", {}))}
    every = ("", "All data sets")
    yield from _drawn(every, "figures", partial(_of_study, numbers, methods, counted, chosen))
    for key, title in datasets.items():
        of, place = numbers.of(key), (key, title)
        yield from _drawn(place, "numbers", partial(_of_numbers, of, spec, methods, dataset=place, chosen=chosen))
        paths = {method: found for (dataset, method), found in files.items() if dataset == key and found}
        if paths:
            listed = partial(_of_runs, of, spec, methods, paths=paths, load=partial(load, key))
            yield from _drawn(place, "single runs", listed)


def chosen_methods(methods, panels):
    """Return which of a study's methods get panels of their own: those named, or else the first few."""
    named = [method for method in methods if method in panels]
    return named or list(methods)[:MOST_PANELS]


def attempt(title, call):
    """Return what a function returns, and None; or None, and why it failed, where data are so odd that it does.

    Damaged files are for the stage to report.

    Parameters
    ----------
    title : str
        What is drawn, for a line on the standard error.
    call : callable
    """
    try:
        return call(), None
    except OSError:
        raise
    except Exception as error:  # libraries raise anything over odd data, which costs no other figure
        why = f"{type(error).__name__}: {' '.join(str(error).split())}"
        print(f"warning: {title}: not drawn: {why}", file=sys.stderr, flush=True)
        return None, why


def undrawn(drawing, why):
    """Return what stands in the place of a `Drawing` that could not be drawn."""
    caption = f"This figure could not be drawn ({why}). All others are as they would be."
    return replace(drawing, figure=None, caption=caption, alt="")


def _drawn(place, what, listed):
    """Yield each drawing of those that `listed` returns (group, name, function) for."""
    key, title = place

    def failed(group, name, why):
        stem = re.sub(r"\W+", "_", f"{key}_{name}").strip("_").lower()
        return undrawn(Drawing(figure=None, stem=stem, title=f"{title}: {name}", caption="", group=group), why)

    found, why = attempt(f"{title}: {what}", listed)
    if why:
        yield failed("Clusters", f"figures of {what}", why)
    for group, name, call in found or []:
        drawing, why = attempt(f"{title}: {name}", call)
        if why:
            yield failed(group, name, why)
        elif drawing:
            yield replace(drawing, group=group)


def _of_study(numbers, methods, datasets, chosen):
    critical = partial(draw_critical_difference, numbers.friedman, numbers.nemenyi, methods)
    profiles = partial(draw_profiles, numbers.scores, methods, datasets, chosen=chosen)
    return [
        ("Scores", "ranks", partial(draw_ranks, numbers.scores, methods, datasets)),
        ("Statistics", "shares of runs", profiles),
        *(("Statistics", f"average ranks by {metric}", partial(critical, metric=metric)) for metric in METRICS),
    ]


def _of_numbers(numbers, spec, methods, *, dataset, chosen):
    known = numbers.parameters
    estimators = dict(zip(known["method"], known["estimator"], strict=True)) if "estimator" in known else {}
    of, scores, curves = {"dataset": dataset}, numbers.scores, {"estimators": estimators}
    return [
        ("Differences", "differences", partial(draw_baseline, scores, methods, **of)),
        ("Differences", "with and without a part", partial(draw_ablations, scores, methods, spec["ablations"], **of)),
        ("Scores", "scores over epochs", partial(draw_scores, numbers.epochs, methods, chosen=chosen, **curves, **of)),
        ("Training", "losses", partial(draw_losses, numbers.epochs, methods, starts=scores, **curves, **of)),
        (WITHOUT_CLASSES, "agreement of methods", partial(draw_agreement, numbers.agreement, methods, **of)),
        ("Cost", "time", partial(draw_cost, scores, numbers.jobs, methods, dict(spec["jobs"]["methods"]), **of)),
        *(
            (
                "Sensitivity",
                f"sensitivity {number}",
                partial(draw_sensitivity, grid, scores, methods, stem=f"{dataset[0]}_sensitivity_{number}", **of),
            )
            for number, grid in enumerate(find_grids(known), 1)
        ),
        *(
            (SEARCH, f"search of {methods[key].title}", partial(_search_of, numbers, key, methods, **of))
            for key in dict.fromkeys(_searched(numbers))
        ),
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
    drawn = next((run.drawn for run in runs.values()), None)
    if drawn is not None:  # by their seed, so that all of them have the same
        dataset.keep(drawn)
    memberships = {method: read_memberships(paths[method]) for method in methods if method in paths}
    soft = {method: pair for method, pair in memberships.items() if pair is not None}
    of = {"dataset": dataset}
    return [
        ("Codes", "t-SNE", partial(draw_tsne, runs, methods, numbers.epochs, **of)),
        ("Codes", "memberships", partial(draw_memberships, soft, methods, **of)),
        ("Clusters", "classes and clusters", partial(draw_contingency, runs, methods, **of)),
        *(
            ("Clusters", f"{methods[key].title}, clusters as images", partial(draw_members, key, run, methods, **of))
            for key, run in runs.items()
        ),
    ]
