"""What the page opens with: each sentence is recomputed from the runs by other means than those that made it."""

import re
from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from deepkm.report.page.findings import Found, findings
from deepkm.report.statistics.study import make_statistics

METHODS = ["km", "base", "up", "near", "down"]
TITLES = {key: key.title() for key in METHODS}
CONTRASTS = [["up", "base"], ["near", "base"], ["down", "base"], ["up", "near"]]
NUMBER = r"[+−]?\d+(?:\.\d+)?"


def make_study(n_seeds, *, n_datasets=1, n_methods=5, change=None):
    """Return a study with gaps that ten seeds can tell, as a `Found`; `change` edits its scores before the tests."""
    rng = np.random.default_rng(n_seeds + 10 * n_datasets)
    datasets = {f"d{i}": f"Data{i}" for i in range(n_datasets)}
    methods, rows = METHODS[:n_methods], []
    gaps = {"km": 0.0, "base": 3.0, "up": 9.0, "near": 9.2, "down": -4.0}
    for dataset, seed in product(datasets, range(n_seeds)):
        shared = rng.normal()
        for method in methods:
            value = (60 + gaps[method] + shared + 0.6 * rng.normal()) / 100
            rows.append((dataset, method, seed, value, value, value, False))
    columns = ["dataset", "method", "seed", "acc", "nmi", "ari", "diverged"]
    scores = pd.DataFrame(rows, columns=columns)
    scores = scores if change is None else change(scores)
    asked = {"datasets": [*datasets], "methods": methods, "seeds": list(range(n_seeds)), "nemenyi": False}
    contrasts = [pair for pair in CONTRASTS if set(pair) <= set(methods)]
    made = make_statistics(scores, asked | {"contrasts": contrasts})
    parameters = pd.DataFrame([(d, m) for d in datasets for m in methods], columns=["dataset", "method"])
    parameters = parameters.assign(estimator="x:Y", autoencoder=None)
    parameters.loc[parameters["method"] == "km", "estimator"] = "deepkm.methods.km:KMeans"
    frames = {name: made[name] for name in ("contrasts", "pairwise", "best", "friedman")}
    named = {"datasets": datasets, "methods": {key: TITLES[key] for key in methods}, "n_seeds": n_seeds}
    return Found(scores=scores, parameters=parameters, **frames, **named)


def signed_rank_p(differences):
    """Return the two-sided p of the signed-rank test, from all sign patterns."""
    differences = np.round(differences, 9)
    differences = differences[differences != 0]
    if not len(differences):
        return 1.0
    ranks = stats.rankdata(np.abs(differences))
    sums = np.array([*product([-1, 1], repeat=len(ranks))]) @ ranks
    return np.mean(np.abs(sums) >= abs(np.sign(differences) @ ranks) - 1e-9)


class Recomputed:
    """What scores say, and which of the planned contrasts sentences have spoken of."""

    def __init__(self, found):
        self.found, self.spoken = found, []
        self.names = {title: key for key, title in found.methods.items()}
        self.tables = {
            key: 100 * rows.pivot(index="seed", columns="method", values="nmi").reindex(columns=list(found.methods))
            for key, rows in found.scores.groupby("dataset")
            if rows["nmi"].notna().any()
        }
        self.p = {}
        for dataset, table in self.tables.items():
            pairs = {
                tuple(pair): (table[pair[0]] - table[pair[1]]).dropna() for pair in CONTRASTS if set(pair) <= set(table)
            }
            ps = {
                pair: signed_rank_p(d)
                for pair, d in pairs.items()
                if len(d) and (len(d) == 1 or np.ptp(d.round(9)) or not d.any())
            }
            worst = 0.0
            for i, pair in enumerate(sorted(ps, key=ps.get)):
                worst = max(worst, min(1, (len(ps) - i) * ps[pair]))
                self.p[dataset, pair] = worst
            self.n_tested = len(ps)

    def keys(self, text):
        return [self.names[name] for name in re.split(", | and ", text)]

    def where(self, text):
        if not text:
            return list(self.tables)
        if "data sets" in text:
            assert ("both" in text and len(self.tables) == 2) or f"all {len(self.tables)} " in text
            return list(self.tables)
        titles = {title: key for key, title in self.found.datasets.items()}
        return [titles[name] for name in re.split(", | and ", text.removeprefix(" on "))]

    def differences(self, methods, other, where):
        """Return the differences of each of the pairs that a phrase is about, and note that it was."""
        pairs = [(dataset, (method, self.names[other])) for method in methods for dataset in where]
        self.spoken += pairs
        return [
            (place, (self.tables[place[0]][place[1][0]] - self.tables[place[0]][place[1][1]]).dropna())
            for place in pairs
        ]


