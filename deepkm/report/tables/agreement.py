"""Published rows beside the same study run again: whether they agree."""

import numpy as np
import pandas as pd

from deepkm.numerics.metrics import METRICS, title_of
from deepkm.report.statistics.published import WIDEST
from deepkm.report.tables.layout import Cell, Table, number_cell

FEWEST = 3  # runs on both sides that tell a difference from chance
STANDARD_ERRORS = 3
OTHER = ("other settings", "other data")
_KEY = ["dataset", "method"]


def agreement(published, again, made=None):
    """Return how runs that were done again agree with the published ones.

    Parameters
    ----------
    published, again : DataFrame
        Rows as in ``results/scores.csv``.
    made : pair of DataFrame, optional
        What made the runs of each: rows as in ``runs.csv`` of a record.

    Returns
    -------
    DataFrame
        A row per data set and method that both have. ``n_equal`` of ``n_shared`` seeds have the same scores to the
        ninth digit. For each metric that both know, ``{metric}`` is the difference in points, here minus published, and
        ``{metric}_error`` its standard error: of the differences seed by seed, or of both means where no seed is
        shared. ``verdict`` is

        - "other settings" or "other data" where the runs are not the same ones, by what made them;
        - "no scores" where there is nothing to compare;
        - "equal" where all shared seeds are;
        - "differs" where some metric's difference exceeds `STANDARD_ERRORS` of these;
        - "cannot tell" where a side has fewer than `FEWEST` of these runs, or as many errors exceed `WIDEST` points;
        - "agrees" otherwise.
    """
    sides = [dict(iter(scores.groupby(_KEY, sort=False))) for scores in (published, again)]
    places = [place for place in sides[1] if place in sides[0]]
    rows = [_compare(*(side[place] for side in sides)) for place in places]
    for place, row in zip(places, rows, strict=True) if made is not None else ():
        row["verdict"] = _other(place, *made) or row["verdict"]
    return pd.DataFrame(rows, index=pd.MultiIndex.from_tuples(places, names=_KEY) if places else None).reset_index()


def _other(place, *made):
    """Return in what runs differ from the published ones before any score is looked at; "" where in nothing."""
    dataset, method = place
    of = [runs[(runs["stage"] == "cluster") & (runs["dataset"] == dataset) & (runs["key"] == method)] for runs in made]
    for said, column in zip(OTHER, ("settings", "data"), strict=True):
        if set(of[0][column]) != set(of[1][column]):
            return said
    return ""


def _compare(old, new):
    both = old.merge(new, on="seed", suffixes=("_old", "_new"))
    names = [name for name in METRICS if old[name].notna().any() and new[name].notna().any()]
    row = {"n_shared": len(both), "n_equal": 0}
    if not names:
        return row | {"verdict": "no scores"}
    shared = {name: both[f"{name}_new"] - both[f"{name}_old"] for name in names}
    equal = [shared[name].abs().le(1e-9) | both[[f"{name}_old", f"{name}_new"]].isna().all(axis=1) for name in names]
    row["n_equal"] = int(np.logical_and.reduce(equal).sum())
    for name in names:
        row[name], row[f"{name}_error"] = _difference(shared[name]) if len(both) else _apart(old[name], new[name])
    if row["n_equal"] == len(both) > 0:
        return row | {"verdict": "equal"}
    if (len(both) or min(len(old), len(new))) < FEWEST:
        return row | {"verdict": "cannot tell"}
    margins = {name: STANDARD_ERRORS * row[f"{name}_error"] for name in names}
    if any(abs(row[name]) > margin for name, margin in margins.items()):
        return row | {"verdict": "differs"}
    return row | {"verdict": "agrees" if max(margins.values()) <= WIDEST else "cannot tell"}


def _difference(values):
    """Return the mean of paired differences in points, and its standard error."""
    return 100 * values.mean(), 100 * values.std(ddof=1) / np.sqrt(values.count())


def _apart(old, new):
    """Return the difference of two means in points, and its standard error."""
    error = np.sqrt(sum(side.var(ddof=1) / side.count() for side in (old, new)))
    return 100 * (new.mean() - old.mean()), 100 * error


def agreement_table(compared):
    """Return the table of `agreement`."""
    names = [name for name in METRICS if name in compared]
    rows = [
        [
            Cell(row.dataset),
            Cell(row.method),
            Cell(f"{row.n_equal} of {row.n_shared}"),
            *(number_cell(getattr(row, name), "+z.2f") for name in names),
            Cell(row.verdict),
        ]
        for row in compared.itertuples()
    ]
    header = ["Data set", "Method", "Equal seeds", *(f"{title_of(name)}, difference" for name in names), "Verdict"]
    notes = [
        "Differences in points, here minus published, over the seeds that both have; of means of all where none is.",
        f"differs: by more than {STANDARD_ERRORS} standard errors in some metric, of the differences seed by seed. "
        f"cannot tell: not equal, and fewer than {FEWEST} runs, or {STANDARD_ERRORS} standard errors are more than "
        f"{WIDEST:g} points. other settings, other data: not the runs that were published.",
    ]
    return Table("agreement", "Beside published rows", header, rows, notes, align="llr" + "r" * len(names) + "l")
