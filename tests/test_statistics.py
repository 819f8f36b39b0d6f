"""Statistics: the same as direct calls of SciPy, and what cannot be concluded."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import scikit_posthocs
from scipy import stats

from benchmarks import tests_power
from deepkm.report.statistics.best import BEST, compare_with_best
from deepkm.report.statistics.equivalence import posterior_of
from deepkm.report.statistics.over_seeds import CONTRASTS, compare_over_seeds
from deepkm.report.statistics.paired import (
    PAIRWISE,
    bootstrap_intervals,
    compare_pairs,
    rank_biserial,
    signed_rank_test,
    smallest_p,
)
from deepkm.report.statistics.pooled import IMPROVEMENT, OVERALL, pool_runs
from deepkm.report.statistics.published import compare_with_published, margin_of
from deepkm.report.statistics.ranks import FRIEDMAN, NEMENYI, compare_over_datasets, critical_difference, iman_davenport
from deepkm.report.statistics.spread import describe_runs


def values(n_seeds=8, **shift):
    """Return one column per method: common noise of the seed, noise of the run, and the method's shift."""
    random = np.random.default_rng(7)
    seeds = random.normal(60, 3, (n_seeds, 1))
    runs = seeds + random.normal(0, 0.5, (n_seeds, len(shift))) + np.array([*shift.values()])
    return pd.DataFrame(runs, columns=list(shift))


def scores_of(tables):
    """Return rows of scores.csv from one table of points per data set."""
    long = [
        table.rename_axis("seed")
        .reset_index()
        .melt("seed", var_name="method", value_name="acc")
        .assign(dataset=dataset)
        for dataset, table in tables.items()
    ]
    scores = pd.concat(long, ignore_index=True)
    scores["acc"] /= 100
    return scores.assign(nmi=scores["acc"] / 2, ari=scores["acc"] / 3)


def holm(p):
    """Return Holm's correction, worked out by hand."""
    order, corrected, largest = np.argsort(p), np.empty(len(p)), 0.0
    for place, i in enumerate(order):
        largest = max(largest, min(1.0, (len(p) - place) * p[i]))
        corrected[i] = largest
    return corrected


def test_pairs_are_what_scipy_says():
    table = values(km=0, dkm=1.0, ct=1.2, dec=-2)
    found = compare_pairs(table, stream="a/acc")
    assert [tuple(pair) for pair in found[["method", "other"]].to_numpy()] == list(combinations(table.columns, 2))
    direct = [stats.wilcoxon(table[a], table[b]) for a, b in combinations(table.columns, 2)]
    assert found["p"].tolist() == pytest.approx([test.pvalue for test in direct])
    assert found["statistic"].tolist() == pytest.approx([test.statistic for test in direct])
    assert found["p_holm"].tolist() == pytest.approx(holm(found["p"].to_numpy()))
    for row in found.itertuples():
        difference = table[row.method] - table[row.other]
        assert row.mean_difference == pytest.approx(difference.mean())
        wins = stats.wilcoxon(difference, alternative="greater").statistic
        assert row.effect == pytest.approx((2 * wins - 36) / 36)  # 36 = 1 + ... + 8
    assert found.set_index(["method", "other"]).loc[("km", "dec"), "verdict"] == "better"
    assert found.set_index(["method", "other"]).loc[("ct", "dec"), "verdict"] == "better"


def test_intervals_are_scipys_bootstrap_from_a_named_stream():
    table = values(km=0, dkm=1.0, ct=1.2)
    found = compare_pairs(table, stream="a/acc")
    for row in found.itertuples():
        difference = np.round((table[row.method] - table[row.other]).to_numpy(), 9)
        rng = np.random.default_rng(list(b"bootstrap/a/acc"))
        direct = stats.bootstrap((difference,), np.mean, batch=500, method="percentile", rng=rng).confidence_interval
        assert (row.low, row.high) == pytest.approx((direct.low, direct.high), abs=1e-9)
        assert row.low < row.mean_difference < row.high
    alone = compare_pairs(table[["dkm", "ct"]], stream="a/acc")
    np.testing.assert_allclose(alone[["low", "high"]], found.loc[2:, ["low", "high"]])  # whoever is beside them


