"""Which methods come first: their ranks on each data set, and over data sets."""

import numpy as np
import pandas as pd

from deepkm.numerics.metrics import MAIN_METRIC, METRICS, title_of
from deepkm.report.figures.style import WIDTH, Drawing, in_words, new_figure, styled

RANKS = """
Rank of each method by its mean over seeds, 1 (strong) the best; methods stand by their mean rank in {metric}. Look
for rows that are strong throughout: a method that is first on one data set and last on another owes its place to its
settings. Neighbouring ranks may differ by chance: see the tests.
"""
CRITICAL_DIFFERENCE = """
Average rank of each method over {n_datasets} data sets, the best at the left. {joined}: Nemenyi's test does not tell
them apart at 5 %. Friedman's test of whether there is any difference: p = {p:.3g}. Look for methods without a common
bar; with few data sets there are hardly any.
"""


@styled
def draw_ranks(scores, methods, datasets):
    """Draw each method's rank by mean score on each data set, 1 the best, methods in the order of their mean rank.

    Parameters
    ----------
    scores : DataFrame
        ``results/scores.csv``.
    methods : dict of str to Method
    datasets : dict of str to str
        Titles by key, in order.

    Returns
    -------
    Drawing or None
        None with fewer than two methods or data sets.
    """
    tables = {metric: rank(scores, metric, methods, datasets) for metric in METRICS}
    if min(tables[MAIN_METRIC].shape) < 2:
        return None
    order = tables[MAIN_METRIC].mean(axis=1).sort_values(kind="stable").index
    columns = tables[MAIN_METRIC].columns
    title = "Ranks of the methods"
    width = min(WIDTH, 2.2 + len(tables) * (0.3 + 0.34 * len(columns)))
    figure = new_figure(1.1 + 0.19 * len(order), width=width, title=title)
    for axis, (metric, table) in zip(figure.subplots(1, len(tables), sharey=True), tables.items(), strict=True):
        values = table.reindex(index=order, columns=columns).to_numpy()
        axis.imshow(values, cmap="Blues_r", vmin=0.5, vmax=1.35 * len(order), aspect="auto")
        for (i, j), value in np.ndenumerate(values):
            if np.isfinite(value):
                axis.text(j, i, f"{value:g}", ha="center", va="center", fontsize=7, color=_ink(value, len(order)))
        axis.set_title(title_of(metric))
        axis.set_xticks(range(len(columns)), [datasets[key] for key in columns], rotation=35, ha="right")
        axis.set_yticks(range(len(order)), [methods[key].title for key in order])
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
    return Drawing(
        figure=figure,
        stem="ranks",
        title=title,
        caption=RANKS.format(metric=title_of(MAIN_METRIC)),
        alt=f"Heatmap of ranks. Mean rank in {title_of(MAIN_METRIC)}, best first: "
        f"{_mean_ranks(tables[MAIN_METRIC].loc[order], methods)}.",
        datasets=tuple(columns),
        methods=tuple(order),
    )


def rank(scores, metric, methods, datasets):
    """Return ranks by mean score, methods x data sets, 1 the best; equal means share theirs."""
    means = scores.pivot_table(index="method", columns="dataset", values=metric, aggfunc="mean")
    means = means.reindex(index=[key for key in methods if key in means.index])
    return means[[key for key in datasets if key in means.columns]].round(12).rank(ascending=False)


def _mean_ranks(table, methods):
    return ", ".join(f"{methods[key].title} {value:.3g}" for key, value in table.mean(axis=1).items())


def _ink(value, n_methods):
    return "white" if value <= 0.45 * n_methods else "black"


@styled
def draw_critical_difference(friedman, nemenyi, methods, *, metric):
    """Draw average ranks over data sets, and bars over methods that Nemenyi's test does not tell apart.

    Parameters
    ----------
    friedman, nemenyi : DataFrame
        ``results/statistics/{friedman,nemenyi}.csv``.
    methods : dict of str to Method
    metric : str

    Returns
    -------
    Drawing or None
        None with fewer than two data sets or three methods, or where nothing was tested.

    References
    ----------
    J. Demsar. Statistical comparisons of classifiers over multiple data sets. JMLR 7, 2006, section 3.2.2.
    """
    rows = friedman[friedman["metric"] == metric].dropna(subset=["average_rank", "critical_difference"])
    pairs = nemenyi[nemenyi["metric"] == metric].dropna(subset=["p"])
    if len(rows) < 3 or rows["n_datasets"].min() < 2 or pairs.empty:
        return None
    from scikit_posthocs import critical_difference_diagram  # noqa: PLC0415  it takes seconds, and few studies need it

    ranks = rows.set_index("method")["average_rank"].sort_values(kind="stable")
    place = {method: i for i, method in enumerate(ranks.index)}  # of texts, the library draws sets in any order
    p = np.ones((len(ranks), len(ranks)))
    for row in pairs.itertuples():
        p[place[row.method], place[row.other]] = p[place[row.other], place[row.method]] = row.p
    figure = new_figure(0.7 + 0.13 * len(ranks), title=f"{title_of(metric)}: average ranks over data sets")
    drawn = critical_difference_diagram(
        ranks.reset_index(drop=True),
        pd.DataFrame(p),
        ax=figure.subplots(),
        color_palette={i: methods[method].color for method, i in place.items()},
        label_fmt_left="{label}",
        label_fmt_right="{label}",
        label_props={"fontsize": 7},
        text_h_margin=0.05,
    )
    _name(drawn["labels"], ranks, methods)
    first, n_datasets = rows.iloc[0], int(rows["n_datasets"].max())
    distance = f"Ranks that differ by less than {first.critical_difference:.2f} are joined by a bar"
    return Drawing(
        figure=figure,
        stem=f"critical_difference_{metric}",
        title=f"{title_of(metric)}: average ranks over {n_datasets} data sets",
        caption=CRITICAL_DIFFERENCE.format(n_datasets=n_datasets, joined=distance, p=first.p),
        alt=f"Critical-difference diagram. Average ranks: {in_words(ranks, methods, unit='', digits=2)}. {distance}.",
        datasets=(),
        methods=tuple(ranks.index),
    )


def _name(labels, ranks, methods):
    """Write titles and average ranks in the place of numbers."""
    titles = [methods[method].title for method in ranks.index]
    if len(set(titles)) < len(titles):
        titles = [f"{title} ({method})" for title, method in zip(titles, ranks.index, strict=True)]
    for label in labels:
        i = int(label.get_text())
        parts = [titles[i], f"({ranks.iloc[i]:.2g})"]
        label.set(text=" ".join(parts if label.get_ha() == "right" else parts[::-1]), color="black")
