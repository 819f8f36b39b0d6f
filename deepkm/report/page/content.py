"""What the page says, in order: what was found, then sections made of tables and figures, then the methods."""

from dataclasses import replace

from deepkm.numerics.metrics import METRICS, PRIMARY_METRIC, title_of
from deepkm.report.figures.agreement import GROUP as WITHOUT_CLASSES
from deepkm.report.figures.style import methods_of
from deepkm.report.page.choice import captioned_once, fold_title, light
from deepkm.report.page.findings import Found, findings
from deepkm.report.page.overview import facts, few_steps, warnings
from deepkm.report.page.render import read_docstring
from deepkm.report.page.search import GROUP as SEARCH
from deepkm.report.page.search import search_parts
from deepkm.report.page.tables import (
    compact,
    data_table,
    differing_parameters,
    method_parameters,
    runs_table,
    scores_tables,
    structure_table,
)
from deepkm.report.tables.contrasts import pair_table
from deepkm.study.paths import CLUSTERING, path_of


def page_content(results):
    """Return what `deepkm.report.page.render.render` shows."""
    results = replace(results, figures=light(results.figures))
    sections, methods = _sections(results), _methods(results)
    titles, count = list(results.datasets.values()), len(results.datasets)
    return {
        "title": f"Clustering of {' and '.join(titles) if count < 3 else f'{count} data sets'}",
        "lead": _lead(results),
        "findings": findings(_found(results)),
        "warnings": warnings(
            results.scores, results.jobs, **results.study, stale=results.stale, foreign=results.foreign
        ),
        "complete": f"All {len(results.scores)} runs are there, made by the study's parameters and source as they are "
        "now, and none diverged.",
        "sections": sections,
        "methods": methods,
        "links": dict(zip(results.methods, methods, strict=True)),
        "commands": _commands(results),
        "menu": _menu(sections, methods),
    }


def _found(results):
    frames = ("scores", "parameters", "contrasts", "pairwise", "best", "friedman")
    given = {name: getattr(results, name) for name in (*frames, "datasets", "methods")}
    return Found(**given, n_seeds=len(results.seeds))


def _lead(results):
    counts = [(len(results.methods), "method"), (len(results.datasets), "data set"), (len(results.seeds), "seed")]
    return ", ".join(f"{count} {noun}{'s' if count > 1 else ''}" for count, noun in counts)


def _sections(results):
    """Return the sections between what was found and the methods; those without anything to show are left out."""
    tables, command, has = results.tables, results.command("tables"), None if results.has_scores else 0
    scores, notes = scores_tables([tables[name] for name in METRICS], datasets=results.datasets)
    sections = [
        _section("scores", "Scores", command, text=SCORES, tables=scores[:has], notes=notes, fold=False),
        _data(results),
        *_figures(results),
        *([_statistics(results)] if results.has_scores else []),
        _without_classes(results),
        _section("search", SEARCH, results.command("choose"), **search_parts(results), fold=False),
        _section(
            "resampled", "Start and data", command, text=RESAMPLED, tables=[tables["resampled"]][:has], fold=False
        ),
        _section("beside", "Beside published figures", command, tables=[tables["published"]][:has]),
        _section("costs", "Cost", command, tables=[tables["cost"]], figures=_of_group(results, "Cost")),
        _section("settings", "Parameters", command, text=SETTINGS, tables=[tables["parameters"]]),
        *([_pairs(results)] if results.has_scores else []),
    ]
    return [section for section in sections if any(section[kind] for kind in ("figures", "tables", "folded", "facts"))]


def _of_group(results, group):
    return [figure for figure in results.figures if figure["group"] == group]


def _figures(results):
    """Yield a section for each group of figures that has no other place."""
    groups = dict.fromkeys(figure["group"] for figure in results.figures)
    for place, group in enumerate(group for group in groups if group not in OWN_PLACES):
        title = "Scores in figures" if group == "Scores" else group
        yield _section(f"figures-{place}", title, "", figures=_of_group(results, group))


OWN_PLACES = ("Statistics", WITHOUT_CLASSES, SEARCH, "Cost")
MOST_ROWS = 12  # of a table that is not folded in
STRUCTURE = (
    "What can be said without true classes. A silhouette compares a sample's distance to its own cluster with that to "
    "the next one, from −1 to 1, the higher the better; Davies and Bouldin's index is better the smaller it is. On the "
    "data they favour round clusters of what is measured, as k-means finds them. On codes they do not compare between "
    "methods: each shapes its own code, and one that pulls it together scores well whatever its clusters are worth. "
    "Clusters that seeds and methods agree on hang less on chance."
)
SCORES = "Agreement of the clusters with the true classes, which no method saw."
RESAMPLED = (
    "Seeds vary the start, not the data. Where each seed draws its own share of the samples, the spread over "
    "seeds holds both."
)
SETTINGS = (
    "What differs between methods; everything else stands with each method below. Where λ and α are set for a data "
    "set, they are those of Roy 2024, found by a grid search, probably with the true classes."
)
STATISTICS = (
    f"Few questions, asked before the results were seen, and judged by one metric, {title_of(PRIMARY_METRIC)}: so a "
    "study of ten seeds can decide them. Methods of a seed share their autoencoder, so they are compared seed by seed. "
    "Where so few seeds or data sets cannot show a difference, whatever the numbers, it says so."
)
PAIRS = (
    "Not planned, so each has to stand against all others: among eight methods or more, ten seeds decide nothing here. "
    "What looks large is a question for further seeds."
)


