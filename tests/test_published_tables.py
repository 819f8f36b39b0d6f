"""Tables of docs are what the published rows give."""

import re
from functools import cache

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT
from scipy.stats import wilcoxon

from deepkm.report.frames import read_frame
from deepkm.report.statistics.ends import MEASURES, compare_ends
from deepkm.report.statistics.equivalence import posterior_of
from deepkm.report.tables.layout import to_markdown
from deepkm.study.inventory import load_study
from docs import results
from docs.contrasts import contrasts_on
from docs.ranks import rank_intervals

RECORDS = sorted(path.parent.name for path in results.FOLDER.glob(f"*/{results.SCORES}"))


def test_no_table_of_the_documents_differs_from_its_rows():
    assert results.LEADERBOARD.read_text(encoding="utf-8") == results.leaderboard(), "call make results"
    for path in results.DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        assert results.with_tables(text) == text, f"{path.name}: call make results"


def claims():
    """Yield what sentences rest on: study, data set, column, runs at least, points between, the higher, the lower."""
    pattern = r"<!-- holds: (\S+) (\S+) (\w+), (\d+) runs(?:, by ([\d.]+))?: ([\w ]+) > ([\w ]+) -->"
    for path in results.DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        found = re.findall(pattern, text)
        assert len(found) == len(re.findall("<!-- holds: (?!performance/)", text)), (
            f"{path.name}: a claim that cannot be read"
        )
        yield from found


def contrast_claims():
    """Yield what sentences say of planned contrasts: study, data set, method, a verdict ("equal": the same), other."""
    for path in results.DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        found = re.findall(r"<!-- contrast: (\S+) (\S+): (\w+) (better|worse|same|equal) (\w+) -->", text)
        assert len(found) == text.count("<!-- contrast: "), f"{path.name}: a claim that cannot be read"
        yield from found


@pytest.mark.parametrize("claim", list(claims()), ids=" ".join)
def test_a_sentence_that_rests_on_rows_holds_for_each_run(claim):
    study, dataset, column, n_runs, points, higher, lower = claim
    scores = read_frame(results.FOLDER / study / "scores.csv").set_index(["dataset", "method"])[column][dataset]
    assert min(len(scores.loc[[method]]) for method in f"{higher} {lower}".split()) == int(n_runs)
    between = scores.loc[higher.split()].min() - scores.loc[lower.split()].max()
    assert between > 0
    assert not points or f"{np.floor(1000 * between) / 10:.1f}" == points  # points, rounded down


def seed_claims():
    """Yield in how many seeds methods lie below another one: study, data set, column, methods, other, from, to, of."""
    pattern = r"<!-- seeds: (\S+) (\S+) (\w+): ([\w ]+) < (\w+) in (\d+) to (\d+) of (\d+) -->"
    for path in results.DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        found = re.findall(pattern, text)
        assert len(found) == text.count("<!-- seeds: "), f"{path.name}: a claim that cannot be read"
        yield from found


@pytest.mark.parametrize("claim", list(seed_claims()), ids=" ".join)
def test_a_sentence_that_counts_seeds_counts_them_all(claim):
    study, dataset, column, methods, other, fewest, most, n_seeds = claim
    scores = read_frame(results.FOLDER / study / "scores.csv")
    scores = scores[scores["dataset"] == dataset]
    table = scores.pivot(index="seed", columns="method", values=column)[[*methods.split(), other]].dropna()
    assert len(table) == int(n_seeds)
    below = [int((table[method] < table[other]).sum()) for method in methods.split()]
    assert (min(below), max(below)) == (int(fewest), int(most))


def margin_claims():
    """Yield how far methods lie above another one, seed by seed: study, data set, column, methods, other, from, to."""
    pattern = r"<!-- margins: (\S+) (\S+) (\w+): ([\w ]+) - (\w+) from (-?[\d.]+) to (-?[\d.]+) -->"
    for path in results.DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        found = re.findall(pattern, text)
        assert len(found) == text.count("<!-- margins: "), f"{path.name}: a claim that cannot be read"
        yield from found


@pytest.mark.parametrize("claim", list(margin_claims()), ids=" ".join)
def test_a_sentence_that_tells_margins_tells_the_least_and_the_most(claim):
    study, dataset, column, methods, other, least, most = claim
    scores = read_frame(results.FOLDER / study / "scores.csv")
    table = scores[scores["dataset"] == dataset].pivot(index="seed", columns="method", values=column)
    apart = 1000 * table[methods.split()].sub(table[other], axis=0).stack()
    ends = np.floor(apart.min()) / 10, np.ceil(apart.max()) / 10  # points, rounded outwards
    assert [f"{end:.1f}" for end in ends] == [least, most]