@pytest.mark.parametrize("seed", range(12))
def test_ties_and_zeros_as_in_scipy(seed):
    random = np.random.default_rng(seed)
    differences = random.integers(-3, 6, size=6 + seed % 6).astype(float)  # zeros and ties abound
    direct = stats.wilcoxon(differences)
    assert signed_rank_test(differences) == pytest.approx((direct.statistic, direct.pvalue))


@pytest.mark.parametrize(("n_seeds", "share"), [(6, 0.85), (10, 0.91)])
def test_coverage_of_intervals_from_few_seeds(n_seeds, share):
    samples = np.random.default_rng(n_seeds).normal(size=(2000, n_seeds))
    low, high = bootstrap_intervals([*samples], "coverage").T
    assert np.mean((low < 0) & (high > 0)) == pytest.approx(share, abs=0.02)  # the deviation of a share is 0.008


@pytest.mark.parametrize(("comparisons", "seeds"), [(1, 6), (3, 7), (6, 8), (12, 9), (25, 10), (51, 11)])
def test_seeds_that_so_many_comparisons_take(comparisons, seeds):
    assert smallest_p(seeds, comparisons) < 0.05 <= smallest_p(seeds - 1, comparisons)
    assert smallest_p(seeds, comparisons + 1) >= 0.05


def test_large_samples_as_in_scipy():
    for n in (20, 60):
        differences = np.random.default_rng(n).normal(0.3, 1, n)
        direct = stats.wilcoxon(differences)
        assert signed_rank_test(differences) == pytest.approx((direct.statistic, direct.pvalue))


def test_equal_accuracies_are_equal_whatever_floating_point_makes_of_them():
    first = pd.Series(100 * np.array([0.3, 0.7, 0.1 + 0.2, 0.6]))
    table = pd.DataFrame({"a": first, "b": 100 * np.array([0.1 + 0.2, 0.7, 0.3, 0.2 * 3])})
    found = compare_pairs(table, stream="").iloc[0]
    assert (found["p"], found["effect"], found["mean_difference"]) == (1, 0, 0)


def test_effect_sizes_by_hand():
    assert rank_biserial(np.array([1.0, 2.0, 3.0])) == 1
    assert rank_biserial(np.array([-1.0, -2.0, 3.0])) == 0
    assert rank_biserial(np.array([2.0, -2.0, 2.0, 0.0])) == pytest.approx(1 / 3)
    assert rank_biserial(np.zeros(3)) == 0


def test_identical_methods():
    table = values(km=0, copy=0)
    table["copy"] = table["km"]
    row = compare_pairs(table, stream="").iloc[0]
    assert (row["p"], row["p_holm"], row["effect"], row["low"], row["high"]) == (1, 1, 0, 0, 0)
    assert (row["verdict"], row["reason"]) == ("no difference found", "equal in 8 seeds")
    best = {row["method"]: row["verdict"] for row in compare_with_best(table, compare_pairs(table, stream=""))}
    assert best == {"km": "best", "copy": "not significantly worse"}


@pytest.mark.parametrize(("n_seeds", "least"), [(1, "1 seed: the smallest possible p is 1"), (5, "5 seeds: .* 0.062")])
def test_few_seeds_conclude_nothing(n_seeds, least):
    table = values(n_seeds, km=0, dkm=50)
    row = compare_pairs(table, stream="").iloc[0]
    assert row["verdict"] == "cannot conclude"
    assert np.isnan(row["low"])
    assert pd.Series([row["reason"]]).str.match(least).all()
    assert row["p"] == pytest.approx(stats.wilcoxon(table["km"], table["dkm"]).pvalue)


def test_smallest_p_is_reached_by_scipy_and_not_undercut():
    for n in (5, 6, 10):
        p = stats.wilcoxon(np.arange(1.0, n + 1)).pvalue
        assert p == pytest.approx(smallest_p(n))
        assert (p < 0.05) == (n >= 6)


