"""All statistics of a study."""

from deepkm.report.statistics.over_seeds import compare_over_seeds
from deepkm.report.statistics.pooled import pool_runs
from deepkm.report.statistics.ranks import compare_over_datasets

NAMES = ("contrasts", "pairwise", "best", "overall", "improvement", "friedman", "nemenyi")


def make_statistics(scores, spec):
    """Return all tables of statistics, by the names of their files.

    Parameters
    ----------
    scores : DataFrame
        ``results/scores.csv``.
    spec : dict
        From `deepkm.study.plan.Study.statistics_spec`.
    """
    compared, contrasts = {"datasets": spec["datasets"], "methods": spec["methods"]}, spec["contrasts"]
    over_seeds = compare_over_seeds(scores, **compared, seeds=spec["seeds"], contrasts=contrasts)
    compared["datasets"] = [key for key in spec["datasets"] if key not in spec.get("beside", ())]
    pooled = pool_runs(scores, **compared, contrasts=contrasts)
    ranks = compare_over_datasets(scores, **compared, nemenyi=spec["nemenyi"])
    return dict(zip(NAMES, (*over_seeds, *pooled, *ranks), strict=True))
