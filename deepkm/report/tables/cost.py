"""What each method and each pretraining took."""

import numpy as np
import pandas as pd

from deepkm.report.statistics.spread import describe_runs
from deepkm.report.tables.layout import NOTHING, Cell, Table, spread


def summarize_cost(scores, jobs, *, datasets, methods, n_seeds):
    """Return what each method and each pretraining took per data set.

    Parameters
    ----------
    scores, jobs : DataFrame
        ``results/scores.csv`` and ``results/jobs.csv``.
    datasets, methods, n_seeds
        As in `deepkm.report.tables.scores.summarize`.

    Returns
    -------
    DataFrame
        Seconds are those of the device for one run, a job's over its seeds; their sample deviation, and the runs, are
        missing where jobs train several seeds, which share one number. Peak memory [MB] is the highest of any job's
        process, on a GPU that of the GPU. Autoencoders follow the methods that share them.
    """
    jobs = jobs.assign(n_runs=jobs["seeds"].astype(str).str.split().str.len())
    jobs["seconds_of_run"] = jobs["device_seconds"] / jobs["n_runs"]
    by_key = dict(iter(jobs.groupby(["dataset", "stage", "key"], sort=False)))
    trained = dict(iter(scores.groupby(["dataset", "method"], sort=False)))
    keys = [("cluster", method) for method in methods]
    keys += [("autoencoder", key) for key in dict.fromkeys(jobs.loc[jobs["stage"] == "autoencoder", "key"])]
    rows = []
    for dataset in datasets:
        for stage, key in keys:
            of_runs = trained.get((dataset, key)) if stage == "cluster" else None
            if stage == "cluster" or (dataset, stage, key) in by_key:
                cost = _cost(by_key.get((dataset, stage, key)), of_runs, n_seeds)
                rows.append({"dataset": dataset, "stage": stage, "key": key, **cost})
    return pd.DataFrame(rows)


def _cost(jobs, of_runs, n_seeds):
    """Return the cost of one method's or autoencoder's jobs on one data set."""
    if jobs is None:
        return {"n": 0, "n_missing": n_seeds, "n_diverged": 0}
    told = describe_runs(np.repeat(jobs["seconds_of_run"].to_numpy(float), jobs["n_runs"]))
    alone = (jobs["n_runs"] == 1).all()
    epochs = jobs["epochs"] if of_runs is None else of_runs["epochs"]
    return {
        "n": told["n"],
        "n_missing": n_seeds - told["n"],
        "n_diverged": int(jobs["n_diverged"].sum() if of_runs is None else of_runs["diverged"].sum()),
        "seconds": told["mean"],
        "seconds_std": told["std"] if alone else np.nan,
        "seconds_runs": told["runs"] if alone else "",
        "epochs": epochs.mean(),
        "epochs_min": epochs.min(),
        "epochs_max": epochs.max(),
        "peak_memory_mb": jobs["peak_memory_bytes"].max() / 1e6,
        "device": "; ".join(sorted(set(jobs["device"].dropna()))),
    }


def cost_table(summary, *, datasets, methods):
    """Return what each method and pretraining took."""
    rows = []
    for row in summary.itertuples():
        trained = row.stage == "cluster"
        what = Cell(methods[row.key], method=row.key) if trained else Cell(f"pretraining of {row.key}")
        if not row.n:
            rows.append([Cell(datasets[row.dataset]), what, *(Cell(NOTHING) for _ in range(4)), _count(row)])
            continue
        low, high = int(row.epochs_min), int(row.epochs_max)
        rows.append(
            [
                Cell(datasets[row.dataset]),
                what,
                Cell(spread(row.seconds, row.seconds_std, row.seconds_runs), row.seconds),
                Cell(str(low) if low == high else f"{low} to {high}", row.epochs),
                Cell(f"{row.peak_memory_mb:.0f}", row.peak_memory_mb),
                Cell(row.device),
                _count(row),
            ]
        )
    header = ["Data set", "Method", "Seconds per run", "Epochs", "Peak memory, MB", "Device", "Runs"]
    return Table("cost", "Cost", header, rows, _notes(summary), align="llrrrl")


def _notes(summary):
    notes = [
        "CPU seconds of training alone; on a GPU, the seconds that a job had it. Pretraining is done once for all "
        "methods that share it. Peak memory is that of a job's process, on a GPU that of the GPU."
    ]
    found = summary.loc[summary["n"] > 0]
    if len(found) and found["seconds_std"].notna().any():
        notes.append("Mean ± sample standard deviation over runs.")
    if len(found) and (found["seconds_runs"] != "").any():
        notes.append("Of fewer than five runs, each one.")
    if len(found) and ((found["n"] > 1) & found["seconds_std"].isna() & (found["seconds_runs"] == "")).any():
        notes.append(
            "Without ±: seeds trained side by side share one time, their job's, which is divided by their number."
        )
    return notes


def _count(row):
    total = row.n + row.n_missing
    text = f"{row.n}/{total}" if row.n_missing else f"{row.n}"
    return Cell(f"{text}{f', {row.n_diverged} diverged' if row.n_diverged else ''}", row.n)
