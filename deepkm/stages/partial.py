"""Make scores and tables of the results that there are, while a study runs or after jobs failed."""

from pathlib import Path

import pandas as pd

from deepkm.inventory import FOLDERS, jobs_of
from deepkm.report.tables import summarize, to_markdown
from deepkm.spec import Study
from deepkm.stages.score import write_scores


def add_arguments(parser):
    parser.add_argument("--output", type=Path, help="the folder to write to (default: results/partial)")


def main(args):
    study = Study(args.spec)
    jobs = list(jobs_of(study))
    done = {stage: [job.path for job in jobs if job.stage == stage and job.state()[0] == "done"] for stage in FOLDERS}
    print(f"{len(done['cluster'])} of {sum(job.stage == 'cluster' for job in jobs)} clustering jobs are done")
    if not done["cluster"]:
        return
    folder = args.output or Path(study.config["results_dir"], "partial")
    data = [Path(study.config["data_dir"], f"{dataset}.npz") for dataset in study.datasets]
    write_scores(
        done["cluster"],
        done["autoencoder"],
        data=[path for path in data if path.exists()],
        output=[folder / f"{name}.csv" for name in ("scores", "epochs", "runs", "parameters")],
    )
    write_tables(pd.read_csv(folder / "scores.csv"), study, folder)


def write_tables(scores, study, folder):
    """Write ``{acc,nmi,ari}.{csv,md}`` with the number of seeds in each cell."""
    titles = {kind: dict(study.report_spec("tables")[kind]) for kind in ("datasets", "methods")}
    n_seeds = sum(len(seeds) for seeds in study.blocks.values())
    for metric in ("acc", "nmi", "ari"):
        summary = summarize(scores, metric)
        summary.to_csv(folder / f"{metric}.csv", index=False, float_format="%.4f")
        text = to_markdown(summary, metric, **titles, n_expected=n_seeds)
        (folder / f"{metric}.md").write_text(text, encoding="utf-8")
        print(text)
