"""The tables of a study as people read them, from the numbers of `deepkm.report.tables.summaries`."""

import math

from deepkm.numerics.metrics import METRICS, title_of
from deepkm.report.tables.layout import MARK, Cell, Table


def table_names():
    """Return the names of all tables of a study: those of its metrics, and others."""
    return [*METRICS, "cost", "ablation", "parameters", "published"]


def score_table(summary, metric, *, datasets, methods, n_seeds):
    """Return the table of one metric: methods as rows, data sets as columns.

    Parameters
    ----------
    summary : DataFrame
        From `deepkm.report.tables.summaries.summarize`.
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
        [Cell(title), *(_score_cell(cells[dataset, method], counted) for dataset in datasets)]
        for method, title in methods.items()
    ]
    title = f"{title_of(metric)} in %"
    return Table(metric, title, [title, *datasets.values()], rows, _score_notes(summary, datasets, n_seeds))


def _score_cell(row, counted):
    count = f" ({row.n}/{counted})" if counted else ""
    diverged = f", {row.n_diverged} diverged" if row.n_diverged else ""
    if not row.n:
        return Cell(f"no labels{diverged}" if row.note == "no labels" else f"-{count}")
    text = _spread(row.mean, row.std, row.n)
    return Cell(f"{text}{count}{diverged}", row.mean, row.best, row.not_worse and not row.best)


def _spread(mean, std, n, digits=1):
    """Return mean ± std; one run has no deviation."""
    return f"{mean:.{digits}f} ± {std:.{digits}f}" if n > 1 else f"{mean:.{digits}f}"


def _score_notes(summary, datasets, n_seeds):
    """Return what the numbers are, and what is marked or why not."""
    many = n_seeds > 1
    what = f"Mean ± population standard deviation over {n_seeds} seeds" if many else "One seed"
    notes = [f"{what}; best mean of each data set in bold."]
    if (summary["n_missing"] > 0).any():
        notes[0] += " (n/N): n of N seeds are there."
    if summary["n_diverged"].any():
        notes.append("Diverged runs count with the labels that they ended with.")
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


def cost_table(summary, *, datasets, methods):
    """Return what each method and pretraining took."""
    rows = []
    for row in summary.itertuples():
        label = methods.get(row.key, row.key) if row.stage == "cluster" else f"pretraining of {row.key}"
        if not row.n:
            rows.append([Cell(datasets[row.dataset]), Cell(label), *(Cell("-") for _ in range(4)), _count(row)])
            continue
        low, high = int(row.epochs_min), int(row.epochs_max)
        rows.append(
            [
                Cell(datasets[row.dataset]),
                Cell(label),
                Cell(_spread(row.seconds, row.seconds_std, row.n), row.seconds),
                Cell(str(low) if low == high else f"{low} to {high}", row.epochs),
                Cell(f"{row.peak_memory_mb:.0f}", row.peak_memory_mb),
                Cell(row.device),
                _count(row),
            ]
        )
    header = ["Data set", "Method", "Seconds per run", "Epochs", "Peak memory, MB", "Device", "Runs"]
    note = (
        "Seconds of training alone, mean ± population standard deviation over runs; a job that trains several seeds "
        "side by side counts with its share. Pretraining is done once for all methods that share it. Peak memory is "
        "that of a job's process, on a GPU that of the GPU."
    )
    return Table("cost", "Cost", header, rows, [note], align="llrrrl")


def _count(row):
    total = row.n + row.n_missing
    text = f"{row.n}/{total}" if row.n_missing else f"{row.n}"
    return Cell(f"{text}{f', {row.n_diverged} diverged' if row.n_diverged else ''}", row.n)


def ablation_table(summary, *, datasets, methods):
    """Return each method with re-initialised centers, without, and the paired difference."""
    rows = [
        [
            Cell(datasets[row.dataset]),
            Cell(title_of(row.metric)),
            Cell(methods[row.method]),
            _side(row.mean_with, row.std_with, row.n_with),
            _side(row.mean_without, row.std_without, row.n_without),
            number_cell(row.difference, "+z.1f"),
            interval_cell(row.low, row.high),
            number_cell(row.p, ".2g"),
            Cell(str(row.n), row.n),
        ]
        for row in summary.itertuples()
    ]
    header = ["Data set", "Metric", "Method", "With, %", "Without, %", "Difference", "95 % interval", "p", "Seeds"]
    notes = [
        "Centers re-initialised after each epoch, and not. The difference is a mean over the seeds that have both, in "
        "points; its interval is a percentile bootstrap over seeds; p is Wilcoxon's signed-rank test, not corrected."
    ]
    if len(summary) and (summary["n"] < 6).any():
        notes.append("Fewer than 6 seeds can show no difference at 5 %: no interval is given.")
    return Table("ablation", "Re-initialised centers", header, rows, notes, align="lll")


def parameter_table(summary, *, datasets, methods):
    """Return what each method was run with."""
    rows = [
        [
            Cell(datasets[row.dataset]),
            Cell(methods[row.method]),
            *(number_cell(value, "g") for value in row[4:10]),
            Cell(row.scaling),
            Cell(row.others),
        ]
        for row in summary.itertuples()
    ]
    header = ["Data set", "Method", "α", "λ", "Pretraining epochs", "Epochs", "Batch size", "Learning rate", "Scaling"]
    notes = [
        "As the runs recorded them; α is the parameter alpha, λ is clustering_weight. Not listed: what methods share "
        "by default, and the autoencoder's widths."
    ]
    return Table("parameters", "Parameters", [*header, "Others"], rows, notes, align="llrrrrrrll")


def published_table(summary, *, datasets, methods):
    """Return the study's figures beside published ones, with numbered remarks."""
    remarks, rows = {}, []
    for row in summary.itertuples():
        numbers = [remarks.setdefault(text, len(remarks) + 1) for text in row.remark.split("; ") if text]
        published = (
            f"{row.published:.1f}" if math.isnan(row.published_std) else _spread(row.published, row.published_std, 2)
        )
        rows.append(
            [
                Cell(datasets[row.dataset]),
                Cell(methods[row.method]),
                Cell(title_of(row.metric)),
                Cell(row.source),
                Cell(_spread(row.mean, row.std, row.n), row.mean),
                Cell(published, row.published),
                number_cell(row.difference, "+z.1f"),
                number_cell(row.in_stds, "+z.1f"),
                Cell(" ".join(map(str, sorted(numbers)))),
            ]
        )
    header = ["Data set", "Method", "Metric", "Source", "Here, %", "Published, %", "Difference", "In std", "Remarks"]
    notes = ["Difference in points, here minus published, and in published standard deviations."]
    notes += [f"{number}: {text}." for text, number in remarks.items()]
    if not rows:
        notes = ["No figures are published for these data sets and methods."]
    return Table("published", "Beside published figures", header, rows, notes, align="llll")


def _side(mean, std, n):
    return Cell(_spread(mean, std, n), mean) if n else Cell("-")


def number_cell(value, form=".1f"):
    return Cell("-") if math.isnan(value) else Cell(f"{value:{form}}".replace("-", "−"), value)


def interval_cell(low, high):
    return Cell("-") if math.isnan(low) else Cell(f"{low:+z.1f} to {high:+z.1f}".replace("-", "−"), low)
