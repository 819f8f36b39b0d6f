"""What was run, and what a reader must know before believing it."""

import numpy as np
import pandas as pd

MOST_NAMED = 6
FEW_STEPS = 10  # of an epoch: of the published data sets, the smallest has 12
SHARE, SHORT = 2 / 3, 1.0  # of its time that a job has a processor where it is alone, at least; seconds too few to tell
PACKAGES = ("deepkm", "python", "torch", "numpy", "scikit-learn", "h5py")


def facts(scores, jobs, *, datasets, methods, seeds, unscaled_text=()):
    """Return what was run, as (title, text) pairs.

    Parameters
    ----------
    scores, jobs : DataFrame
        ``results/scores.csv`` and ``results/jobs.csv``.
    datasets, methods : dict of str to str
        Titles by key.
    seeds : list of int
    unscaled_text : list of str
        Titles of the data sets that look like text and are left as they are.
    """
    on_cpu = _on_cpu(jobs)
    on_gpu = jobs.loc[~on_cpu, "device_seconds"].sum()
    text = f"{listed(unscaled_text)}: counts or tf-idf as they are; `scaling: rows` gives each text the same length"
    return [
        ("Seeds", listed(map(str, seeds), most=12)),
        ("Runs", f"{len(scores)} of {len(datasets) * len(methods) * len(seeds)}, in {len(jobs)} training jobs"),
        ("CPU time of training", duration(jobs.loc[on_cpu, "device_seconds"].sum())),
        ("GPU hours", f"{on_gpu / 3600:.2f}" if on_gpu else "none: trained on CPUs"),
        (
            "Devices",
            listed(f"{name} ({count} jobs)" for name, count in jobs["device"].map(_model).value_counts().items()),
        ),
        ("Largest memory of a job", f"{jobs['peak_memory_bytes'].max() / 1e9:.1f} GB"),
        *([("Texts, not scaled", text)] if unscaled_text else []),
        ("Versions", ", ".join(f"{name} {_distinct(jobs[name])}" for name in PACKAGES if name in jobs)),
    ]


def few_steps(parameters, n_samples, *, datasets):
    """Return what to know of data sets whose epochs have few steps, as (title, text) pairs: one, or none.

    Parameters
    ----------
    parameters : DataFrame
        ``results/parameters.csv``.
    n_samples : dict of str to int
    datasets : dict of str to str
        Titles by key.
    """
    found = parameters.reindex(columns=["dataset", "epochs", "batch_size"])
    found = found[(found["epochs"] > 0) & found["dataset"].isin(n_samples)]
    counts = np.array([n_samples[key] for key in found["dataset"]], dtype=float)
    steps = np.ceil(counts / found["batch_size"].astype(float))
    phrases = []
    for key, rows in found.assign(steps=steps)[steps < FEW_STEPS].groupby("dataset", sort=False):
        count, epochs = rows[["steps", "epochs"]].value_counts().index[0]  # of most methods
        phrases.append(
            f"{datasets[key]}: {count:.0f} to an epoch, so that {epochs:.0f} epochs are {count * epochs:.0f}"
        )
    remedy = "; `min_steps` under `training` sets a floor"
    return [("Few steps", listed(phrases) + remedy)] if phrases else []


def warnings(scores, jobs, *, datasets, methods, seeds, stale=(), foreign=()):
    """Return what is wrong or uncertain about a study, a line each; empty when nothing is.

    Parameters
    ----------
    scores, jobs, datasets, methods, seeds
        As in `facts`.
    stale : list of str
        Results made by other parameters or another source than the study's.
    foreign : list of str
        Files among the results that no job of the study makes.
    """
    named = scores.assign(name=[(methods[row.method], datasets[row.dataset]) for row in scores.itertuples()])
    lines = [*_missing(scores, datasets, methods, seeds)]
    lost = named["diverged"].astype(bool)
    if lost.any():
        names = _counted(map(" on ".join, named.loc[lost, "name"]))
        lines.append(
            f"{_count(lost.sum(), 'run')} diverged: {names}. They count in means as one cluster of all samples."
        )
    if dead := list(_dead_clusters(named[~lost], len(seeds))):
        lines.append(f"Clusters are left empty: {listed(dead)}.")
    if below := list(_below_start(named[~lost], len(seeds))):
        lines.append(f"Runs ended below their own start, by measures that need no classes: {listed(below)}.")
    if stale:
        lines.append(
            f"{_count(len(stale), 'result')} made by other parameters or another source than the study's now: "
            f"{listed(stale)}. `python -m deepkm audit` says what differs; delete them and run again."
        )
    if foreign:
        lines.append(
            f"{_count(len(foreign), 'file')} among the results that this study does not make, and that do "
            f"not count: {listed(foreign)}."
        )
    return lines + _mixed(jobs) + _pretrained_in_vain(jobs, datasets) + _shared(jobs)


