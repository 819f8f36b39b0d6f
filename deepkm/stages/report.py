"""Make the page of a study, results/report.html: one file with its tables and figures, to be read and passed on."""

import json
from pathlib import Path

from deepkm.datasets.preview import preview
from deepkm.report.frames import read_frame
from deepkm.report.page.content import page_content
from deepkm.report.page.render import embed, picture, render
from deepkm.report.page.results import StudyResults
from deepkm.report.tables.study import make_tables
from deepkm.stages.tables import INPUTS
from deepkm.study.inventory import foreign_files, stale_results
from deepkm.study.options import add_study_arguments, read_configfile, snakemake_options, stage_command
from deepkm.study.parameters import docstring_of
from deepkm.study.paths import FIGURES_INDEX, meta_of
from deepkm.study.plan import Study
from deepkm.study.spec import PageSpec

FRAMES = ("scores", "jobs", "parameters", "contrasts", "pairwise", "best", "friedman")
OPTIONAL = ("structure", "agreement", "choice", "peeked")  # of data without classes, and of a search


def add_arguments(parser):
    parser.add_argument("--tables", nargs="+", required=True, type=Path, help="the .csv of scores and of statistics")
    parser.add_argument("--figures", type=Path, help="the folder of figures")
    parser.add_argument("--study", required=True, help="results/study.json, to tell what is stale or foreign")
    add_study_arguments(parser)
    parser.add_argument("--output", nargs=1, required=True, type=Path, help="the .html to write")


def main(args):
    study, [output] = Study(read_configfile(args.study)), args.output
    read = {path.stem: read_frame(path) for path in args.tables if path.stem in (*INPUTS, *OPTIONAL)}
    spec: PageSpec = args.spec
    made = make_tables(spec, **{name: read[name] for name in INPUTS})
    results = StudyResults(
        datasets=dict(spec["datasets"]),
        methods=dict(spec["methods"]),
        seeds=spec["seeds"],
        colors=spec["colors"],
        **{name: read[name] for name in (*FRAMES, *OPTIONAL) if name in read},
        tables={name: table for name, (_, table) in made.items()},
        figures=read_figures(args.figures) if args.figures else [],
        docstrings={row.method: docstring_of(row.estimator) for row in read["parameters"].itertuples()},
        options=snakemake_options(args.configfile, args.config),
        audit=stage_command("audit", args.configfile, args.config),
        folder=study.config["results_dir"],
        stale=stale_results(study, read["jobs"]),
        foreign=[str(path) for path in foreign_files(study)],
        unscaled_text=[title for key, title in spec["datasets"] if is_unscaled_text(study, key)],
        described={key: describe(study, key) for key, _ in spec["datasets"] if read_meta(study, key)},
    )
    text = render(**page_content(results))
    output.write_text(text, encoding="utf-8")
    print(f"{output}: {len(text) / 1e6:.1f} MB with {len(results.figures)} figures")


def is_unscaled_text(study, dataset):
    """Tell whether a data set looks like text whose rows differ in length, and is left as it is."""
    return study.scaling_of(dataset) == "none" and read_meta(study, dataset).get("like_text", False)


def read_meta(study, dataset):
    """Return what is noted beside a converted data set; {} where there is none any more."""
    meta = meta_of(study.data_file(dataset))
    return json.loads(meta.read_text(encoding="utf-8")) if meta.exists() else {}


def describe(study, dataset):
    """Return what the page says of a data set, with pictures of samples where its file is there."""
    meta, file = read_meta(study, dataset), study.data_file(dataset)
    about = {"shape": meta["shape"], "class_counts": meta.get("class_counts"), "scaling": study.scaling_of(dataset)}
    about["n_clusters"] = study.config["datasets"][dataset]["n_clusters"]
    try:
        seen = preview(file) if file.exists() else None
    except OSError as error:
        print(f"no pictures of {dataset}: {error}")
        seen = None
    return about | {"samples": seen and picture(seen.samples, seen.picture_shape)}


def read_figures(folder):
    """Return the figures in the order to show, each with an address that holds it, but for those not drawn."""
    listed = json.loads((folder / FIGURES_INDEX).read_text(encoding="utf-8"))
    return [
        {
            **figure,
            "id": f"figure-{figure['stem']}",
            "file": str(folder / f"{figure['stem']}.svg"),
            **(embed(folder / f"{figure['stem']}.png", pictures=figure["pictures"]) if figure["drawn"] else {}),
        }
        for figure in listed
    ]
