"""Everything that a page is made from."""

import shlex
from dataclasses import dataclass, field

import pandas as pd

from deepkm.numerics.metrics import METRICS
from deepkm.report.statistics.structure import AGREEMENT_COLUMNS, STRUCTURE_COLUMNS
from deepkm.report.statistics.trials import CHOICE_COLUMNS, SCORE_COLUMNS


@dataclass(frozen=True, kw_only=True)
class StudyResults:
    """What a study asked for, and what came out.

    Attributes
    ----------
    datasets, methods : dict of str to str
        Titles by key, in the study's order.
    seeds : list of int
    scores, jobs, parameters, contrasts, pairwise, best, friedman : DataFrame
        ``results/{scores,jobs,parameters}.csv`` and ``results/statistics/*.csv``.
    structure, agreement : DataFrame
        ``results/{structure,agreement}.csv``, of the data sets without true classes.
    choice, peeked : DataFrame
        ``results/search/{choice,peeked}.csv``, of a study with a search.
    tables : dict of str to Table
        Those of ``results/tables``, by name.
    figures : list of dict
        ``id``, ``file``, ``group``, ``title``, ``caption``, ``alt``, ``datasets``, ``methods``, ``drawn``, and,
        of those that are, what `deepkm.report.page.render.embed` returns.
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
    described : dict of str to dict
        As in `deepkm.report.page.tables.data_table`; where there are pictures of samples, ``samples`` as
        `deepkm.report.page.render.picture` returns it.
    """

    datasets: dict
    methods: dict
    seeds: list
    scores: pd.DataFrame
    jobs: pd.DataFrame
    parameters: pd.DataFrame
    contrasts: pd.DataFrame
    pairwise: pd.DataFrame
    best: pd.DataFrame
    friedman: pd.DataFrame
    tables: dict
    figures: list
    docstrings: dict
    structure: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=STRUCTURE_COLUMNS))
    agreement: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=AGREEMENT_COLUMNS))
    choice: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=CHOICE_COLUMNS))
    peeked: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=SCORE_COLUMNS))
    colors: dict = field(default_factory=dict)
    options: str = ""
    audit: str = "python -m deepkm audit"
    folder: str = "results"
    stale: list = field(default_factory=list)
    foreign: list = field(default_factory=list)
    unscaled_text: list = field(default_factory=list)
    described: dict = field(default_factory=dict)

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
