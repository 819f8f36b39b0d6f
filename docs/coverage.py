"""How many of a study's runs stand in the published rows, by its settings as they are now."""

from math import prod
from pathlib import Path

from deepkm.datasets.catalogue import load_catalogue
from deepkm.report.frames import read_frame
from deepkm.report.tables.layout import Cell, Table
from deepkm.report.tables.recorded import DATA, RUNS
from deepkm.study.inventory import load_study
from deepkm.study.spec import digest

ROOT = Path(__file__).parents[1]
RECORDS = ROOT / "docs" / "results"


def runs_there_are(name):
    """Return a table of methods and data sets of ``studies/{name}.yaml``: of how many of its seeds there are rows.

    Rows count where they were made with the settings that the study has now.
    """
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
    stack = next(iter(study.stacks))
    found = {}
    for path in RECORDS.glob(f"*/{RUNS}"):
        runs = read_frame(path)
        if "settings" not in runs:
            continue
        runs = runs[(runs["stage"] == "cluster") & runs["seed"].isin(study.seeds) & runs["key"].isin(study.methods)]
        for (dataset, method), of in runs[runs["dataset"].isin(study.datasets)].groupby(["dataset", "key"]):
            spec = study.cluster_spec(dataset, method, stack)
            now = digest({key: value for key, value in spec.items() if key not in ("seeds", "source_digest")})
            found.setdefault((dataset, method), set()).update(of.loc[of["settings"] == now, "seed"])
    return found


def _other_shapes(study):
    """Yield which rows are of another file than the study's own source gives."""
    for path in sorted(RECORDS.glob(f"*/{DATA}")):
        for row in read_frame(path).itertuples():
            entry = study.config["datasets"].get(row.dataset, {})
            known = load_catalogue().get(entry.get("source"), {}).get("shape")
            got = list(map(int, row.shape.split()))
            if row.dataset in study.datasets and (got[0], prod(got)) != (known[0], prod(known)):
                sides = (" x ".join(map(str, shape)) for shape in (got, known))
                yield f"{entry.get('title', row.dataset)}: rows of a file of {' and not of '.join(sides)}."