def ends_of(values, form=".1f"):
    low, high = (format(end(values), form).replace("-", "−") for end in (min, max))
    return low if low == high else f"{low} to {high}"


def check_leader(seen, names, rest):
    title, score, tail = re.fullmatch(rf"(\w+), ({NUMBER}) %(.*)", rest).groups()
    dataset = seen.where(f" on {title}")[0]
    table, n_seeds = seen.tables[dataset], seen.found.n_seeds
    whole = table.loc[:, table.notna().sum() == n_seeds]
    means = whole.mean().round(1)
    assert seen.keys(names) == [key for key in whole if means[key] == means.max()]
    assert float(score) == means.max()
    assert ("among methods with all seeds" in tail) == (whole.shape[1] < table.shape[1])
    best = whole.mean().round(9).idxmax()
    others = [key for key in table if key not in seen.keys(names)]
    gaps = {key: (table[key] - table[best]).dropna().round(9) for key in table if key != best}
    tested = {key: d for key, d in gaps.items() if len(d) == 1 or (len(d) and (np.ptp(d) or not d.any()))}
    ps = {key: len(tested) * signed_rank_p(tested[key]) for key in others if key in tested}
    if worse := re.search(r"; (\d+) of (\d+) others? (?:is|are) significantly worse(?:, (.*) (?:is|are) not)?", tail):
        assert [int(worse[1]), int(worse[2])] == [sum(p < 0.05 for p in ps.values()), len(others)]
        assert set(seen.keys(worse[3]) if worse[3] else []) <= {key for key in ps if ps[key] >= 0.05}
    else:
        assert not any(p < 0.05 for p in ps.values())


def check_phrase(seen, phrase, seeds):
    """Check one phrase about planned contrasts."""
    patterns = {
        "ahead": r"(?P<m>.+) (?:is|are) ahead of (?P<o>\w+)(?P<w> on .+)? by (?P<x>.+) points of NMI",
        "behind": r"(?P<m>.+) (?:is|are) behind (?P<o>\w+)(?P<w> on .+)? by (?P<x>.+) points of NMI",
        "equal": r"(?P<m>.+) (?:is|are) practically equal to (?P<o>\w+)(?P<w> on .+)?: within one point of NMI",
        "open": r"(?P<m>.+) cannot be told from (?P<o>\w+)(?P<w> on [\w ,]+)?, (?P<x>.+) points of NMI away",
        "same": r"(?P<m>.+) (?:has|have) the same NMI as (?P<o>\w+) at every seed(?P<w> on .+)?",
        "alike": r"(?P<m>.+) (?:is|are) (?P<x>.+) points of NMI away from (?P<o>\w+)(?P<w> on .+)? at every seed .+",
        "apart": r"(?P<m>.+) (?:has|have) no seed in common with (?P<o>\w+)(?P<w> on .+)?",
    }
    kind, match = next((kind, m) for kind, pattern in patterns.items() if (m := re.fullmatch(pattern, phrase)))
    pairs = seen.differences(seen.keys(match["m"]), match["o"], seen.where(match["w"]))
    means = [d.mean() for _, d in pairs]
    tests = {
        "ahead": lambda place, d: d.mean() > 0 and seen.p[place] < 0.05,
        "behind": lambda place, d: d.mean() < 0 and seen.p[place] < 0.05,
        "equal": lambda place, d: abs(d.median()) < 1 and len(d) >= 5,
        "open": lambda place, d: seen.p[place] >= 0.05 and d.round(9).any(),
        "same": lambda place, d: not d.round(9).any(),
        "alike": lambda place, d: len(d) > 1 and np.ptp(d.round(9)) == 0,
        "apart": lambda place, d: d.empty,
    }
    for place, d in pairs:
        assert tests[kind](place, d), (phrase, place)
        assert kind == "apart" or len(d) <= int(re.findall(r"\d+", seeds)[-1])
    if "x" in match.groupdict():
        shown = ends_of(np.abs(means)) if kind in ("ahead", "behind") else ends_of(means, "+z.1f")
        assert match["x"] == shown


