"""How many of a study's runs stand in the published rows."""

from math import prod
from pathlib import Path

from deepkm.datasets.catalogue import load_catalogue
from deepkm.report.frames import read_frame
from deepkm.report.tables.layout import Cell, Table
from deepkm.report.tables.recorded import DATA, SCORES
from deepkm.study.inventory import load_study

ROOT = Path(__file__).parents[1]
ROWS = ROOT / "docs" / "results" / "rows"  # of the package's own studies; other folders hold rows of other programs


def runs_there_are(name):
    """Return a table of methods and data sets of ``studies/{name}.yaml``: of how many of its seeds there are rows."""
    study = load_study([str(ROOT / "studies" / f"{name}.yaml")])
    found = _seeds_run(study)
    titles = {kind: dict(study.report_spec("tables")[kind]) for kind in ("datasets", "methods")}
    rows = [
        [Cell(title), *(Cell(str(len(found.get((dataset, method), ())) or "-")) for dataset in titles["datasets"])]
        for method, title in titles["methods"].items()
    ]
    n_runs, n_asked = sum(map(len, found.values())), len(study.datasets) * len(study.methods) * len(study.seeds)
    notes = [
        f"How many of {len(study.seeds)} seeds have run, {n_runs} of {n_asked} runs in all; -: none.",
        *_other_shapes(study),
    ]
    return Table(f"ran-{name}", "What has run", ["Method", *titles["datasets"].values()], rows, notes)


def _seeds_run(study):
    """Return the seeds of a study that have a row, by data set and method."""
    scores = read_frame(ROWS / SCORES)
    scores = scores[scores["seed"].isin(study.seeds) & scores["dataset"].isin(study.datasets)]
    scores = scores[scores["method"].isin(study.methods)]
    return {place: set(runs["seed"]) for place, runs in scores.groupby(["dataset", "method"])}


def _other_shapes(study):
    """Yield which rows are of another file than the study's own source gives."""
    for row in read_frame(ROWS / DATA).itertuples():
        entry = study.config["datasets"].get(row.dataset, {})
        known = load_catalogue().get(entry.get("source"), {}).get("shape")
        got = list(map(int, row.shape.split()))
        if row.dataset in study.datasets and (got[0], prod(got)) != (known[0], prod(known)):
            sides = (" x ".join(map(str, shape)) for shape in (got, known))
            yield f"{entry.get('title', row.dataset)}: rows of a file of {' and not of '.join(sides)}."
