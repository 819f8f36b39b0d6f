"""What a search tried, a table of each data set and method, and in words what it chose."""

import json

from deepkm.numerics.metrics import METRICS, PRIMARY_METRIC, title_of
from deepkm.report.statistics.trials import LARGEST_SAMPLE, PLACE, n_equal
from deepkm.report.tables.layout import Cell, Table, number_cell
from deepkm.study.search import NO_PART_OF_THE_OBJECTIVE, setting_text

CRITERION_TITLES = {
    "agreement": "Agreement of seeds",
    "silhouette_data": "Silhouette, data",
    "davies_bouldin_data": "Davies-Bouldin, data",
    "silhouette_code": "Silhouette, code",
    "davies_bouldin_code": "Davies-Bouldin, code",
    "objective": "Objective",
}
_MEASURES = CRITERION_TITLES | {"n_clusters_used": "Clusters used", "largest_share": "Largest"}
_FORMS = {"objective": ".4g", "n_clusters_used": ".3g", "largest_share": ".0%"}


def search_tables(choice, scores, peeking, *, datasets, methods):
    """Return a `Table` for each data set and method of a search.

    Parameters
    ----------
    choice, scores : DataFrame
        ``results/search/{choice,peeked}.csv``.
    peeking : DataFrame
        From `deepkm.report.statistics.trials.value_of_peeking`.
    datasets, methods : dict of str to str
        Titles by key.
    """
    return [
        _search_table(
            found, _of(scores, place), _of(peeking, place), title=f"{datasets[place[0]]}, {methods[place[1]]}"
        )
        for place, found in choice.groupby(PLACE[:2], sort=False)
    ]


def describe_choice(choice, peeking, *, datasets, methods):
    """Yield in words what was chosen for each data set and method, and what the true classes would have chosen.

    Parameters are those of `search_tables`.
    """
    for place, found in choice.groupby(PLACE[:2], sort=False):
        mine = found[found["chosen"].astype(bool)].iloc[0]
        criterion = CRITERION_TITLES[mine["criterion"]].lower()
        yield (
            f"{datasets[place[0]]}, {methods[place[1]]}: {_setting(mine)} ({criterion} {mine[mine['criterion']]:.3f}, "
            f"{mine['n_failed']} of {mine['n_runs']} runs failed{'; ' * bool(_equals(found))}{_equals(found)})"
        )
        for row in _of(peeking, place).itertuples():
            yield f"  {_peeking(found, row)}"


def _equals(found):
    """Return in words whether others are as good: then the first was taken, and the criterion decided nothing."""
    count = n_equal(found)
    others = "another setting is" if count == 1 else f"{count} other settings are"
    return f"{others} as good, the first is taken" if count else ""


def _of(frame, place):
    return frame[(frame["dataset"] == place[0]) & (frame["method"] == place[1])]


def _setting(row):
    return setting_text(json.loads(row["values"]))


def _search_table(found, scores, peeking, *, title):
    means = 100 * scores.groupby("setting")[[*METRICS]].mean()
    metrics = [name for name in METRICS if name in means and means[name].notna().any()]
    shown = [name for name in _MEASURES if found[name].notna().any()]
    by_classes = set(peeking["by_classes"])
    rows = [
        [
            Cell(_setting(row), bold=bool(row["chosen"])),
            Cell(_mark(row, by_classes)),
            Cell(f"{row['n_failed']} of {row['n_runs']}", float(row["n_failed"])),
            *(number_cell(row[name], _FORMS.get(name, "z.3f")) for name in shown),
            *(number_cell(means[name].get(row["setting"]), ".1f") for name in metrics),
        ]
        for row in found.to_dict("records")
    ]
    header = [
        "Setting",
        "Choice",
        "Failed",
        *(_MEASURES[name] for name in shown),
        *(title_of(name) for name in metrics),
    ]
    notes = [*_notes(found), *(_peeking(found, row) for row in peeking.itertuples())]
    key = "-".join(found[name].iloc[0] for name in PLACE[:2])
    return Table(f"search-{key}", title, header, rows, notes, "ll" + "r" * (len(header) - 2))


def _mark(row, by_classes):
    """Return whose choice a setting is."""
    marks = ["chosen"] if row["chosen"] else []
    return ", ".join([*marks, *(["best by classes"] if row["setting"] in by_classes else [])])


def _notes(found):
    criterion = CRITERION_TITLES[found["criterion"].iloc[0]].lower()
    yield (
        "Chosen without classes: fewest failed runs first (diverged, below their own start, or with lost "
        f"clusters), then {criterion}, then silhouette on the data. Means over {found['n_runs'].iloc[0]} search seeds; "
        f"silhouettes and Davies-Bouldin of at most {LARGEST_SAMPLE} samples."
    )
    if n_equal(found):
        yield f"By these, {_equals(found)}."
    if found["n_failed"].min() > 0:
        yield "Every setting has runs that failed: none of them can be recommended; try others."
    part = [name for name in json.loads(found["values"].iloc[0]) if name not in NO_PART_OF_THE_OBJECTIVE]
    if part:
        yield (
            f"Objectives do not compare here, since {part[0]} changes what they measure; nor do numbers on the code, "
            "which each setting shapes."
        )


def _peeking(found, row):
    """Return in words what classes would have chosen."""
    settings = {setting["setting"]: _setting(setting) for setting in found.to_dict("records")}
    name = title_of(PRIMARY_METRIC)
    mine, best = getattr(row, PRIMARY_METRIC), getattr(row, f"{PRIMARY_METRIC}_by_classes")
    if row.by_classes == row.chosen:
        return f"The true classes would have chosen the same setting ({name} {mine:.1f} on the search seeds)."
    others = ", ".join(
        f"{title_of(key)} {getattr(row, f'{key}_by_classes') - getattr(row, key):+.1f}"
        for key in METRICS
        if key != PRIMARY_METRIC
    )
    return (
        f"The true classes would have chosen {settings[row.by_classes]}: {name} {best:.1f} in place of {mine:.1f} on "
        f"the search seeds. Peeking is worth {best - mine:.1f} points ({others})."
    )