@pytest.mark.parametrize("claim", list(contrast_claims()), ids=" ".join)
def test_a_sentence_on_a_planned_contrast_is_what_wilcoxon_and_holm_say(claim):
    name, dataset, method, verdict, other = claim
    nmi, corrected = _corrected(name, dataset)
    assert len(nmi[[method, other]].dropna()) == len(_study(name).seeds)
    above = nmi[method].mean() > nmi[other].mean()
    found = "same" if corrected[method, other] >= 0.05 else "better" if above else "worse"
    assert found == verdict.replace("equal", "same")
    if verdict == "equal":  # within a point, and not merely undecided
        differences = 100 * (nmi[method] - nmi[other]).to_numpy()
        assert posterior_of(differences, "any")["p_equal"] >= 0.95
    assert f" {corrected[method, other]:.2g} |" in _shown(name, dataset)


@cache
def _corrected(name, dataset):
    """Return NMI by seed and method, and p of each planned pair, corrected after Holm."""
    study = _study(name)
    scores = read_frame(results.FOLDER / "rows" / "scores.csv").query("dataset == @dataset and seed in @study.seeds")
    nmi = scores.pivot(index="seed", columns="method", values="nmi")
    pairs = [pair for pair in study.contrasts() if set(pair) <= set(nmi.columns)]
    both = {tuple(pair): nmi[list(pair)].dropna() for pair in pairs}
    p = {pair: wilcoxon(*(table[key] for key in pair)).pvalue for pair, table in both.items()}
    corrected, last = {}, 0.0
    for place, pair in enumerate(sorted(p, key=p.get)):
        corrected[pair] = last = max(last, min(1, (len(p) - place) * p[pair]))
    return nmi, corrected


@cache
def _study(name):
    return load_study([str(ROOT / "studies" / f"{name}.yaml")])


@cache
def _shown(name, dataset):
    return to_markdown(contrasts_on(name, dataset))


@pytest.mark.parametrize("study", RECORDS)
def test_each_published_row_says_what_made_it(study):
    scores, runs, data = (read_frame(results.FOLDER / study / f"{name}.csv") for name in ("scores", "runs", "data"))
    made = runs[runs["stage"] == "cluster"].set_index(["dataset", "key", "seed"])
    for row in scores.itertuples():
        assert (row.dataset, row.method, row.seed) in made.index
    assert set(scores["dataset"]) <= set(data["dataset"])
    assert (ROOT / "studies" / f"{study.partition('_')[0]}.yaml").exists()  # rows_amd: its rows on another machine
    known = made[["device", "torch", "python", "finished", "source_digest", "settings", "data"]]
    assert known.notna().all(axis=None)
    assert not runs.astype(str).apply(lambda column: column.str.contains("/work|/tmp|/home")).any(axis=None)


@pytest.mark.parametrize("path", sorted(results.FOLDER.glob("*/scores.csv")), ids=lambda path: path.parent.name)
def test_what_a_row_says_of_its_ends_is_what_its_measures_say(path):
    for row in read_frame(path).to_dict("records"):
        ends = [
            {
                "n_clusters_used": row[f"n_clusters_used{used}"],
                **{name: row.get(f"{name}_{at}", np.nan) for name in MEASURES},
            }
            for used, at in (("_start", "start"), ("", "end"))
        ]
        assert compare_ends(*ends) == ("" if pd.isna(row["below_start"]) else row["below_start"])


def test_what_the_document_says_of_the_look_at_the_data():
    text = " ".join((ROOT / "docs" / "STATISTICS.md").read_text(encoding="utf-8").split())
    said = re.search(
        r"Of the (\d+) trained runs .*? it flags (\d+), whose clusters explain ([\d.]+) of .*? "
        r"explain ([\d.]+) of that or more, but for (\d+) that start",
        text,
    )
    rows = (
        read_frame(results.FOLDER / "rows" / "scores.csv").query("epochs > 0").dropna(subset=["unexplained_data_end"])
    )
    kept = (1 - rows["unexplained_data_end"]) / (1 - rows["unexplained_data_start"]).where(lambda share: share > 1e-9)
    flagged = rows["below_start"].fillna("").str.contains("unexplained_data")
    most, least = kept[flagged].fillna(0).max(), kept[~flagged].min()
    found = len(rows), flagged.sum(), f"{np.ceil(100 * most) / 100:.2f}", f"{np.floor(100 * least) / 100:.2f}"
    assert said.groups() == (*map(str, found), str(kept[~flagged].isna().sum()))
    views = rows.query("dataset == 'digits' and method == 'ct_views'")
    assert len(views) == views["below_start"].str.contains("unexplained_data").sum() == 6
    assert views["below_start"].str.contains("reconstruction").sum() == 4
    close = rows.query("dataset == 'mnist10k' and method == 'ct_views'").sort_values("nmi")
    ends = [f"{100 * nmi:.0f}" for nmi in close["nmi"]] + [f"{share:.2f}" for share in kept[close.index]]
    pattern = (
        r"MNIST-10k, at (\d+) and (\d+) % NMI, the one run is flagged at (0\.\d+) and the other passes at (0\.\d+)"
    )
    assert list(re.search(pattern, text).groups()) == ends
    assert [*flagged[close.index]] == [True, False]


