"""Whether a figure that somebody published came out again."""

import numpy as np

COVERAGE = 0.95
PRINTED = 0.05  # half of the last digit that figures are printed with
WIDEST = 5.0  # points: a margin beyond it leaves anything open


def compare_with_published(here, published):
    """Return how far a mean of runs lies from a published one, how far it may by chance, and a verdict.

    Parameters
    ----------
    here, published : (float, float, int)
        Mean in points, sample standard deviation, number of runs. A deviation may be NaN.

    Returns
    -------
    dict
        ``difference`` (here minus published), ``margin`` of `margin_of`, and ``verdict``: reproduced, above or below;
        "cannot conclude" within a margin that is unknown or wider than `WIDEST`.

    Examples
    --------
    >>> compare_with_published((80.0, 1.0, 10), (82.0, 1.0, 10))["verdict"]
    'below'
    """
    difference = here[0] - published[0]
    margin = margin_of(here[1:], published[1:])
    if abs(difference) > margin:
        verdict = "above" if difference > 0 else "below"
    else:
        verdict = "reproduced" if margin <= WIDEST else "cannot conclude"
    return {"difference": difference, "margin": margin, "verdict": verdict}


def margin_of(first, second):
    """Return how far two means lie apart by chance, in 95 % of cases.

    The standard error of their difference, sqrt(s_1^2 / n_1 + s_2^2 / n_2), times Student's t with the degrees of
    freedom of Welch (1947). Of one run no deviation is known: the other side's stands for it, as for one that was not
    published.

    Parameters
    ----------
    first, second : (float, int)
        Standard deviation, NaN where it is unknown, and number of runs. A deviation that is known of one run, since
        nobody said of how many, is taken as it is.

    Returns
    -------
    float
        At least `PRINTED`; NaN where both deviations are unknown.
    """
    from scipy import stats  # noqa: PLC0415  Snakemake reads this file for the names of tables

    sides = [(std, n) for std, n in (first, second) if not np.isnan(std)]
    if not sides:
        return np.nan
    variances = [(sides[-1][0] if np.isnan(std) else std) ** 2 / n for std, n in (first, second)]
    freedom = [n - 1 if n > 1 else np.inf for _, n in sides]
    if len(sides) == 2 and sum(variances):
        freedom = [sum(variances) ** 2 / sum(v**2 / df for v, df in zip(variances, freedom, strict=True))]
    return max(PRINTED, stats.t.ppf((1 + COVERAGE) / 2, freedom[0]) * np.sqrt(sum(variances)))
