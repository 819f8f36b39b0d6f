"""What a search found: each run and each setting by measures that need no classes, and the setting that is chosen."""

import json
from itertools import combinations

import numpy as np
import pandas as pd

from deepkm.numerics.metrics import METRICS, PRIMARY_METRIC
from deepkm.report.statistics.ends import describe_ends
from deepkm.report.statistics.structure import describe_sizes, mean_agreement, on_code, on_data
from deepkm.study.search import CRITERIA

LARGEST_SAMPLE = 3000  # that silhouettes are taken of: a search has many runs
PLACE = ["dataset", "method", "setting"]
MEASURES = (
    "objective silhouette_data davies_bouldin_data silhouette_code davies_bouldin_code n_clusters_used largest_share"
).split()
RUN_COLUMNS = [*PLACE, "values", "seed", "diverged", "below_start", "n_clusters", *MEASURES]
CHOICE_COLUMNS = [*PLACE, "values", "n_runs", "n_failed", "n_clusters", "agreement", *MEASURES, "criterion", "chosen"]
SCORE_COLUMNS = [*PLACE, "seed", *METRICS]


def describe_trials(arrays, settings, seeds, *, n_clusters, compared):
    """Return a row of `RUN_COLUMNS` for each run of a stack, without its data set and method.

    Parameters
    ----------
    arrays : dict of str to ndarray
        From `deepkm.methods.side_by_side.trial_arrays`, or the same of runs in memory.
    settings : list of (int, dict)
        Of the stack, each with its place in the search.
    seeds : list of int
    n_clusters : int
        K of all of them.
    compared : tuple or None
        From `deepkm.report.statistics.structure.compared_samples`.
    """
    rows = []
    for s, ((place, setting), seed) in enumerate((setting, seed) for setting in settings for seed in seeds):
        found = arrays["labels"][s]
        sizes = describe_sizes(found, n_clusters)
        sizes.pop("sizes")
        run = {"setting": place, "values": json.dumps(setting), "seed": seed, "diverged": bool(arrays["diverged"][s])}
        run |= {
            "below_start": describe_ends(arrays, s)["below_start"],
            "objective": float(arrays["objective"][s]),
        }
        rows.append({**run, **sizes, **on_data(compared, found), **on_code(arrays, s, LARGEST_SAMPLE)})
    return rows


def summarize_trials(runs, labels, criterion):
    """Return a row of `CHOICE_COLUMNS` for each setting, of which one to a data set and method is ``chosen``.

    Fewer runs that failed come first: those that diverged, ended below their own start or lost clusters. Among settings
    with equally many the criterion decides, among equals the silhouette on the data, then the first setting. No class
    is known here.

    Parameters
    ----------
    runs : DataFrame
        Of `RUN_COLUMNS`.
    labels : dict of (str, str, int) to list of ndarray
        Of each setting's runs, by data set, method and the setting's place.
    criterion : str
        A key of `deepkm.study.search.CRITERIA`.
    """
    rows = []
    for place, of in runs.reindex(columns=RUN_COLUMNS).groupby(PLACE, sort=False):
        failed = (
            of["diverged"].astype(bool)
            | of["below_start"].fillna("").ne("")
            | of["n_clusters_used"].lt(of["n_clusters"])
        )
        row = dict(zip(PLACE, place, strict=True)) | {"values": of["values"].iloc[0], "n_runs": len(of)}
        row |= {"n_failed": int(failed.sum()), "n_clusters": int(of["n_clusters"].iloc[0])}
        row["agreement"] = _agreement(labels[place])
        row |= of[MEASURES].astype(float).mean().to_dict()
        rows.append(row | {"criterion": criterion})
    choice = pd.DataFrame(rows, columns=CHOICE_COLUMNS).sort_values(PLACE[:2], kind="stable", key=_in_order)
    choice["chosen"] = False
    for _, of in choice.groupby(PLACE[:2], sort=False):
        choice.loc[_best(of, criterion), "chosen"] = True
    return choice


def _agreement(labels):
    """Return the mean adjusted Rand index of pairs of runs; of one cluster alone, which all such runs share, 0."""
    pairs = [*combinations(labels, 2)]
    told = [pair for pair in pairs if all(len(np.unique(label)) > 1 for label in pair)]
    return len(told) / len(pairs) * mean_agreement(told)["ari"] if told else 0.0 if pairs else np.nan


def _in_order(column):
    """Return the places of names in their first order."""
    return column.map({name: place for place, name in enumerate(dict.fromkeys(column))})


def _best(settings, criterion):
    if settings[criterion].isna().all():
        method = settings["method"].iloc[0]
        raise ValueError(f"criterion: got {criterion}, of which {method} has no numbers here; take agreement")
    value = settings[criterion] if CRITERIA[criterion] else -settings[criterion]
    ranked = settings.assign(value=value.round(12), tie=settings["silhouette_data"].round(12)).sort_values("setting")
    order = {"ascending": [True, False, False], "kind": "stable", "na_position": "last"}
    return ranked.sort_values(["n_failed", "value", "tie"], **order).index[0]


def n_equal(settings):
    """Return how many settings of a data set and method, rows of `CHOICE_COLUMNS`, are as good as the chosen one."""
    mine = settings[settings["chosen"].astype(bool)].iloc[0]
    same = settings["n_failed"] == mine["n_failed"]
    for name in (mine["criterion"], "silhouette_data"):
        same &= np.isclose(settings[name].astype(float), mine[name], rtol=0, atol=1e-9, equal_nan=True)
    return int(same.sum()) - 1


def value_of_peeking(choice, scores):
    """Return what the true classes would have chosen, and what that gains: the price of not knowing them.

    Parameters
    ----------
    choice : DataFrame
        From `summarize_trials`.
    scores : DataFrame
        Of `SCORE_COLUMNS`.

    Returns
    -------
    DataFrame
        A row per data set and method with classes: ``chosen`` and ``by_classes``, places of settings; and for each
        metric its means over the search seeds, in points, ``{metric}`` and ``{metric}_by_classes``. What classes
        choose is the setting of the highest mean of `PRIMARY_METRIC`.
    """
    rows = []
    for place, of in scores.dropna(subset=[PRIMARY_METRIC]).groupby(PLACE[:2], sort=False):
        means = 100 * of.groupby("setting")[[*METRICS]].mean()
        mine = choice[(choice["dataset"] == place[0]) & (choice["method"] == place[1]) & choice["chosen"].astype(bool)]
        chosen, best = int(mine["setting"].iloc[0]), int(means[PRIMARY_METRIC].round(9).idxmax())
        best = chosen if np.isclose(means.at[chosen, PRIMARY_METRIC], means.at[best, PRIMARY_METRIC]) else best
        row = dict(zip(PLACE[:2], place, strict=True)) | {"chosen": chosen, "by_classes": best}
        row |= {name: means.at[chosen, name] for name in METRICS}
        rows.append(row | {f"{name}_by_classes": means.at[best, name] for name in METRICS})
    names = [*METRICS, *(f"{name}_by_classes" for name in METRICS)]
    return pd.DataFrame(rows, columns=[*PLACE[:2], "chosen", "by_classes", *names])
