"""All tables of a study: one for each metric, and those that `TABLES` names."""

from dataclasses import dataclass

import pandas as pd

from deepkm.numerics.metrics import METRICS
from deepkm.report.tables.ablation import ablation_table, summarize_ablations
from deepkm.report.tables.cost import cost_table, summarize_cost
from deepkm.report.tables.parameters import parameter_table, select_parameters
from deepkm.report.tables.published import published_table, set_beside
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
    scores, jobs, parameters, pairwise, best : DataFrame
        ``results/{scores,jobs,parameters}.csv`` and ``results/statistics/{pairwise,best}.csv``.
    """

    datasets: dict
    methods: dict
    n_seeds: int
    ablations: list
    origins: dict
    scores: pd.DataFrame
    jobs: pd.DataFrame
    parameters: pd.DataFrame
    pairwise: pd.DataFrame
    best: pd.DataFrame

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
    results = Results(**titles, **given, **frames)
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


def _ablation(results):
    numbers = summarize_ablations(results.scores, results.pairwise, results.ablations, datasets=results.datasets)
    return numbers, ablation_table(numbers, **results.titles)


def _parameters(results):
    numbers = select_parameters(results.parameters, **results.titles)
    return numbers, parameter_table(numbers, **results.titles)


def _published(results):
    summaries = {metric: _summary(results, metric) for metric in METRICS}
    used = select_parameters(results.parameters, **results.titles)
    numbers = set_beside(summaries, used, results.origins)
    return numbers, published_table(numbers, **results.titles)


# Of each table beside those of the metrics: a function of the `Results` that returns its numbers and the table.
TABLES = {"cost": _cost, "ablation": _ablation, "parameters": _parameters, "published": _published}
