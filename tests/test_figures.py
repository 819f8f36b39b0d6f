import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from conftest import environment
from matplotlib.text import Text

from deepkm.datasets.features import scale
from deepkm.datasets.preview import shown_samples
from deepkm.numerics.metrics import accuracy, contingency
from deepkm.report.figures.ablation import draw_ablations
from deepkm.report.figures.contingency import align, draw_contingency
from deepkm.report.figures.cost import draw_cost
from deepkm.report.figures.curves import draw_losses, draw_scores
from deepkm.report.figures.gallery import chosen_methods, draw_study
from deepkm.report.figures.inputs import ClusteringRun, Dataset, Numbers
from deepkm.report.figures.members import draw_members
from deepkm.report.figures.memberships import draw_memberships
from deepkm.report.figures.profiles import draw_profiles
from deepkm.report.figures.ranks import draw_critical_difference, draw_ranks
from deepkm.report.figures.sensitivity import draw_sensitivity, find_grids
from deepkm.report.figures.style import methods_of, save, spread
from deepkm.report.figures.tsne import draw_tsne, lay_out, shown_groups, stratified
from deepkm.report.statistics.ranks import compare_over_datasets

A = ("a", "A")
METHODS = methods_of({"km": "k-means", "dkm": "DKM", "dkm_reinit": "DKM, re-init"}, {"dkm": "#ddaa33"})


def curves_of(axis):
    """Return the lines of methods by their titles; those of the key have none."""
    return {line.get_label(): line for line in axis.lines if line.get_label().strip("_child0123456789")}


@pytest.fixture
def scores():
    rows = [
        ("a", "dkm", 0, 0.5),
        ("a", "dkm", 1, 0.7),
        ("a", "km", 0, 0.55),
        ("a", "km", 1, 0.55),
        ("b", "km", 0, np.nan),
    ]
    table = pd.DataFrame(rows, columns=["dataset", "method", "seed", "acc"])
    return table.assign(nmi=table["acc"] / 2)


@pytest.fixture
def curves():
    rows = [
        {"dataset": "a", "method": "dkm", "seed": seed, "epoch": epoch, "acc": 0.1 * epoch + 0.01 * seed, "nmi": 0.2}
        | ({"loss": 2.0, "reconstruction": 1.0 / epoch, "clustering": 1.0 + seed} if epoch else {})
        for seed in range(2)
        for epoch in range(4)
    ]
    rows.append({"dataset": "a", "method": "km", "seed": 0, "epoch": 0, "acc": 0.25, "nmi": 0.2})
    return pd.DataFrame(rows).assign(n_clusters_used=3)


def test_loss_curves_hold_the_means_over_seeds(curves):
    figure = draw_losses(curves, METHODS, dataset=A).figure
    reconstruction, clustering = figure.axes
    assert list(curves_of(reconstruction)) == ["DKM"]  # k-means trains nothing
    np.testing.assert_allclose(reconstruction.lines[0].get_xydata(), [[1, 1], [2, 1 / 2], [3, 1 / 3]])
    np.testing.assert_allclose(clustering.lines[0].get_ydata(), 1.5)
    assert draw_losses(curves[curves["method"] == "km"], METHODS, dataset=A) is None


def test_score_curves_hold_the_means_over_seeds(curves):
    accuracy, _ = draw_scores(curves, METHODS, dataset=A).figure.axes
    np.testing.assert_allclose(accuracy.lines[0].get_ydata(), [0.5, 10.5, 20.5, 30.5])
    level = next(artist for artist in accuracy.collections if artist.get_label() == "k-means")
    np.testing.assert_allclose(level.get_segments()[0], [[0, 25], [3, 25]])
    assert draw_scores(curves.assign(acc=np.nan), METHODS, dataset=A) is None


def test_score_axes_reach_down_to_what_is_reached_in_the_end(curves):
    accuracy, _ = draw_scores(curves, METHODS, dataset=A).figure.axes
    assert accuracy.get_ylim()[0] == pytest.approx(20)  # 5 below k-means; DKM starts at 0 and ends at 30
    collapsed = curves.loc[curves["method"] == "km"].assign(method="dkm_reinit", acc=0.01, n_clusters_used=1)
    accuracy, _ = draw_scores(pd.concat([curves, collapsed]), METHODS, dataset=A).figure.axes
    assert accuracy.get_ylim()[0] == pytest.approx(20)


