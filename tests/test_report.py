import numpy as np
import pandas as pd
import pytest

from deepkm.report.figures import COLORS, color_of, draw_ablations, draw_losses, draw_scores, save
from deepkm.report.samples import shown_samples

TITLES = {"km": "k-means", "dkm": "DKM", "dkm_reinit": "DKM, re-init"}


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
    figure = draw_losses(curves, TITLES, title="A")
    reconstruction, clustering = figure.axes
    assert len(reconstruction.lines) == 1  # k-means trains nothing
    np.testing.assert_allclose(reconstruction.lines[0].get_xydata(), [[1, 1], [2, 1 / 2], [3, 1 / 3]])
    np.testing.assert_allclose(clustering.lines[0].get_ydata(), 1.5)
    assert draw_losses(curves[curves["method"] == "km"], TITLES, title="A") is None


def test_score_curves_hold_the_means_over_seeds(curves):
    accuracy, _ = draw_scores(curves, TITLES, title="A").axes
    np.testing.assert_allclose(accuracy.lines[0].get_ydata(), [0.5, 10.5, 20.5, 30.5])
    level = next(artist for artist in accuracy.collections if artist.get_label() == "k-means")
    np.testing.assert_allclose(level.get_segments()[0], [[0, 25], [3, 25]])
    assert draw_scores(curves.assign(acc=np.nan), TITLES, title="A") is None


def test_score_axes_reach_down_to_what_is_reached_in_the_end(curves):
    accuracy, _ = draw_scores(curves, TITLES, title="A").axes
    assert accuracy.get_ylim()[0] == pytest.approx(20)  # 5 below k-means; DKM starts at 0 and ends at 30
    collapsed = curves.loc[curves["method"] == "km"].assign(method="dkm_reinit", acc=0.01, n_clusters_used=1)
    accuracy, _ = draw_scores(pd.concat([curves, collapsed]), TITLES, title="A").axes
    assert accuracy.get_ylim()[0] == pytest.approx(20)


def test_curves_end_where_the_last_run_stopped(curves):
    stopped = curves["epoch"].gt(0).where(curves["seed"] == 0, curves["epoch"] > 1)  # after epochs 1 and 2
    curves = curves.assign(stopped=stopped.astype(object).where(curves["epoch"] > 0, np.nan))
    for figure in (draw_losses(curves, TITLES, title="A"), draw_scores(curves, TITLES, title="A")):
        assert figure.axes[0].lines[0].get_xdata().max() == 2


def test_ablation_bars_are_means_and_points_are_seeds(scores):
    scores = pd.concat([scores, scores.assign(method="dkm_reinit", acc=scores["acc"] + 0.1)])
    scores = scores[scores["dataset"] == "a"].drop_duplicates(["method", "seed"])
    accuracy, _ = draw_ablations(scores, TITLES, [["dkm_reinit", "dkm"]], title="A").axes
    assert [bar.get_height() for bar in accuracy.patches] == pytest.approx([60, 70])
    np.testing.assert_allclose([sorted(line.get_ydata()) for line in accuracy.lines], [[50, 70], [60, 80]])
    assert accuracy.get_ylim()[0] == 0  # bars that start elsewhere exaggerate
    assert draw_ablations(scores, TITLES, [], title="A") is None


def test_colours_stay_with_their_methods():
    assert color_of("ct", ["ct", "mine"]) == color_of("ct", ["dkm", "ct"]) == COLORS["ct"]
    assert color_of("mine", ["ct", "mine", "yours"]) != color_of("yours", ["ct", "mine", "yours"])
    assert len(set(COLORS.values())) == len(COLORS)


def test_saving_twice_gives_the_same_bytes(curves, tmp_path):
    for name in ("first", "second"):
        save(draw_losses(curves, TITLES, title="A"), tmp_path / name)
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
