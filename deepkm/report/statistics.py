"""Which methods differ: tests paired over seeds on each data set, and over data sets."""

import pandas as pd

# Of each pair of methods on a data set, by metric. Differences are `method` minus `other`, in points.
PAIRWISE = (
    "dataset metric method other n mean_difference low high effect statistic p p_holm p_best verdict reason"
).split()
# Of each method, by metric: its average rank (1 is best), and what the Friedman test says of all of them.
FRIEDMAN = "metric method average_rank n_datasets n_methods statistic p critical_difference verdict reason".split()
# Of each pair of methods, by metric.
NEMENYI = "metric method other rank_difference p verdict".split()


def compare_over_seeds(scores, *, datasets, methods):
    """Return a table with the columns `PAIRWISE`."""
    return pd.DataFrame(columns=PAIRWISE)


def compare_over_datasets(scores, *, datasets, methods):
    """Return tables with the columns `FRIEDMAN` and `NEMENYI`."""
    return pd.DataFrame(columns=FRIEDMAN), pd.DataFrame(columns=NEMENYI)
