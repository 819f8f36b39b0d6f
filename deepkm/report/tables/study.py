"""All tables of a study: one for each metric, and those that `TABLES` names."""

from dataclasses import dataclass

import pandas as pd

from deepkm.numerics.metrics import METRICS, PRIMARY_METRIC, title_of
from deepkm.report.tables.contrasts import contrast_table, describe_contrasts, pair_table
from deepkm.report.tables.cost import cost_table, summarize_cost
from deepkm.report.tables.overall import describe_overall, improvement_table, overall_table
from deepkm.report.tables.parameters import parameter_table, select_parameters
from deepkm.report.tables.published import published_table, set_beside
from deepkm.report.tables.resampled import resampled_table, set_side_by_side
from deepkm.report.tables.scores import score_table, summarize


@dataclass(frozen=True, kw_only=True)
class Results:
    """What tables are made from.

    Attributes
    ----------
    datasets, methods : dict of str to str
        Titles by key, in the order to show.
    n_seeds : int
        Runs that the study asks for.
    ablations : list of [str, str, str]
        Methods with the part, and the same without it.
    origins : dict
        As in `deepkm.report.tables.published.set_beside`.
    resampled : dict
        As in `deepkm.report.tables.resampled.set_side_by_side`.
    scores, jobs, parameters, contrasts, pairwise, best, overall, improvement, friedman : DataFrame
        ``results/{scores,jobs,parameters}.csv`` and ``results/statistics/*.csv``.
    """

    datasets: dict
    methods: dict
    n_seeds: int
    ablations: list
    origins: dict
    resampled: dict
    scores: pd.DataFrame
    jobs: pd.DataFrame
    parameters: pd.DataFrame
    contrasts: pd.DataFrame
    pairwise: pd.DataFrame
    best: pd.DataFrame
    overall: pd.DataFrame
    improvement: pd.DataFrame
    friedman: pd.DataFrame

    @property
    def titles(self):
        """Those of data sets and methods."""
        return {"datasets": self.datasets, "methods": self.methods}


def make_tables(spec, **frames):
    """Return the numbers and the table of each of `table_names`.

    Parameters
    ----------
    spec : dict
        From `deepkm.study.plan.Study.report_spec`.
    **frames : DataFrame
        Those of `Results`.

    Returns
    -------
    dict of str to (DataFrame, Table)
    """
    titles = {kind: dict(spec[kind]) for kind in ("datasets", "methods")}
    given = {name: spec[name] for name in ("n_seeds", "ablations", "origins")}
    results = Results(**titles, **given, resampled=spec.get("resampled", {}), **frames)
    made = {metric: _scores(results, metric) for metric in METRICS}
    return made | {name: make(results) for name, make in TABLES.items()}


def table_names():
    """Return the names of all tables, and of their files."""
    return [*METRICS, *TABLES]


def _scores(results, metric):
    numbers = _summary(results, metric)
    return numbers, score_table(numbers, metric, **results.titles, n_seeds=results.n_seeds)


def _summary(results, metric):
    return summarize(results.scores, metric, **results.titles, n_seeds=results.n_seeds, best=results.best)


def _cost(results):
    numbers = summarize_cost(results.scores, results.jobs, **results.titles, n_seeds=results.n_seeds)
    return numbers, cost_table(numbers, **results.titles)


def _contrasts(results):
    return _some_contrasts(results, "contrasts", f"Planned contrasts, {title_of(PRIMARY_METRIC)}", primary=True)


def _secondary_contrasts(results):
    return _some_contrasts(results, "contrasts_secondary", "Planned contrasts by other metrics", primary=False)


def _some_contrasts(results, name, title, *, primary):
    chosen = results.contrasts[(results.contrasts["metric"] == PRIMARY_METRIC) == primary]
    numbers = describe_contrasts(results.scores, chosen, results.ablations)
    return numbers, contrast_table(numbers, name, title, **results.titles)


def _pairs(results):
    numbers = results.pairwise[results.pairwise["metric"] == PRIMARY_METRIC]
    return numbers, pair_table(numbers, **results.titles)


def _overall(results):
    numbers = describe_overall(results.overall, results.friedman)
    return numbers, overall_table(numbers, methods=results.methods)


def _improvement(results):
    numbers = results.improvement[results.improvement["metric"] == PRIMARY_METRIC]
    return numbers, improvement_table(numbers, methods=results.methods)


def _parameters(results):
    numbers = select_parameters(results.parameters, **results.titles)
    return numbers, parameter_table(numbers, **results.titles)


def _resampled(results):
    numbers = set_side_by_side({metric: _summary(results, metric) for metric in METRICS}, results.resampled)
    return numbers, resampled_table(numbers, **results.titles)


def _published(results):
    summaries = {metric: _summary(results, metric) for metric in METRICS}
    used = select_parameters(results.parameters, **results.titles)
    numbers = set_beside(summaries, used, results.origins)
    return numbers, published_table(numbers, **results.titles)


# Of each table beside those of the metrics: a function of the `Results` that returns its numbers and the table.
TABLES = {
    "contrasts": _contrasts,
    "contrasts_secondary": _secondary_contrasts,
    "overall": _overall,
    "improvement": _improvement,
    "cost": _cost,
    "parameters": _parameters,
    "published": _published,
    "resampled": _resampled,
    "pairs": _pairs,
}
