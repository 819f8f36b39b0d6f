import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from conftest import environment
from matplotlib.text import Text

from deepkm.datasets.features import scale
from deepkm.datasets.preview import shown_samples
from deepkm.numerics.metrics import accuracy, contingency
from deepkm.report.figures.contingency import align, draw_contingency
from deepkm.report.figures.cost import draw_cost
from deepkm.report.figures.curves import RESTARTED, draw_scores
from deepkm.report.figures.differences import draw_ablations, draw_baseline
from deepkm.report.figures.gallery import chosen_methods, draw_study
from deepkm.report.figures.inputs import ClusteringRun, Dataset, Numbers
from deepkm.report.figures.losses import draw_losses
from deepkm.report.figures.members import draw_members
from deepkm.report.figures.memberships import draw_memberships
from deepkm.report.figures.profiles import draw_profiles
from deepkm.report.figures.ranks import draw_critical_difference, draw_ranks
from deepkm.report.figures.sensitivity import draw_sensitivity, find_grids
from deepkm.report.figures.style import MOST_COLORS, methods_of, save
from deepkm.report.figures.tsne import draw_tsne, lay_out, shown_groups, stratified
from deepkm.report.statistics.ranks import compare_over_datasets
from deepkm.study.panels import default_panels

A = ("a", "A")
METHODS = methods_of({"km": "k-means", "dkm": "DKM", "dkm_reinit": "DKM, re-init"}, {"dkm": "#ddaa33"})


ESTIMATORS = {"km": "x:KMeans", "dkm": "x:DKM", "dkm_reinit": "x:DKM"}


def curves_of(axis, kept=""):
    """Return the lines of methods by their titles; those of the key have none."""
    return {
        line.get_label(): line
        for line in axis.lines
        if not line.get_label().startswith("_") or line.get_label() == kept
    }


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


def test_loss_curves_hold_the_means_over_seeds_and_begin_before_training(curves):
    starts = pd.DataFrame({"method": "dkm", "seed": [0, 1], "reconstruction_start": [3.0, 5.0]})
    figure = draw_losses(curves, METHODS, dataset=A, estimators=ESTIMATORS, starts=starts).figure
    reconstruction, clustering = figure.axes
    assert list(curves_of(reconstruction)) == ["DKM"]  # k-means trains nothing
    np.testing.assert_allclose(reconstruction.lines[0].get_xydata(), [[0, 4], [1, 1], [2, 1 / 2], [3, 1 / 3]])
    np.testing.assert_allclose(clustering.lines[0].get_ydata(), 1.5)
    assert reconstruction.get_xlim()[0] == clustering.get_xlim()[0] == 0
    km = curves[curves["method"] == "km"]
    assert draw_losses(km, METHODS, dataset=A, estimators=ESTIMATORS) is None


def test_losses_of_one_class_share_a_panel_and_other_classes_have_their_own(curves):
    trained = curves[curves["method"] == "dkm"]
    others = [trained.assign(method=method) for method in ("dkm_reinit", "ct")]
    methods = methods_of({"dkm": "DKM", "dkm_reinit": "DKM, re-init", "ct": "CT"}, {})
    drawing = draw_losses(pd.concat([trained, *others]), methods, dataset=A, estimators=ESTIMATORS | {"ct": "x:CT"})
    shown = [axis for axis in drawing.figure.axes if axis.get_visible()]
    assert [sorted(curves_of(axis)) for axis in shown] == 2 * [["DKM", "DKM, re-init"], ["CT"]]
    assert shown[0].get_ylim() == shown[1].get_ylim()  # squared errors compare


def test_score_curves_hold_the_means_over_seeds(curves):
    accuracy, _ = draw_scores(curves, METHODS, dataset=A).figure.axes
    np.testing.assert_allclose(curves_of(accuracy)["DKM"].get_ydata(), [0.5, 10.5, 20.5, 30.5])
    level = next(artist for artist in accuracy.collections if artist.get_label() == "k-means")
    np.testing.assert_allclose(level.get_segments()[0], [[0, 25], [3, 25]])
    assert accuracy.get_ylim()[0] < 0.5  # all of a curve, from epoch 0 on
    assert draw_scores(curves.assign(acc=np.nan), METHODS, dataset=A) is None