def test_too_many_methods_for_the_seeds():
    table = values(6, **{f"m{i}": 10.0 * i for i in range(4)})  # six pairs: the least is 6 * 2 / 64
    found = compare_pairs(table, stream="")
    assert (found["p"] < 0.05).all()
    assert set(found["verdict"]) == {"cannot conclude"}
    assert set(found["reason"]) == {"6 seeds, 6 comparisons: the smallest possible corrected p is 0.19"}


def test_missing_runs_are_paired_where_both_are_there():
    table = values(9, km=0, dkm=5, ct=4)
    table.loc[2, "dkm"] = np.nan
    table.loc[:, "ct"] = np.nan
    found = compare_pairs(table, stream="").set_index(["method", "other"])
    both = table.drop(index=2)
    assert found.loc[("km", "dkm"), "n"] == 8
    assert found.loc[("km", "dkm"), "p"] == pytest.approx(stats.wilcoxon(both["km"], both["dkm"]).pvalue)
    assert found.loc[("km", "dkm"), ["verdict", "reason"]].tolist() == ["worse", "8 of 9 seeds have both"]
    assert found.loc[("km", "ct"), ["n", "verdict", "reason"]].tolist() == [0, "cannot conclude", "no seed has both"]
    assert np.isnan(found.loc[("km", "ct"), "p_holm"])


def test_no_labels():
    table = values(8, km=0, dkm=5) * np.nan
    pairs = compare_pairs(table, stream="")
    assert pairs[["verdict", "reason"]].iloc[0].tolist() == ["cannot conclude", "no labels"]
    rows = list(compare_with_best(table, pairs))
    assert [(row["verdict"], row["reason"]) for row in rows] == [("cannot conclude", "no labels")] * 2


def test_diverged_runs_are_mentioned():
    found = compare_pairs(values(8, km=0, dkm=5, ct=6), stream="", n_diverged={"dkm": 2, "ct": 1})
    assert [row.count("diverged") for row in found["reason"]] == [1, 1, 1]
    assert found["reason"].iloc[2] == "3 diverged, counted as they ended"


def test_comparison_with_the_best():
    table = values(10, km=0, dkm=8.0, ct=8.2, dec=7.9)
    rows = {row["method"]: row for row in compare_with_best(table, compare_pairs(table, stream=""))}
    best = table.mean().idxmax()
    assert rows[best]["verdict"] == "best"
    assert rows["km"]["verdict"] == "worse"
    for method in set(table) - {best}:
        p = stats.wilcoxon(table[method], table[best]).pvalue
        assert rows[method]["p_corrected"] == pytest.approx(min(1, 3 * p))
        assert rows[method]["verdict"] == ("worse" if 3 * p < 0.05 else "not significantly worse")
    few = table.head(6)  # three comparisons: the least is 3 * 2 / 64
    rows = list(compare_with_best(few, compare_pairs(few, stream="")))
    assert sorted({row["verdict"] for row in rows}) == ["best", "cannot conclude"]


def test_the_best_by_its_mean_alone_makes_nobody_worse():
    table = pd.DataFrame({"steady": np.arange(10.0), "lucky": np.arange(10.0) - 1.0})
    table.loc[9, "lucky"] = 100.0  # the higher mean by one seed, behind in all others
    rows = {row["method"]: row for row in compare_with_best(table, compare_pairs(table, stream=""))}
    assert rows["lucky"]["verdict"] == "best"
    assert rows["steady"]["verdict"] == "not significantly worse"


def test_the_best_has_all_seeds():
    table = values(10, km=0, dkm=5.0, lucky=0)
    table.loc[1:, "lucky"] = np.nan
    table.loc[0, "lucky"] = 99.0
    rows = {row["method"]: row for row in compare_with_best(table, compare_pairs(table, stream=""))}
    assert {key: row["verdict"] for key, row in rows.items()} == {
        "km": "worse",
        "dkm": "best",
        "lucky": "cannot conclude",
    }
    assert {row["best"] for row in rows.values()} == {"dkm"}
    table.loc[3] = np.nan
    rows = list(compare_with_best(table, compare_pairs(table, stream="")))
    assert {(row["verdict"], row["reason"]) for row in rows} == {("cannot conclude", "no method has all 10 seeds")}


