"""What a study found, in sentences; each follows from ``results/scores.csv`` and the statistics made of it."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from deepkm.numerics.metrics import PRIMARY_METRIC, title_of
from deepkm.report.page.overview import listed
from deepkm.report.statistics.paired import LEVEL, smallest_p
from deepkm.report.tables.scores import summarize

KMEANS = "deepkm.methods.km:KMeans"
TITLED = ("datasets", "methods")
MOST_PHRASES, MOST_NAMED = 6, 4  # of one sentence; methods that are not worse than the best one
METRIC = title_of(PRIMARY_METRIC)


@dataclass(frozen=True, kw_only=True)
class Found:
    """What sentences are made from.

    Attributes
    ----------
    datasets, methods : dict of str to str
        Titles by key, in the study's order.
    n_seeds : int
        Runs of each method that the study asks for.
    scores, parameters, contrasts, pairwise, best, friedman : DataFrame
        ``results/{scores,parameters}.csv`` and ``results/statistics/*.csv``.
    """

    datasets: dict
    methods: dict
    n_seeds: int
    scores: pd.DataFrame
    parameters: pd.DataFrame
    contrasts: pd.DataFrame
    pairwise: pd.DataFrame
    best: pd.DataFrame
    friedman: pd.DataFrame

    @property
    def scored(self):
        """Titles of the data sets with true classes, by key."""
        known = set(self.scores.loc[self.scores[PRIMARY_METRIC].notna(), "dataset"])
        return {key: title for key, title in self.datasets.items() if key in known}

    def where(self, keys):
        """Return on which of the scored data sets something holds; nothing where there is one in all."""
        if len(self.datasets) == 1:
            return ""
        every, names = len(keys) == len(self.scored), and_([self.datasets[key] for key in keys], most=4)
        if not every or len(keys) == 1:
            return f" on {names}"
        return " on both data sets" if len(keys) == 2 else f" on all {len(keys)} data sets"


def findings(found):
    """Return what a study found, a sentence each.

    Parameters
    ----------
    found : Found
    """
    quoted = {kind: {key: _quoted(title) for key, title in getattr(found, kind).items()} for kind in TITLED}
    found, said = replace(found, **quoted), []
    if found.scored:
        said = [*_leaders(found), *_contrasts(found), *_over_datasets(found), *_beside_kmeans(found)]
    run = set(found.scores["dataset"])
    if without := [title for key, title in found.datasets.items() if key in run - set(found.scored)]:
        said.append(f"{and_(without)} {_have(without)} no true classes: scores are not defined there.")
    if missing := [title for key, title in found.datasets.items() if key not in run]:
        said.append(f"No run on {and_(missing)} is done.")
    return said


def _quoted(title):
    """Return a title, in quotes where a list would take it for two."""
    return f"“{title}”" if "," in title or " and " in title else title


def _leaders(found):
    """Yield which method is best on each data set, and which others the tests find worse."""
    titles = {"datasets": found.scored, "methods": found.methods}
    summary = summarize(found.scores, PRIMARY_METRIC, **titles, n_seeds=found.n_seeds)
    verdicts = found.best[found.best["metric"] == PRIMARY_METRIC].set_index(["dataset", "method"])["verdict"]
    for dataset, rows in summary.groupby("dataset", sort=False):
        first = rows[rows["best"]]
        names, runs = and_(found.methods[key] for key in first["method"]), _over(found.n_seeds)
        if first.empty:
            yield f"No method has all {found.n_seeds} seeds on {found.datasets[dataset]}: none is called the best."
            continue
        score = f"{first['mean'].max():.1f} %"
        if len(found.methods) == 1:
            yield f"{names} reaches {score} {METRIC} on {found.datasets[dataset]}{runs}."
            continue
        whole = "" if (rows["n"] == found.n_seeds).all() else ", among methods with all seeds"
        says = "share the highest" if len(first) > 1 else "has the highest"
        others = verdicts.reindex([(dataset, key) for key in rows.loc[~rows["best"], "method"]])
        mean = "mean " if found.n_seeds > 1 else ""
        says = f"{names} {says} {mean}{METRIC} on {found.datasets[dataset]}, {score}{runs}{whole}"
        yield f"{says}{_others(found, others)}."


def _others(found, verdicts):
    """Return which methods beside the best one are worse."""
    worse = (verdicts == "worse").sum()
    even = [found.methods[key] for _, key in verdicts.index[verdicts == "not significantly worse"]]
    if not worse:
        return "; no other method is shown to be worse" if even else ""
    rest = f", {and_(even)} {_are(even)} not" if 0 < len(even) <= MOST_NAMED else ""
    return f"; {worse} of {_count(len(verdicts), 'other')} {'are' if worse > 1 else 'is'} significantly worse{rest}"


def _contrasts(found):
    """Yield what the planned contrasts say, those of one answer and one baseline in a sentence."""
    rows = found.contrasts
    rows = rows[(rows["metric"] == PRIMARY_METRIC) & rows["dataset"].isin(list(found.scored))]
    rows = rows.assign(answer=[_answer(row) for row in rows.itertuples()])
    for answer, phrase in PHRASES.items():
        for other, group in rows[rows["answer"] == answer].groupby("other", sort=False):
            yield _sentence(found, group, phrase, found.methods[other])
    few = rows[rows["answer"] == "few"]
    if len(few):
        yield _undecided(few, rows)


def _answer(row):
    """Return what one contrast says: its verdict, or why it has none."""
    if row.verdict in ("better", "worse", "practically equal"):
        return row.verdict
    if row.verdict == "no difference found":
        return "same" if row.statistic == 0 and row.effect == 0 else "open"
    return "apart" if not row.n else "copies" if row.n > 1 and np.isnan(row.p) else "few"


# Of each answer: a phrase about one or several methods beside their baseline.
PHRASES = {
    "better": "{methods} {are} ahead of {other}{where} by {points}",
    "worse": "{methods} {are} behind {other}{where} by {points}",
    "practically equal": "{methods} {are} practically equal to {other}{where}: within one point of {metric}",
    "open": "{methods} cannot be told from {other}{where}, {signed} away",
    "same": "{methods} {have} the same {metric} as {other} at every seed{where}",
    "copies": "{methods} {are} {signed} away from {other}{where} at every seed alike: no test can judge that",
    "apart": "{methods} {have} no seed in common with {other}{where}",
}


def _sentence(found, rows, phrase, other):
    """Return a sentence of one phrase for each set of data sets, those about most pairs first."""
    places = {method: tuple(of["dataset"]) for method, of in rows.groupby("method", sort=False)}
    groups = {keys: [method for method, own in places.items() if own == keys] for keys in places.values()}
    ordered = sorted(groups, key=lambda keys: -len(keys) * len(groups[keys]))
    said = [_phrase(found, rows, phrase, other=other, keys=keys, methods=groups[keys]) for keys in ordered]
    left = sum(len(keys) * len(groups[keys]) for keys in ordered[MOST_PHRASES:])
    more = f"; {_count(left, 'further pair')} likewise" if left else ""
    counts = rows.loc[rows["n"] > 0, "n"]
    return f"{'; '.join(said[:MOST_PHRASES])}{more}{f' ({_range(counts)} seeds)' if len(counts) else ''}."


def _phrase(found, rows, phrase, *, other, keys, methods):
    of = rows.loc[rows["method"].isin(methods), "mean_difference"]
    names, points = [found.methods[key] for key in methods], f"points of {METRIC}"
    return phrase.format(
        methods=and_(names),
        are=_are(names),
        have=_have(names),
        other=other,
        where=found.where(keys),
        points=f"{_range(of.abs(), '.1f')} {points}",
        signed=f"{_range(of, '+z.1f')} {points}",
        metric=METRIC,
    )


def _undecided(few, rows):
    """Return that so few seeds cannot decide contrasts, and how many could."""
    tested = rows[rows["p"].notna()].groupby("dataset").size()
    needed = pd.Series([_seeds_for(tested[key]) for key in few["dataset"].unique()])
    have, total = f"{_range(few['n'])} seed{'s' if few['n'].max() > 1 else ''}", _count(len(rows), "planned comparison")
    if len(few) < len(rows):
        return f"{len(few)} of {total} cannot be decided: they have {have}, and it takes {_range(needed)}."
    which = "any of the" if len(rows) > 1 else "the"
    total = total.removeprefix("1 ")
    return f"{have} cannot decide {which} {total}, whatever the numbers: that takes {_range(needed)}."


def _seeds_for(n_comparisons):
    """Return the fewest seeds that can decide so many comparisons.

    Examples
    --------
    >>> [_seeds_for(n) for n in (1, 3, 25)]
    [6, 7, 10]
    """
    return next(n for n in range(1, 99) if smallest_p(n, n_comparisons) < LEVEL)


def _over_datasets(found):
    """Yield whether methods differ over data sets, by Friedman's test."""
    rows = found.friedman[found.friedman["metric"] == PRIMARY_METRIC]
    if rows.empty or rows["verdict"].iloc[0] == "cannot conclude":
        return
    first, ranks = rows.iloc[0], rows.set_index("method")["average_rank"].round(2)
    said = f"Over {first['n_datasets']} data sets methods"
    test = f"Friedman's test of ranks by {METRIC}, p = {first['p']:.2g}"
    if first["verdict"] != "methods differ":
        yield f"{said} are not found to differ ({test})."
        return
    leading = [found.methods[key] for key in ranks.index[ranks == ranks.min()]]
    says = f"{and_(leading)} {_have(leading)} the best average rank"
    yield f"{said} differ ({test}): {says}, {ranks.min():g} of {first['n_methods']}."


def _beside_kmeans(found):
    """Yield which methods are ahead of k-means on the data, where that is among the methods and no planned baseline.

    A method is ahead where the test over seeds finds it better, corrected for the number of methods (Bonferroni), or,
    where no test can judge, where the mean of its paired differences is above 0.
    """
    on_data = found.parameters.reindex(columns=["dataset", "method", "estimator", "autoencoder"])
    plain = on_data[(on_data["estimator"] == KMEANS) & on_data["autoencoder"].isna()]
    for dataset, title in found.scored.items():
        keys = set(plain.loc[plain["dataset"] == dataset, "method"])
        pairs = _against(found.pairwise[found.pairwise["dataset"] == dataset], keys)
        count = pairs["method"].nunique()
        few = np.array([smallest_p(n, count) >= LEVEL for n in pairs["n"]], dtype=bool)
        pairs = pairs.assign(few=few, copied=pairs["p"].isna() & ~few)
        untested = pairs["few"] | pairs["copied"]
        pairs["ahead"] = (pairs["mean_difference"] > 0) & (untested | (count * pairs["p"] < LEVEL))
        behind = [metric for metric, rows in pairs.groupby("metric", sort=False) if not rows["ahead"].any()]
        if behind:
            means = _by_means(pairs[pairs["metric"].isin(behind)])
            yield f"No method is ahead of k-means on the data on {title} ({', '.join(map(title_of, behind))}{means})."
        pairs = pairs[pairs["metric"] == PRIMARY_METRIC]
        wins = pairs.groupby("method")["ahead"].all()
        if wins.any() and not keys & set(found.contrasts["other"]):
            names = [found.methods[key] for key in found.methods if wins.get(key, False)]
            share = f"{len(names)} of {_count(count, 'method')} {_are(names)}"
            yield f"{share} ahead of k-means on the data on {title} ({METRIC}{_by_means(pairs)}): {and_(names)}."


def _by_means(pairs):
    """Return which of some pairs were judged by means alone, and why, to be added to a sentence."""
    count, few = pairs["method"].nunique(), pairs[pairs["few"]]
    untested = pairs.loc[pairs["few"] | pairs["copied"], "method"].nunique()
    why = []
    if len(few):
        seeds = f"{_range(few['n'])} seed{'s' if few['n'].max() > 1 else ''}"
        why.append(f"{seeds} cannot decide {_count(count, 'comparison')}")
    if pairs["copied"].any():
        why.append("no test judges a difference that is the same at every seed")
    share = f" of {untested} of them" if untested < count else ""
    return f", by means alone{share}: {'; '.join(why)}" if why else ""


def _against(pairwise, keys):
    """Return the pairs of a method and one of `keys`, from the method's side."""
    first, second = pairwise["method"].isin(keys), pairwise["other"].isin(keys)
    turned = pairwise[first & ~second].rename(columns={"method": "other", "other": "method"})
    found = pd.concat([pairwise[second & ~first], turned.assign(mean_difference=-turned["mean_difference"])])
    return found[found["mean_difference"].notna()]


def and_(names, most=8):
    """Return names as a sentence has them.

    Examples
    --------
    >>> and_(["A"]), and_(["A", "B", "C"]), and_(["A", "B", "C"], most=1)
    ('A', 'A, B and C', 'A and 2 more')
    """
    names = list(names)
    if len(names) > most:
        return listed(names, most)
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def _range(values, form="d"):
    low, high = (format(end(values), form).replace("-", "−") for end in (min, max))
    return low if low == high else f"{low} to {high}"


def _over(n_seeds):
    return f" over {n_seeds} seeds" if n_seeds > 1 else " in one run"


def _have(names):
    return "have" if len(names) > 1 else "has"


def _are(names):
    return "are" if len(names) > 1 else "is"


def _count(number, noun):
    return f"{number} {noun}{'' if number == 1 else 's'}"