def test_curves_end_where_the_last_run_stopped(curves):
    stopped = curves["epoch"].gt(0).where(curves["seed"] == 0, curves["epoch"] > 1)  # after epochs 1 and 2
    curves = curves.assign(stopped=stopped.astype(object).where(curves["epoch"] > 0, np.nan))
    for drawing in (draw_losses(curves, METHODS, dataset=A), draw_scores(curves, METHODS, dataset=A)):
        assert drawing.figure.axes[0].lines[0].get_xdata().max() == 2


def test_ablation_bars_are_means_and_points_are_seeds(scores):
    scores = pd.concat([scores, scores.assign(method="dkm_reinit", acc=scores["acc"] + 0.1)])
    scores = scores[scores["dataset"] == "a"].drop_duplicates(["method", "seed"])
    accuracy, _ = draw_ablations(scores, METHODS, [["dkm_reinit", "dkm", "views"]], dataset=A).figure.axes
    assert [bar.get_height() for bar in accuracy.patches] == pytest.approx([60, 70])
    np.testing.assert_allclose([sorted(line.get_ydata()) for line in accuracy.lines], [[50, 70], [60, 80]])
    assert accuracy.get_ylim()[0] == 0  # bars that start elsewhere exaggerate
    assert draw_ablations(scores, METHODS, [], dataset=A) is None


def test_ablations_need_both_of_a_pair(scores):
    assert draw_ablations(scores, METHODS, [["dkm_reinit", "dkm", "views"]], dataset=A) is None


def test_a_method_keeps_its_own_colour_and_others_get_spare_ones():
    methods = methods_of(
        {"ct": "CT", "mine": "Mine", "dkm": "DKM", "yours": "Yours"}, {"ct": "#117733", "dkm": "#ddaa33"}
    )
    assert [methods[key].color for key in ("ct", "dkm")] == ["#117733", "#ddaa33"]
    assert methods["ct"].line["color"] == methods["ct"].marker["color"] == "#117733"
    assert len({method.color for method in methods.values()}) == 4


def test_saving_twice_gives_the_same_bytes(curves, tmp_path):
    for name in ("first", "second"):
        save(draw_losses(curves, METHODS, dataset=A).figure, tmp_path / name)
    for suffix in (".png", ".svg"):
        first, second = (tmp_path / f"{name}{suffix}" for name in ("first", "second"))
        assert first.read_bytes() == second.read_bytes()