def check_undecided(seen, sentence):
    places = [
        (dataset, tuple(pair)) for dataset in seen.tables for pair in CONTRASTS if set(pair) <= set(seen.found.methods)
    ]
    left = [place for place in places if place not in seen.spoken]
    seen.spoken += left
    sizes = [len((seen.tables[d][a] - seen.tables[d][b]).dropna()) for d, (a, b) in left]
    if match := re.fullmatch(
        r"(\d+) of (\d+) planned comparisons cannot be decided: they have (.+) seeds?, and it takes (\d+)\.", sentence
    ):
        assert [int(match[1]), int(match[2])] == [len(left), len(places)]
        have, needed = match[3], int(match[4])
    else:
        have, needed = re.fullmatch(
            r"(.+) seeds? cannot decide .+, whatever the numbers: that takes (\d+)\.", sentence
        ).groups()
        assert left == places
        needed = int(needed)
    assert have == ends_of(sizes, "d")
    assert seen.n_tested * 2 / 2**needed < 0.05 <= seen.n_tested * 2 / 2 ** (needed - 1)


def check_ranks(seen, sentence):
    means = pd.DataFrame({key: table.mean().round(9) for key, table in seen.tables.items()}).T
    ranks = means.rank(axis=1, ascending=False).mean().round(2)
    names, least = re.search(r": (.+) ha(?:s|ve) the best average rank, ([\d.]+) of", sentence).groups()
    assert (seen.keys(names), float(least)) == ([key for key in ranks.index if ranks[key] == ranks.min()], ranks.min())
    n, k = means.shape
    chi2 = stats.friedmanchisquare(*means.to_numpy().T).statistic
    assert (
        chi2 > n * (k - 1) - 1e-9 or stats.f.sf((n - 1) * chi2 / (n * (k - 1) - chi2), k - 1, (k - 1) * (n - 1)) < 0.05
    )


def check_kmeans(seen, sentence):
    alone = re.search(r", by means alone(?: of (\d+) of them)?: ([^)]+)\)", sentence)
    dataset = seen.where(" on " + re.search(r"the data on (\w+) ", sentence)[1])[0]
    table = seen.tables[dataset]
    others = [key for key in table if key != "km"]
    gaps = {key: (table[key] - table["km"]).dropna() for key in others}
    gaps = {key: d for key, d in gaps.items() if len(d)}
    few = {key for key, d in gaps.items() if len(gaps) * 2 / 2 ** len(d) >= 0.05}
    copied = {key for key, d in gaps.items() if len(d) > 1 and np.ptp(d.round(9)) == 0 and d.round(9).any()} - few
    sure = {key for key, d in gaps.items() if key in few | copied or len(gaps) * signed_rank_p(d) < 0.05}
    ahead = [key for key, d in gaps.items() if d.mean() > 0 and key in sure]
    assert bool(alone) == bool(few | copied)
    if alone:
        assert int(alone[1] or len(gaps)) == len(few | copied)
        why = []
        if few:
            sizes = [len(gaps[key]) for key in few]
            seeds, pairs = "s" * (max(sizes) > 1), "s" * (len(gaps) > 1)
            why.append(f"{ends_of(sizes, 'd')} seed{seeds} cannot decide {len(gaps)} comparison{pairs}")
        if copied:
            why.append("no test judges a difference that is the same at every seed")
        assert alone[2] == "; ".join(why)
    if sentence.startswith("No method"):
        assert ahead == []
    else:
        assert sentence.startswith(f"{len(ahead)} of {len(gaps)} method")
        assert set(seen.keys(sentence.rstrip(".").partition("): ")[2])) == set(ahead)