def study_of(scores, *, seeds, contrasts=(), **order):
    return compare_over_seeds(scores, seeds=list(range(seeds)), contrasts=list(contrasts), **order)


def test_tables_over_all_data_sets_and_metrics():
    scores = scores_of({"a": values(8, km=0, dkm=5), "b": values(8, km=1, dkm=0)})
    order = {"datasets": ["b", "a", "absent"], "methods": ["dkm", "km"]}
    contrasts, pairwise, best = study_of(scores, seeds=8, contrasts=[["km", "dkm"]], **order)
    assert list(pairwise.columns) == PAIRWISE
    assert list(contrasts.columns) == CONTRASTS
    assert contrasts["dataset"].tolist() == 3 * ["b"] + 3 * ["a"]
    np.testing.assert_allclose(contrasts["mean_difference"], -pairwise["mean_difference"])
    assert list(best.columns) == BEST
    assert pairwise["dataset"].tolist() == 3 * ["b"] + 3 * ["a"]
    assert pairwise["metric"].tolist() == 2 * ["acc", "nmi", "ari"]
    assert (pairwise["method"] == "dkm").all()
    assert len(best) == 12
    alone = study_of(scores, seeds=8, datasets=["a"], methods=["km"])
    for columns, table in zip((CONTRASTS, PAIRWISE, BEST), alone, strict=True):
        assert table.empty
        assert list(table.columns) == columns


def test_ten_seeds_decide_what_was_planned_and_not_all_pairs():
    table = values(10, **{f"m{i}": 2.0 * i for i in range(8)})
    planned = [[f"m{i}", "m0"] for i in range(1, 8)] + [["m7", "m6"]]
    order = {"datasets": ["a"], "methods": list(table)}
    contrasts, pairwise, _ = study_of(scores_of({"a": table}), seeds=10, contrasts=planned, **order)
    assert set(pairwise["verdict"]) == {"cannot conclude"}  # 28 of them: the least p is 28 * 2 / 1024
    found = contrasts[contrasts["metric"] == "acc"]
    assert found[["method", "other"]].to_numpy().tolist() == planned
    p = np.array([stats.wilcoxon(table[method], table[other]).pvalue for method, other in planned])
    assert found["p_holm"].tolist() == pytest.approx(holm(p).tolist())
    assert set(found["verdict"]) == {"better"}
    most = [["m1", "m0"]] * 25  # ten seeds decide so many, and not one more
    assert smallest_p(10, len(most)) < 0.05 <= smallest_p(10, len(most) + 1)


def test_seeds_that_no_method_has_are_missing():
    scores = scores_of({"a": values(8, km=0, dkm=5)})
    order = {"datasets": ["a"], "methods": ["km", "dkm"]}
    contrasts, pairwise, best = study_of(scores, seeds=10, contrasts=[["km", "dkm"]], **order)
    assert set(contrasts["reason"]) == set(pairwise["reason"]) == {"8 of 10 seeds have both"}
    assert set(best["reason"]) == {"no method has all 10 seeds"}


def many_datasets(n, **shift):
    return {f"d{i}": values(3, **shift) + i + np.random.default_rng(i).normal(0, 1, len(shift)) for i in range(n)}


def test_friedman_and_nemenyi_are_what_the_libraries_say():
    tables = many_datasets(6, km=0, dkm=3, ct=6, dec=6.2)
    means = pd.DataFrame({name: table.mean() for name, table in tables.items()}).T
    order = {"datasets": [*tables], "methods": [*means]}
    friedman, nemenyi = compare_over_datasets(scores_of(tables), **order, nemenyi=True)
    assert compare_over_datasets(scores_of(tables), **order)[1].empty
    assert list(friedman.columns) == FRIEDMAN
    assert list(nemenyi.columns) == NEMENYI
    accuracy = friedman[friedman["metric"] == "acc"].set_index("method")
    chi2 = stats.friedmanchisquare(*means.to_numpy().T).statistic
    assert accuracy["statistic"].tolist() == pytest.approx(4 * [5 * chi2 / (6 * 3 - chi2)])
    assert accuracy["p"].tolist() == pytest.approx(4 * [stats.f.sf(5 * chi2 / (6 * 3 - chi2), 3, 3 * 5)])
    assert (accuracy["verdict"] == "methods differ").all()
    by_hand = np.mean([stats.rankdata(-row) for row in means.to_numpy()], axis=0)
    assert accuracy["average_rank"].tolist() == pytest.approx(by_hand.tolist())
    p = scikit_posthocs.posthoc_nemenyi_friedman(means.to_numpy()).to_numpy()
    found = nemenyi[nemenyi["metric"] == "acc"]
    assert found["p"].tolist() == pytest.approx(p[np.triu_indices(4, 1)].tolist())
    distance = found["rank_difference"].abs()
    assert ((distance > accuracy["critical_difference"].iloc[0]) == (found["verdict"] != "no difference found")).all()
    assert set(found.loc[found["method"] == "km", "verdict"]) >= {"worse"}