def test_a_mean_is_of_all_runs_though_some_were_read_seldom(curves):
    """Epochs without scores, and those that one seed alone has, are no points of a curve; losses have all epochs."""
    curves.loc[(curves["epoch"] == 2) & (curves["seed"] == 1), ["acc", "nmi"]] = np.nan
    accuracy, _ = draw_scores(curves, METHODS, dataset=A).figure.axes
    np.testing.assert_allclose(curves_of(accuracy)["DKM"].get_xydata(), [[0, 0.5], [1, 10.5], [3, 30.5]])
    losses = draw_losses(curves, METHODS, dataset=A, estimators=ESTIMATORS).figure.axes[0]
    assert curves_of(losses)["DKM"].get_xdata().tolist() == [1, 2, 3]


def test_a_curve_ends_with_the_labels_of_its_last_run_that_stopped(curves):
    """Both stopped after epoch 1 or 2, and labels were read after 1 and 3."""
    curves = curves.assign(stopped=(curves["epoch"] > 1).astype(object).where(curves["epoch"] > 0, np.nan))
    curves.loc[curves["epoch"] == 2, ["acc", "nmi"]] = np.nan
    accuracy, _ = draw_scores(curves, METHODS, dataset=A).figure.axes
    assert curves_of(accuracy)["DKM"].get_xdata().tolist() == [0, 1, 3]
    losses = draw_losses(curves.assign(stopped=True), METHODS, dataset=A, estimators=ESTIMATORS)
    assert curves_of(losses.figure.axes[0])["DKM"].get_xdata().tolist() == [1]  # of which nothing went on


def test_a_final_read_out_by_other_means_is_no_part_of_the_curve(curves):
    longer = curves.replace({"method": {"dkm": "km", "km": "other"}})
    accuracy, _ = draw_scores(longer, METHODS, dataset=A, estimators={"km": RESTARTED}).figure.axes
    curve, ring = curves_of(accuracy)["k-means"], next(line for line in accuracy.lines if line.get_label() == "_ring")
    assert curve.get_xdata().tolist() == [0, 1, 2]
    assert ring.get_xydata().tolist() == [[3, pytest.approx(30.5)]]


def test_of_many_methods_the_chosen_ones_are_in_colour(curves):
    methods = methods_of({f"m{i}": f"Method {i}" for i in range(25)}, {})
    trained, level = curves[curves["method"] == "dkm"], curves[curves["method"] == "km"]
    many = pd.concat([(trained if i < 20 else level).assign(method=f"m{i}") for i in range(25)])
    drawing = draw_scores(many, methods, dataset=A, chosen=["m7", "m3"])
    accuracy = drawing.figure.axes[0]
    assert list(curves_of(accuracy)) == ["Method 3", "Method 7"]
    labels = [line.get_label() for line in accuracy.lines]
    assert (labels.count("_faint"), labels.count("_level")) == (18, 5)
    assert [text.get_text().strip() for text in drawing.figure.legends[0].get_texts()] == [
        "Method 3",
        "Method 7",
        "other methods",
    ]
    assert len(curves_of(draw_scores(many, methods, dataset=A).figure.axes[0])) == MOST_COLORS


def test_curves_end_where_the_last_run_stopped(curves):
    stopped = curves["epoch"].gt(0).where(curves["seed"] == 0, curves["epoch"] > 1)  # after epochs 1 and 2
    curves = curves.assign(stopped=stopped.astype(object).where(curves["epoch"] > 0, np.nan))
    losses = draw_losses(curves, METHODS, dataset=A, estimators=ESTIMATORS)
    for drawing in (losses, draw_scores(curves, METHODS, dataset=A)):
        assert curves_of(drawing.figure.axes[0])["DKM"].get_xdata().max() == 2


def points_of(axis):
    """Return of each row the seeds and the mean that are drawn, and the interval."""
    lines = [line.get_xdata() for line in axis.lines if line.get_label() != "_zero"]
    return [[np.atleast_1d(values).tolist() for values in lines[i : i + 3]] for i in range(0, len(lines), 3)]


def test_ablations_are_paired_differences_around_zero(scores):
    without = scores[scores["dataset"] == "a"]
    both = pd.concat([without, without.assign(method="dkm_reinit", acc=0.6, nmi=0.6)]).drop_duplicates(
        ["method", "seed"]
    )
    drawing = draw_ablations(both, METHODS, [["dkm_reinit", "dkm", "views"]], dataset=A)
    accuracy, _ = drawing.figure.axes
    [[interval, seeds, mean]] = points_of(accuracy)
    assert (sorted(seeds), mean) == ([pytest.approx(-10), pytest.approx(10)], [pytest.approx(0, abs=1e-9)])
    assert np.isnan(interval).all()  # of two seeds
    assert "views" in drawing.title
    assert draw_ablations(both, METHODS, [], dataset=A) is None


