"""What the page says, in order: sections made of tables, figures and the command that makes them again."""

import shlex
from dataclasses import dataclass, field, replace

import pandas as pd

from deepkm.numerics.metrics import METRICS, PRIMARY_METRIC, title_of
from deepkm.report.figures.agreement import GROUP as WITHOUT_CLASSES
from deepkm.report.figures.style import methods_of
from deepkm.report.page.overview import facts, few_steps, not_ahead, warnings
from deepkm.report.page.render import read_docstring
from deepkm.report.page.tables import method_parameters, method_table, runs_table, structure_table
from deepkm.report.statistics.structure import AGREEMENT_COLUMNS, STRUCTURE_COLUMNS
from deepkm.report.tables.contrasts import pair_table
from deepkm.study.paths import CLUSTERING, path_of


@dataclass(frozen=True, kw_only=True)
class StudyResults:
    """Everything that a page is made from.

    Attributes
    ----------
    datasets, methods : dict of str to str
        Titles by key, in the study's order.
    seeds : list of int
    scores, jobs, parameters, pairwise : DataFrame
        ``results/{scores,jobs,parameters}.csv`` and ``results/statistics/pairwise.csv``.
    structure, agreement : DataFrame
        ``results/{structure,agreement}.csv``, of the data sets without true classes.
    tables : dict of str to Table
        Those of ``results/tables``, by name.
    figures : list of dict
        ``id``, ``file``, ``group``, ``title``, ``caption``, ``alt``, ``methods``, and what
        `deepkm.report.page.render.embed` returns.
    docstrings : dict of str to str
        Of the methods, by key.
    colors : dict of str to str
        Of those methods whose entry names one.
    options : str
        What Snakemake is called with for this study, beside a target.
    audit : str
        The command that tells what is missing or stale.
    folder : str
        Of the results.
    stale, foreign : list of str
        What an audit of the results found.
    unscaled_text : list of str
        Titles of the data sets that look like text and are left as they are.
    n_samples : dict of str to int
        Of the data sets, by key.
    """

    datasets: dict
    methods: dict
    seeds: list
    scores: pd.DataFrame
    jobs: pd.DataFrame
    parameters: pd.DataFrame
    pairwise: pd.DataFrame
    tables: dict
    figures: list
    docstrings: dict
    structure: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=STRUCTURE_COLUMNS))
    agreement: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=AGREEMENT_COLUMNS))
    colors: dict = field(default_factory=dict)
    options: str = ""
    audit: str = "python -m deepkm audit"
    folder: str = "results"
    stale: list = field(default_factory=list)
    foreign: list = field(default_factory=list)
    unscaled_text: list = field(default_factory=list)
    n_samples: dict = field(default_factory=dict)

    @property
    def has_scores(self):
        """Whether any data set has true classes."""
        return bool(self.scores[[name for name in METRICS if name in self.scores]].notna().any(axis=None))

    @property
    def study(self):
        """What the study asked for."""
        return {"datasets": self.datasets, "methods": self.methods, "seeds": self.seeds}

    def command(self, *words):
        """Return the command that makes a target again. It comes first: options would take it for a value of theirs."""
        return " ".join(filter(None, ["snakemake", shlex.join(filter(None, words)), self.options]))


def page_content(results):
    """Return what `deepkm.report.page.render.render` shows."""
    sections = _sections(results)
    looks = methods_of(results.methods, results.colors)
    methods = [_method(results, place, key, color=looks[key].color) for place, key in enumerate(results.methods)]
    found = warnings(results.scores, results.jobs, **results.study, stale=results.stale, foreign=results.foreign)
    found += not_ahead(results.pairwise, results.parameters, datasets=results.datasets)
    titles, count = list(results.datasets.values()), len(results.datasets)
    return {
        "title": f"Clustering of {' and '.join(titles) if count < 3 else f'{count} data sets'}",
        "lead": _lead(results),
        "warnings": found,
        "complete": f"All {len(results.scores)} runs are there, made by the study's parameters and source as they are "
        "now, and none diverged.",
        "facts": [
            *facts(results.scores, results.jobs, **results.study, unscaled_text=results.unscaled_text),
            *few_steps(results.parameters, results.n_samples, datasets=results.datasets),
        ],
        "sections": sections,
        "figures_command": results.command("figures"),
        "methods": methods,
        "links": dict(zip(results.methods, methods, strict=True)),
        "commands": _commands(results),
        "menu": _menu(sections, methods),
    }


def _lead(results):
    counts = [(len(results.methods), "method"), (len(results.datasets), "data set"), (len(results.seeds), "seed")]
    return ", ".join(f"{count} {noun}{'s' if count > 1 else ''}" for count, noun in counts)