def check(found):
    """Check all sentences of a study, and that none of its planned contrasts is left out; return them."""
    seen, said = Recomputed(found), findings(found)
    for sentence in said:
        if leader := re.match(r"(.+?) (?:has|share) the highest (?:mean )?NMI on (.+)\.$", sentence):
            check_leader(seen, *leader.groups())
        elif alone := re.fullmatch(
            rf"(\w+) reaches ({NUMBER}) % NMI on (\w+)(?: over \d+ seeds| in one run)\.", sentence
        ):
            table = seen.tables[seen.where(f" on {alone[3]}")[0]]
            assert float(alone[2]) == round(table[seen.names[alone[1]]].mean(), 1)
        elif "k-means on the data" in sentence:
            check_kmeans(seen, sentence)
        elif sentence.startswith("Over"):
            check_ranks(seen, sentence)
        elif "cannot be decided" in sentence or "cannot decide" in sentence:
            check_undecided(seen, sentence)
        elif sentence.endswith("no true classes: scores are not defined there."):
            names = sentence.rpartition(" ha")[0]
            run = set(found.scores["dataset"])
            assert [found.datasets[key] for key in found.datasets if key in run - set(seen.tables)] == re.split(
                ", | and ", names
            )
        elif undone := re.fullmatch(r"No run on (.+) is done\.", sentence):
            missing = set(found.datasets) - set(found.scores["dataset"])
            assert {found.datasets[key] for key in missing} == set(re.split(", | and ", undone[1]))
        elif none := re.fullmatch(r"No method has all (\d+) seeds on (\w+): none is called the best\.", sentence):
            table = seen.tables[seen.where(f" on {none[2]}")[0]]
            assert (table.notna().sum() < int(none[1])).all()
        else:
            phrases, seeds = re.fullmatch(r"(.+?)( \([\d to]+ seeds\))?\.", sentence).groups()
            for phrase in phrases.split("; "):
                check_phrase(seen, phrase, seeds or "0")
    planned = [pair for pair in CONTRASTS if set(pair) <= set(found.methods)]
    expected = {(dataset, tuple(pair)) for dataset in seen.tables for pair in planned}
    assert set(seen.spoken) == expected
    assert len(seen.spoken) == len(expected)
    return said


def without_spread(scores):
    """k-means and the method ahead of it, each the same at all seeds, as those that draw nothing are."""
    for key, value in (("km", 0.6), ("up", 0.7)):
        scores.loc[scores["method"] == key, ["acc", "nmi", "ari"]] = value
    return scores


def not_begun(scores):
    return scores[scores["dataset"] != "d1"]


def tied(scores):
    """Two methods with the same runs, and one that is a point behind at every seed."""
    wide = scores.set_index(["dataset", "method", "seed"])
    for to, gap in (("near", 0.0), ("base", 0.01)):
        for metric in ("acc", "nmi", "ari"):
            other = wide.xs("up", level="method")[metric] - gap
            wide.loc[(slice(None), to), metric] = other.to_numpy()
    return wide.reset_index()


def with_gaps(scores):
    """A method without seeds, one with half of them, and a run that diverged."""
    scores = scores[~((scores["method"] == "down") | ((scores["method"] == "near") & (scores["seed"] % 2 == 1)))].copy()
    worst = scores.index[(scores["method"] == "base")][0]
    scores.loc[worst, ["acc", "nmi", "ari"]] = 0.0
    scores.loc[worst, "diverged"] = True
    return scores