def test_iman_and_davenport_is_an_analysis_of_variance_of_the_ranks():
    ranks = np.array([stats.rankdata(row) for row in np.random.default_rng(1).normal(size=(14, 4)) + np.arange(4) / 3])
    between = 14 * ((ranks.mean(0) - 2.5) ** 2).sum()
    within = ((ranks - ranks.mean(0)) ** 2).sum()
    statistic, p = iman_davenport(ranks)
    assert statistic == pytest.approx((between / 3) / (within / (3 * 13)))
    assert p == pytest.approx(stats.f.sf(statistic, 3, 39))


def test_data_sets_that_all_agree_give_the_chance_of_that():
    statistic, p = iman_davenport(np.tile(np.arange(3.0), (4, 1)))
    assert (statistic, p) == (np.inf, pytest.approx(1 / 6**3))


def test_critical_difference_of_the_textbook():
    assert critical_difference(4, 14) == pytest.approx(2.569 * np.sqrt(4 * 5 / (6 * 14)), abs=1e-3)  # Demsar 2006
    assert critical_difference(10, 30) == pytest.approx(3.164 * np.sqrt(10 * 11 / (6 * 30)), abs=1e-3)


@pytest.mark.parametrize(
    ("n_datasets", "methods", "reason"),
    [
        (1, {"km": 0, "dkm": 1, "ct": 2}, "1 data set and 3 methods, expected at least 2 and 3"),
        (4, {"km": 0, "dkm": 9}, "4 data sets and 2 methods, expected at least 2 and 3"),
        (2, {"km": 0, "dkm": 9, "ct": 20}, "2 data sets and 3 methods: the smallest possible p is 0.17"),
    ],
)
def test_too_few_data_sets_or_methods(n_datasets, methods, reason):
    tables = many_datasets(n_datasets, **methods)
    friedman, _ = compare_over_datasets(scores_of(tables), datasets=[*tables], methods=[*methods])
    assert set(friedman["verdict"]) == {"cannot conclude"}
    assert set(friedman["reason"]) == {reason}
    assert friedman["average_rank"].notna().all()


def test_incomplete_data_sets_are_left_out_and_named():
    tables = many_datasets(5, km=0, dkm=3, ct=6)
    tables["d1"] *= np.nan
    tables["d3"]["ct"] = np.nan
    friedman, _ = compare_over_datasets(scores_of(tables), datasets=[*tables], methods=["km", "dkm", "ct", "absent"])
    assert set(friedman["n_datasets"]) == {3}
    assert set(friedman["reason"]) == {"left out: d1 d3"}
    assert friedman.set_index("method").loc["absent", "average_rank"].isna().all()


def test_methods_that_tie_everywhere():
    tables = {name: table * 0 + 50 for name, table in many_datasets(4, km=0, dkm=3, ct=6).items()}
    order = {"datasets": [*tables], "methods": ["km", "dkm", "ct"]}
    friedman, nemenyi = compare_over_datasets(scores_of(tables), **order, nemenyi=True)
    assert set(friedman["average_rank"]) == {2}
    assert set(friedman["verdict"]) == {"no difference found"}
    assert set(nemenyi["p"]) == {1}


