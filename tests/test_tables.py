"""Tables: every number again from the raw results, and names that could break them."""

import io
import json
import os
import re
from itertools import permutations
from pathlib import Path
from unittest import mock

import h5py
import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT
from scipy import stats
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from statsmodels.stats.multitest import multipletests

from deepkm.__main__ import main
from deepkm.files import read_hdf5, write_hdf5
from deepkm.numerics.metrics import METRICS as ALL_METRICS
from deepkm.report.statistics.spread import describe_runs
from deepkm.report.statistics.study import NAMES as STATISTICS
from deepkm.report.tables.layout import Cell, Table, to_latex, to_markdown
from deepkm.report.tables.published import load_published, published_table, set_beside
from deepkm.report.tables.scores import score_table, summarize
from deepkm.report.tables.study import table_names
from deepkm.study.plan import Study
from deepkm.study.spec import dumps

DATASETS = {"blobs": "B|o_b*s", "usps": "<script>alert(1)</script>", "mine": "no $\\labels$ & 5%"}
METHODS = {"km": "k-means", "aekm": "A#E [1]", "dkm": "DKM~^", "ct": "{CT}", "ct_no_reinit": "CT `off`"}
SEEDS = [0, 1, 2, 3, 4, 5, 6, 7]
METRICS = ("acc", "nmi", "ari")
NAMES = table_names()


