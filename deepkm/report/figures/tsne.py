"""The codes over fine-tuning epochs, laid out by t-SNE."""

import textwrap
import warnings
from dataclasses import replace

import numpy as np
from matplotlib.lines import Line2D
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from deepkm.numerics.metrics import MAIN_METRIC, title_of
from deepkm.report.figures.style import CLASS_COLORS, OTHERS, WIDTH, Drawing, in_words, key_columns, new_figure, styled

N_POINTS = 300
MARK = 0.38  # inches of a key: a mark, and the space beside it
N_PANELS = 4  # of the snapshots of a run, evenly spread
CAPTION = """
The same {n} samples in every panel, seed {seed}; {colors}. Each panel starts from the layout of the one to its left, so
that what moved there moved in the code. Look for groups that draw together and apart from left to right, and whether
they are of one colour{mixed}. Distances between groups mean nothing in t-SNE.
"""
CLASSES = "colours are the true classes, numbers {metric}"
CLUSTERS = "colours are each method's own clusters at the end"
MIXED = ": tight groups of mixed colours are clusters, but not classes"


@styled
def draw_tsne(runs, methods, curves, *, dataset):
    """Draw t-SNE panels: a row per method, a column per snapshot, the same samples in all of them.

    Parameters
    ----------
    runs : dict of str to ClusteringRun
        One run per method, of the same seed; those without snapshots are left out.
    methods : dict of str to Method
    curves : DataFrame
        Rows of ``results/epochs.csv`` for the data set: the first metric is written into the panels.
    dataset : Dataset

    Notes
    -----
    Each layout starts from the one before, without early exaggeration, so that what moves between panels moved in the
    code. The first ones start from principal components; equal codes, such as those of a shared autoencoder, get one
    layout.

    References
    ----------
    L. van der Maaten, G. Hinton. Visualizing data using t-SNE. JMLR 9, 2008.
    """
    runs = {method: _thinned(run) for method, run in runs.items() if run.epochs is not None}
    if not runs:
        return None
    shown, layouts_of = shown_groups(_groups_of(next(iter(runs.values())), dataset)), {}
    chosen = stratified(_shared_sample(runs), dataset.target, N_POINTS, colored=shown)
    columns = max(len(run.epochs) for run in runs.values())
    names = _names_of(shown, dataset)
    figure, axes = _grid(len(runs), columns, names)
    for row, (method, run) in zip(axes, runs.items(), strict=True):
        name = textwrap.fill(methods[method].title, 20)
        row[0].text(-0.08, 0.5, name, transform=row[0].transAxes, rotation=90, ha="right", va="center", fontsize=7)
        layouts = lay_out(codes_of(run, chosen, dataset), layouts_of)
        for axis, layout, epoch in zip(row, layouts, run.epochs, strict=False):
            _draw_panel(axis, layout, _groups_of(run, dataset)[run.sample[chosen]], shown)
            axis.set_title(f"epoch {epoch}", fontsize=7, pad=2, loc="left")
            if (score := _score(curves, method, run.seed, epoch)) is not None:
                axis.set_title(f"{100 * score:.0f} %", fontsize=7, pad=2, loc="right")
        for axis in row[len(run.epochs) :]:
            axis.set_visible(False)
    seed = next(iter(runs.values())).seed
    _add_classes(figure, names)
    final = {
        method: 100 * score for method, run in runs.items() if (score := _score(curves, method, run.seed)) is not None
    }
    known = dataset.target is not None
    colors = CLASSES.format(metric=title_of(MAIN_METRIC)) if known else CLUSTERS
    if len(np.unique(_groups_of(runs[next(iter(runs))], dataset))) > len(shown):
        colors += f"; {len(shown)} of them have one, and grey are the others"
    return Drawing(
        figure=figure,
        stem=f"{dataset.key}_tsne",
        title=f"{dataset.title}: t-SNE of the code",
        caption=CAPTION.format(n=len(chosen), seed=seed, colors=colors, mixed=MIXED if known else ""),
        alt=f"Scatter plots of {len(chosen)} codes, a row per method, a column per epoch. "
        f"{title_of(MAIN_METRIC)} in the last column: "
        f"{in_words(final, methods) or 'unknown'}.",
        datasets=(dataset.key,),
        methods=tuple(runs),
    )