def test_samples_of_all_classes_are_shown():
    target = np.array([1, 1, 1, 0, 2, 2])
    assert shown_samples(target, 6).tolist() == [3, 0, 4, 1, 5, 2]
    ten = np.repeat(np.arange(10), 5)
    assert ten[shown_samples(ten, 50)].tolist() == [*range(10), 0, 1]
    assert len(set(shown_samples(np.repeat(np.arange(70), 2), 140) // 2)) == 12
    assert shown_samples(None, 5).tolist() == [0, 1, 2, 3, 4]


def test_methods_of_the_catalogue_differ_in_more_than_colour(config):
    colors = {key: entry["color"] for key, entry in config["methods"].items()}
    assert len(set(colors.values())) == len(colors)
    for methods in (methods_of(colors, colors), methods_of({f"mine{i}": "Mine" for i in range(12)}, {})):
        assert len({(str(m.line["linestyle"]), m.marker["marker"]) for m in methods.values()}) == len(methods)


def test_labels_lie_apart_and_in_order():
    heights = spread([0.1, 0.5, 0.5, 0.52, 1.0], 0.1)
    assert (np.diff(heights) >= 0.1 - 1e-9).all()
    assert heights[0] == pytest.approx(0.1)
    assert heights[-1] == pytest.approx(1.0)
    assert np.diff(spread(np.full(30, 0.5), 0.1)) == pytest.approx(1 / 29)  # too many: as far apart as there is room
    assert len(spread([], 0.1)) == 0


def test_the_key_names_lines_in_the_order_of_their_ends(curves):
    more = pd.concat([curves, curves[curves["method"] == "dkm"].assign(method="dkm_reinit", acc=0.9)])
    accuracy, _ = draw_scores(more, METHODS, dataset=A).figure.axes
    heights = {text.get_text(): text.get_position()[1] for text in accuracy.texts}
    assert heights["DKM, re-init"] > heights["DKM"] > heights["k-means"]


def test_ranks_by_hand(scores):
    scores = pd.concat([scores.assign(ari=scores["acc"]), scores.assign(dataset="c", acc=1.0, nmi=1.0, ari=1.0)])
    scores = scores.dropna().drop_duplicates(["dataset", "method", "seed"])
    drawing = draw_ranks(scores, METHODS, {"a": "A", "b": "B", "c": "C"})
    image = drawing.figure.axes[0].images[0].get_array()
    np.testing.assert_array_equal(image, [[1, 1.5], [2, 1.5]])  # DKM, k-means; equal on c
    assert drawing.methods == ("dkm", "km")
    assert drawing.datasets == ("a", "c")  # b has no labels
    assert drawing.alt.endswith("DKM 1.25, k-means 1.75.")
    assert draw_ranks(scores[scores["method"] == "km"], METHODS, {"a": "A"}) is None
    assert draw_ranks(scores.assign(acc=np.nan, nmi=np.nan, ari=np.nan), METHODS, {"a": "A"}) is None


def test_profiles_count_the_runs_that_reach_a_score(scores):
    rows = [("a", "dkm", seed, nmi) for seed, nmi in enumerate((0.1, 0.8, 0.8, 0.9))]
    rows += [("b", "dkm", 0, 0.2), ("a", "km", 0, 0.5), ("b", "km", 0, 0.6), ("c", "km", 0, 0.9)]
    scores = pd.DataFrame(rows, columns=["dataset", "method", "seed", "nmi"])
    drawing = draw_profiles(scores, METHODS, {"a": "A", "b": "B", "c": "C"})  # c lacks DKM
    shares = {title: dict(np.round(line.get_xydata(), 6)) for title, line in curves_of(drawing.figure.axes[0]).items()}
    reached = {level: [shares[title][level] for title in ("DKM", "k-means")] for level in (10, 50, 60, 90)}
    assert reached == {10: [100, 100], 50: [37.5, 100], 60: [37.5, 50], 90: [12.5, 0]}
    assert drawing.alt.endswith("k-means 60.0 %, DKM 20.0 %.")
    assert draw_profiles(scores[scores["seed"] < 2], METHODS, {"a": "A"}) is None


def test_cost_adds_the_share_of_pretraining(scores):
    scores = scores[scores["dataset"] == "a"].assign(device_seconds=10.0)
    jobs = pd.DataFrame({"stage": ["autoencoder", "cluster"], "key": ["mlp", "dkm"], "seeds": ["0 1", "0 1"]})
    jobs = jobs.assign(device_seconds=[6.0, 100.0])
    drawing = draw_cost(scores, jobs, METHODS, {"km": None, "dkm": "mlp"}, dataset=A)
    means = {title: line.get_xydata()[0] for title, line in curves_of(drawing.figure.axes[0]).items()}
    assert means["k-means"].tolist() == pytest.approx([10, 55])
    assert means["DKM"].tolist() == pytest.approx([13, 60])
    assert draw_cost(scores.assign(acc=np.nan), jobs, METHODS, {}, dataset=A) is None


def test_critical_differences_are_those_of_the_statistics():
    random = np.random.default_rng(0)
    rows = [
        {"dataset": f"d{i}", "method": method, "seed": 0, "acc": place + 0.01 * random.random()}
        for i in range(8)
        for method, place in (("km", 0.2), ("dkm", 0.5), ("dkm_reinit", 0.8))
    ]
    scores = pd.DataFrame(rows).assign(nmi=0.5, ari=0.5)
    tables = compare_over_datasets(scores, datasets=[f"d{i}" for i in range(8)], methods=list(METHODS), nemenyi=True)
    drawing = draw_critical_difference(*tables, METHODS, metric="acc")
    assert drawing.methods == ("dkm_reinit", "dkm", "km")
    texts = [text.get_text() for text in drawing.figure.axes[0].texts]
    assert all(any(method.title in text for text in texts) for method in METHODS.values())
    one = compare_over_datasets(scores[scores["dataset"] == "d0"], datasets=["d0"], methods=list(METHODS))
    assert draw_critical_difference(*one, METHODS, metric="acc") is None


DRAW = """
import sys
import pandas as pd
from deepkm.report.figures.ranks import draw_critical_difference
from deepkm.report.figures.style import methods_of, save
tables = [pd.read_csv(path) for path in sys.argv[1:3]]
methods = methods_of({f"m{i}": f"Method {i}" for i in range(9)}, {})
save(draw_critical_difference(*tables, methods, metric="acc").figure, sys.argv[3])
"""


def test_critical_differences_do_not_depend_on_the_hash_seed(tmp_path):
    random = np.random.default_rng(0)
    keys = {"datasets": [f"d{i}" for i in range(5)], "methods": [f"m{i}" for i in range(9)]}
    rows = [
        {"dataset": dataset, "method": method, "seed": 0, "acc": 0.1 * int(method[1]) + 0.3 * random.random()}
        for dataset in keys["datasets"]
        for method in keys["methods"]
    ]
    tables = compare_over_datasets(pd.DataFrame(rows).assign(nmi=0, ari=0), **keys, nemenyi=True)
    for name, table in zip("ab", tables, strict=True):
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    for seed in "12":
        command = [sys.executable, "-c", DRAW, *(tmp_path / name for name in ("a.csv", "b.csv", seed))]
        subprocess.run(command, env=environment() | {"PYTHONHASHSEED": seed}, check=True)
    assert (tmp_path / "1.svg").read_bytes() == (tmp_path / "2.svg").read_bytes()
    assert (tmp_path / "1.png").read_bytes() == (tmp_path / "2.png").read_bytes()


def grid_of(values, **others):
    """Return parameters of one data set, a row per (lambda, alpha)."""
    rows = [{"method": f"m{i}", "clustering_weight": w, "alpha": a, **others} for i, (w, a) in enumerate(values)]
    return pd.DataFrame(rows).assign(dataset="a", estimator="x:CT", epochs=3)


def test_grids_are_methods_that_differ_in_nothing_else():
    square = [(1.0, 1.0), (1.0, 2.0), (10.0, 1.0), (10.0, 2.0)]
    [grid] = find_grids(grid_of(square))
    assert list(grid.columns) == ["method", "estimator", "clustering_weight", "alpha"]
    assert find_grids(grid_of(square[:2])) == []  # two are a pair, no grid
    assert find_grids(grid_of(square).assign(epochs=[1, 2, 3, 4])) == []
    [line] = find_grids(grid_of([(1.0, 1.0), (2.0, 1.0), (4.0, 1.0)], precision=np.nan))
    assert "alpha" not in line
    assert find_grids(grid_of(square).drop(columns=["clustering_weight", "alpha"])) == []


@pytest.mark.parametrize("alphas", [(1.0, 2.0), (1.0, 1.0)], ids=["a map", "a line"])
def test_sensitivity_shows_the_means_over_seeds(alphas):
    values = [(w, a) for w in (1.0, 10.0, 100.0) for a in dict.fromkeys(alphas)]
    rows = [("a", f"m{i}", seed, 0.1 * i + 0.02 * seed) for i in range(len(values)) for seed in range(2)]
    scores = pd.DataFrame(rows, columns=["dataset", "method", "seed", "acc"])
    methods = methods_of({f"m{i}": f"m{i}" for i in range(len(values))}, {})
    [grid] = find_grids(grid_of(values))
    drawing = draw_sensitivity(grid, scores.iloc[:-2], methods, dataset=A, stem="s")  # the last method is missing
    axis = drawing.figure.axes[0]
    if len(set(alphas)) == 2:
        expected = np.ma.masked_invalid([[1, 21, 41], [11, 31, np.nan]])
        np.testing.assert_allclose(axis.images[0].get_array(), expected)
        assert [label.get_text() for label in axis.get_xticklabels()] == ["1", "10", "100"]
    else:
        np.testing.assert_allclose(axis.lines[1].get_xydata(), [[1, 1], [10, 11]])


@pytest.fixture
def data(tmp_path):
    """Sixty images of 4 x 4 in three classes of one bright row each."""
    random = np.random.default_rng(0)
    target = np.arange(60) % 3
    feature = 10 * random.random((60, 4, 4))
    feature[np.arange(60), target] += 200
    names = np.array(["$a_1$", "<b>", "_c"])
    np.savez(tmp_path / "a.npz", feature=feature, target=target, image_shape=np.array([4, 4]), class_names=names)
    np.savez(tmp_path / "unlabelled.npz", feature=feature.reshape(60, 16))
    return tmp_path


def dataset_of(data, name="a"):
    return Dataset(data / f"{name}.npz", key="a", title="A", scaling="unit")


def run_of(dataset, *, codes=True, n_samples=60):
    """Return a run whose clusters are the classes, renumbered; the codes move apart over three snapshots."""
    target = np.arange(60) % 3
    sample = np.random.default_rng(1).permutation(60)[:n_samples]
    corners = np.array([[0, 0], [4, 0], [0, 4.0]])
    noise = np.random.default_rng(2).standard_normal((60, 2))
    z = np.stack([(corners[target] * spread + noise)[sample] for spread in (0, 1, 3)]).astype(np.float32)
    x = dataset.features
    return ClusteringRun(
        seed=7,
        labels=(target + 1) % 3,
        epochs=np.array([0, 1, 3]),
        sample=sample,
        codes=z if codes else None,
        centers=np.stack([corners[[2, 0, 1]] * spread for spread in (0, 1, 3)])
        if codes
        else np.stack([np.stack([x[target == k].mean(0) for k in (2, 0, 1)])] * 3),
        decoded_centers=np.stack([x[target == k].mean(0) for k in (2, 0, 1)]),
    )


def test_panels_hold_the_same_samples_in_the_colours_of_their_classes(data, curves):
    dataset = dataset_of(data)
    runs = {"dkm": run_of(dataset), "km": run_of(dataset, codes=False, n_samples=45)}
    rows = curves[curves["method"] == "dkm"].assign(seed=7).drop_duplicates("epoch")
    drawing = draw_tsne(runs, METHODS, rows, dataset=dataset)
    axes = np.array(drawing.figure.axes).reshape(2, 3)
    layouts = [[axis.collections[0].get_offsets() for axis in row] for row in axes]
    assert {layout.shape for row in layouts for layout in row} == {(45, 2)}  # those that both runs kept
    colors = {axis.collections[0].get_facecolor().tobytes() for axis in axes.flat}
    assert len(colors) == 1
    assert len(np.unique(axes[0, 0].collections[0].get_facecolor(), axis=0)) == 3
    assert not np.array_equal(layouts[0][1], layouts[0][2])
    np.testing.assert_array_equal(layouts[1][0], layouts[1][2])  # its code does not change
    assert [axis.get_title(loc="left") for axis in axes[0]] == ["epoch 0", "epoch 1", "epoch 3"]
    assert [axis.get_title(loc="right") for axis in axes[0]] == ["0 %", "10 %", "30 %"]
    assert axes[1, 0].get_title(loc="right") == ""  # unknown
    assert "DKM 30.0 %" in drawing.alt


def test_panels_without_labels_or_finite_codes(data, curves):
    dataset = dataset_of(data, "unlabelled")
    run = run_of(dataset)
    codes = run.codes.copy()
    codes[1] = np.nan
    codes[2] = 1.0
    run = ClusteringRun(**{**vars(run), "codes": codes})
    drawing = draw_tsne({"dkm": run}, METHODS, curves.iloc[:0], dataset=dataset)
    first, *others = drawing.figure.axes
    assert len(first.collections[0].get_offsets()) == 60
    assert all(axis.texts[0].get_text().startswith("no finite codes") for axis in others)
    assert "clusters" in drawing.caption
    assert draw_tsne({"dkm": ClusteringRun(seed=0, labels=run.labels)}, METHODS, curves, dataset=dataset) is None


def test_layouts_start_from_the_one_before():
    random = np.random.default_rng(0)
    z = random.standard_normal((60, 3)).astype(np.float32) + 8 * np.eye(3, dtype=np.float32)[np.arange(60) % 3]
    known = {}
    first, same, moved = lay_out(np.stack([z, z, z + 0.01]), known)
    np.testing.assert_array_equal(first, same)
    spread_out = np.ptp(first, axis=0).max()
    assert np.median(np.linalg.norm(moved - first, axis=1)) < 0.25 * spread_out
    [again] = lay_out(z[None], known)  # of another method on the same autoencoder
    assert again is first


def test_the_sample_has_as_many_of_each_class_as_there_are():
    target = np.repeat([0, 1, 2], [50, 30, 4])
    sample = np.random.default_rng(0).permutation(84)
    chosen = stratified(sample, target, 24)
    assert np.bincount(target[sample[chosen]]).tolist() == [10, 10, 4]
    assert len(stratified(sample, target, 500)) == 84
    assert stratified(sample, None, 5).tolist() == [0, 1, 2, 3, 4]


def test_ten_of_many_classes_get_a_colour():
    assert len(shown_groups(np.arange(100))) == 10
    assert shown_groups(np.array([3, 1, 1])).tolist() == [1, 3]


def test_histograms_hold_all_samples(data):
    before, after = np.full(60, 0.5), np.r_[np.full(45, 0.99), np.full(15, 0.41)]
    pairs = {"dkm": (before, after), "km": (np.full(3, np.nan), after)}
    drawing = draw_memberships(pairs, METHODS, 3, dataset=dataset_of(data))
    assert drawing.methods == ("dkm",)  # of a run that diverged there is nothing to see
    filled, outline = (patch.get_data() for patch in drawing.figure.axes[0].patches)
    assert filled.edges[[0, -1]] == pytest.approx([1 / 3, 1])
    assert filled.values[-1] == pytest.approx(75)
    assert filled.values.sum() == outline.values.sum() == pytest.approx(100)
    assert "DKM 75 %" in drawing.alt
    assert draw_memberships({}, METHODS, 3, dataset=dataset_of(data)) is None


def test_images_are_sorted_by_their_distance(data):
    dataset = dataset_of(data)
    run = run_of(dataset, n_samples=45)
    drawing = draw_members("dkm", run, METHODS, dataset=dataset)
    [axis] = drawing.figure.axes
    pixels = np.asarray(axis.images[0].get_array())
    largest = np.bincount(run.labels[run.sample]).argmax()
    places = np.flatnonzero(run.labels[run.sample] == largest)
    distance = np.linalg.norm(run.codes[-1][places] - run.centers[-1][largest], axis=1)
    nearest, farthest = run.sample[places[distance.argmin()]], run.sample[places[distance.argmax()]]
    for left, image in ((0, run.decoded_centers[largest]), (7, dataset.features[nearest])):
        np.testing.assert_allclose(pixels[:4, left : left + 4], scale(image.reshape(4, 4), "unit"))
    row = pixels[:4][:, ~np.isnan(pixels[0])]
    np.testing.assert_allclose(row[:, -4:], scale(dataset.features[farthest].reshape(4, 4), "unit"))
    assert not axis.patches  # all members are of one class
    assert "20 samples, 100 % class" in drawing.alt
    inverted = ClusteringRun(**{**vars(run), "labels": np.zeros(60, int)})
    assert len(draw_members("dkm", inverted, METHODS, dataset=dataset).figure.axes[0].patches) > 0
    assert draw_members("dkm", run, METHODS, dataset=dataset_of(data, "unlabelled")) is None


def test_coloured_images(data, tmp_path):
    feature = np.random.default_rng(0).integers(0, 255, (60, 4, 5, 3), np.uint8)
    np.savez(tmp_path / "a.npz", feature=feature, image_shape=np.array([4, 5, 3]))
    dataset = dataset_of(tmp_path)
    drawing = draw_members("km", run_of(dataset, codes=False), METHODS, dataset=dataset)
    assert drawing.figure.axes[0].images[0].get_array().shape[2] == 3


@pytest.mark.parametrize(("n_classes", "n_clusters"), [(4, 4), (3, 5), (5, 3)])
def test_matched_clusters_lie_on_the_diagonal(n_classes, n_clusters):
    random = np.random.default_rng(0)
    target, labels = random.integers(0, n_classes, 200), random.integers(0, n_clusters, 200)
    table, classes, clusters = align(labels, target)
    assert np.trace(table) / 200 == pytest.approx(accuracy(contingency(target, labels)))
    for i, k in enumerate(classes):
        for j, cluster in enumerate(clusters):
            assert table[i, j] == ((target == k) & (labels == cluster)).sum()


def test_contingency_in_percent_of_each_class(data):
    dataset = dataset_of(data)
    drawing = draw_contingency({"dkm": run_of(dataset)}, METHODS, dataset=dataset)
    np.testing.assert_allclose(drawing.figure.axes[0].images[0].get_array(), 100 * np.eye(3))
    assert [label.get_text() for label in drawing.figure.axes[0].get_yticklabels()] == ["$a_1$", "<b>", "_c"]
    assert [label.get_text() for label in drawing.figure.axes[0].get_xticklabels()] == ["1", "2", "0"]
    assert draw_contingency({"dkm": run_of(dataset)}, METHODS, dataset=dataset_of(data, "unlabelled")) is None


def test_names_of_classes_are_no_formulas_and_leave_room(data, tmp_path):
    names = ["$\\frac$", "two\nlines", "x" * 300]
    found = dict(np.load(data / "a.npz")) | {"class_names": np.array(names)}
    np.savez(data / "a.npz", **found)
    dataset = dataset_of(data)
    figure = draw_contingency({"dkm": run_of(dataset)}, METHODS, dataset=dataset).figure
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["$\\frac$", "two lines", "x" * 30 + " ..."]
    save(figure, tmp_path / "a")
    assert not any(text.get_parse_math() for text in figure.findobj(Text))


def test_which_methods_get_panels():
    assert chosen_methods(["a", "b", "c"], ["c", "b", "x"]) == ["b", "c"]
    assert chosen_methods(list("abcdefg"), ["x"]) == list("abcde")


def test_a_study_of_hostile_names_one_method_and_no_labels(curves, tmp_path):
    title = "<script>alert(1)</script> $x_1$ & $\\frac$ _y_"
    curves = curves[(curves["method"] == "dkm") & (curves["seed"] == 0)].assign(acc=np.nan, nmi=np.nan)
    scores = pd.DataFrame([{"dataset": "a", "method": "dkm", "seed": 0, "acc": np.nan, "nmi": np.nan, "ari": np.nan}])
    numbers = Numbers(
        scores=scores.assign(device_seconds=1.0),
        epochs=curves,
        jobs=pd.DataFrame(columns=["dataset", "stage", "key", "seeds", "device_seconds"]),
        parameters=pd.DataFrame([{"dataset": "a", "method": "dkm", "estimator": "x:DKM", "alpha": 1.0}]),
        **dict(
            zip(("friedman", "nemenyi"), compare_over_datasets(scores, datasets=["a"], methods=["dkm"]), strict=True)
        ),
    )
    spec = {"methods": [["dkm", title]], "datasets": [["a", title]], "jobs": {"methods": [["dkm", None]]}}
    spec |= {"ablations": [], "panels": [], "features": {}, "colors": {}}
    drawings = list(draw_study(numbers, spec, files={("a", "dkm"): []}, load=None))
    assert [drawing.stem for drawing in drawings] == ["a_losses"]
    for drawing in drawings:
        save(drawing.figure, tmp_path / drawing.stem)
        assert title in {text.get_text() for text in drawing.figure.axes[0].texts}
