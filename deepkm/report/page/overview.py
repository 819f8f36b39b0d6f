"""What was run, and what a reader must know before believing it."""

import pandas as pd

MOST_NAMED = 6
PACKAGES = ("deepkm", "python", "torch", "numpy", "scikit-learn", "h5py")


def facts(scores, jobs, *, datasets, methods, seeds):
    """Return what was run, as (title, text) pairs.

    Parameters
    ----------
    scores, jobs : DataFrame
        ``results/scores.csv`` and ``results/jobs.csv``.
    datasets, methods : dict of str to str
        Titles by key.
    seeds : list of int
    """
    on_gpu = jobs.loc[~jobs["device"].map(_model).str.match(r"(CPU|MPS)\b"), "seconds"].sum()
    total = jobs["seconds"].sum()
    return [
        ("Data sets", ", ".join(datasets.values())),
        ("Methods", str(len(methods))),
        ("Seeds", listed(map(str, seeds), most=12)),
        ("Runs", f"{len(scores)} of {len(datasets) * len(methods) * len(seeds)}, in {len(jobs)} training jobs"),
        ("Training time, all jobs together", duration(total)),
        ("GPU hours", f"{on_gpu / 3600:.2f}" if on_gpu else "none: trained on CPUs"),
        (
            "Devices",
            listed(f"{name} ({count} jobs)" for name, count in jobs["device"].map(_model).value_counts().items()),
        ),
        ("Largest memory of a job", f"{jobs['peak_memory_bytes'].max() / 1e9:.1f} GB"),
        ("Versions", ", ".join(f"{name} {_distinct(jobs[name])}" for name in PACKAGES if name in jobs)),
    ]


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
    name = [f"{methods[row.method]} on {datasets[row.dataset]}" for row in scores.itertuples()]
    named = scores.assign(name=name)
    lines = [*_missing(scores, datasets, methods, seeds)]
    diverged = named.loc[named["diverged"].astype(bool), "name"]
    if len(diverged):
        lines.append(
            f"{_count(len(diverged), 'run')} diverged: {_counted(diverged)}. They count in means with the labels "
            "that they ended with."
        )
    collapsed = named.loc[named["n_clusters_used"] == 1, "name"]
    if len(collapsed):
        lines.append(f"{_count(len(collapsed), 'run')} put all samples into one cluster: {_counted(collapsed)}.")
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
    return lines + _mixed(jobs)


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