def _section(key, title, command, *, tables=(), figures=(), fold=True, **parts):
    """Return a section; its long tables are folded in, and all figures of single methods but the first."""
    shown = [table if table.name.startswith("scores-") else compact(table) for table in tables if table.rows]
    empty = {"text": "", "notes": [], "facts": [], "pictures": []}
    sides = {
        "tables": [table for table in shown if not fold or len(table.rows) <= MOST_ROWS],
        "folded": [table for table in shown if fold and len(table.rows) > MOST_ROWS],
    }
    figures = captioned_once(figures)
    single = [figure["id"] for figure in figures if len(figure["methods"]) == 1][1:]
    sides |= {
        "figures": [figure for figure in figures if figure["id"] not in single],
        "more": [figure for figure in figures if figure["id"] in single],
        "fold": fold_title([figure["title"] for figure in figures if figure["id"] in single]),
    }
    return {"key": key, "title": title, "command": command, **empty, **sides, **parts}


def _data(results):
    known = {key: about for key, about in results.described.items() if about.get("samples")}
    pictures = [{**about["samples"], "title": results.datasets[key]} for key, about in known.items()]
    n_samples = {key: about["shape"][0] for key, about in results.described.items()}
    told = facts(results.scores, results.jobs, **results.study, unscaled_text=results.unscaled_text)
    told += few_steps(results.parameters, n_samples, datasets=results.datasets)
    table = data_table(results.described, datasets=results.datasets)
    return _section("data", "Data and runs", "", tables=[table], pictures=pictures, facts=told, fold=False)


def _statistics(results):
    """Return what the tests say, but for tables in which nothing can be concluded, or of one data set among several."""
    tables, shown = results.tables, []
    decided = results.contrasts[results.contrasts["verdict"] != "cannot conclude"]
    if (decided["metric"] == PRIMARY_METRIC).any():
        shown.append(tables["contrasts"])
    if len(results.datasets) > 1 and results.friedman["n_datasets"].max() > 1:
        shown += [tables["overall"], tables["improvement"]]
    section = _section(
        "statistics",
        "Statistics",
        results.command("statistics"),
        text=STATISTICS if shown else "",
        tables=shown,
        figures=_of_group(results, "Statistics"),
    )
    second = tables["contrasts_secondary"]
    folded = [compact(second)] if (decided["metric"] != PRIMARY_METRIC).any() else []
    return {**section, "folded": section["folded"] + folded}


def _pairs(results):
    """Return the appendix: a table of all pairs for each data set on which any of them can be told apart."""
    shown = results.pairwise[results.pairwise["metric"] == PRIMARY_METRIC]
    titles, folded = {"datasets": results.datasets, "methods": results.methods}, []
    for key, title in results.datasets.items():
        rows = shown[shown["dataset"] == key]
        if (rows["verdict"] != "cannot conclude").any():
            table = replace(pair_table(rows, **titles), name=f"pairs-{key}", title=f"{title}: all pairs")
            folded.append(compact(table))
    return {**_section("pairs", "Appendix: all pairs", results.command("statistics"), text=PAIRS), "folded": folded}


def _without_classes(results):
    titles = {"datasets": results.datasets, "methods": results.methods}
    known = [key for key in results.datasets if key in set(results.structure["dataset"])]
    return _section(
        "structure",
        WITHOUT_CLASSES,
        results.command("labels"),
        text=STRUCTURE,
        tables=[structure_table(results.structure, results.agreement, key, **titles) for key in known],
        figures=_of_group(results, WITHOUT_CLASSES),
        fold=False,
    )


def _methods(results):
    """Return the methods in the study's order; what several of one class have in common is said at the first."""
    looks, first = methods_of(results.methods, results.colors), {}
    made = []
    for key in results.methods:
        docstring = results.docstrings.get(key, "")
        like = first.setdefault(docstring or key, key)
        told = read_docstring(docstring if like == key else "")
        made.append(_method(results, key, like=like, color=looks[key].color) | told)
    return made


def _method(results, key, *, like, color):
    datasets, parameters = results.datasets, results.parameters
    differs = differing_parameters(parameters, key, like) if like != key else ""
    return {
        "key": f"method-{key}",
        "title": results.methods[key],
        "estimator": ", ".join(parameters.loc[parameters["method"] == key, "estimator"].unique()),
        "color": color,
        "like": None if like == key else {"key": f"method-{like}", "title": results.methods[like], "differs": differs},
        "folded": [
            method_parameters(parameters, key, datasets=datasets),
            compact(runs_table(results.scores, key, datasets=datasets)),
        ],
        "own": [figure for figure in results.figures if figure["methods"] == [key]],
        "command": _train_again(results, key),
    }


def _train_again(results, method):
    """Return the command that trains the first of a method's jobs again."""
    jobs = results.jobs.loc[(results.jobs["stage"] == "cluster") & (results.jobs["key"] == method)]
    first = next(jobs.itertuples(), None)
    place = {"method": method, "dataset": first.dataset, "stack": first.stack} if first else {}
    target = str(path_of(CLUSTERING, results=results.folder, **place)) if first else ""
    return results.command(target, "--force")


def _commands(results):
    targets = {
        "The whole study": "",
        "Tables": "tables",
        "Statistics": "statistics",
        "Figures": "figures",
        "This page": "report",
        "Tables and page of an unfinished study": "partial",
    }
    lines = [{"title": title, "command": results.command(target)} for title, target in targets.items()]
    return [*lines, {"title": "What is missing or stale", "command": results.audit}]


def _menu(sections, methods):
    entries = [{"key": section["key"], "title": section["title"], "items": []} for section in sections]
    items = [{"key": method["key"], "title": method["title"], "color": method["color"]} for method in methods]
    return [
        {"key": "found", "title": "What was found", "items": []},
        *entries,
        {"key": "methods", "title": "Methods", "items": items},
        {"key": "again", "title": "Regenerating", "items": []},
    ]
