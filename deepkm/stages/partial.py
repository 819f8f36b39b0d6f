"""Make scores, tables and a page of the results that there are, while a study runs or after jobs failed."""

import os
from argparse import Namespace
from pathlib import Path

from deepkm.numerics.metrics import METRICS
from deepkm.report.tables.study import table_names
from deepkm.stages import report, statistics, tables
from deepkm.stages.score import write_scores
from deepkm.study.inventory import FOLDERS, jobs_of
from deepkm.study.plan import Study
from deepkm.study.spec import dumps

SCORED = ("scores", "epochs", "runs", "parameters")
TESTED = ("pairwise", "best", "friedman")


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
    files = {name: folder / f"{name}.csv" for name in (*SCORED, *TESTED)}
    write_scores(
        done["cluster"],
        done["autoencoder"],
        data=[path for path in data if path.exists()],
        output=[files[name] for name in SCORED],
        blocks=study.blocks,
    )
    output = [files[name] for name in TESTED]
    statistics.main(Namespace(spec=study.statistics_spec(), scores=files["scores"], output=output))
    output = [folder / f"{name}{suffix}" for name in table_names() for suffix in (".csv", ".md")]
    output = [path for path in output if path not in files.values()]
    tables.main(Namespace(spec=study.report_spec("tables"), output=output, **files))
    page = {"study": dumps(args.spec), "options": os.environ.get("DEEPKM_OPTIONS", "--cores 1"), "figures": None}
    output = folder / "report.html"
    report.main(Namespace(spec=study.page_spec(), tables=[*files.values()], output=output, **page))
    for metric in METRICS:
        print((folder / f"{metric}.md").read_text(encoding="utf-8"))
