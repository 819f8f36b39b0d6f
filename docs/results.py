"""Rebuild every table of docs that is made of published rows: ``python -m docs.results``, or ``make results``.

Rows lie in docs/results/{study}, one per run (`python -m deepkm publish`). Between ``<!-- rows: STUDY DATASET -->`` and
``<!-- end -->`` of any document stands the table of that data set, where keys of methods follow a short one of these;
docs/LEADERBOARD.md has one for each. Between ``<!-- verdicts: STUDY -->`` and ``<!-- end -->`` stands what became of
each figure of the paper that the project is built around, after ``<!-- reached: STUDY METHODS -->`` what these methods
reached on each data set, in short, after ``<!-- ran: STUDY -->`` how many of a study's runs there are rows of, after
``<!-- contrasts: STUDY DATASET -->`` the study's planned contrasts, and after ``<!-- clustpy: DATASET -->`` what
benchmarks/clustpy_comparison.py found.
"""

import re
from functools import cache
from pathlib import Path

import yaml

from deepkm.numerics.metrics import METRICS, PRIMARY_METRIC, title_of
from deepkm.report.frames import read_frame
from deepkm.report.statistics.published import WIDEST, compare_with_published
from deepkm.report.statistics.spread import FEWEST, describe_runs
from deepkm.report.tables.layout import Cell, Table, spread, to_markdown
from deepkm.report.tables.published import load_published
from deepkm.report.tables.recorded import DATA, RUNS, SCORES, STUDY, describe_sources
from deepkm.study.parameters import fields_of
from deepkm.study.spec import VIEWS_MARK, title_of_data
from docs.contrasts import contrasts_on
from docs.coverage import runs_there_are
from docs.elsewhere import ORDER, printed_cell, published_figures
from docs.peers import beside_clustpy
from docs.ranks import rank_intervals

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "results"
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LEADERBOARD = ROOT / "docs" / "LEADERBOARD.md"
PLACE = re.compile(r"(<!-- rows: (\S+) (\S+)((?: \w+)*) -->\n).*?(<!-- end -->)", re.S)
OTHERS = re.compile(r"(<!-- (verdicts|reached|ran|contrasts|clustpy): (\S+)((?: \w+)*) -->\n).*?(<!-- end -->)", re.S)
MARK = re.compile(r"<!-- (?:rows|verdicts|reached|ran|contrasts|clustpy)\b")
PAPER = "Roy2024 arXiv:2411.19496"


def main():
    """Write all documents anew."""
    LEADERBOARD.write_text(leaderboard(), encoding="utf-8")
    for path in DOCUMENTS:
        path.write_text(with_tables(path.read_text(encoding="utf-8")), encoding="utf-8")


def with_tables(text):
    """Return a document with the tables that belong between its marks.

    Raises
    ------
    ValueError
        Where a mark cannot be read, its end is missing, or it names what there are no rows of.
    """
    if sum(len(pattern.findall(text)) for pattern in (OTHERS, PLACE)) != len(MARK.findall(text)):
        raise ValueError(
            "got a mark of a table that cannot be read, expected <!-- KIND: NAMES --> to <!-- end -->; mend it"
        )
    text = OTHERS.sub(lambda found: f"{found[1]}\n{to_markdown(_made_of(*found.groups()[1:4]))}\n{found[5]}", text)
    return PLACE.sub(_with_table, text)


def _made_of(kind, name, methods):
    """Return the table of a mark that is none of rows."""
    if kind in ("reached", "contrasts"):
        return {"reached": reached, "contrasts": contrasts_on}[kind](name, *methods.split())
    return {"verdicts": verdicts, "ran": runs_there_are, "clustpy": beside_clustpy}[kind](name)


def _with_table(found):
    start, study, dataset, methods, end = found.groups()
    return f"{start}\n{to_markdown(own_runs(study, dataset, methods.split()))}\n{end}"


def own_runs(study, dataset, methods=()):
    """Return the table of one data set of published rows, the highest mean NMI first; of some methods, only scores."""
    scores, titles, asked = _read(study)
    if dataset not in titles["datasets"]:
        raise ValueError(
            f"rows: {study} {dataset}: got no such data set in {FOLDER / study}; publish it, or remove the mark"
        )
    scores = scores[scores["dataset"] == dataset]
    if unknown := set(methods) - set(scores["method"]):
        raise ValueError(
            f"rows: {study} {dataset}: got {', '.join(unknown)}, expected methods with rows; mend the mark"
        )
    ranks = rank_intervals(scores.pivot(index="method", columns="seed", values=PRIMARY_METRIC))
    shown = {key: runs for key, runs in scores.groupby("method") if not methods or key in methods}
    rows = [_row(titles["methods"][key], runs, ranks.get(key)) for key, runs in shown.items()]
    rows.sort(key=lambda row: -row[1].value)
    header = ["Method", *map(title_of, ORDER), "Runs", "CPU s", "Clusters used", "Below its start"]
    header += ["Rank, 95 %"] if ranks else []
    title = titles["datasets"][dataset]
    if methods:
        n_columns = 1 + len(ORDER)
        return Table(dataset, title, header[:n_columns], [row[:n_columns] for row in rows])
    missing = [titles["methods"][key] for key in asked if key not in shown]
    return Table(dataset, title, header, rows, _notes(scores, missing, ranks))


