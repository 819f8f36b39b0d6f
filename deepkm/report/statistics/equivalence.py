"""Whether two methods are practically equal: the Bayesian signed-rank test, the only one here that can say so."""

import numpy as np

from deepkm.report.statistics.spread import FEWEST

ROPE = 1.0  # points: differences that matter to nobody
SURE = 0.95
DRAWS = 10_000
PRIOR = 1.0  # weight of a difference of 0 beside the observed ones, which have 1 each

# Of the two sides of a pair: the probability that the first is ahead, that neither is, that the second is.
POSTERIOR = "p_better p_equal p_worse".split()


def posterior_of(differences, stream):
    """Return how probable it is that the first of a pair is better, practically equal, or worse.

    Parameters
    ----------
    differences : ndarray of shape (n,)
        In points, one per seed or per data set.
    stream : str
        Names the random draws.

    Returns
    -------
    dict of str to float
        With the keys `POSTERIOR`, which sum to 1; NaN for fewer than `FEWEST` differences.

    Notes
    -----
    Differences z_1, ..., z_n and one pseudo-difference z_0 = 0 get random weights w ~ Dirichlet(`PRIOR`, 1, ..., 1).
    The products w_i w_j of all pairs whose mean (z_i + z_j) / 2 lies above, within and below +-`ROPE` are summed. The
    probabilities are the shares of draws in which each of the three sums is the largest.

    References
    ----------
    A. Benavoli, G. Corani, J. Demsar, M. Zaffalon. Time for a change: a tutorial for comparing multiple classifiers
    through Bayesian analysis. JMLR 18, 2017, section 4.2.
    """
    if len(differences) < FEWEST:
        return dict.fromkeys(POSTERIOR, np.nan)
    z = np.append(0.0, differences)
    means = (z[:, None] + z) / 2
    rng = np.random.default_rng(list(f"equivalence/{stream}".encode()))
    weights = rng.dirichlet([PRIOR] + [1.0] * len(differences), size=DRAWS)
    better, worse = (_total(weights, side * means) for side in (1, -1))
    winners = np.argmax([better, 1 - better - worse, worse], axis=0)
    return dict(zip(POSTERIOR, np.bincount(winners, minlength=3) / DRAWS, strict=True))


def _total(weights, means):
    """Return the weight of the pairs whose mean lies above the region, half of it for those on its edge, (DRAWS,)."""
    above = (np.sign(means - ROPE) + 1) / 2
    return np.einsum("di,ij,dj->d", weights, above, weights, optimize=True)
