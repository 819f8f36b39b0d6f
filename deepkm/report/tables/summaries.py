"""The numbers of a study's tables, a row per data set and method, from what the stages before have written."""

import numpy as np
import pandas as pd

from deepkm.numerics.metrics import METRICS
from deepkm.study.source_code import parameters_of

# What the parameters of every method are shown as, in order; all others follow by name.
COMMON_PARAMETERS = ("alpha", "clustering_weight", "pretraining_epochs", "epochs", "batch_size", "learning_rate")
# No choices of a method: they follow from its data set, its autoencoder or the seed.
_NOT_SHOWN = {"n_clusters", "n_latent", "autoencoder", "hidden_widths", "random_state", "device"}


def summarize(scores, metric, *, datasets, methods, n_seeds, best=None):
    """Return mean, standard deviation and number of runs per data set and method.

    Parameters
    ----------
    scores : DataFrame
        ``results/scores.csv``.
    metric : str
        A column of it, in [0, 1].
    datasets, methods : iterable of str
        Keys, in the order to show.
    n_seeds : int
        Runs that the study asks for.
    best : DataFrame, optional
        ``results/statistics/best.csv``.

    Returns
    -------
    DataFrame
        In percent; std is the population standard deviation (ddof=0), as in the published tables. ``n`` runs have a
        score, ``n_missing`` are not there. Runs that diverged count in the mean, with the labels that they ended with.
        ``best`` is the highest mean of a data set, and those that look the same in one decimal; ``not_worse`` are those
        that the tests could and did not find worse than it; ``note`` says why nothing can be concluded.
    """
    grid = pd.MultiIndex.from_product([list(datasets), list(methods)], names=["dataset", "method"])
    groups = scores.assign(diverged=scores.get("diverged", False)).groupby(["dataset", "method"])
    table = groups[metric].agg(mean="mean", std=lambda values: values.std(ddof=0), n="count").reindex(grid)
    table[["mean", "std"]] *= 100
    n_runs = groups.size().reindex(grid, fill_value=0)
    table["n"] = table["n"].fillna(0).astype(int)
    table["n_missing"] = n_seeds - n_runs
    table["n_diverged"] = groups["diverged"].sum().reindex(grid, fill_value=0).astype(int)
    shown = table["mean"].round(1)
    table["best"] = shown.notna() & (shown == shown.groupby("dataset").transform("max"))
    table["not_worse"], table["note"] = False, ""
    if best is not None:
        verdicts = best[best["metric"] == metric].set_index(["dataset", "method"])[["verdict", "reason"]].reindex(grid)
        table["not_worse"] = verdicts["verdict"].isin(["best", "not significantly worse"])
        table["note"] = verdicts["reason"].fillna("")
    table.loc[(n_runs > 0) & (table["n"] == 0), "note"] = "no labels"
    table.loc[n_runs == 0, "note"] = "no runs"
    return table.reset_index()


def summarize_cost(scores, runs, *, datasets, methods, n_seeds):
    """Return what each method and each pretraining took per data set.

    Parameters
    ----------
    scores, runs : DataFrame
        ``results/scores.csv`` and ``results/runs.csv``.
    datasets, methods, n_seeds
        As in `summarize`.

    Returns
    -------
    DataFrame
        Seconds are those of a run, a job's time over its seeds; peak memory [MB] is the highest of any job's process,
        on a GPU that of the GPU. Autoencoders follow the methods that share them.
    """
    runs = runs.assign(n_in_job=runs["seeds"].astype(str).str.split().str.len())
    runs["seconds_of_run"] = runs["seconds"] / runs["n_in_job"]
    jobs = dict(iter(runs.groupby(["dataset", "stage", "key"], sort=False)))
    trained = dict(iter(scores.groupby(["dataset", "method"], sort=False)))
    keys = [("cluster", method) for method in methods]
    keys += [("autoencoder", key) for key in dict.fromkeys(runs.loc[runs["stage"] == "autoencoder", "key"])]
    rows = []
    for dataset in datasets:
        for stage, key in keys:
            of_runs = trained.get((dataset, key)) if stage == "cluster" else None
            if stage == "cluster" or (dataset, stage, key) in jobs:
                cost = _cost(jobs.get((dataset, stage, key)), of_runs, n_seeds)
                rows.append({"dataset": dataset, "stage": stage, "key": key, **cost})
    return pd.DataFrame(rows)