def duration(seconds):
    """Return a time in words.

    Examples
    --------
    >>> [duration(seconds) for seconds in (3.21, 75, 4020, 360000)]
    ['3.2 s', '1 min 15 s', '1 h 7 min', '100 h 0 min']
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def _missing(scores, datasets, methods, seeds):
    counts = scores.groupby(["dataset", "method"]).size()
    pairs = {(dataset, method): counts.get((dataset, method), 0) for dataset in datasets for method in methods}
    short = [f"{methods[m]} on {datasets[d]} ({n}/{len(seeds)})" for (d, m), n in pairs.items() if n < len(seeds)]
    if short:
        yield f"Seeds are missing for {listed(short)}. The same Snakemake command makes what is missing."


def _dead_clusters(named, n_seeds):
    """Yield a phrase for each method that leaves clusters empty on a data set, the worst first."""
    counts = named.reindex(columns=["n_clusters_used", "n_clusters"])
    short = named[counts["n_clusters_used"] < counts["n_clusters"]]
    groups = [rows for _, rows in short.groupby(["method", "dataset"], sort=False)]
    for rows in sorted(groups, key=lambda rows: (rows["n_clusters_used"] / rows["n_clusters"]).min()):
        low, high = rows["n_clusters_used"].min(), rows["n_clusters_used"].max()
        used = f"{low:.0f}" if low == high else f"{low:.0f} to {high:.0f}"
        share = f" in {len(rows)} of {n_seeds} runs" if n_seeds > 1 else ""
        method, dataset = rows["name"].iloc[0]
        yield f"{method} uses {used} of {rows['n_clusters'].max():.0f} clusters on {dataset}{share}"


def _below_start(named, n_seeds):
    """Yield a phrase for each method of which runs ended below their own start on a data set."""
    reasons = named.get("below_start", pd.Series("", named.index)).astype(object).fillna("")
    for _, rows in named.assign(reasons=reasons)[reasons != ""].groupby(["method", "dataset"], sort=False):
        why = dict.fromkeys(", ".join(rows["reasons"]).split(", "))
        count = f"{len(rows)} of {n_seeds} runs: " if n_seeds > 1 else ""
        yield f"{' on '.join(rows['name'].iloc[0])} ({count}{', '.join(why)})"


def _mixed(jobs):
    devices = jobs["device"].map(_model).unique()
    lines = []
    if len(devices) > 1:
        lines.append(
            f"Jobs ran on different devices ({', '.join(devices)}): their times do not compare, and numbers may "
            "differ in the last digits."
        )
    versions = [f"{name} {_distinct(jobs[name])}" for name in PACKAGES if name in jobs and jobs[name].nunique() > 1]
    if versions:
        lines.append(f"Jobs ran with different versions: {'; '.join(versions)}.")
    return lines


def _pretrained_in_vain(jobs, datasets):
    lost = jobs[(jobs["stage"] == "autoencoder") & (jobs["n_diverged"] > 0)]
    if lost.empty:
        return []
    where = [f"{row.key} on {datasets[row.dataset]} ({_count(row.n_diverged, 'seed')})" for row in lost.itertuples()]
    return [f"Pretraining diverged: {listed(where)}. No method learns from that; lower its learning rate."]


def _shared(jobs):
    """Warn of times that say more of the machine than of the methods: CPU seconds cost more on a shared machine too."""
    lines, alone = [], jobs[_on_cpu(jobs) & (jobs["seconds"] >= SHORT)]
    shared = alone[alone["cpu_seconds"] < SHARE * alone["seconds"]]
    if len(shared):
        share = shared["cpu_seconds"].sum() / shared["seconds"].sum()
        lines.append(
            f"{_count(len(shared), 'job')} of {len(jobs)} had a processor for {100 * share:.0f} % of their time only: "
            "the machine was shared, or files were slow. Costs are CPU seconds, which sharing lengthens as well."
        )
    if crowded := (jobs["jobs_per_gpu"] > 1).sum():
        lines.append(
            f"{_count(crowded, 'job')} may have shared a GPU (`jobs_per_gpu`): its seconds are not theirs alone."
        )
    return lines


def _on_cpu(jobs):
    return jobs["device"].str.startswith("CPU")


def _model(device):
    """Return a device's name without the UUID that tells equal ones apart."""
    return str(device).partition(" (GPU-")[0]


def _distinct(column):
    return " and ".join(sorted(map(str, column.dropna().unique())))


def _counted(names):
    counts = pd.Series(names).value_counts(sort=False)
    return listed(f"{name} ({count})" if count > 1 else name for name, count in counts.items())


def listed(names, most=MOST_NAMED):
    """Return names in one line, the first ones of many."""
    names = list(names)
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def _count(number, noun):
    return f"{number} {noun}{'s' if number > 1 else ''}"