def test_differences_to_the_baseline_by_hand():
    rows = [(method, seed, base + 0.01 * seed * slope) for seed in range(6) for method, base, slope in FOREST]
    scores = pd.DataFrame(rows, columns=["method", "seed", "nmi"]).assign(dataset="a", acc=0.5)
    drawing = draw_baseline(scores, METHODS, dataset=A)
    nmi = drawing.figure.axes[1]
    assert [label.get_text() for label in drawing.figure.axes[0].get_yticklabels()] == ["DKM, re-init", "DKM"]
    [better, worse] = points_of(nmi)
    assert better[1] == pytest.approx([10, 11, 12, 13, 14, 15])
    assert better[2] == [pytest.approx(12.5)]
    assert 10 < better[0][0] < 12.5 < better[0][1] < 15
    assert worse[1] == pytest.approx(6 * [-20])
    assert "k-means" in drawing.title
    assert draw_baseline(scores[scores["method"] != "km"], METHODS, dataset=A) is None


FOREST = [("km", 0.5, 1), ("dkm", 0.3, 1), ("dkm_reinit", 0.6, 2)]


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
        save(draw_scores(curves, METHODS, dataset=A).figure, tmp_path / name)
    assert "Fine-tuning epoch</text>" in (tmp_path / "first.svg").read_text()
    for suffix in (".png", ".svg", ".pdf"):
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
    assert means["k-means"].tolist() == pytest.approx([10, 27.5])
    assert means["DKM"].tolist() == pytest.approx([13, 30])
    assert curves_of(drawing.figure.axes[0], "_front")["_front"].get_xydata().tolist() == pytest.approx(
        np.array([[10, 27.5], [13, 30], [13, 30]])
    )
    assert draw_cost(scores.assign(nmi=np.nan), jobs, METHODS, {}, dataset=A) is None


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
    assert "own clusters" in drawing.caption
    assert "ACC" not in drawing.caption  # there is none
    assert draw_tsne({"dkm": ClusteringRun(seed=0, labels=run.labels)}, METHODS, curves, dataset=dataset) is None


def test_keys_of_long_names_stay_on_their_figure(data, curves):
    dataset = dataset_of(data)
    dataset.class_names = [f"a class with a rather long name, {k}" for k in range(3)]
    figure = draw_tsne({"dkm": run_of(dataset)}, METHODS, curves, dataset=dataset).figure
    figure.draw_without_rendering()
    key, page = figure.legends[0].get_window_extent(), figure.bbox
    assert page.x0 <= key.x0 < key.x1 <= page.x1
    assert key.y1 < figure.axes[0].get_window_extent().y0


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


def test_of_many_classes_those_in_colour_have_half_of_the_points():
    target = np.tile(np.arange(100), 72)
    places = stratified(np.arange(7200), target, 300, colored=shown_groups(target))
    counts = np.bincount(target[places])
    assert (len(places), sorted(set(counts[shown_groups(target)])), max(np.delete(counts, shown_groups(target)))) == (
        300,
        [15],
        2,
    )


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


def test_quartiles_of_memberships_before_and_after(data):
    before, after = np.full(60, 0.5), np.r_[np.full(20, 0.4), np.full(40, 0.99)]
    pairs = {"dkm": (before, after), "km": (np.full(3, np.nan), after)}
    drawing = draw_memberships(pairs, METHODS, dataset=dataset_of(data))
    assert drawing.methods == ("dkm",)  # of a run that diverged there is nothing to see
    bars = [line.get_xdata() for line in drawing.figure.axes[0].lines]
    assert [np.atleast_1d(bar).tolist() for bar in bars] == [
        [50, 50],
        [50],
        pytest.approx([40, 99]),
        pytest.approx([99]),
    ]
    assert "DKM 99 %" in drawing.alt
    assert draw_memberships({}, METHODS, dataset=dataset_of(data)) is None


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
    assert "n = 20, 100 % class" in drawing.alt
    inverted = ClusteringRun(**{**vars(run), "labels": np.zeros(60, int)})
    assert len(draw_members("dkm", inverted, METHODS, dataset=dataset).figure.axes[0].patches) > 0
    assert draw_members("dkm", run, METHODS, dataset=dataset_of(data, "unlabelled")) is None


def test_coloured_images(data, tmp_path):
    feature = np.random.default_rng(0).integers(0, 255, (60, 4, 5, 3), np.uint8)
    np.savez(tmp_path / "a.npz", feature=feature, image_shape=np.array([4, 5, 3]))
    dataset = dataset_of(tmp_path)
    drawing = draw_members("km", run_of(dataset, codes=False), METHODS, dataset=dataset)
    assert drawing.figure.axes[0].images[0].get_array().shape[2] == 3


