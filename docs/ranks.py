"""Between which ranks seeds put each method."""

import numpy as np
import pandas as pd

from deepkm.numerics.seeding import random_state
from deepkm.report.statistics.spread import FEWEST

N_RESAMPLES = 2000


def rank_intervals(table):
    """Return between which ranks 95 % of resampled seeds put each method, as text; nothing where seeds are few.

    Parameters
    ----------
    table : DataFrame of shape (n_methods, n_seeds)
        Higher is better.
    """
    whole = table.dropna()
    if table.shape[1] < FEWEST or len(whole) < 2:
        return {}
    draws = np.random.default_rng(random_state(0, "ranks")).integers(table.shape[1], size=(N_RESAMPLES, table.shape[1]))
    means = whole.to_numpy()[:, draws].mean(-1)  # methods by resamples
    ranks = pd.DataFrame(-means).rank(method="average").to_numpy()
    low, high = np.quantile(ranks, [0.025, 0.975], axis=1, method="nearest")
    return {
        key: f"{a:.0f} to {b:.0f}" if a < b else f"{a:.0f}" for key, a, b in zip(whole.index, low, high, strict=True)
    }
