"""Compare two folders of results: what changed in parameters, data and source, and in the numbers."""

from pathlib import Path

from deepkm.numerics.metrics import METRICS
from deepkm.report.frames import read_frame
from deepkm.report.tables.layout import to_markdown
from deepkm.report.tables.two_studies import changes_table, compare_jobs, compare_scores, numbers_table
from deepkm.study.inventory import load_study
from deepkm.study.options import add_study_arguments
from deepkm.study.paths import SCORES, TRAINED, files_of, path_of
from deepkm.study.results import read_result
from deepkm.study.scored import check_scores, described_data

SHOWN = 12  # of a digest


def add_arguments(parser):
    parser.add_argument("first", type=Path, help="a folder of results, as results_dir of a study")
    parser.add_argument(
        "second",
        type=Path,
        nargs="?",
        help="another one (default: that of the study); differences are this one minus the first",
    )
    add_study_arguments(parser)
    parser.add_argument("--output", nargs="*", default=[], type=Path, help=".md: the text; .csv: the numbers")
    parser.set_defaults(spec="{}")  # everything is read from the results


def main(args):
    for path in args.output:
        if path.suffix not in (".md", ".csv"):
            raise ValueError(f"--output: got {path}, expected a name that ends in .md or .csv; rename it")
    folders = [args.first, args.second or Path(load_study(args.configfile, args.config).folders["results"])]
    notes = [described_data(folder) for folder in folders]
    noted = notes[0].keys() & notes[1].keys()
    first, second = (
        read_jobs(folder, {key: of[key] for key in noted}) for folder, of in zip(folders, notes, strict=True)
    )
    described, seeds = [first[0], second[0]], [first[1], second[1]]
    changes = compare_jobs(*described)
    numbers = compare_scores(*(read_scores(folder) for folder in folders))
    text = "\n\n".join([*_overview(folders, described, seeds), *_tables(changes, numbers)])
    print(text.rstrip())
    for path in args.output:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".csv":
            numbers.to_csv(path, index=False)
        else:
            path.write_text(text, encoding="utf-8")


def read_jobs(folder, noted=()):
    """Return what is known of the training jobs in a folder of results, and their seeds.

    Parameters
    ----------
    folder : Path
    noted : dict, optional
        By data set, a digest of what describes it, classes too.

    Returns
    -------
    described : dict of (stage, key, dataset) to dict
        Of each of its seeds: the job's spec without seeds, versions and device, and digests of the data.
    seeds : dict of (stage, key, dataset) to set of int

    Raises
    ------
    ValueError
        When there are no results.
    """
    described: dict[tuple[str, str, str], dict[int, dict]] = {}
    for stage in ("autoencoder", "cluster"):  # a search has settings of its own
        for path in files_of(TRAINED[stage], folder):
            arrays, attributes = read_result(path, "labels", stage=stage)
            spec, made = attributes["spec"], attributes["provenance"]
            place = (stage, spec["method" if stage == "cluster" else "autoencoder"], spec["dataset"]["name"])
            known = {key: value for key, value in spec.items() if key != "seeds"}
            known["dataset"] = {**spec["dataset"], "features": attributes.get("inputs", {}).get("data", "-")[:SHOWN]}
            if stage == "cluster":
                known["dataset"]["n_samples"] = arrays["labels"].shape[1]
                if place[2] in noted:
                    known["dataset"]["description"] = noted[place[2]][:SHOWN]
            known |= {"versions": made.get("versions", {}), "device": made.get("device")}
            described.setdefault(place, {}).update(dict.fromkeys(spec["seeds"], known))
    if not described:
        raise ValueError(f"got {folder}, expected a folder of results of training jobs; name a results_dir")
    return described, {place: set(jobs) for place, jobs in described.items()}


def read_scores(folder):
    """Return the scores of a folder of results.

    Raises
    ------
    ValueError
        When there are none, or the table is of another kind.
    """
    path = path_of(SCORES, results=folder)
    if not path.exists():
        raise ValueError(f"got {folder} without {path.name}, expected a finished study; run `snakemake tables` there")
    check_scores(folder)
    scores = read_frame(path)
    if missing := {"dataset", "method", "seed", *METRICS} - set(scores.columns):
        raise ValueError(f"{path}: got no columns {', '.join(sorted(missing))}, expected them; make it anew")
    return scores


def _overview(folders, described, seeds):
    """Return paragraphs on what is compared, and what only one of them has."""
    names = [str(folder) for folder in folders]
    yield f"First: {names[0]}\nSecond: {names[1]}"
    for here, other in ((0, 1), (1, 0)):
        lines = []
        for place, found in seeds[here].items():
            if missing := sorted(found - seeds[other].get(place, set())):
                stage, key, dataset = place
                what = key if stage == "cluster" else f"autoencoder {key}"
                lines.append(f"- {what} on {dataset}: {'seed' if len(missing) == 1 else 'seeds'} {_listed(missing)}")
        if lines:
            yield f"Only in {names[here]}:\n\n" + "\n".join(lines)


def _listed(seeds, most=12):
    return ", ".join(map(str, seeds[:most])) + (f" and {len(seeds) - most} more" if len(seeds) > most else "")


def _tables(changes, numbers):
    if len(changes):
        yield "What was changed:\n\n" + to_markdown(changes_table(changes)).rstrip()
    else:
        yield "Nothing was changed in parameters, data, source and versions of what both have."
    if len(numbers):
        yield "What it did:\n\n" + to_markdown(numbers_table(numbers))
    else:
        yield "No method, data set and seed is in both: there are no numbers to compare.\n"