def without_classes(scores):
    scores = scores.copy()
    scores.loc[scores["dataset"] == "d1", ["acc", "nmi", "ari"]] = np.nan
    return scores


@pytest.fixture(autouse=True)
def no_intervals(monkeypatch):
    """No sentence is about intervals, which take most of the time."""
    paired = "deepkm.report.statistics.paired.bootstrap_intervals"
    monkeypatch.setattr(paired, lambda differences, stream: np.zeros((len(differences), 2)))


@pytest.mark.parametrize("n_seeds", [1, 2, 3, 6, 8, 10])
@pytest.mark.parametrize("change", [None, tied, with_gaps, without_spread])
def test_each_sentence_follows_from_the_runs(n_seeds, change):
    said = check(make_study(n_seeds, change=change))
    decided = [sentence for sentence in said if re.search("ahead of Base|significantly worse", sentence)]
    assert bool(decided) == (n_seeds >= 8) or change


@pytest.mark.parametrize("change", [None, without_classes, not_begun])
def test_each_sentence_about_three_data_sets_follows_from_the_runs(change):
    said = check(make_study(10, n_datasets=3, change=change))
    where = "on all 3 data sets" if change is None else "on both data sets"
    assert any(sentence.startswith(f"Up and Near are ahead of Base {where} by ") for sentence in said)
    assert any(sentence.startswith("Data1 has no true classes") for sentence in said) == (change is without_classes)
    assert ("No run on Data1 is done." in said) == (change is not_begun)
    assert any(sentence.startswith("Over 3 data sets methods differ") for sentence in said) == (change is None)


def test_one_method_is_compared_with_nothing():
    assert len(check(make_study(3, n_methods=1))) == 1
    empty = make_study(2, n_methods=1, change=lambda scores: scores.assign(acc=np.nan, nmi=np.nan, ari=np.nan))
    assert check(empty) == ["Data0 has no true classes: scores are not defined there."]


def test_k_means_is_ahead_of_all_or_not():
    def worst(scores):
        return scores[scores["method"].isin(["km", "down"])]

    assert "No method is ahead of k-means on the data on Data0 (ACC, NMI, ARI)." in check(make_study(10, change=worst))


def test_names_with_commas_are_quoted():
    found = make_study(10)
    titled = replace(found, methods=found.methods | {"near": "Near, fresh"}, datasets={"d0": "Faces and hands"})
    said = "\n".join(findings(titled))
    assert "Up and “Near, fresh” are ahead of Base by" in said
    assert "on “Faces and hands”, " in said


def test_long_lists_are_cut_and_say_so():
    methods = {f"m{i}": f"M{i}" for i in range(25)}
    datasets = {f"d{i}": f"D{i}" for i in range(5)}
    rows = [
        (d, m, "m0", "better", 10, 3.0 + i)
        for i, m in enumerate(list(methods)[1:])
        for d in list(datasets)[: 1 + i % 5]
    ]
    contrasts = pd.DataFrame(rows, columns=["dataset", "method", "other", "verdict", "n", "mean_difference"])
    contrasts = contrasts.assign(metric="nmi", statistic=0.0, effect=1.0, p=0.002)
    scores = pd.DataFrame(
        [(d, m, 0, 0.5) for d in datasets for m in methods], columns=["dataset", "method", "seed", "nmi"]
    )
    empty = pd.DataFrame(columns=["dataset", "metric", "method", "other", "n", "p", "mean_difference", "verdict"])
    frames = {"scores": scores, "contrasts": contrasts, "pairwise": empty, "best": empty, "friedman": empty}
    found = Found(**frames, parameters=empty, datasets=datasets, methods=methods, n_seeds=1)
    sentence = next(sentence for sentence in findings(found) if "ahead of M0" in sentence)
    assert sentence.count("points of NMI") == 5
    assert "M5, M10, M15 and M20 are ahead of M0 on all 5 data sets by 7.0 to 22.0 points of NMI" in sentence
