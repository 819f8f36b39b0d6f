"""What needs no classes: sizes, separation and agreement, by hand; where it is measured, where the page shows it."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score
from test_models import SEEDS, Jobs, raw
from test_page import make_results

from deepkm.report.figures.agreement import draw_agreement
from deepkm.report.figures.style import methods_of
from deepkm.report.page.content import page_content
from deepkm.report.page.render import render
from deepkm.report.page.tables import structure_table
from deepkm.report.statistics import structure as measures
from deepkm.report.statistics.structure import agreement, describe_sizes, separation
from deepkm.stages import labels

LINE = np.array([[0.0], [1.0], [10.0], [12.0]])
TITLES = {"km": "k-means", "ct": "CT", "ward": "Ward"}


def test_sizes():
    assert describe_sizes(np.array([1, 1, 1, 1]), 3) == {
        "n_clusters": 3,
        "n_clusters_used": 1,
        "largest_share": 1.0,
        "sizes": "4 0 0",
    }


def test_separation_by_hand():
    """Silhouettes (b - a) / max(a, b); Davies and Bouldin: (0.5 + 1) / 10.5 for both clusters."""
    found = separation(LINE, np.array([0, 0, 1, 1]))
    assert found[0] == pytest.approx(np.mean([1 - 1 / 11, 1 - 1 / 10, 1 - 2 / 9.5, 1 - 2 / 11.5]))
    assert found[1] == pytest.approx(1.5 / 10.5)
    assert separation(LINE, np.array([0, 0, 1, 1]), np.abs(LINE - LINE.T)) == pytest.approx(found)


@pytest.mark.parametrize("found", [[0, 0, 0, 0], [0, 1, 2, 3]])
def test_what_is_no_grouping_has_no_separation(found):
    assert np.isnan(separation(LINE, np.array(found))).all()


def test_agreement_is_that_of_pairs():
    random = np.random.default_rng(0)
    a, b, c, d = random.integers(0, 3, (4, 30))
    rows = agreement({"x": {0: a, 1: b, 2: c}, "y": {1: d, 5: a}, "z": {9: a}})
    found = {(row["method"], row["other"]): (row["ari"], row["n_pairs"]) for row in rows}
    pairs = [adjusted_rand_score(*pair) for pair in ((a, b), (a, c), (b, c))]
    assert found["x", "x"] == (pytest.approx(np.mean(pairs)), 3)
    assert found["x", "y"] == (pytest.approx(adjusted_rand_score(b, d)), 1)
    for pair in (("z", "z"), ("x", "z")):
        assert np.isnan(found[pair][0])
        assert found[pair][1] == 0


@pytest.fixture(scope="module")
def jobs(tmp_path_factory):
    """Two methods, two seeds each, on data without classes."""
    jobs = Jobs(tmp_path_factory.mktemp("structure"), raw())
    for key in ("km", "ct"):
        jobs.train(key, seeds=SEEDS)
    return jobs


def tables(jobs):
    table = jobs.tabulate(["km", "ct"], SEEDS)
    return table, *(pd.read_csv(jobs.folder / "results" / f"{name}.csv") for name in ("structure", "agreement"))


def test_runs_on_data_without_classes_are_measured(jobs, monkeypatch):
    table, structure, agree = tables(jobs)
    assert structure[["method", "seed"]].to_numpy().tolist() == [["km", 5], ["km", 6], ["ct", 5], ["ct", 6]]
    assert (structure["n_data"] == 100).all()
    assert structure["n_code"].fillna(0).tolist() == [0, 0, 100, 100]
    assert structure["silhouette_code"].notna().tolist() == [False, False, True, True]
    own = agree[agree["method"] == agree["other"]].set_index("method")["ari"]
    assert own["ct"] == pytest.approx(adjusted_rand_score(table["ct_seed5"], table["ct_seed6"]))
    monkeypatch.setattr(labels, "LARGEST_SAMPLE", 40)
    _, structure, agree = tables(jobs)
    assert (structure["n_data"] == 40).all()
    shown = structure_table(structure, agree, "mine", datasets={"mine": "Mine"}, methods=TITLES)
    assert [row[0].text for row in shown.rows] == ["k-means", "CT"]
    assert "On the data: of 40 samples of 100, drawn at random." in shown.notes


def test_with_classes_nothing_is_measured_but_labels_are_there(tmp_path):
    x = raw()
    np.savez(tmp_path / "mine.npz", feature=x, target=np.arange(len(x)) % 3)
    with_classes = Jobs(tmp_path)
    for key in ("km", "ct"):
        with_classes.train(key, seeds=SEEDS)
    table, structure, agree = tables(with_classes)
    assert list(table) == ["sample", "km_seed5", "km_seed6", "ct_seed5", "ct_seed6"]
    assert structure.empty
    assert agree.empty


def test_a_heatmap_of_agreement(jobs):
    agree = tables(jobs)[2]
    drawn = draw_agreement(agree, methods_of(TITLES, {}), dataset=("mine", "Mine"))
    value = agree.loc[agree["method"] != agree["other"], "ari"].item()
    assert drawn.methods == ("km", "ct")
    assert drawn.alt.startswith(f"Heatmap of adjusted Rand indices. Most alike: k-means and CT, {value:.2f}")
    assert draw_agreement(agree[:1], methods_of(TITLES, {}), dataset=("mine", "Mine")) is None
    assert draw_agreement(pd.DataFrame(), methods_of(TITLES, {}), dataset=("mine", "Mine")) is None


def test_a_page_without_classes_leaves_out_what_would_be_empty(tmp_path):
    results = make_results(tmp_path)
    sections = [section["key"] for section in page_content(results)["sections"]]
    assert {"scores", "statistics"} <= set(sections)
    assert "structure" not in sections
    key = next(iter(results.datasets))
    results.scores.loc[:, ["acc", "nmi", "ari"]] = np.nan
    rows = [{"dataset": key, "method": m, "seed": 0, **describe_sizes(np.array([0, 1, 1]), 2)} for m in results.methods]
    pairs = [{"dataset": key, **row} for row in agreement({m: {0: np.array([0, 1, 1])} for m in results.methods})]
    without = {"structure": pd.DataFrame(rows, columns=measures.STRUCTURE_COLUMNS), "agreement": pd.DataFrame(pairs)}
    content = page_content(type(results)(**{**vars(results), **without}))
    sections = [section["key"] for section in content["sections"]]
    assert "structure" in sections
    assert not {"scores", "statistics", "ablations", "beside"} & set(sections)
    page = render(**content)
    assert "On codes they do not compare between methods" in page
    assert "no labels" not in page.partition('id="methods"')[2]
