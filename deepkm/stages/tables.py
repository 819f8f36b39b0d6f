"""Make the tables of a study: results/tables/*.{csv,md,tex}."""

from pathlib import Path

import pandas as pd

from deepkm.numerics.metrics import METRICS
from deepkm.report.tables import study as tables
from deepkm.report.tables import summaries
from deepkm.report.tables.layout import to_latex, to_markdown
from deepkm.report.tables.published import set_beside

INPUTS = ("scores", "runs", "parameters", "pairwise", "best")
FORMATS = {".md": to_markdown, ".tex": to_latex}


def add_arguments(parser):
    for name in INPUTS:
        parser.add_argument(f"--{name}", required=True, help=f"{name}.csv of the score and statistics stages")
    parser.add_argument("--output", nargs="+", required=True, type=Path, help="files to write, such as tables/acc.md")


def main(args):
    made = make_tables(args.spec, **{name: pd.read_csv(getattr(args, name)) for name in INPUTS})
    for path in args.output:
        summary, table = made[path.stem]
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".csv":
            summary.to_csv(path, index=False, float_format="%.6g")
        else:
            path.write_text(FORMATS[path.suffix](table), encoding="utf-8")


def make_tables(spec, *, scores, runs, parameters, pairwise, best):
    """Return the numbers and the table of each name in `deepkm.report.tables.study.table_names`.

    Parameters
    ----------
    spec : dict
        From `Study.report_spec`.
    scores, runs, parameters, pairwise, best : DataFrame
        What the score and statistics stages have written.

    Returns
    -------
    dict of str to (DataFrame, Table)
    """
    titles = {kind: dict(spec[kind]) for kind in ("datasets", "methods")}
    study = {**titles, "n_seeds": spec["n_seeds"]}
    by_metric = {metric: summaries.summarize(scores, metric, **study, best=best) for metric in METRICS}
    cost = summaries.summarize_cost(scores, runs, **study)
    ablation = summaries.summarize_ablations(scores, pairwise, spec["ablations"], datasets=titles["datasets"])
    used = summaries.select_parameters(parameters, **titles)
    published = set_beside(by_metric, used, spec["origins"])
    return {
        **{metric: (by_metric[metric], tables.score_table(by_metric[metric], metric, **study)) for metric in by_metric},
        "cost": (cost, tables.cost_table(cost, **titles)),
        "ablation": (ablation, tables.ablation_table(ablation, **titles)),
        "parameters": (used, tables.parameter_table(used, **titles)),
        "published": (published, tables.published_table(published, **titles)),
    }