def stage(name, spec, **options):
    """Run a stage within this process, on files of the current folder."""
    arguments = [name, "--spec", dumps(spec)]
    for key, value in options.items():
        arguments += [f"--{key}", *map(str, value if isinstance(value, list) else [value])]
    assert main(arguments) == 0, name


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study of three data sets, of which one has no labels, made by the stages."""
    folder = tmp_path_factory.mktemp("tables")
    with pytest.MonkeyPatch.context() as patch, mock.patch.dict(os.environ):  # a job chooses its device there
        patch.chdir(folder)
        make_study()
    return folder


def make_study():
    random = np.random.default_rng(0)
    for name in ("mine", "usps"):
        target = np.repeat(np.arange(3), 30)
        feature = random.normal(size=(90, 4)) + 1.5 * target[:, None]
        np.savez(f"own_{name}.npz", feature=feature, **({"target": target} if name == "usps" else {}))
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    config |= {"seeds_per_job": 4, "study": {"datasets": [*DATASETS], "methods": [*METHODS], "seeds": SEEDS}}
    config["training"] |= {"pretraining_epochs": 1, "epochs": 2}
    config["autoencoders"]["mlp"] |= {"hidden_widths": [8]}
    config["datasets"]["blobs"] |= {"n_samples": 90, "n_features": 4, "n_clusters": 3, "spread": 7.0}
    config["datasets"]["mine"] = {"path": "own_mine.npz", "n_clusters": 3, "scaling": "none"}
    config["datasets"]["usps"] |= {"path": "own_usps.npz", "n_clusters": 3}
    for kind, titles in (("datasets", DATASETS), ("methods", METHODS)):
        for key, title in titles.items():
            config[kind][key]["title"] = title
    Path("config.yaml").write_text(yaml.safe_dump(config))
    study = Study(config)
    for dataset in DATASETS:
        files = {"output": f"data/{dataset}.npz", "meta": f"data/{dataset}.meta.json"}
        stage("dataset", study.dataset_spec(dataset), input=study.dataset_files(dataset), **files)
        for stack in study.stacks:
            autoencoder = f"results/autoencoders/mlp/{dataset}/{stack}.h5"
            given = {"data": f"data/{dataset}.npz", "output": autoencoder}
            stage("autoencoder", study.autoencoder_spec(dataset, "mlp", stack), **given)
            for method in METHODS:
                given["output"] = f"results/clusterings/{method}/{dataset}/{stack}.h5"
                given["autoencoder"] = [autoencoder] if method != "km" else []
                stage("cluster", study.cluster_spec(dataset, method, stack), **given)
    diverge("results/clusterings/dkm/blobs/seed0x4.h5", run=1)
    made = {name: f"results/{name}.csv" for name in ("scores", "epochs", "jobs", "parameters")}
    data = [f"data/{dataset}.npz" for dataset in DATASETS]
    stage("score", study.score_spec(), data=data, results="results", output=[*made.values()])
    tests = [f"results/statistics/{name}.csv" for name in STATISTICS]
    stage("statistics", study.statistics_spec(), scores=made["scores"], output=tests)
    output = [f"results/tables/{name}.{suffix}" for name in NAMES for suffix in ("csv", "md", "tex")]
    stage("tables", study.report_spec("tables"), tables=[*made.values(), *tests], output=output)


def diverge(path, run):
    """Give one run the centers of a diverged one."""
    arrays, attributes = read_hdf5(path)
    arrays["centers"][run] = np.nan
    write_hdf5(path, arrays=arrays, attributes=attributes)


def raw(study, dataset):
    """Return (method, seed) -> [ACC, NMI, ARI], from the result files alone."""
    target = np.load(study / "data" / f"{dataset}.npz")["target"]
    found = {}
    for path in study.glob(f"results/clusterings/*/{dataset}/*.h5"):
        with h5py.File(path) as file:
            for seed, labels in zip(yaml.safe_load(file.attrs["spec"])["seeds"], file["labels"][:], strict=True):
                accuracy = max(np.mean(np.array(order)[labels] == target) for order in permutations(range(3)))
                rest = normalized_mutual_info_score(target, labels), adjusted_rand_score(target, labels)
                found[path.parts[-3], seed] = np.array([accuracy, *rest])
    return found


def read(study, name):
    return pd.read_csv(study / "results" / "tables" / f"{name}.csv")


def cells(study, name):
    """Return the rows of a Markdown table as lists of text, the header first."""
    lines = [
        line for line in (study / "results" / "tables" / f"{name}.md").read_text().splitlines() if line.startswith("|")
    ]
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines if line[:1] == "|"]
    return [rows[0], *rows[2:]]


@pytest.mark.parametrize("metric", METRICS)
def test_scores_from_the_raw_results(study, metric):
    table = read(study, metric).set_index(["dataset", "method"])
    header, *rows = cells(study, metric)
    assert len(header) == 1 + len(DATASETS)
    assert len(rows) == len(METHODS)
    for column, dataset in enumerate(("blobs", "usps"), start=1):
        values = raw(study, dataset)
        by_method = {m: 100 * np.array([values[m, seed][METRICS.index(metric)] for seed in SEEDS]) for m in METHODS}
        best = max(round(v.mean(), 1) for v in by_method.values())
        for line, (method, found) in zip(rows, by_method.items(), strict=True):
            row = table.loc[dataset, method]
            assert row[["mean", "std", "n"]].tolist() == pytest.approx(
                [found.mean(), found.std(ddof=1), 8], rel=1e-5, abs=1e-9
            )
            assert row["best"] == (round(found.mean(), 1) == best)
            diverged = (dataset, method) == ("blobs", "dkm")
            same = all(
                len({round(row[i], 12) for key, row in values.items() if key[0] == method}) == 1 for i in range(3)
            )
            text = f"{found.mean():.1f}" + (", 1 run" if same and not diverged else f" ± {found.std(ddof=1):.1f}")
            text += ", 1 diverged" if diverged else ""
            assert line[column].strip("*† ") == text
            assert line[column].startswith("**") == row["best"]
            leader = max(by_method.values(), key=np.mean)
            difference = np.round(found - leader, 9)
            p = stats.wilcoxon(difference).pvalue if difference.any() else 1
            assert line[column].endswith("†") == (4 * p >= 0.05 and not row["best"])  # of four others
    assert table.loc["mine", "mean"].isna().all()
    assert [line[3] for line in rows] == ["no labels"] * len(METHODS)


def test_a_row_of_every_job(study):
    jobs = pd.read_csv(study / "results" / "jobs.csv")
    paths = sorted(study.glob("results/*/*/*/*.h5"))
    assert len(jobs) == len(paths) == 3 * 2 * 6
    table = jobs.set_index(["stage", "key", "dataset", "stack"])
    for path in paths:
        with h5py.File(path) as file:
            made, spec = (yaml.safe_load(file.attrs[name]) for name in ("provenance", "spec"))
        kind = {"autoencoders": "autoencoder", "clusterings": "cluster"}[path.parts[-4]]
        row = table.loc[(kind, *path.parts[-3:-1], path.stem)]
        assert row["seconds"] == made["seconds"] > 0
        assert row["device_seconds"] == row["cpu_seconds"] == made["cpu_seconds"] > 0
        assert row["peak_memory_bytes"] == made["peak_memory_bytes"]
        assert row["device"] == made["device"]
        assert row["torch"] == made["versions"]["torch"]
        assert row["seeds"] == " ".join(map(str, spec["seeds"]))


def test_cost_from_the_raw_results(study):
    table = read(study, "cost").set_index(["dataset", "stage", "key"])
    assert len(table) == 3 * (len(METHODS) + 1)
    for (dataset, kind, key), row in table.iterrows():
        folder = {"autoencoder": "autoencoders", "cluster": "clusterings"}[kind]
        seconds, memory = [], []
        for path in study.glob(f"results/{folder}/{key}/{dataset}/*.h5"):
            with h5py.File(path) as file:
                made, n = yaml.safe_load(file.attrs["provenance"]), len(yaml.safe_load(file.attrs["spec"])["seeds"])
            seconds += n * [made["cpu_seconds"] / n]
            memory.append(made["peak_memory_bytes"] / 1e6)
        assert row["n"] == len(seconds) == 8
        assert row["seconds"] == pytest.approx(np.mean(seconds), rel=1e-5)
        assert np.isnan(row["seconds_std"])  # four seeds of a job share one time
        assert row["peak_memory_mb"] == pytest.approx(max(memory), rel=1e-5)
        assert row["epochs"] == (1 if kind == "autoencoder" else 0 if key in ("km", "aekm") else 2)
        assert row["n_diverged"] == ((dataset, key) == ("blobs", "dkm"))
        assert row["n_missing"] == 0


@pytest.mark.parametrize(("name", "metrics"), [("contrasts", ["nmi"]), ("contrasts_secondary", ["acc", "ari"])])
def test_contrasts_from_the_raw_results(study, name, metrics):
    table = read(study, name)
    pairs = [("dkm", "aekm"), ("ct", "aekm"), ("ct_no_reinit", "aekm"), ("ct", "dkm"), ("ct", "ct_no_reinit")]
    assert list(table["metric"].unique()) == metrics
    assert len(table) == 3 * len(metrics) * len(pairs)
    for _, rows in table[table["dataset"] != "mine"].groupby(["dataset", "metric"]):
        assert list(zip(rows["method"], rows["other"], strict=True)) == pairs
        assert rows["part"].tolist()[-1] == "re-initialised centers"
        assert rows["part"].isna().sum() == 4
        tested = rows["p"].notna()
        assert rows.loc[tested, "p_holm"].tolist() == pytest.approx(
            multipletests(rows.loc[tested, "p"], method="holm")[1], rel=1e-4
        )
    for row in table[table["dataset"] != "mine"].itertuples():
        values, place = raw(study, row.dataset), METRICS.index(row.metric)
        sides = [100 * np.array([values[m, seed][place] for seed in SEEDS]) for m in (row.method, row.other)]
        difference = np.round(sides[0] - sides[1], 9)
        assert [row.method_mean, row.other_mean] == pytest.approx([side.mean() for side in sides], rel=1e-5)
        deviations = [side.std(ddof=1) for side in sides]
        assert [row.method_std, row.other_std] == pytest.approx(deviations, rel=1e-5, abs=1e-9)
        assert row.mean_difference == pytest.approx(difference.mean(), rel=1e-5, abs=1e-9)
        if np.ptp(difference) or not difference.any():
            assert row.p == pytest.approx(stats.wilcoxon(difference).pvalue if difference.any() else 1, rel=1e-5)
            assert row.p_better + row.p_equal + row.p_worse == pytest.approx(1)
        resampled = np.random.default_rng(1).choice(difference, (20000, 8)).mean(1)
        spread = difference.std()
        assert [row.low, row.high] == pytest.approx(np.percentile(resampled, [2.5, 97.5]), abs=0.1 * spread + 1e-9)
    assert table.loc[table["dataset"] == "mine", "mean_difference"].isna().all()
    assert set(table.loc[table["dataset"] == "mine", "reason"]) == {"no labels"}
    assert not re.search(r"\bnan\b", (study / "results" / "tables" / f"{name}.md").read_text())


def test_parameters_are_those_of_the_runs(study):
    table = read(study, "parameters").set_index(["dataset", "method"])
    assert len(table) == len(DATASETS) * len(METHODS)
    for (dataset, method), row in table.iterrows():
        with h5py.File(study / f"results/clusterings/{method}/{dataset}/seed4x4.h5") as file:
            used = yaml.safe_load(file.attrs["spec"])["parameters"]
        for name in ("alpha", "clustering_weight", "epochs"):
            assert row[name] == used[name] if name in used else np.isnan(row[name])
    assert table.loc[("usps", "ct"), "alpha"] == 2.5
    assert table.loc[("blobs", "ct"), "alpha"] == 3.0
    assert np.isnan(table.loc[("blobs", "km"), "batch_size"])
    assert "reinit False" in table.loc[("blobs", "ct_no_reinit"), "others"]


def test_published_figures_are_set_beside_their_data(study):
    table = read(study, "published")
    assert set(table["dataset"]) == {"usps"}
    printed = load_published()
    values = raw(study, "usps")
    for row in table.itertuples():
        here = 100 * np.array([values[row.method, seed][METRICS.index(row.metric)] for seed in SEEDS])
        same = printed[["source", "method", "dataset", "metric"]] == [row.source, row.method, "usps", row.metric]
        mean, std, n = printed.loc[same.all(axis=1), ["mean", "std", "n"]].iloc[0]
        assert [row.mean, row.published] == pytest.approx([here.mean(), mean], rel=1e-5)
        assert row.difference == pytest.approx(here.mean() - mean, rel=1e-4)
        if n > 1 and std > 0:
            p = stats.ttest_ind_from_stats(here.mean(), here.std(ddof=1), 8, mean, std, n, equal_var=False).pvalue
            side = "above" if here.mean() > mean else "below"
            within = "reproduced" if row.margin <= 5 else "cannot conclude"
            assert row.verdict == (side if p < 0.05 else within)
        assert "from a file of one's own" in row.remark
    ct = table[(table["method"] == "ct") & (table["metric"] == "acc")].iloc[0]
    assert (ct["published"], ct["published_std"], ct["published_n"]) == (78.74, 4.21, 10)
    assert "epochs 2, published 100" in ct["remark"]
    assert "alpha" not in ct["remark"]  # 2.5 is the published value
    km = table[(table["method"] == "km") & (table["source"].str.startswith("Roy"))].iloc[0]
    assert "9298" in km["remark"]


def test_figures_with_views_are_marked():
    printed = load_published()
    assert printed["views"].any()
    of_views = printed.loc[printed["views"], "source"].str.startswith(
        ("Miklautz2025", "Guo2018 DEC-DA", "waynezhanghk")
    )
    assert of_views.all()
    assert not printed.loc[printed["source"].str.startswith("Roy"), "views"].any()
    assert printed["mean"].notna().all()
    summary = pd.DataFrame({"dataset": ["usps"], "method": ["dec"], "note": [""]})
    summary = summary.assign(**describe_runs([76.5, 77.5]))
    parameters = pd.DataFrame(columns=["dataset", "method"])
    found = set_beside({"acc": summary}, parameters, {"usps": {"source": "usps", "departs": ""}})
    table = published_table(found, datasets={"usps": "USPS"}, methods={"dec": "DEC"})
    marks = {row[3].text.partition(" ")[0]: row[5].text for row in table.rows}
    assert {row[4].text for row in table.rows} == {"76.5 / 77.5"}
    assert marks["Miklautz2025"] == "78.9 ± 1.1, views"
    assert "views" not in marks["GultepeMakrehchi2018"]
    assert any(note.startswith("Views:") for note in table.notes)
    few = published_table(found[~found["views"]], datasets={"usps": "USPS"}, methods={"dec": "DEC"})
    assert "iews" not in str(few)


@pytest.mark.parametrize("name", NAMES)
def test_pandas_reads_every_table_and_all_formats_have_its_rows(study, name):
    rows = len(cells(study, name)) - 1
    latex = (study / "results" / "tables" / f"{name}.tex").read_text()
    body = latex.partition("\\midrule\n")[2].partition("    \\bottomrule")[0]
    assert rows == body.count("\\\\\n") == (len(METHODS) if name in (*METRICS, "overall") else len(read(study, name)))


def assert_latex_is_sound(text):
    """Braces and environments balance, and no special character of a name is left bare."""
    plain = re.sub(r"\\[\\&%$#_{}]", "", text.partition("\n")[2])  # without the comment on top
    depth = 0
    for character in plain:
        depth += (character == "{") - (character == "}")
        assert depth >= 0
    assert depth == 0
    assert re.findall(r"\\begin\{(\w+)\}", text) == re.findall(r"\\end\{(\w+)\}", text)[::-1]
    columns = len(re.search(r"\\begin\{(?:tabular|longtable)\}\{([lr]+)\}", text)[1])
    caption = re.search(r"\\caption\{(.*)\}\n", text)[1].replace("$^\\dagger$", "")
    assert not set('<>|"~^[*') & set(caption.replace("{[}", "").replace("{*}", ""))
    for line in text.partition("\\toprule\n")[2].partition("\\bottomrule")[0].splitlines():
        bare = re.sub(r"\\[\\&%$#_{}]|\$\\\w+\$|\$\^\\dagger\$|\$-\$", "", line)
        assert not set('%$#_~^<>|"[*') & set(bare.replace("{[}", "").replace("{*}", "")), line
        if "&" in bare:
            assert bare.count("&") == columns - 1, line


@pytest.mark.parametrize("name", NAMES)
def test_latex_is_sound_with_every_special_character_in_names(study, name):
    assert_latex_is_sound((study / "results" / "tables" / f"{name}.tex").read_text())


@pytest.mark.parametrize("name", NAMES)
def test_markdown_keeps_names_harmless(study, name):
    text = (study / "results" / "tables" / f"{name}.md").read_text()
    assert "<" not in text
    header, *rows = cells(study, name)
    assert {len(row) for row in rows} <= {len(header)}


def frame(rows):
    table = pd.DataFrame(rows, columns=["dataset", "method", "seed", "acc", "diverged"])
    return table.astype({"acc": float, "diverged": bool})


def shown(scores, n_seeds, best=None, datasets=("a",), methods=("km", "dkm", "ct")):
    keys = {"datasets": {key: key.upper() for key in datasets}, "methods": {key: key for key in methods}}
    summary = summarize(scores, "acc", **keys, n_seeds=n_seeds, best=best)
    return score_table(summary, "acc", **keys, n_seeds=n_seeds)


def test_missing_and_diverged_runs_are_counted():
    rows = [("a", "km", 0, 0.55, 0), ("a", "km", 1, 0.55, 1), ("a", "dkm", 0, 0.5, 0), ("a", "dkm", 1, 0.7, 0)]
    table = shown(frame([*rows, ("a", "dkm", 2, 0.6, 0)]), n_seeds=3)
    texts = [row[1].text for row in table.rows]
    assert texts == ["55.0 / 55.0 (2/3), 1 diverged", "50.0 / 70.0 / 60.0 (3/3)", "- (0/3)"]
    assert [row[1].bold for row in table.rows] == [False, True, False]
    assert any("Diverged" in note for note in table.notes)


def test_clusters_in_use_stand_where_they_are_fewer():
    rows = [("a", method, seed, 0.5, method == "ct") for method in ("km", "dkm", "ct") for seed in (0, 1)]
    scores = frame(rows).assign(n_clusters_used=[3, 3, 2, 1, 1, 1], n_clusters=3)
    table = shown(scores, n_seeds=2)
    texts = [row[1].text for row in table.rows]
    assert texts == ["50.0, 1 run", "50.0, 1 run, 1 of 3 used", "50.0 / 50.0, 2 diverged"]
    assert any(note.startswith("n of K used") for note in table.notes)
    table = shown(scores.assign(n_clusters_used=3), n_seeds=2)
    assert "used" not in str(table)


def test_from_five_runs_on_there_is_a_deviation_and_of_equal_ones_none():
    rows = [("a", "km", seed, 0.5 + seed / 100, 0) for seed in range(5)]
    rows += [("a", "dkm", seed, 0.7, 0) for seed in range(5)] + [("a", "ct", seed, 0.9, 0) for seed in range(4)]
    table = shown(frame(rows).assign(nmi=0.5, ari=0.5), n_seeds=5)
    texts = [row[1].text for row in table.rows]
    assert texts == [f"52.0 ± {np.sqrt(2.5):.1f} (5/5)", "70.0, 1 run (5/5)", "90.0, 1 run (4/5)"]
    assert [row[1].bold for row in table.rows] == [False, True, False]  # CT lacks a run
    assert any(note.startswith("1 run: the same clusters at all seeds") for note in table.notes)
    other = frame(rows).assign(nmi=np.arange(14) / 14, ari=0.5)  # equal by chance, in one metric
    assert [row[1].text for row in shown(other, n_seeds=5).rows][1] == "70.0 ± 0.0 (5/5)"


def test_figures_without_a_run_are_not_run():
    scores = frame([("usps", "km", seed, 0.67 + seed / 1000, 0) for seed in range(5)])
    keys = {"datasets": ["usps"], "methods": ["km", "dcn"]}
    summary = summarize(scores, "acc", **keys, n_seeds=5)
    parameters = pd.DataFrame(columns=["dataset", "method"])
    found = set_beside({"acc": summary}, parameters, {"usps": {"source": "usps", "departs": ""}})
    assert set(found.loc[found["method"] == "dcn", "verdict"]) == {"not run"}
    assert "not run" not in set(found.loc[found["method"] == "km", "verdict"])
    table = published_table(found, datasets={"usps": "USPS"}, methods={"km": "k-means", "dcn": "DCN"})
    assert {row[4].text for row in table.rows if row[1].method == "dcn"} == {"-"}


def test_one_seed_has_no_deviation():
    table = shown(frame([("a", "km", 0, 0.5, 0), ("a", "dkm", 0, 0.6, 0), ("a", "ct", 0, 0.6, 0)]), n_seeds=1)
    assert [row[1].text for row in table.rows] == ["50.0", "60.0", "60.0"]
    assert [row[1].bold for row in table.rows] == [False, True, True]
    assert "One seed" in table.notes[0]


def test_equal_titles_stay_apart():
    scores = frame([(dataset, "km", 0, value, 0) for dataset, value in (("a", 0.1), ("A", 0.2))])
    table = shown(scores, n_seeds=1, datasets=("a", "A"), methods=("km",))
    assert [cell.text for cell in table.rows[0]] == ["km", "10.0", "20.0"]


def test_marks_follow_the_tests():
    columns = ["dataset", "metric", "method", "best", "verdict", "reason"]
    rows = [("a", "acc", "km", "ct", "worse", ""), ("a", "acc", "dkm", "ct", "not significantly worse", "")]
    best = pd.DataFrame([*rows, ("a", "acc", "ct", "ct", "best", "")], columns=columns)
    scores = frame([("a", method, 0, value, 0) for method, value in (("km", 0.2), ("dkm", 0.5), ("ct", 0.6))])
    table = shown(scores, n_seeds=1, best=best)
    assert [(row[1].bold, row[1].marked) for row in table.rows] == [(False, False), (False, True), (True, False)]
    assert "| 50.0 † |" in to_markdown(table).replace("  ", " ").replace("  ", " ")
    assert r"50.0$^\dagger$" in to_latex(table)
    doubtful = best.assign(verdict="cannot conclude", reason="1 seed: the smallest possible p is 1")
    table = shown(scores, n_seeds=1, best=doubtful)
    assert not any(row[1].marked for row in table.rows)
    assert any("cannot be concluded (1 seed" in note for note in table.notes)


def test_long_tables_break_over_pages():
    table = Table("x", "X", ["a_b", "c"], [[Cell(str(row)), Cell("1")] for row in range(100)], align="ll")
    text = to_latex(table)
    assert_latex_is_sound(text)
    assert text.count("\\\\\n") == 103  # rows, the header twice, and the caption
    assert "\\begin{longtable}{ll}" in text
    assert "tabular" not in text


def test_an_empty_table_is_a_table():
    table = Table("x", "X", ["a", "b"], [], ["Nothing."])
    assert_latex_is_sound(to_latex(table))
    assert "Nothing." in to_markdown(table)


@pytest.mark.parametrize("title", ["\\", "\\\\input{x}", "a\nb", "$x$ %", "[x]*", "{", '"^~', "`code` _it_ ~~no~~"])
def test_hostile_titles(title):
    table = Table("x", title, ["", title], [[Cell(title), Cell(title, bold=True)]], [title])
    assert_latex_is_sound(to_latex(table))
    text = to_markdown(table)
    assert len(text.splitlines()) == 5
    assert pd.read_csv(io.StringIO(text), sep=r"(?<!\\)\|", engine="python").shape[1] == 4


@mock.patch.dict(os.environ)  # a job chooses its device there
def test_a_metric_is_one_line(study, tmp_path, monkeypatch):
    """A made-up one reaches scores, statistics, tables, figures and the page."""
    monkeypatch.setitem(ALL_METRICS, "purity", ("Purity", lambda table: table.max(1).sum() / table.sum()))
    monkeypatch.chdir(study)
    spec, data = Study(yaml.safe_load((study / "config.yaml").read_text())), [f"data/{d}.npz" for d in DATASETS]
    made = {name: tmp_path / f"{name}.csv" for name in ("scores", "epochs", "jobs", "parameters")}
    tests = {name: tmp_path / f"{name}.csv" for name in STATISTICS}
    stage("score", spec.score_spec(), data=data, results="results", output=[*made.values()])
    stage("statistics", spec.statistics_spec(), scores=made["scores"], output=[*tests.values()])
    frames, figures = [*made.values(), *tests.values()], tmp_path / "figures"
    output = [tmp_path / f"{name}.{kind}" for name in ("purity", "contrasts_secondary") for kind in ("csv", "md")]
    stage("tables", spec.report_spec("tables"), tables=frames, output=output)
    stage("figures", spec.figures_spec(), tables=frames, data=data, results="results", output=figures)
    (tmp_path / "study.json").write_text(spec.record)
    page = {"study": tmp_path / "study.json", "figures": figures, "output": tmp_path / "report.html"}
    stage("report", spec.page_spec(), tables=frames, **page)

    scores = pd.read_csv(made["scores"])
    purity = scores["purity"].dropna()
    assert len(purity) == 2 * len(METHODS) * len(SEEDS)
    assert (purity >= scores.loc[purity.index, "acc"]).all()
    assert "purity" in pd.read_csv(made["epochs"])
    for path in (*(tests[name] for name in STATISTICS if name != "nemenyi"), tmp_path / "contrasts_secondary.csv"):
        assert "purity" in set(pd.read_csv(path)["metric"])
    table = pd.read_csv(tmp_path / "purity.csv").set_index(["dataset", "method"])
    for (dataset, method), rows in scores.dropna().groupby(["dataset", "method"]):
        assert table.loc[(dataset, method), "mean"] == pytest.approx(100 * rows["purity"].mean(), rel=1e-5)
    assert (tmp_path / "purity.md").read_text().startswith("| Purity in %")
    index = json.loads((figures / "figures.json").read_text())
    assert {"ranks", "blobs_scores_over_epochs", "blobs_ablation"} <= {figure["stem"] for figure in index}
    for stem in ("ranks", "blobs_scores_over_epochs", "blobs_ablation"):
        assert "Purity" in (figures / f"{stem}.svg").read_text()
    text = (tmp_path / "report.html").read_text()
    tables = [f"table-scores-{dataset}" for dataset in ("blobs", "usps")]
    assert all(f'id="{table}"' in text for table in tables)
    assert text.count(">Purity, %</th>") == len(tables) + len(METHODS)  # and of each method's runs