def reached(study, *methods):
    """Return NMI and ACC of some methods on all data sets of published rows, means of their runs."""
    scores, titles, _ = _read(study)
    there_are = set(scores.loc[scores["method"].isin(methods), "dataset"])
    datasets = [key for key in titles["datasets"] if key in there_are]
    means = 100 * scores.groupby(["method", "dataset"])[[PRIMARY_METRIC, "acc"]].mean()
    rows = [
        [
            Cell(titles["methods"][method]),
            *(
                _both(means.loc[method, dataset]) if (method, dataset) in means.index else Cell("-")
                for dataset in datasets
            ),
        ]
        for method in methods
    ]
    header = ["NMI / ACC", *(titles["datasets"][dataset] for dataset in datasets)]
    return Table("reached", "Reached", header, rows)


def _both(means):
    return Cell(" / ".join(f"{value:.1f}" for value in means))


def _row(title, runs, rank):
    equal = len(runs) > 1 and (runs[ORDER].round(12).nunique() == 1).all()  # the same clusters at all seeds
    cells = []
    for metric in ORDER:
        told = describe_runs(100 * runs[metric])
        text = f"{told['mean']:.1f}, 1 run" if equal else spread(told["mean"], told["std"], told["runs"])
        cells.append(Cell(text, told["mean"]))
    used = runs["n_clusters_used"].min()
    below = runs["below_start"].dropna().astype(str).str.split(", ")
    cells += [
        Cell(str(len(runs))),
        Cell(_seconds(runs)),
        Cell(f"{used} of {runs['n_clusters'].iloc[0]}"),
    ]
    cells.append(Cell(f"{len(below)} of {len(runs)}: {', '.join(sorted(set(below.sum())))}" if len(below) else "no"))
    return [Cell(title), *cells, *([Cell(rank)] if rank else [])]


def _notes(scores, missing, ranks):
    n_seeds = scores["seed"].nunique()
    notes = [
        f"Own runs, {n_seeds} seed{'s' * (n_seeds > 1)}, in %: mean ± sample standard deviation, of fewer than "
        f"{FEWEST} runs each one; the highest mean {title_of(PRIMARY_METRIC)} first. CPU s: of a run, without the "
        "shared pretraining; they grow while other programs run beside; GPU: seconds of a GPU that jobs shared. "
        f"{VIEWS_MARK.strip()} trains on random views of the images: it is told what keeps a class."
    ]
    if ranks:
        notes.append(
            "Rank: the middle 95 % over resampled seeds, among rows with all seeds, of each row by itself. It is no "
            "test: where two intervals lie apart, the rows may still not differ (planned contrasts say which do)."
        )
    elif n_seeds < FEWEST:
        notes.append(f"So few seeds put no order among rows that lie close: ranks are given from {FEWEST} seeds on.")
    if missing:
        notes.append(f"Not run yet: {'; '.join(missing)}.")
    return notes


def _read(study):
    return _read_folder(FOLDER / study)


@cache
def _read_folder(folder):
    told = yaml.safe_load((folder / STUDY).read_text(encoding="utf-8"))
    titles = {
        "datasets": {key: title_of_data(key, entry) for key, entry in told["datasets"].items()},
        "methods": {key: entry.get("title", key) for key, entry in told["methods"].items()},
    }
    for key, entry in told["methods"].items():
        views = fields_of(entry["estimator"]).get("views")  # a class may train on views where its entry says nothing
        if entry.get("views", views and views.default):
            titles["methods"][key] += VIEWS_MARK
    made = read_frame(folder / RUNS).rename(columns={"key": "method"}).query("stage == 'cluster'")
    made = made[["dataset", "method", "seed", "device"]]
    return read_frame(folder / SCORES).merge(made, how="left"), titles, told["study"]["methods"]


def _seconds(runs):
    """Return what a run takes of a CPU, and of a GPU where some ran on one."""
    on_cpu = runs["device"].str.startswith("CPU")
    each = {"": runs[on_cpu], " GPU": runs[~on_cpu]}
    return ", ".join(f"{part['device_seconds'].mean():.0f}{kind}" for kind, part in each.items() if len(part))