def _cost(jobs, of_runs, n_seeds):
    """Return the cost of one method's or autoencoder's jobs on one data set."""
    if jobs is None:
        return {"n": 0, "n_missing": n_seeds, "n_diverged": 0}
    seconds = np.repeat(jobs["seconds_of_run"].to_numpy(float), jobs["n_in_job"])
    epochs = jobs["epochs"] if of_runs is None else of_runs["epochs"]
    return {
        "n": len(seconds),
        "n_missing": n_seeds - len(seconds),
        "n_diverged": 0 if of_runs is None else int(of_runs["diverged"].sum()),
        "seconds": seconds.mean(),
        "seconds_std": seconds.std(),
        "epochs": epochs.mean(),
        "epochs_min": epochs.min(),
        "epochs_max": epochs.max(),
        "peak_memory_mb": jobs["peak_memory_bytes"].max() / 1e6,
        "device": "; ".join(sorted(set(jobs["device"].dropna()))),
    }


def summarize_ablations(scores, pairwise, ablations, *, datasets):
    """Return each method with a part, without it, and the paired difference, in points.

    Parameters
    ----------
    scores, pairwise : DataFrame
        ``results/scores.csv`` and ``results/statistics/pairwise.csv``.
    ablations : list of [str, str]
        Methods with the part, and the same without it.
    datasets : iterable of str

    Returns
    -------
    DataFrame
        ``n`` seeds have both. The p-value is that of one comparison planned beforehand: not corrected.
    """
    tested = {(row.dataset, row.metric, row.method, row.other): row for row in pairwise.itertuples()}
    values = {key: rows.set_index("seed") for key, rows in scores.groupby(["dataset", "method"])}
    rows = []
    for dataset in datasets:
        for metric in METRICS:
            for pair in ablations:
                row = {"dataset": dataset, "metric": metric, "method": pair[0], "without": pair[1]}
                for side, method in zip(("with", "without"), pair, strict=True):
                    found = 100 * values.get((dataset, method), pd.DataFrame(columns=[metric]))[metric].dropna()
                    row |= {f"mean_{side}": found.mean(), f"std_{side}": found.std(ddof=0), f"n_{side}": len(found)}
                rows.append(row | _difference(tested, (dataset, metric), pair))
    return pd.DataFrame(rows)


def _difference(tested, place, pair):
    """Return the paired difference of two methods, whichever way round it was tested."""
    if test := tested.get((*place, *pair)):
        low, high, sign = test.low, test.high, 1
    elif test := tested.get((*place, *reversed(pair))):
        low, high, sign = -test.high, -test.low, -1
    else:
        return {"n": 0, "difference": np.nan, "low": np.nan, "high": np.nan, "effect": np.nan, "p": np.nan}
    sides = {"difference": sign * test.mean_difference, "low": low, "high": high, "effect": sign * test.effect}
    return {"n": test.n, **sides, "p": test.p}


def select_parameters(parameters, *, datasets, methods):
    """Return what each method was run with on each data set: `COMMON_PARAMETERS`, and ``others`` as text.

    Parameters
    ----------
    parameters : DataFrame
        ``results/parameters.csv``.
    """
    base = parameters_of("deepkm.methods.base:DeepClustering")
    found = parameters.set_index(["dataset", "method"])
    rows = []
    for dataset in datasets:
        for key in ((dataset, method) for method in methods if (dataset, method) in found.index):
            values = found.loc[key].dropna().to_dict()
            common = {name: values.pop(name, np.nan) for name in COMMON_PARAMETERS}
            common["pretraining_epochs"] *= "autoencoder" in values
            if not common["epochs"]:
                common["learning_rate"] = np.nan
            if not (common["epochs"] or common["pretraining_epochs"]):
                common["batch_size"] = np.nan
            skipped = {*_NOT_SHOWN, "estimator", "scaling", *(name for name in values if "pretraining_" in name)}
            others = {name: value for name, value in values.items() if name not in skipped and value != base.get(name)}
            text = ", ".join(f"{name} {_plain(value)}" for name, value in others.items())
            rows.append({"dataset": dataset, "method": key[1], "scaling": values["scaling"], **common, "others": text})
    return pd.DataFrame(rows)


def _plain(value):
    return f"{value:g}" if isinstance(value, float) else str(value)