def stratified(sample, target, size, *, colored=()):
    """Return places in `sample`, as many of each class as possible and `size` at most; the first ones without labels.

    Where not all classes are `colored`, half of the places are theirs: three points of each of a hundred classes show
    no group.

    Examples
    --------
    >>> stratified(np.array([4, 3, 2, 1, 0]), np.array([0, 0, 0, 1, 1]), 2).tolist()
    [0, 2]
    >>> stratified(np.arange(8), np.array([0, 0, 0, 0, 1, 2, 3, 4]), 4, colored=[0]).tolist()
    [0, 1, 4, 5]
    """
    if target is None:
        return np.arange(min(size, len(sample)))
    classes = target[sample]
    turn = np.zeros(len(sample), int)  # how many of its class come before it
    for k in np.unique(classes):
        turn[classes == k] = np.arange((classes == k).sum())
    order = np.lexsort((np.arange(len(sample)), classes, turn))
    if 0 < len(colored) < len(np.unique(classes)):
        theirs = np.isin(classes[order], colored)
        order = np.r_[order[theirs][: size // 2], order[~theirs]]
    return np.sort(order[:size])


def lay_out(codes, known):
    """Return the layouts (M, 2) of the codes (E, M, D) of one run, each started from the one before.

    Parameters
    ----------
    codes : ndarray of shape (E, M, D)
    known : dict
        Layouts of first codes by their bytes, shared between runs and added to.

    Returns
    -------
    list of ndarray or None
        None for codes that are not finite or all the same.
    """
    layouts, start = [], None
    for i, z in enumerate(codes):
        if not np.isfinite(z).all() or np.ptp(z, axis=0).max() == 0:
            layouts.append(None)
        elif i > 0 and np.array_equal(z, codes[i - 1]):  # the run had stopped, or trains no code
            layouts.append(layouts[-1])
        elif start is None:
            if z.tobytes() not in known:
                known[z.tobytes()] = _tsne(z)
            start = known[z.tobytes()]
            layouts.append(start)
        else:
            start = _tsne(z, start=start)
            layouts.append(start)
    return layouts


def _tsne(z, start=None):
    options = {"perplexity": min(30, (len(z) - 1) / 3), "random_state": 0}
    if start is not None:
        options |= {"init": start, "early_exaggeration": 1.0, "max_iter": 250}
    else:
        options |= {"init": "pca" if min(z.shape) > 1 else "random", "max_iter": 500}
    with warnings.catch_warnings(), threadpool_limits(1):  # one thread: the same layout on every machine
        warnings.simplefilter("ignore", RuntimeWarning)  # principal components without variance
        return TSNE(**options).fit_transform(np.ascontiguousarray(z, np.float32))


def codes_of(run, chosen, dataset):
    """Return the codes (E, M, D) of some places of a run's sample; the data themselves where there is no code."""
    if run.codes is not None:
        return run.codes[:, chosen]
    return np.repeat(dataset.features[None, run.sample[chosen]], len(run.epochs), axis=0)


def shown_groups(groups):
    """Return the groups that get a colour: all of them, or as many spread evenly as there are colours."""
    groups = np.unique(groups)
    return groups[np.linspace(0, len(groups) - 1, min(len(groups), len(CLASS_COLORS))).astype(int)]


def _thinned(run):
    """Return a run with so many of its snapshots as get a panel, the first and the last among them."""
    kept = np.linspace(0, len(run.epochs) - 1, min(N_PANELS, len(run.epochs))).round().astype(int)
    return replace(run, epochs=run.epochs[kept], codes=None if run.codes is None else run.codes[kept])


def _shared_sample(runs):
    """Return the samples that all runs kept: each sample is the beginning of a longer one."""
    return min((run.sample for run in runs.values()), key=len)


def _grid(n_rows, n_columns, names):
    """Square panels, and room for the names of methods at the left and of classes below."""
    left, top, gap = 0.28, 0.2, 0.14
    side = min(1.4, (WIDTH - left) / n_columns - 0.05)
    width = left + n_columns * (side + 0.05)
    bottom = 0.16 + 0.16 * -(-len(names) // key_columns(names, width, mark=MARK))
    height = bottom + top + n_rows * (side + gap) - gap
    figure = new_figure(height, width=width, layout="none")
    axes = figure.subplots(n_rows, n_columns, squeeze=False)
    figure.subplots_adjust(
        left / width, bottom / height, 1 - 0.02 / width, 1 - top / height, wspace=0.05 / side, hspace=gap / side
    )
    return figure, axes


def _groups_of(run, dataset):
    return run.labels if dataset.target is None else dataset.target


def _names_of(shown, dataset):
    # A blank: labels that begin with an underscore would be left out.
    return [f" cluster {k}" if dataset.target is None else f" {dataset.class_names[k]}" for k in shown]


def _add_classes(figure, names):
    """Name the colours below the panels."""
    marks = [Line2D([], [], ls="", marker="o", ms=4, color=color) for color in CLASS_COLORS[: len(names)]]
    columns = key_columns(names, figure.get_figwidth(), mark=MARK)
    figure.legend(marks, names, loc="lower center", ncols=columns, handletextpad=0, columnspacing=1)


def _draw_panel(axis, layout, groups, shown):
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(True)
    axis.spines[:].set_color(OTHERS)
    if layout is None:
        axis.text(0.5, 0.5, "no finite codes,\nor all the same", ha="center", va="center", fontsize=7)
        axis.set(xlim=(0, 1), ylim=(0, 1))
        return
    colors = dict(zip(shown.tolist(), CLASS_COLORS, strict=False))
    above = np.argsort(np.isin(groups, shown), kind="stable")  # grey ones lie below
    shades = [colors.get(group, OTHERS) for group in groups[above].tolist()]
    axis.scatter(*layout[above].T, c=shades, s=3, lw=0, rasterized=True)
    axis.margins(0.03)


def _score(curves, method, seed, epoch=None):
    rows = curves[(curves["method"] == method) & (curves["seed"] == seed)]
    rows = rows[rows["epoch"] == (rows["epoch"].max() if epoch is None else epoch)]
    return float(rows[MAIN_METRIC].iloc[0]) if len(rows) and np.isfinite(rows[MAIN_METRIC].iloc[0]) else None
