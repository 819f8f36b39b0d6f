"""Figures that compare methods by their final scores: ablations, ranks, cost, critical differences."""

import numpy as np
import pandas as pd
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

from deepkm.numerics.metrics import MAIN_METRIC, METRICS, title_of
from deepkm.report.figures.captions import caption_of
from deepkm.report.figures.style import (
    WIDTH,
    Drawing,
    color_of,
    in_words,
    label_beside,
    marker_of,
    new_figure,
    styled,
)


@styled
def draw_ablations(scores, titles, ablations, *, dataset):
    """Draw all metrics with and without re-initialisation: bars are means, points are seeds.

    Parameters
    ----------
    scores : DataFrame
        Rows of ``results/scores.csv`` for one data set.
    titles : dict of str to str
        Titles of the methods by key, in order.
    ablations : list of [str, str]
        Methods with re-initialisation and the same without it.
    dataset : (str, str)
        Key and title.
    """
    scores = scores.dropna(subset=[MAIN_METRIC])
    pairs = [pair for pair in ablations if set(pair) <= set(scores["method"])]
    if not pairs:
        return None
    title = f"{dataset[1]}: with and without re-initialised centers"
    figure = new_figure(2.6, title=title)
    shown = [method for pair in pairs for method in reversed(pair)]
    place = {method: i + 0.5 * (i // 2) for i, method in enumerate(shown)}  # a gap between pairs
    metrics, means = [metric for metric in METRICS if metric in scores], {}
    for axis, metric in zip(figure.subplots(1, len(metrics)), metrics, strict=True):
        for method in shown:
            x, values = place[method], 100 * scores.loc[scores["method"] == method, metric].to_numpy()
            means[metric, method] = values.mean()
            axis.bar(x, values.mean(), color=color_of(method, titles), alpha=0.8)
            axis.text(x, 3, f"{values.mean():.1f}", ha="center", weight="bold", color="black", bbox=_BEHIND)
            spread = np.linspace(-0.25, 0.25, len(values)) if len(values) > 1 else np.zeros(1)
            axis.plot(x + spread, values, "o", ms=3.5, mfc="white", mec="black", mew=0.8)
        axis.set_xticks([*place.values()], [titles[method] for method in shown], rotation=20, ha="right")
        axis.set(title=f"{title_of(metric)} [%]", ylim=(0, 100))
    return Drawing(
        figure=figure,
        stem=f"{dataset[0]}_ablation",
        title=title,
        **caption_of("ablation"),
        alt=f"Bar chart. {title_of(MAIN_METRIC)}: {in_words({m: means[MAIN_METRIC, m] for m in shown}, titles)}.",
        datasets=(dataset[0],),
        methods=tuple(shown),
    )


_BEHIND = {"facecolor": "white", "alpha": 0.75, "lw": 0, "pad": 1}


@styled
def draw_ranks(scores, titles, datasets):
    """Draw each method's rank by mean score on each data set, 1 the best, methods in the order of their mean rank.

    Parameters
    ----------
    scores : DataFrame
        ``results/scores.csv``.
    titles, datasets : dict of str to str
        Titles by key, in order.
    """
    tables = {metric: rank(scores, metric, titles, datasets) for metric in METRICS}
    if tables[MAIN_METRIC].shape[0] < 2 or tables[MAIN_METRIC].shape[1] == 0:
        return None
    order = tables[MAIN_METRIC].mean(axis=1).sort_values(kind="stable").index
    columns = tables[MAIN_METRIC].columns
    title = "Ranks of the methods" if len(columns) > 1 else f"{datasets[columns[0]]}: ranks of the methods"
    width = min(WIDTH, 2.2 + len(tables) * (0.3 + 0.34 * len(columns)))
    figure = new_figure(0.7 + 0.19 * len(order) + (0.4 if len(columns) > 1 else 0), width=width, title=title)
    for axis, (metric, table) in zip(figure.subplots(1, len(tables), sharey=True), tables.items(), strict=True):
        values = table.reindex(index=order, columns=columns).to_numpy()
        axis.imshow(values, cmap="Blues_r", vmin=0.5, vmax=1.35 * len(order), aspect="auto")
        for (i, j), value in np.ndenumerate(values):
            if np.isfinite(value):
                axis.text(j, i, f"{value:g}", ha="center", va="center", fontsize=7, color=_ink(value, len(order)))
        axis.set_title(title_of(metric))
        names = [datasets[key] for key in columns] if len(columns) > 1 else [""]
        axis.set_xticks(range(len(columns)), names, rotation=35, ha="right")
        axis.set_yticks(range(len(order)), [titles[key] for key in order])
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
    return Drawing(
        figure=figure,
        stem="ranks",
        title=title,
        **caption_of("ranks", metric=title_of(MAIN_METRIC)),
        alt=f"Heatmap of ranks. Mean rank in {title_of(MAIN_METRIC)}, best first: "
        f"{_mean_ranks(tables[MAIN_METRIC].loc[order], titles)}.",
        datasets=tuple(columns),
        methods=tuple(order),
    )


def rank(scores, metric, titles, datasets):
    """Return ranks by mean score, methods x data sets, 1 the best; equal means share theirs."""
    means = scores.pivot_table(index="method", columns="dataset", values=metric, aggfunc="mean")
    means = means.reindex(index=[key for key in titles if key in means.index])
    return means[[key for key in datasets if key in means.columns]].round(12).rank(ascending=False)


def _mean_ranks(table, titles):
    return ", ".join(f"{titles[key]} {value:.3g}" for key, value in table.mean(axis=1).items())


def _ink(value, n_methods):
    return "white" if value <= 0.45 * n_methods else "black"


@styled
def draw_cost(scores, runs, titles, autoencoders, *, dataset):
    """Draw the first metric against the seconds that one run took, its pretraining included.

    Parameters
    ----------
    scores : DataFrame
        Rows of ``results/scores.csv`` for one data set.
    runs : DataFrame
        Rows of ``results/runs.csv`` for that data set.
    titles : dict of str to str
    autoencoders : dict of str to str or None
        The key of each method's autoencoder.
    dataset : (str, str)
        Key and title.
    """
    scores = scores.dropna(subset=[MAIN_METRIC])
    if scores.empty:
        return None
    title = f"{dataset[1]}: time and {title_of(MAIN_METRIC)}"
    seconds = scores["seconds"] + scores.apply(_pretraining(runs, autoencoders), axis=1)
    scores = scores.assign(total=seconds.clip(lower=1e-3), percent=100 * scores[MAIN_METRIC])
    methods = [method for method in titles if (scores["method"] == method).any()]
    figure = new_figure(max(2.8, 0.7 + 0.145 * len(methods)), title=title, width=5.2)
    axis, ends = figure.subplots(), []
    for method in methods:
        rows, look = scores[scores["method"] == method], marker_of(method, titles)
        axis.plot(rows["total"], rows["percent"], ls="", ms=2.5, alpha=0.45, **look)
        center = rows["total"].mean(), rows["percent"].mean()
        axis.plot(*center, ms=6, mec="white", mew=0.6, ls="", label=titles[method], **look)
        ends.append((*center, titles[method], {**look, "linestyle": ""}))
    axis.set(xscale="log", xlabel="Seconds per run, with pretraining", ylabel=f"{title_of(MAIN_METRIC)} [%]")
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(FormatStrFormatter("%g"))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.margins(x=0.06, y=0.06)
    label_beside(axis, ends)
    times = scores.groupby("method")["total"].mean()
    said = [
        f"{titles[m]} {times[m]:.3g} s, {scores.loc[scores['method'] == m, 'percent'].mean():.1f} %" for m in methods
    ]
    return Drawing(
        figure=figure,
        stem=f"{dataset[0]}_cost",
        title=title,
        **caption_of("cost"),
        alt=f"Scatter chart of seconds and {title_of(MAIN_METRIC)}. {'; '.join(said)}.",
        datasets=(dataset[0],),
        methods=tuple(methods),
    )


def _pretraining(runs, autoencoders):
    """Return a function of a row of scores: the seconds that its autoencoder's pretraining took, per seed."""
    rows = runs[runs["stage"] == "autoencoder"]
    seconds = {
        (row.key, int(seed)): row.seconds / len(str(row.seeds).split())
        for row in rows.itertuples()
        for seed in str(row.seeds).split()
    }
    return lambda row: seconds.get((autoencoders.get(row["method"]), row["seed"]), 0.0)


@styled
def draw_critical_difference(friedman, nemenyi, titles, *, metric):
    """Draw average ranks over data sets, and bars over methods that Nemenyi's test does not tell apart.

    Parameters
    ----------
    friedman, nemenyi : DataFrame
        ``results/statistics/{friedman,nemenyi}.csv``.
    titles : dict of str to str
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
    p = pd.DataFrame(1.0, index=ranks.index, columns=ranks.index)
    for row in pairs.itertuples():
        p.loc[row.method, row.other] = p.loc[row.other, row.method] = row.p
    figure = new_figure(0.7 + 0.13 * len(ranks), title=f"{title_of(metric)}: average ranks over data sets")
    axis, unique = figure.subplots(), {method: f"{titles[method]}" for method in ranks.index}
    if len(set(unique.values())) < len(unique):
        unique = {method: f"{title} ({method})" for method, title in unique.items()}
    drawn = critical_difference_diagram(
        ranks.rename(unique),
        p.rename(index=unique, columns=unique),
        ax=axis,
        color_palette={unique[method]: color_of(method, titles) for method in ranks.index},
        label_props={"fontsize": 7},
        text_h_margin=0.05,
    )
    for label in drawn["labels"]:
        label.set_color("black")
    first, n_datasets = rows.iloc[0], int(rows["n_datasets"].max())
    distance = f"Ranks that differ by less than {first.critical_difference:.2f} are joined by a bar"
    return Drawing(
        figure=figure,
        stem=f"critical_difference_{metric}",
        title=f"{title_of(metric)}: average ranks over {n_datasets} data sets",
        **caption_of("critical_difference", n_datasets=n_datasets, joined=distance, p=first.p),
        alt=f"Critical-difference diagram. Average ranks: {in_words(ranks, titles, unit='', digits=2)}. {distance}.",
        datasets=(),
        methods=tuple(ranks.index),
    )
