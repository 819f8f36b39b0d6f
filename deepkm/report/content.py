"""What the page says, in order: sections made of tables, figures and the command that makes them again."""

from dataclasses import dataclass, field

import pandas as pd

from deepkm.report.figures import color_of
from deepkm.report.overview import facts, warnings
from deepkm.report.page import read_docstring
from deepkm.report.sheets import method_sheet, parameters_sheet, runs_sheet, score_sheet
from deepkm.report.tables import METRICS, summarize


@dataclass(frozen=True, kw_only=True)
class StudyResults:
    """Everything that a page is made from.

    Attributes
    ----------
    datasets, methods : dict of str to str
        Titles by key, in the study's order.
    seeds : list of int
    scores, runs, parameters : DataFrame
        ``results/{scores,runs,parameters}.csv``.
    figures : list of dict
        ``stem``, ``group``, ``title``, ``caption``, ``alt`` and ``methods``, and what
        `deepkm.report.page.embed` returns.
    docstrings : dict of str to str
        Of the methods, by key.
    options : str
        What Snakemake is called with for this study, beside a target.
    folder : str
        Of the results.
    stale, foreign : list of str
        What an audit of the results found.
    """

    datasets: dict
    methods: dict
    seeds: list
    scores: pd.DataFrame
    runs: pd.DataFrame
    parameters: pd.DataFrame
    figures: list
    docstrings: dict
    options: str
    folder: str = "results"
    stale: list = field(default_factory=list)
    foreign: list = field(default_factory=list)

    @property
    def study(self):
        """What the study asked for."""
        return {"datasets": self.datasets, "methods": self.methods, "seeds": self.seeds}

    def color(self, method):
        return color_of(method, list(self.methods))

    def command(self, target=""):
        """Return the command that makes a target again. It comes first: options would take it for a value of theirs."""
        return " ".join(filter(None, ["snakemake", target, self.options]))


def page_content(results):
    """Return what `deepkm.report.page.render` shows."""
    summaries = {metric: summarize(results.scores, metric) for metric in METRICS}
    sections = [_scores(results, summaries), *_figures(results)]
    methods = [_method(results, summaries, key) for key in results.methods]
    found = warnings(results.scores, results.runs, **results.study, stale=results.stale, foreign=results.foreign)
    return {
        "title": _title(results),
        "lead": _lead(results),
        "warnings": found,
        "complete": f"All {len(results.scores)} runs are there, made by the study's parameters and code as they are "
        "now, and none diverged.",
        "facts": facts(results.scores, results.runs, **results.study),
        "sections": sections,
        "methods": methods,
        "commands": _commands(results),
        "menu": _menu(sections, methods),
    }


def _title(results):
    titles = list(results.datasets.values())
    return f"Clustering of {' and '.join(titles) if len(titles) < 3 else f'{len(titles)} data sets'}"


def _lead(results):
    counts = [(len(results.methods), "method"), (len(results.datasets), "data set"), (len(results.seeds), "seed")]
    return ", ".join(f"{count} {noun}{'s' if count > 1 else ''}" for count, noun in counts)


def _scores(results, summaries):
    look = {"datasets": results.datasets, "methods": results.methods, "n_expected": len(results.seeds)}
    colors = {method: results.color(method) for method in results.methods}
    return {
        "key": "scores",
        "title": "Scores",
        "text": [
            "Agreement of the clusters with the true classes, which no method saw: mean ± standard deviation over "
            "seeds, in %. The best mean of each data set is bold."
        ],
        "tables": [score_sheet(table, metric, colors=colors, **look) for metric, table in summaries.items()],
        "figures": [],
        "command": results.command("tables"),
    }


def _figures(results):
    shown = [figure for figure in results.figures if len(figure["methods"]) != 1]
    for group in dict.fromkeys(figure["group"] for figure in shown):
        yield {
            "key": f"group-{group.lower().replace(' ', '-')}",
            "title": group,
            "text": [],
            "tables": [],
            "figures": [figure for figure in shown if figure["group"] == group],
            "command": results.command("figures"),
        }


def _method(results, summaries, key):
    told = read_docstring(results.docstrings.get(key, ""))
    return {
        "key": f"method-{key}",
        "title": results.methods[key],
        "estimator": ", ".join(results.parameters.loc[results.parameters["method"] == key, "estimator"].unique()),
        "color": results.color(key),
        **told,
        "scores": method_sheet(summaries, key, datasets=results.datasets, n_expected=len(results.seeds)),
        "parameters": parameters_sheet(results.parameters, key, datasets=results.datasets),
        "runs": runs_sheet(results.scores, key, datasets=results.datasets),
        "figures": [figure for figure in results.figures if figure["methods"] == [key]],
        "seen": [figure for figure in results.figures if len(figure["methods"]) > 1 and key in figure["methods"]],
        "command": _train_again(results, key),
    }


def _train_again(results, method):
    """Return the command that trains the first of a method's jobs again."""
    jobs = results.runs.loc[(results.runs["stage"] == "cluster") & (results.runs["key"] == method)]
    first = next(jobs.itertuples(), None)
    target = f"{results.folder}/clusterings/{method}/{first.dataset}/{first.block}.h5" if first else ""
    return results.command(f"{target} --force")


def _commands(results):
    targets = {
        "The whole study": "",
        "Tables": "tables",
        "Statistics": "statistics",
        "Figures": "figures",
        "This page": "report",
        "Tables of an unfinished study": "partial",
    }
    lines = [{"title": title, "command": results.command(target)} for title, target in targets.items()]
    return [*lines, {"title": "What is missing or stale", "command": "python -m deepkm audit"}]


def _menu(sections, methods):
    entries = [{"key": section["key"], "title": section["title"], "items": []} for section in sections]
    items = [{"key": method["key"], "title": method["title"], "color": method["color"]} for method in methods]
    return [
        {"key": "run", "title": "What was run", "items": []},
        *entries,
        {"key": "methods", "title": "Methods", "items": items},
        {"key": "again", "title": "Regenerating", "items": []},
    ]
