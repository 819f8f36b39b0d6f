"""Make the page of a study, results/report.html: one file with its tables and figures, to be read and passed on."""

import json
from pathlib import Path

import pandas as pd

from deepkm.inventory import foreign_files, stale_results
from deepkm.report.content import StudyResults, page_content
from deepkm.report.page import embed, render
from deepkm.source_code import docstring_of
from deepkm.spec import Study
from deepkm.stages.tables import make_tables


def add_arguments(parser):
    parser.add_argument("--results", required=True, type=Path, help="the folder of the study's results")
    parser.add_argument("--study", help="the configuration as JSON; with it, the page says what is stale or foreign")
    parser.add_argument("--options", default="--cores 1", help="what Snakemake is called with for this study")
    parser.add_argument("--output", required=True, type=Path, help="the .html to write")


def main(args):
    tables = {name: pd.read_csv(args.results / f"{name}.csv") for name in ("scores", "runs", "parameters")}
    tested = {
        name: pd.read_csv(args.results / "statistics" / f"{name}.csv") for name in ("pairwise", "best", "friedman")
    }
    friedman = tested.pop("friedman")
    results = StudyResults(
        **{kind: dict(args.spec[kind]) for kind in ("datasets", "methods")},
        seeds=args.spec["seeds"],
        **tables,
        pairwise=tested["pairwise"],
        friedman=friedman,
        tables={name: table for name, (_, table) in make_tables(args.spec, **tables, **tested).items()},
        figures=read_figures(args.results / "figures"),
        docstrings={row.method: docstring_of(row.estimator) for row in tables["parameters"].itertuples()},
        options=args.options,
        folder=str(args.results),
        **audit(args.study, tables["runs"]),
    )
    text = render(**page_content(results))
    args.output.write_text(text, encoding="utf-8")
    print(f"{args.output}: {len(text) / 1e6:.1f} MB with {len(results.figures)} figures")


def audit(study, runs):
    """Return what of the results is stale or foreign, as far as a configuration tells."""
    if not study:
        return {}
    study = Study(json.loads(study))
    return {"stale": stale_results(study, runs), "foreign": [str(path) for path in foreign_files(study)]}


def read_figures(folder):
    """Return the figures in the order to show, each with an address that holds it."""
    listed = [
        {"stem": path.stem, "group": "Figures", "title": path.stem, "caption": "", "alt": path.stem, "methods": []}
        for path in sorted(folder.glob("*.png"))
    ]
    return [
        {
            **figure,
            "id": f"figure-{figure['stem']}",
            "file": f"{folder}/{figure['stem']}.svg",
            **embed(folder / f"{figure['stem']}.png", folder / f"{figure['stem']}.svg"),
        }
        for figure in listed
    ]