def _sections(results):
    """Return the sections between what was run and the methods; those without anything to show are left out."""
    tables, command = results.tables, results.command("tables")
    scores = [_score_table(results, name) for name in METRICS]
    scored = [
        _section("scores", "Scores", command, text=SCORES, tables=scores, figures=_of_group(results, "Scores")),
        _statistics(results),
        _section("beside", "Beside published figures", command, tables=[tables["published"]]),
    ]
    sections = [
        *(scored if results.has_scores else []),
        _without_classes(results),
        *_other_figures(results),
        _section("costs", "Cost", command, tables=[tables["cost"]], figures=_of_group(results, "Cost")),
        _section("settings", "Parameters", command, text=SETTINGS, tables=[tables["parameters"]]),
        *([_pairs(results)] if results.has_scores else []),
    ]
    shown = ("tables", "folded")
    return [s for s in sections if s["figures"] or any(table.rows for kind in shown for table in s[kind])]


def _of_group(results, group):
    """Return the figures of a group that show more than one method; those of one stand with it."""
    return [figure for figure in results.figures if figure["group"] == group and len(figure["methods"]) != 1]


def _of_some(results, figure):
    """Tell whether a figure shows several methods, but not all."""
    return 1 < len(figure["methods"]) < len(results.methods)


def _other_figures(results):
    """Yield a section for each group of figures that has no other place."""
    groups = dict.fromkeys(figure["group"] for figure in results.figures)
    for place, group in enumerate(group for group in groups if group not in OWN_PLACES):
        yield _section(f"figures-{place}", group, "", figures=_of_group(results, group))


def _score_table(results, metric):
    """Return the table of a metric; its name stands above it already."""
    table = results.tables[metric]
    return replace(table, header=["Method", *table.header[1:]])


OWN_PLACES = ("Scores", "Statistics", WITHOUT_CLASSES, "Cost")
STRUCTURE = (
    "What can be said without true classes. A silhouette compares a sample's distance to its own cluster with that to "
    "the next one, from −1 to 1, the higher the better; Davies and Bouldin's index is better the smaller it is. On the "
    "data they favour round clusters of what is measured, as k-means finds them. On codes they do not compare between "
    "methods: each shapes its own code, and one that pulls it together scores well whatever its clusters are worth. "
    "Clusters that seeds and methods agree on hang less on chance."
)
SCORES = "Agreement of the clusters with the true classes, which no method saw."
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


def _section(key, title, command, *, text="", tables=(), folded=(), figures=()):
    return {
        "key": key,
        "title": title,
        "command": command,
        "text": text,
        "tables": list(tables),
        "folded": list(folded),
        "figures": list(figures),
    }


def _statistics(results):
    tables = results.tables
    return _section(
        "statistics",
        "Statistics",
        results.command("statistics"),
        text=STATISTICS,
        tables=[tables["contrasts"], tables["overall"], tables["improvement"]],
        folded=[tables["contrasts_secondary"]],
        figures=_of_group(results, "Statistics"),
    )


def _pairs(results):
    """Return the appendix: a table of all pairs for each data set."""
    shown = results.pairwise[results.pairwise["metric"] == PRIMARY_METRIC]
    titles, folded = {"datasets": results.datasets, "methods": results.methods}, []
    for key in (key for key in results.datasets if (shown["dataset"] == key).any()):
        table = pair_table(shown[shown["dataset"] == key], **titles)
        folded.append(replace(table, name=f"pairs-{key}", title=f"{results.datasets[key]}: all pairs"))
    return _section("pairs", "Appendix: all pairs", results.command("statistics"), text=PAIRS, folded=folded)


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
    )


def _method(results, place, key, *, color):
    told = read_docstring(results.docstrings.get(key, ""))
    datasets, scored = results.datasets, [results.tables[name] for name in METRICS]
    return {
        "key": f"method-{key}",
        "title": results.methods[key],
        "estimator": ", ".join(results.parameters.loc[results.parameters["method"] == key, "estimator"].unique()),
        "color": color,
        **told,
        "scores": method_table(scored, place, key=key, datasets=datasets) if results.has_scores else None,
        "folded": [
            method_parameters(results.parameters, key, datasets=datasets),
            runs_table(results.scores, key, datasets=datasets),
        ],
        "figures": [figure for figure in results.figures if figure["methods"] == [key]],
        "seen": [figure for figure in results.figures if key in figure["methods"] and _of_some(results, figure)],
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
        {"key": "run", "title": "What was run", "items": []},
        *entries,
        {"key": "methods", "title": "Methods", "items": items},
        {"key": "again", "title": "Regenerating", "items": []},
    ]
