"""Tables of a study: mean and standard deviation over seeds, in percent."""

import pandas as pd

METRICS = {"acc": "ACC", "nmi": "NMI", "ari": "ARI"}


def summarize(scores, metric):
    """Return mean, standard deviation and number of runs per data set and method.

    Parameters
    ----------
    scores : DataFrame
        ``results/scores.csv``.
    metric : str
        A column of it, in [0, 1].

    Returns
    -------
    DataFrame with columns dataset, method, mean, std, n, n_diverged
        In percent; std is the population standard deviation (ddof=0), as in the published tables. Data sets without
        labels are left out. Runs that diverged count in the mean, with the labels that they ended with.
    """
    scores = scores.dropna(subset=[metric])
    scores = scores.assign(diverged=scores.get("diverged", False))
    groups = scores.groupby(["dataset", "method"], sort=False)
    summary = groups[metric].agg(mean="mean", std=lambda values: values.std(ddof=0), n="size")
    summary = summary.assign(n_diverged=groups["diverged"].sum().astype(int)).reset_index()
    summary[["mean", "std"]] *= 100
    return summary


def to_markdown(summary, metric, *, datasets, methods, n_expected=None):
    """Return the table with methods as rows and data sets as columns, the best mean of each in bold.

    Parameters
    ----------
    summary : DataFrame
        From `summarize`.
    metric : str
        A key of `METRICS`.
    datasets, methods : dict of str to str
        Titles by key, in the order to show.
    n_expected : int, optional
        Seeds of the study; with it, each cell says how many of them there are.
    """
    cells = {(row.dataset, row.method): row for row in summary.itertuples()}
    table = pd.DataFrame(index=[_escape(title) for title in methods.values()])
    for dataset, title in datasets.items():
        best = max((round(row.mean, 1) for key, row in cells.items() if key[0] == dataset), default=None)
        table[_escape(title)] = [_cell(cells.get((dataset, method)), best, n_expected) for method in methods]
    return f"{table.to_markdown(index=True, disable_numparse=True)}\n\n{_caption(summary, metric)}\n"


def _cell(row, best, n_expected):
    count = "" if n_expected is None else f" ({0 if row is None else row.n}/{n_expected})"
    if row is None:
        return f"-{count}"
    text = f"{row.mean:.1f} ± {row.std:.1f}" if row.n > 1 else f"{row.mean:.1f}"  # one run has no deviation
    text = f"**{text}**" if round(row.mean, 1) == best else text
    return f"{text}{count}{f', {row.n_diverged} diverged' if row.n_diverged else ''}"


def _caption(summary, metric):
    counts = sorted(set(summary["n"]))
    if counts == [1]:
        what = "one seed"
    else:
        seeds = " to ".join(str(count) for count in dict.fromkeys([counts[0], counts[-1]])) if counts else "no"
        what = f"mean ± standard deviation over {seeds} seeds"
    return f"{METRICS[metric]} in %, {what}; best mean of each data set in bold."


def _escape(text):
    """Keep a title from being read as Markdown or HTML."""
    for character, safe in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "\\|"), ("*", "\\*"), ("_", "\\_")):
        text = text.replace(character, safe)
    return text