def test_no_labels_anywhere():
    tables = {name: table * np.nan for name, table in many_datasets(3, km=0, dkm=3, ct=6).items()}
    order = {"datasets": [*tables], "methods": ["km", "dkm", "ct"]}
    friedman, nemenyi = compare_over_datasets(scores_of(tables), **order, nemenyi=True)
    assert set(friedman["verdict"]) == {"cannot conclude"}
    assert len(friedman) == 9
    assert nemenyi.empty


def test_copies_of_one_run_prove_nothing():
    """Two methods that do not depend on their seeds, and one that does, over ten of them."""
    noise = np.random.default_rng(0).normal(0, 1, 10)
    frame = pd.DataFrame({"ward": np.full(10, 70.0), "spectral": np.full(10, 80.0), "km": 60 + noise})
    pairs = compare_pairs(frame, stream="x").set_index(["method", "other"])
    row = pairs.loc["ward", "spectral"]
    assert (row["verdict"], row["mean_difference"], row["effect"]) == ("cannot conclude", -10, -1)
    assert row["reason"] == "one difference in 10 seeds: neither depends on its seed"
    assert np.isnan(row["p"])
    assert pairs.loc[("ward", "km"), "verdict"] == pairs.loc[("spectral", "km"), "verdict"] == "better"
    best = pd.DataFrame(compare_with_best(frame, pairs.reset_index())).set_index("method")
    assert best["verdict"].tolist() == ["cannot conclude", "best", "worse"]


def test_fewer_than_five_runs_have_no_deviation():
    told = describe_runs([1.0, 2.0, np.nan, 4.0, 5.0])
    assert (told["n"], told["runs"]) == (4, "1.0 / 2.0 / 4.0 / 5.0")
    assert np.isnan(told["std"])
    told = describe_runs([1.0, 2.0, 3.0, 4.0, 5.0])
    assert (told["std"], told["standard_error"]) == pytest.approx((np.sqrt(10 / 4), np.sqrt(10 / 4 / 5)))
    assert told["runs"] == ""
    assert describe_runs([]) == pytest.approx(
        {"mean": np.nan, "std": np.nan, "n": 0, "standard_error": np.nan, "runs": ""}, nan_ok=True
    )


@pytest.mark.parametrize("seed", range(40))
def test_a_published_figure_is_reproduced_where_welch_finds_no_difference(seed):
    random = np.random.default_rng(seed)
    here = (80.0, random.uniform(0.2, 3), int(random.integers(2, 11)))
    published = (80 + random.normal(0, 3), random.uniform(0.2, 3), int(random.integers(2, 11)))
    p = stats.ttest_ind_from_stats(*here, *published, equal_var=False).pvalue
    found = compare_with_published(here, published)
    if p < 0.05:
        assert found["verdict"] == ("above" if here[0] > published[0] else "below")
    else:
        assert found["verdict"] == ("reproduced" if found["margin"] <= 5 else "cannot conclude")
    at_the_edge = (published[0] + found["margin"], *here[1:])
    assert stats.ttest_ind_from_stats(*at_the_edge, *published, equal_var=False).pvalue == pytest.approx(0.05)


def test_what_nobody_published():
    t = stats.t.ppf(0.975, 9)
    no_deviation = margin_of((2.0, 10), (np.nan, 5))
    assert no_deviation == pytest.approx(t * 2 * np.sqrt(1 / 10 + 1 / 5))  # that of here stands for it
    one_run_here = margin_of((np.nan, 1), (2.0, 10))
    assert one_run_here == pytest.approx(t * 2 * np.sqrt(1 + 1 / 10))
    runs_unstated = margin_of((2.0, 10), (2.0, 1))
    assert runs_unstated == pytest.approx(stats.t.ppf(0.975, 9 * 1.1**2 / 0.1**2) * 2 * np.sqrt(1.1))
    assert np.isnan(margin_of((np.nan, 1), (np.nan, 1)))
    assert compare_with_published((80.0, np.nan, 1), (60.0, np.nan, 1))["verdict"] == "cannot conclude"
    assert margin_of((0.0, 10), (np.nan, 1)) == 0.05  # Ward, beside 74.6 as printed
    assert compare_with_published((74.62, 0.0, 10), (74.6, np.nan, 1))["verdict"] == "reproduced"
    assert compare_with_published((70.0, 9.0, 2), (75.0, 1.0, 10))["verdict"] == "cannot conclude"  # margin of 80


