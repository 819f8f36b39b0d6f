"""What the tests of a study can decide, and how often they err: ``python -m benchmarks.tests_power``.

Runs are simulated: the noise of a seed, which all methods share, and noise of each run. Differences between methods are
given in deviations of the difference of two runs of a seed. Draws docs/figures/tests_power.png and prints its numbers.
"""

from functools import partial

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import stats

from benchmarks.measure import FOLDER
from deepkm.report.figures.style import STYLE
from deepkm.report.statistics.equivalence import SURE, posterior_of
from deepkm.report.statistics.paired import LEVEL

FIGURE = FOLDER.parent / "figures" / "tests_power.png"
STUDIES = 1000
N_METHODS = 8  # of a study: 7 planned contrasts with one of them, 28 pairs
GAPS = (0.5, 1.0, 1.5, 2.0, 3.0)
SEEDS = (5, 6, 8, 10, 15, 20)
DATASETS = (3, 5, 8, 15)
TESTS = {"signed ranks": partial(stats.wilcoxon, axis=-1), "t": partial(stats.ttest_1samp, popmean=0, axis=-1)}


def decided(gap, *, n_seeds, n_comparisons, test, random, noise):
    """Return how often a true gap is found, and how often some difference that is none, over `STUDIES` studies.

    One of the comparisons has the gap, all others have none; Holm's correction is for all of them.
    """
    differences = noise(random, (STUDIES, n_comparisons, n_seeds))
    differences[:, 0] += gap
    corrected = holm(TESTS[test](differences).pvalue)
    return (corrected[:, 0] < LEVEL).mean(), (corrected[:, 1:] < LEVEL).any(axis=1).mean()


def holm(p):
    """Return Holm's correction of each row of p, of shape (n_studies, n_comparisons)."""
    order = np.argsort(p, axis=1)
    steps = np.take_along_axis(p, order, axis=1) * np.arange(p.shape[1], 0, -1)
    corrected = np.empty_like(p)
    np.put_along_axis(corrected, order, np.maximum.accumulate(steps, axis=1), axis=1)
    return corrected


def normal(random, shape):
    """Return normal differences of deviation 1."""
    return random.normal(size=shape)


def collapsing(random, shape):
    """Return differences of which one in ten comes from a collapsed run of either side, 8 deviations away."""
    return random.normal(size=shape) + 8 * random.choice([-1, 0, 1], p=[0.05, 0.9, 0.05], size=shape)


def over_seeds(random):
    """Return a row per number of seeds, gap, test, number of comparisons and kind of noise."""
    tests = [("signed ranks", 7), ("signed ranks", 28), ("t", 7)]
    cases = [(n, 1.5, *test, noise) for n in SEEDS for test in tests for noise in (normal, collapsing)]
    cases += [(10, gap, *test, normal) for gap in GAPS if gap != 1.5 for test in tests]
    rows = []
    for n_seeds, gap, test, n_comparisons, noise in cases:
        how = {"n_seeds": n_seeds, "n_comparisons": n_comparisons, "test": test, "random": random, "noise": noise}
        found, false = decided(gap, **how)
        place = {"seeds": n_seeds, "gap": gap, "test": test, "comparisons": n_comparisons, "noise": noise.__name__}
        rows.append(place | {"found": found, "false": false})
    return pd.DataFrame(rows)


def over_datasets(random):
    """Return how often Friedman's test rejects where methods do not differ, by chi-square and by Iman and Davenport."""
    rows, k = [], N_METHODS
    for n in DATASETS:
        ranks = random.permuted(np.tile(np.arange(1.0, k + 1), (20 * STUDIES, n, 1)), axis=-1)
        chi2 = 12 * n / (k * (k + 1)) * ((ranks.mean(axis=1) - (k + 1) / 2) ** 2).sum(axis=1)
        f = (n - 1) * chi2 / (n * (k - 1) - chi2)
        by_chi2, by_f = stats.chi2.sf(chi2, k - 1) < LEVEL, stats.f.sf(f, k - 1, (k - 1) * (n - 1)) < LEVEL
        rows.append({"data sets": n, "chi-square": by_chi2.mean(), "Iman and Davenport": by_f.mean()})
    return pd.DataFrame(rows)


def equivalence(random, n_seeds=10, studies=200):
    """Return how often ten seeds are called practically equal, by the true difference and deviation in points."""
    rows = []
    for deviation in (0.5, 1.0, 2.0):
        for difference in (0.0, 0.5, 1.0, 1.5, 2.0):
            samples = random.normal(difference, deviation, size=(studies, n_seeds))
            equal = np.mean([posterior_of(sample, str(i))["p_equal"] >= SURE for i, sample in enumerate(samples)])
            rows.append({"deviation": deviation, "difference": difference, "called equal": equal})
    return pd.DataFrame(rows)


@mpl.rc_context(STYLE)
def draw(seeds, datasets, equal):
    """Draw power over seeds, false alarms over data sets, and what is called practically equal."""
    figure = Figure(figsize=(7.16, 3), layout="constrained")
    power, alarms, same = figure.subplots(1, 3)
    of_gap = seeds[(seeds["gap"] == 1.5) & (seeds["noise"] == "normal")]
    for (test, n), rows in of_gap.groupby(["test", "comparisons"]):
        power.plot(rows["seeds"], 100 * rows["found"], "o-", ms=3, label=f"{test}, {n} comparisons")
    power.set(title="A gap of 1.5 deviations\nis found [%]", xlabel="Seeds", ylim=(-3, 103))
    for name in datasets.columns[1:]:
        alarms.plot(datasets["data sets"], 100 * datasets[name], "o-", ms=3, label=name)
    alarms.axhline(100 * LEVEL, color="0.6", lw=0.8, ls=":")
    alarms.set(title="Friedman's test:\nfalse alarms [%]", xlabel="Data sets, 8 methods", ylim=(0, 8))
    for deviation, rows in equal.groupby("deviation"):
        same.plot(
            rows["difference"], 100 * rows["called equal"], "o-", ms=3, label=f"deviation {deviation:g}, 10 seeds"
        )
    same.axvline(1, color="0.6", lw=0.8, ls=":")
    same.set(
        title="Called practically equal,\nwithin one point [%]",
        xlabel="True difference, points; 10 seeds",
        ylim=(-3, 103),
    )
    for axis in (power, alarms, same):
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2))
    return figure


def main():
    random = np.random.default_rng(0)
    tables = over_seeds(random), over_datasets(random), equivalence(random)
    draw(*tables).savefig(FIGURE, dpi=200)
    for table in tables:
        print(table.to_markdown(index=False, floatfmt=".3g"), end="\n\n")


if __name__ == "__main__":
    main()
