"""Make scores, tables and a page of the results that there are, while a study runs or after jobs failed."""

from argparse import Namespace
from importlib import import_module
from pathlib import Path

from deepkm.numerics.metrics import METRICS
from deepkm.report.tables.study import table_names
from deepkm.stages.labels import write_labels
from deepkm.stages.score import write_scores
from deepkm.study.inventory import is_of_search, jobs_of, load_study
from deepkm.study.options import add_study_arguments
from deepkm.study.paths import (
    AGREEMENT,
    CHOICE,
    LABELS,
    PAGE,
    PARTIAL,
    PEEKED,
    READS,
    STRUCTURE,
    STUDY,
    TABLE,
    TRAINED,
    WRITES,
    named,
    path_of,
    table_files,
)


def add_arguments(parser):
    add_study_arguments(parser)
    parser.add_argument("--output", type=Path, help="the folder to write to (default: results/partial)")


def main(args):
    study = load_study(args.configfile, args.config)
    folder = args.output or path_of(PARTIAL, **study.folders)
    if not score_done(study, folder):
        return
    label_done(study, folder)
    record = path_of(STUDY, results=folder)
    record.write_text(study.record, encoding="utf-8")
    make("statistics", study, folder)
    make("tables", study, folder, writes=table_files(table_names()))
    called = {"configfile": args.configfile, "config": args.config}
    make("report", study, folder, also=chosen(study), study=record, figures=None, **called)
    for metric in METRICS:
        print(path_of(TABLE, results=folder, table=metric, kind="md").read_text(encoding="utf-8"))
    print(f"All on one page: {path_of(PAGE, results=folder)}")


def score_done(study, folder):
    """Write the tables of scores of all jobs that are done, to a folder like that of all results; return how many."""
    done, n_jobs = _done(study)
    print(f"{len(done['cluster'])} of {n_jobs} clustering jobs are done")
    if done["cluster"]:
        output = [path_of(pattern, results=folder) for pattern in WRITES["score"]]
        write_scores(done["cluster"], done["autoencoder"], data=_data(study), output=output, jobs=study.training_jobs())
    return len(done["cluster"])


def label_done(study, folder):
    """Write the tables of labels of all jobs that are done, and what needs no classes, to the same folder."""
    (done, _), data = _done(study), _data(study)
    output = [path_of(LABELS, results=folder, dataset=path.stem) for path in data]
    structure, agree = (path_of(pattern, results=folder) for pattern in (STRUCTURE, AGREEMENT))
    given = {"data": data, "output": output, "jobs": study.training_jobs()}
    write_labels(done["cluster"], structure=structure, agree=agree, **given)


def chosen(study):
    """Return the tables of the study's search, where all of it is done."""
    trials = [job for job in jobs_of(study) if job.stage == "search"]
    if not all(job.state()[0] == "done" for job in trials):
        return []
    files = [path_of(pattern, **study.folders) for pattern in (CHOICE, PEEKED)]
    return files if trials and all(path.exists() for path in files) else []


def _done(study):
    """Return the results that are done by the rule that makes them, and how many clusterings there should be."""
    jobs = [job for job in jobs_of(study) if not is_of_search(job, study)]
    done = {rule: [job.path for job in jobs if job.stage == rule and job.state()[0] == "done"] for rule in TRAINED}
    return done, sum(job.stage == "cluster" for job in jobs)


def _data(study):
    return [path for path in map(study.data_file, study.datasets) if path.exists()]


def make(rule, study, folder, /, *, writes=None, also=(), **options):
    """Do what a rule of the workflow does, in another folder than that of all results; `also`: other tables."""
    reads = {name: path_of(pattern, results=folder) for name, pattern in named(READS[rule]).items()}
    output = [path_of(pattern, results=folder) for pattern in writes or WRITES[rule]]
    stage = import_module(f"deepkm.stages.{rule}")
    stage.main(Namespace(spec=study.spec_of(rule), tables=[*reads.values(), *also], output=output, **reads, **options))