def slow_posterior(differences, random, draws=3000):
    """The Bayesian signed-rank test once more, from independent exponential weights, pair by pair."""
    z, wins = [0.0, *differences], np.zeros(3)
    for _ in range(draws):
        weight, total = random.exponential(size=len(z)), np.zeros(3)
        for a, first in zip(weight, z, strict=True):
            for b, second in zip(weight, z, strict=True):
                mean = (first + second) / 2
                total[0 if mean > 1 else 2 if mean < -1 else 1] += a * b
        wins[total.argmax()] += 1
    return wins / draws


@pytest.mark.parametrize("mean", [-2.0, 0.3, 1.2, 2.0])
def test_the_posterior_once_more(mean):
    random = np.random.default_rng(3)
    differences = random.normal(mean, 1.5, size=7)
    found = posterior_of(differences, "x")
    assert list(found.values()) == pytest.approx(slow_posterior(differences, random), abs=0.04)
    assert sum(found.values()) == pytest.approx(1)
    turned = posterior_of(-differences, "x")
    assert turned["p_better"] == pytest.approx(found["p_worse"], abs=1e-3)


def test_practically_equal_is_said_by_the_posterior_alone():
    noise = np.random.default_rng(0).normal(0, 0.1, 10)
    table = pd.DataFrame({"km": 60 + noise, "near": 60.5 + noise[::-1] / 3, "far": 63 + noise / 2, "copy": 60 + noise})
    pairs = [["near", "km"], ["far", "km"], ["copy", "km"]]
    contrasts, *_ = study_of(scores_of({"a": table}), seeds=10, contrasts=pairs, datasets=["a"], methods=list(table))
    rows = contrasts[contrasts["metric"] == "acc"].set_index("method")
    assert rows.loc["near", ["verdict", "reason"]].tolist() == ["practically equal", "better, by less than a point"]
    assert rows.loc["near", "p_holm"] < 0.05
    assert rows.loc["far", "verdict"] == "better"
    assert rows.loc["copy", ["verdict", "reason"]].tolist() == ["practically equal", "equal in 10 seeds"]
    few, *_ = study_of(scores_of({"a": table[:4]}), seeds=4, contrasts=pairs, datasets=["a"], methods=list(table))
    assert few["p_equal"].isna().all()


def pooled(tables, contrasts=()):
    methods = list(dict.fromkeys(method for table in tables.values() for method in table))
    asked = {"datasets": [*tables, "absent"], "methods": [*methods, "none"], "contrasts": list(contrasts)}
    overall, improvement = pool_runs(scores_of(tables), **asked)
    assert list(overall.columns) == OVERALL
    assert list(improvement.columns) == IMPROVEMENT
    return overall[overall["metric"] == "acc"].set_index("method"), improvement[improvement["metric"] == "acc"]


def test_interquartile_means_of_all_runs_of_all_data_sets():
    tables = {name: values(8, km=0, dkm=shift) + shift for name, shift in (("a", 0), ("b", 9))}
    tables["a"].iloc[0] -= 40  # a run collapsed
    found, _ = pooled(tables)
    for method in ("km", "dkm"):
        runs = np.sort(np.concatenate([table[method] for table in tables.values()]))
        assert found.loc[method, "iqm"] == pytest.approx(runs[4:12].mean())
        assert found.loc[method, ["n_datasets", "n_runs"]].tolist() == [2, 16]
        random, means = np.random.default_rng(5), []
        for _ in range(3000):
            drawn = np.concatenate([random.choice(table[method], 8) for table in tables.values()])
            means.append(np.sort(drawn)[4:12].mean())
        wide = np.ptp(np.percentile(means, [2.5, 97.5]))
        assert found.loc[method, ["low", "high"]].tolist() == pytest.approx(
            np.percentile(means, [2.5, 97.5]), abs=0.08 * wide
        )
    assert found.loc["none", "n_runs"] == 0
    assert np.isnan(found.loc["none", "iqm"])