def test_ranks_of_resampled_seeds_by_hand():
    clear = np.array([[0.9, 0.8, 0.9, 0.8, 0.9], [0.5, 0.4, 0.5, 0.4, 0.5]])
    close = np.array([[0.1, 0.3, 0.1, 0.3, 0.1], [0.3, 0.1, 0.3, 0.1, 0.3]])
    table = pd.DataFrame(np.vstack([clear, close, np.full((1, 5), np.nan)]), index=["a", "b", "c", "d", "e"])
    assert rank_intervals(table) == {"a": "1", "b": "2", "c": "3 to 4", "d": "3 to 4"}
    assert rank_intervals(table.iloc[:, :4]) == {}


def test_a_document_gets_its_tables_between_marks(tmp_path, monkeypatch):
    folder = tmp_path / "mine"
    folder.mkdir()
    rows = {
        "dataset": "a",
        "method": ["km", "km", "ct"],
        "seed": [0, 1, 0],
        "acc": [0.5, 0.5, 0.6],
        "nmi": [0.4, 0.4, 0.7],
    }
    rows |= {"ari": [0.3, 0.3, 0.5], "n_clusters": 3, "n_clusters_used": [3, 3, 2], "device_seconds": [1.0, 30.0, 9.0]}
    pd.DataFrame(rows | {"below_start": [None, None, "fewer clusters"]}).to_csv(folder / "scores.csv", index=False)
    made = {"stage": "cluster", "dataset": "a", "key": rows["method"], "seed": rows["seed"]}
    pd.DataFrame(made | {"device": ["NVIDIA B1", "CPU (X)", "CPU (X)"]}).to_csv(folder / "runs.csv", index=False)
    told = {"study": {"methods": ["km", "ct", "dkm", "deepcluster"]}, "datasets": {"a": {"title": "A"}}}
    classes = {"km": "km:KMeans", "ct": "ct:CT", "dkm": "dkm:DKM", "deepcluster": "deepcluster:DeepCluster"}
    told["methods"] = {key: {"estimator": f"deepkm.methods.{name}"} for key, name in classes.items()}
    told["methods"]["km"] |= {"title": "KM"}
    told["methods"]["ct"] |= {"title": "CT", "views": "both"}
    (folder / "study.yaml").write_text(yaml.safe_dump(told))
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    text = results.with_tables("before\n<!-- rows: mine a -->\nold\n<!-- end -->\nafter\n")
    assert "\nold\n" not in text
    cells = [re.split(r" *\| *", line)[1:-1] for line in text.splitlines() if line.startswith("|")]
    assert cells[2] == ["CT ‡", "70.0", "60.0", "50.0", "1", "9", "2 of 3", "1 of 1: fewer clusters"]
    assert cells[3] == ["KM", "40.0, 1 run", "50.0, 1 run", "30.0, 1 run", "2", "30, 1 GPU", "3 of 3", "no"]
    assert "Not run yet: dkm; deepcluster ‡." in text  # its class trains on views by default
    short = results.with_tables("<!-- rows: mine a km -->\n<!-- end -->")
    [row] = [line for line in short.splitlines() if line.startswith("| KM")]
    assert re.split(r" *\| *", row)[1:-1] == ["KM", "40.0, 1 run", "50.0, 1 run", "30.0, 1 run"]
    assert "CT" not in short
    brief = results.with_tables("<!-- reached: mine ct dkm -->\n<!-- end -->")
    cells = [re.split(r" *\| *", line)[1:-1] for line in brief.splitlines() if line.startswith("|")]
    assert [cells[0], *cells[2:]] == [["NMI / ACC", "A"], ["CT ‡", "70.0 / 60.0"], ["dkm", "-"]]


@pytest.mark.parametrize(
    "text",
    [
        "<!-- rows: rows usps km-->\n<!-- end -->",
        "<!-- rows: rows usps km -->\nno end",
        "<!-- rows: rows usps km -->\nno end\n<!-- rows: rows usps ct -->\n<!-- end -->",
        "<!-- rows: rows usps kmm -->\n<!-- end -->",
        "<!-- rows: rows uspss -->\n<!-- end -->",
    ],
    ids=["misspelt", "no end", "the end of another", "no such method", "no such data"],
)
def test_a_mark_that_cannot_be_read_is_no_silence(text):
    with pytest.raises(ValueError, match="mark"):
        results.with_tables(text)