def verdicts(study):
    """Return the table of what became of each figure of the paper: a row per data set and method."""
    scores, titles, _ = _read(study)
    runs = dict(iter(scores.groupby(["dataset", "method"])))
    printed = load_published()
    printed = printed[(printed["source"] == PAPER) & printed["metric"].isin(METRICS)]
    metrics = [name for name in ORDER if name in set(printed["metric"])]
    remarks, rows = {}, []
    for dataset, figures in printed.groupby("dataset", sort=False):
        for method, of_method in figures.groupby("method", sort=False):
            found = runs.get((dataset, method))
            by_metric = of_method.drop_duplicates("metric").set_index("metric")
            title = titles["datasets"].get(dataset, _catalogue()["datasets"][dataset]["title"])
            row = [Cell(title), Cell(titles["methods"][method]), Cell("0" if found is None else str(len(found)))]
            for metric in metrics:
                row += _judged(None if found is None else 100 * found[metric], by_metric.loc[metric])
            said = dict.fromkeys("; ".join(filter(None, by_metric["note"])).split("; "))
            numbers = [remarks.setdefault(text, len(remarks) + 1) for text in said if text]
            rows.append([*row, Cell(" ".join(map(str, sorted(numbers))))])
    header = ["Data set", "Method", "Runs"]
    for metric in metrics:
        header += [title_of(metric), "printed", "verdict"]
    notes = [_VERDICTS, *(f"{number}: {text}." for text, number in remarks.items())]
    align = "llr" + "rrl" * len(metrics) + "l"
    return Table(f"verdicts-{study}", "The paper", [*header, "Remarks"], rows, notes, align)


@cache
def _catalogue():
    return yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))


def _judged(values, printed):
    """Return three cells: here, printed, and whether both agree."""
    beside = printed_cell(printed)
    if values is None:
        return [Cell("-"), beside, Cell("not run")]
    told = describe_runs(values)
    here = (told["mean"], values.std(), told["n"])
    verdict = compare_with_published(here, (printed["mean"], printed["std"], printed["n"]))["verdict"]
    return [Cell(spread(told["mean"], told["std"], told["runs"]), told["mean"]), beside, Cell(verdict)]


_VERDICTS = (
    "In %; printed are means ± deviations of ten runs. Reproduced: both means lie no further apart than chance puts "
    f"them in 95 % of cases (Welch), where that margin is at most {WIDEST:g} points; beyond it nothing can be "
    "concluded. Above and below: further apart. Not run: no row of ours yet; nothing is extrapolated."
)


def leaderboard():
    """Return the text of docs/LEADERBOARD.md."""
    parts = [_HEAD]
    for folder in sorted(path.parent for path in FOLDER.glob(f"*/{SCORES}") if "_" not in path.parent.name):
        scores, titles, _ = _read(folder.name)
        runs, data = read_frame(folder / RUNS), read_frame(folder / DATA).set_index("dataset")
        parts.append(f"## {folder.name}\n\n{_made(folder, runs)}")
        for dataset in dict.fromkeys(scores["dataset"]):
            shape = data.loc[dataset, "shape"].replace(" ", " x ")
            parts.append(
                f"### {titles['datasets'][dataset]}\n\nShape {shape}, `scaling: {data.loc[dataset, 'scaling']}`."
            )
            parts.append(to_markdown(own_runs(folder.name, dataset)).rstrip())
            if (others := published_figures(dataset)) is not None:
                parts.append(f"Published elsewhere:\n\n{to_markdown(others).rstrip()}")
    return "\n\n".join(parts) + "\n"


def _made(folder, runs):
    days = runs["finished"].dropna()
    versions = ", ".join(f"{name} {' and '.join(sorted(set(runs[name])))}" for name in ("torch", "python"))
    where = " and ".join(sorted(set(runs["device"])))
    again = sorted(f"[{path.name}](results/{path.name})" for path in FOLDER.glob(f"{folder.name}_*"))
    return (
        f"{len(runs[runs['stage'] == 'cluster'])} runs on {where}; {versions}; {days.min()} to {days.max()}. Rows: "
        f"[docs/results/{folder.name}](results/{folder.name}); study: `studies/{folder.name}.yaml`."
        f"{' Note: ' + mixed + '.' if (mixed := describe_sources(runs)) else ''}"
        f"{' Runs of it again on other machines: ' + ', '.join(again) + '.' if again else ''}"
    )


_HEAD = """# Leaderboard

What each method reached here on each data set, and apart from it what others printed: with another autoencoder,
scaling, length or read-out, figures cannot be ranked together. All own rows of a study share data and scaling; "Runs"
says how many of its seeds have run. Those that name the same autoencoder share it as it was pretrained. `make results`
makes this page from the raw rows; nothing in it is typed.

To add a row: open a pull request with the method's file, its entry in `config.yaml`, and the rows that
`python -m deepkm publish docs/results/rows --configfile studies/rows.yaml` wrote after
`snakemake --configfile studies/rows.yaml`. Whoever reviews it runs the same and
`python -m deepkm verify docs/results/rows --configfile studies/rows.yaml`, which says whether they agree.

With `--exports`, `publish` also writes what other programs read: `ranking.csv` (method, task, metric_error: 1 - NMI,
the mean over the seeds that most methods of a data set have run, of methods that have them all; what that leaves out
is printed), a Croissant description of each data set, and the
metadata that make the folder an RO-Crate (Process Run Crate)."""


if __name__ == "__main__":
    main()