def test_a_method_without_all_runs_has_no_interquartile_mean():
    """With two runs on the hard data set and ten on the easy one it would be ahead of a better method."""
    tables = {"easy": values(10, km=40, dkm=41), "hard": values(10, km=0, dkm=1)}
    tables["hard"].loc[tables["hard"].index[2:], "km"] = np.nan
    found, _ = pooled(tables)
    assert np.isnan(found.loc["km", ["iqm", "low", "high"]].astype(float)).all()
    assert found.loc["km", "n_runs"] == 12
    assert np.isfinite(found.loc["dkm", ["iqm", "low", "high"]].astype(float)).all()


def test_where_nothing_was_tested_nothing_is_corrected():
    table = values(4, km=0, dkm=1)
    table.loc[table.index[:], "lost"] = np.nan
    rows = {row["method"]: row for row in compare_with_best(table, compare_pairs(table, stream=""))}
    assert np.isnan(rows["lost"]["p"])
    assert np.isnan(rows["lost"]["p_corrected"])


def test_data_sets_without_some_method_are_left_out_of_pools():
    tables = {"a": values(6, km=0, dkm=1), "b": values(6, km=0)}
    found, improvement = pooled(tables, [["dkm", "km"], ["dkm", "none"]])
    assert found.loc[["km", "dkm"], "n_datasets"].tolist() == [1, 1]
    assert improvement["n_datasets"].tolist() == [1, 0]
    few, _ = pooled({"a": values(4, km=0)})
    assert np.isnan(few.loc["km", "low"])


def test_the_probability_of_improvement_is_mann_whitneys():
    tables = {name: values(10, km=0, dkm=shift).round() for name, shift in (("a", 1), ("b", 3))}
    _, improvement = pooled(tables, [["dkm", "km"], ["km", "dkm"]])
    share = np.mean([stats.mannwhitneyu(table["dkm"], table["km"]).statistic / 100 for table in tables.values()])
    row, turned = improvement.iloc[0], improvement.iloc[1]
    assert row["probability"] == pytest.approx(share)
    assert turned["probability"] == pytest.approx(1 - share)
    random, shares = np.random.default_rng(5), []
    for _ in range(2000):
        drawn = [table.iloc[random.integers(10, size=10)] for table in tables.values()]
        shares.append(np.mean([(d["dkm"].to_numpy()[:, None] > d["km"].to_numpy()).mean() for d in drawn]))
        shares[-1] += np.mean([(d["dkm"].to_numpy()[:, None] == d["km"].to_numpy()).mean() for d in drawn]) / 2
    low, high = np.percentile(shares, [2.5, 97.5])
    assert [row["low"], row["high"]] == pytest.approx([low, high], abs=0.1 * (high - low))


def test_the_simulated_studies_use_the_same_tests(monkeypatch):
    p = np.random.default_rng(0).uniform(0, 0.1, size=(20, 7))
    np.testing.assert_allclose(tests_power.holm(p), [holm(row) for row in p])
    monkeypatch.setattr(tests_power, "STUDIES", 200)
    how = {"n_seeds": 10, "test": "signed ranks", "random": np.random.default_rng(0), "noise": tests_power.normal}
    found, false = tests_power.decided(3.0, n_comparisons=7, **how)
    assert found > 0.9
    assert false < 0.12
    assert tests_power.decided(9.0, n_comparisons=28, **how) == (0, 0)  # all pairs of eight methods


def test_the_posterior_over_data_sets_is_that_of_their_means():
    tables = {f"d{i}": values(3, km=0, dkm=4 + i) for i in range(5)}
    _, improvement = pooled(tables, [["dkm", "km"]])
    means = np.array([(table["dkm"] - table["km"]).mean() for table in tables.values()])
    expected = slow_posterior(means, np.random.default_rng(0))
    assert improvement.iloc[0][["p_better", "p_equal", "p_worse"]].tolist() == pytest.approx(expected, abs=0.03)
    _, four = pooled({name: tables[name] for name in list(tables)[:4]}, [["dkm", "km"]])
    assert four["p_equal"].isna().all()
