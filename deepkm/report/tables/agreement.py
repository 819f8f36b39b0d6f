"""Published rows beside the same study run again: whether they agree."""

import numpy as np
import pandas as pd

from deepkm.numerics.metrics import METRICS, title_of
from deepkm.report.tables.layout import Cell, Table, number_cell

FEWEST = 3  # runs on both sides that tell a difference from the spread of seeds
STANDARD_ERRORS = 3
_KEY = ["dataset", "method"]


def agreement(published, again):
    """Return how runs that were done again agree with the published ones.

    Parameters
    ----------
    published, again : DataFrame
        Rows as in ``results/scores.csv``.

    Returns
    -------
    DataFrame
        A row per data set and method that both have. ``n_equal`` of ``n_shared`` seeds have the same scores to the
        ninth digit. For each metric ``{metric}`` is the difference of the means over the shared seeds, or of all runs
        where none is shared, in points, here minus published, and ``{metric}_error`` its standard error. ``verdict`` is
        "equal" where all shared seeds are, "differs" where some metric's difference exceeds `STANDARD_ERRORS` of these,
        "agrees" where none does, and "cannot tell" where a side has fewer than `FEWEST` of these runs.
    """
    sides = [dict(iter(scores.groupby(_KEY, sort=False))) for scores in (published, again)]
    places = [place for place in sides[1] if place in sides[0]]
    rows = [_compare(*(side[place] for side in sides)) for place in places]
    return pd.DataFrame(rows, index=pd.MultiIndex.from_tuples(places, names=_KEY) if places else None).reset_index()


def _compare(old, new):
    both = old.merge(new, on="seed", suffixes=("_old", "_new"))
    names = [name for name in METRICS if name in old and name in new]
    equal = np.logical_and.reduce(
        [np.isclose(both[f"{name}_old"], both[f"{name}_new"], rtol=0, atol=1e-9, equal_nan=True) for name in names]
    )
    row = {"n_shared": len(both), "n_equal": int(np.sum(equal))}
    if len(both):  # other seeds are other runs
        old, new = (side[side["seed"].isin(both["seed"])] for side in (old, new))
    apart = False
    for name in names:
        row[name] = 100 * (new[name].mean() - old[name].mean())
        row[f"{name}_error"] = 100 * np.sqrt(sum(side[name].var(ddof=1) / len(side) for side in (old, new)))
        apart |= abs(row[name]) > STANDARD_ERRORS * row[f"{name}_error"]
    if row["n_equal"] == len(both) > 0:
        return row | {"verdict": "equal"}
    if min(len(old), len(new)) < FEWEST:
        return row | {"verdict": "cannot tell"}
    return row | {"verdict": "differs" if apart else "agrees"}


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
        "Differences of means in points, here minus published, over the seeds that both have; all where none is.",
        f"differs: by more than {STANDARD_ERRORS} standard errors in some metric; cannot tell: not equal, and fewer "
        f"than {FEWEST} runs on a side.",
    ]
    return Table("agreement", "Beside published rows", header, rows, notes, align="llr" + "r" * len(names) + "l")
