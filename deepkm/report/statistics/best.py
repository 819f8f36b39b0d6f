"""Whether a method is worse than the best one on a data set."""

from deepkm.report.statistics.paired import LEVEL, cannot_conclude, copies

# Of each method on a data set, by metric.
BEST = "dataset metric method best n p p_corrected verdict reason".split()


def compare_with_best(values, pairs):
    """Yield a row of `BEST` per method: how it compares with the highest mean, corrected for the number of others.

    Bonferroni's correction, since the best is chosen after the fact: whichever method is truly best, it is called worse
    than another with a probability of at most 5 % (multiple comparisons with the best, Hsu 1984).

    Parameters
    ----------
    values : DataFrame of shape (n_seeds, n_methods)
        In points; NaN where a run is missing.
    pairs : DataFrame
        All pairs, from `deepkm.report.statistics.paired.compare_pairs`.
    """
    best = best_of(values)
    against = {row.other if row.method == best else row.method: row for row in pairs.itertuples() if best in row[1:3]}
    count = sum(row.p == row.p for row in against.values())  # NaN: no test
    for method in values.columns:
        place = {"method": method, "best": best, "n": int(values[method].count())}
        if method == best:
            yield place | {"verdict": "best", "reason": ""}
        elif best is None:
            yield place | {"verdict": "cannot conclude", "reason": _why_none(values)}
        else:
            yield place | _judge(against[method], len(values), count, leads=method)


def best_of(values):
    """Return the column with the highest mean among those without a missing value, the first of equals; None of none.

    One lucky run of ten is no best method.
    """
    means = values.loc[:, values.notna().all()].mean().round(9)
    return means.idxmax() if len(means) else None


def _judge(row, n_seeds, count, *, leads):
    corrected = min(1.0, row.p * count) if row.p == row.p else row.p  # NaN: no test
    verdict, reason = copies(row) or cannot_conclude(row.n, n_seeds, count) or ("not significantly worse", "")
    ahead = (row.effect > 0) == (row.method == leads)
    if verdict != "cannot conclude" and corrected < LEVEL and not ahead:
        verdict = "worse"
    return {"n": row.n, "p": row.p, "p_corrected": corrected, "verdict": verdict, "reason": reason}


def _why_none(values):
    return f"no method has all {len(values)} seeds" if values.notna().any(axis=None) else "no labels"
