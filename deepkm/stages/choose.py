"""Choose among the settings that a search tried without classes; then, apart from it, score them with the classes."""

from functools import cache
from pathlib import Path

import pandas as pd
import yaml

from deepkm.datasets.converted import digest_of, read_converted
from deepkm.files import replacing
from deepkm.jobs.finishing import confirm
from deepkm.numerics.metrics import scores
from deepkm.report.statistics.structure import compared_samples, load_in_memory
from deepkm.report.statistics.trials import (
    LARGEST_SAMPLE,
    RUN_COLUMNS,
    SCORE_COLUMNS,
    describe_trials,
    summarize_trials,
    value_of_peeking,
)
from deepkm.report.tables.layout import escape_markdown, to_markdown
from deepkm.report.tables.search import describe_choice, search_tables
from deepkm.study.options import update_config
from deepkm.study.paths import CHOICE, CHOICE_TABLE, CHOSEN, PEEKED, TRIAL, TRIALS, path_of
from deepkm.study.results import read_result
from deepkm.study.spec import ChooseSpec

MEASURED = ("labels", "diverged", "objective", "history/", "ends/", "snapshots/")


def add_arguments(parser):
    parser.add_argument("--data", nargs="+", required=True, type=Path, help="data/{dataset}.npz of each data set")
    parser.add_argument("--results", required=True, type=Path, help="the folder of results; the spec says which")


def main(args):
    spec: ChooseSpec = args.spec
    data = {path.stem: path for path in args.data}
    runs, labels = read_trials(args.results, spec, data)
    choice = summarize_trials(runs, labels, spec["criterion"])
    _write(args, TRIALS, runs)
    _write(args, CHOICE, choice)
    _write_chosen(args, choice)
    score_trials(args, choice, labels, data)
    confirm(_files(args.results, spec))


def read_trials(folder, spec, data):
    """Return a row of `RUN_COLUMNS` for each run of a search, and the labels of each setting's runs; no class is read.

    Parameters
    ----------
    folder : path
        Of the study's results.
    spec : dict
        From `deepkm.study.trials.choose_spec`.
    data : dict of str to path
        ``data/{dataset}.npz`` by data set.
    """

    @cache
    def compared(dataset):
        x = load_in_memory(data[dataset], spec["features"][dataset]["scaling"])
        return None if x is None else compared_samples(x, LARGEST_SAMPLE)

    rows: list[dict] = []
    labels: dict = {}
    for path in _files(folder, spec):
        method, dataset = path.parts[-3:-1]
        arrays, attributes = read_result(path, MEASURED, stage="search", data=digest_of(data[dataset]))
        own = attributes["spec"]
        asked = dict(enumerate(spec["settings"][method]))
        if any(asked.get(place) != setting for place, setting in own["settings"]):
            raise OSError(f"{path}: got a result of other settings than the search has now; run `tune` again")
        about = {"n_clusters": own["dataset"]["n_clusters"], "compared": compared(dataset)}
        settings = [(place, asked[place]) for place, _ in own["settings"]]  # parameters in the order of the search
        found = describe_trials(arrays, settings, own["seeds"], **about)
        for row, label in zip(found, arrays["labels"], strict=True):
            rows.append({"dataset": dataset, "method": method, **row})
            labels.setdefault((dataset, method, row["setting"]), []).append(label)
    return pd.DataFrame(rows, columns=RUN_COLUMNS), labels


def score_trials(args, choice, labels, data):
    """Hold all settings against the true classes, after the choice, and say what classes would have chosen."""
    targets = {dataset: read_converted(path, optional=["target"]).get("target") for dataset, path in data.items()}
    rows = [
        {"dataset": place[0], "method": place[1], "setting": place[2], "seed": seed, **scores(targets[place[0]], label)}
        for place, own in labels.items()
        if targets[place[0]] is not None
        for seed, label in zip(args.spec["seeds"], own, strict=True)
    ]
    scored = pd.DataFrame(rows, columns=SCORE_COLUMNS)
    _write(args, PEEKED, scored)
    titles = {kind: args.spec[kind] for kind in ("datasets", "methods")}
    peeking = value_of_peeking(choice, scored)
    tables = search_tables(choice, scored, peeking, **titles)
    text = "\n".join(f"## {escape_markdown(table.title)}\n\n{to_markdown(table)}" for table in tables)
    with replacing(path_of(CHOICE_TABLE, results=args.results)) as file:
        file.write(text.encode())
    print("Chosen without classes:", *describe_choice(choice, peeking, **titles), sep="\n")
    print(f"Use it: --configfile YOUR.yaml {path_of(CHOSEN, results=args.results)}")


def _write_chosen(args, choice):
    """Write what was chosen as a configuration file; a K where that of all methods is the same."""
    entries = args.spec["entries"]
    config: dict = {}
    lines = [f"# Chosen by `tune` without classes, by {args.spec['criterion']}, on the seeds {args.spec['seeds']}."]
    chosen = choice[choice["chosen"]]
    for dataset, of in chosen.groupby("dataset", sort=False):
        own = [entries[f"{dataset} {row.method} {row.setting}"] for row in of.itertuples()]
        given = args.spec["features"][dataset]["n_clusters"]  # the K of methods whose search tried no other
        counts = {entry.get("datasets", {}).get(dataset, {}).get("n_clusters", given) for entry in own}
        if len(counts) > 1:
            lines.append(f"# {dataset}: methods chose {', '.join(map(str, sorted(counts)))} clusters; decide on one.")
        for entry in own:
            update_config(config, {kind: part for kind, part in entry.items() if kind == "methods" or len(counts) == 1})
    text = "\n".join([*lines, yaml.safe_dump(config, sort_keys=False)])
    with replacing(path_of(CHOSEN, results=args.results)) as file:
        file.write(text.encode())


def _files(folder, spec):
    """Return the results of a search, in order."""
    return [
        path_of(TRIAL, results=folder, dataset=dataset, method=method, part=f"part{number}")
        for dataset, method, n_parts in spec["trials"]
        for number in range(n_parts)
    ]


def _write(args, pattern, table):
    with replacing(path_of(pattern, results=args.results)) as file:
        table.to_csv(file, index=False)