def test_a_caption_says_which_clusters_are_shown(data):
    run = run_of(dataset_of(data))
    many = replace(run, labels=np.arange(60) % 15, centers=np.zeros((3, 15, 2)), decoded_centers=None)
    caption = draw_members("dkm", many, METHODS, dataset=dataset_of(data)).caption
    assert "10 of 15 clusters" in caption
    assert "of 3 clusters" not in draw_members("dkm", run, METHODS, dataset=dataset_of(data)).caption


def test_controls_whose_centers_lie_elsewhere_show_their_members(data):
    run = replace(run_of(dataset_of(data), codes=False), centers=np.zeros((3, 3, 2)))  # of principal components
    assert draw_members("km", run, METHODS, dataset=dataset_of(data)) is not None


@pytest.mark.parametrize("n_classes", [20, 40])
def test_many_classes_stay_readable(data, n_classes):
    dataset = dataset_of(data)
    dataset.target = np.arange(120) % n_classes
    dataset.class_names = [str(k) for k in range(1, n_classes + 1)]
    labels = np.where(dataset.target < 5, dataset.target, (dataset.target + np.arange(120) // n_classes) % n_classes)
    drawing = draw_contingency({"dkm": replace(run_of(dataset), labels=labels)}, METHODS, dataset=dataset)
    axis = drawing.figure.axes[0]
    assert not axis.texts  # numbers that would run into each other
    drawing.figure.draw_without_rendering()
    for ticks in (axis.get_xticklabels(), axis.get_yticklabels()):
        boxes = [label.get_window_extent() for label in ticks]
        assert not any(box.overlaps(other) for box, other in pairwise(boxes))
        assert ticks[0].get_text() in ("0", "1")
    if n_classes == 40:
        diagonal = np.diagonal(axis.images[0].get_array())
        assert (np.diff(diagonal) <= 0).all()
        assert diagonal[:5].tolist() == 5 * [100]


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


def test_a_lost_cluster_leaves_its_column_blank(data):
    dataset = dataset_of(data)
    run = run_of(dataset)
    lost = replace(run, labels=np.where(run.labels == 2, 0, run.labels))
    drawing = draw_contingency({"dkm": run, "km": lost}, METHODS, dataset=dataset)
    assert [axis.get_xlim() for axis in drawing.figure.axes[:2]] == 2 * [(-0.5, 2.5)]
    assert "blank columns" in drawing.caption
    assert "blank columns" not in draw_contingency({"dkm": run}, METHODS, dataset=dataset).caption


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
    entries = {key: {"estimator": f"deepkm.methods.{key}:A"} for key in ("km", "dkm", "ct")}
    own = {f"mine{i}": {"estimator": "mine:A"} for i in range(6)}
    assert default_panels([*entries, "mine0"], entries | own) == ["mine0", "dkm", "ct"]
    assert default_panels([*entries, *own], entries | own) == [f"mine{i}" for i in range(5)]


def test_data_that_cannot_be_drawn_cost_their_own_figure_and_a_line(curves, scores, capsys):
    empty = pd.DataFrame(columns=["dataset", "metric", "stage", "method", "estimator"])
    numbers = Numbers(
        scores=scores.assign(ari=0.5, device_seconds=1.0),
        epochs=curves,
        jobs=empty,
        parameters=empty,
        friedman=empty,
        nemenyi=empty,
    )
    spec = {"methods": [["km", "k-means"], ["dkm", "DKM"]], "datasets": [["a", "A"], ["b", "B"]], "ablations": []}
    spec |= {"panels": [], "colors": {}, "jobs": {"methods": [["dkm", 5], ["km", None]]}}

    def load(key):
        raise IndexError(f"{key} is\nodd")

    drawings = {d.stem: d.about() for d in draw_study(numbers, spec, files={("a", "dkm"): ["x"]}, load=load)}
    assert drawings["a_scores_over_epochs"]["drawn"]
    assert drawings["a_losses"]["group"] == "Training"
    assert "warning: A: single runs: not drawn: IndexError: a is odd\n" in capsys.readouterr().err
    told = drawings["a_figures_of_single_runs"]
    assert (told["drawn"], told["group"], told["title"]) == (False, "Clusters", "A: figures of single runs")
    assert "could not be drawn (IndexError: a is odd)" in told["caption"]


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
        shown = drawing.figure.axes[0].get_title()
        assert "".join(shown.split()) == "".join(title.split())
