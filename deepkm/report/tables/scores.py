"""The table of each metric: mean and deviation over seeds, methods as rows and data sets as columns."""

import pandas as pd

from deepkm.numerics.metrics import METRICS, title_of
from deepkm.report.statistics.spread import FEWEST, describe_runs
from deepkm.report.tables.layout import MARK, Cell, Table, spread
from deepkm.study.spec import VIEWS_MARK


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
        In percent; ``mean``, ``std``, ``n`` and ``runs`` as `deepkm.report.statistics.spread.describe_runs` has them:
        ``n`` runs have a score, ``n_missing`` are not there. Runs that diverged count in the mean, as one cluster.
        ``one_run``: all runs are equal in all metrics. ``best`` is the highest mean of a data set among the methods
        with all runs, and those that look the same in one decimal; ``not_worse`` are those that the tests could and did
        not find worse than it; ``note`` says why nothing can be concluded. Where runs that did not diverge leave
        clusters empty, ``n_clusters_used`` is what the worst of them uses of ``n_clusters``.
    """
    grid = pd.MultiIndex.from_product([list(datasets), list(methods)], names=["dataset", "method"])
    scores = scores.assign(diverged=scores.get("diverged", False))
    groups = scores.groupby(["dataset", "method"])
    found = {key: rows[metric].to_numpy() * 100 for key, rows in groups}
    table = pd.DataFrame([describe_runs(found.get(key, [])) for key in grid], index=grid)
    n_runs = groups.size().reindex(grid, fill_value=0)
    table["n_missing"] = n_seeds - n_runs
    table["n_diverged"] = groups["diverged"].sum().reindex(grid, fill_value=0).astype(int)
    table["one_run"] = (table["n"] > 1) & (table["n_diverged"] == 0) & _all_equal(groups, grid)
    table[["n_clusters_used", "n_clusters"]] = fewest_clusters(scores).reindex(grid)
    shown = table["mean"].round(1).where(table["n"] == n_seeds)
    table["best"] = shown.notna() & (shown == shown.groupby("dataset").transform("max"))
    table["not_worse"], table["note"] = False, ""
    if best is not None:
        verdicts = best[best["metric"] == metric].set_index(["dataset", "method"])[["verdict", "reason"]].reindex(grid)
        table["not_worse"] = verdicts["verdict"].isin(["best", "not significantly worse"])
        table["note"] = verdicts["reason"].fillna("")
    table.loc[(n_runs > 0) & (table["n"] == 0), "note"] = "no labels"
    table.loc[n_runs == 0, "note"] = "no runs"
    return table.reset_index()


def _all_equal(groups, grid):
    """Tell of which methods all runs agree in all metrics: then they have found the same clusters."""
    metrics = [metric for metric in METRICS if metric in groups.obj]
    counts = groups.obj[metrics].round(12).groupby([groups.obj[name] for name in grid.names]).nunique()
    return (counts <= 1).all(axis=1).reindex(grid, fill_value=False)


def fewest_clusters(scores):
    """Return how many clusters the worst run uses, and of how many, by data set and method, where some are empty."""
    columns = ["n_clusters_used", "n_clusters"]
    found = scores.reindex(columns=["dataset", "method", "diverged", *columns])
    short = found[(found["n_clusters_used"] < found["n_clusters"]) & ~found["diverged"].astype(bool)]
    return short.groupby(["dataset", "method"])[columns].min()


def score_table(summary, metric, *, datasets, methods, n_seeds):
    """Return the table of one metric: methods as rows, data sets as columns.

    Parameters
    ----------
    summary : DataFrame
        From `summarize`.
    metric : str
        A key of `deepkm.numerics.metrics.METRICS`.
    datasets, methods : dict of str to str
        Titles by key, in the order to show.
    n_seeds : int
        Runs that the study asks for.
    """
    cells = {(row.dataset, row.method): row for row in summary.itertuples()}
    counted = n_seeds if (summary["n_missing"] > 0).any() else None
    rows = [
        [Cell(title, method=method), *(_score_cell(cells[dataset, method], counted) for dataset in datasets)]
        for method, title in methods.items()
    ]
    title = f"{title_of(metric)} in %"
    notes = _score_notes(summary, datasets, n_seeds)
    if any(title.endswith(VIEWS_MARK) for title in methods.values()):
        notes.append(f"{VIEWS_MARK.strip()} trains on random views of the images: it is told what keeps a class.")
    return Table(metric, title, [title, *datasets.values()], rows, notes)


def _score_cell(row, counted):
    count = f" ({row.n}/{counted})" if counted else ""
    diverged = f", {row.n_diverged} diverged" if row.n_diverged else ""
    if not row.n:
        return Cell(f"no labels{diverged}" if row.note == "no labels" else f"-{count}")
    text = f"{row.mean:.1f}, 1 run" if row.one_run else spread(row.mean, row.std, row.runs)
    used = "" if pd.isna(row.n_clusters_used) else f", {row.n_clusters_used:.0f} of {row.n_clusters:.0f} used"
    return Cell(f"{text}{count}{diverged}{used}", row.mean, row.best, row.not_worse and not row.best)


def _score_notes(summary, datasets, n_seeds):
    """Return what the numbers are, and what is marked or why not."""
    notes = [_what(summary, n_seeds)]
    if (summary["n_missing"] > 0).any():
        notes[0] += " (n/N): n of N seeds are there; the best has all of them."
    if summary["one_run"].any():
        notes.append("1 run: the same clusters at all seeds.")
    if summary["n_diverged"].any():
        notes.append("Diverged runs count as one cluster of all samples.")
    if summary["n_clusters_used"].notna().any():
        notes.append("n of K used: the other clusters are empty, in the worst of the method's runs.")
    if (summary["not_worse"] & ~summary["best"]).any():
        notes.append(
            f"{MARK} not significantly worse than the best at 5 % (Wilcoxon's signed-rank test, paired over seeds, "
            "corrected for the number of methods)."
        )
    for dataset, title in datasets.items():
        doubts = summary.loc[(summary["dataset"] == dataset) & (summary["n"] > 0) & ~summary["best"], "note"]
        if len(doubts) and (doubts != "").all():
            reasons = "; ".join(dict.fromkeys(doubts))
            notes.append(f"{title}: which methods are worse than the best cannot be concluded ({reasons}).")
    return notes


def _what(summary, n_seeds):
    """Return what stands in the cells."""
    best = "best mean of each data set in bold."
    few = ((summary["runs"] != "") & ~summary["one_run"]).any()
    if not (summary["n"] >= FEWEST).any():
        return f"{'Each run, ' if few else ''}{n_seeds} seeds; {best}" if n_seeds > 1 else f"One seed; {best}"
    each = f", of fewer than {FEWEST} runs each one" if few else ""
    return f"Mean ± sample standard deviation over {n_seeds} seeds{each}; {best}"
