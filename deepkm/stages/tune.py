"""Try the settings of a study's `search`, choose one without classes, and show what the classes would have chosen."""

import json
import sys
from argparse import Namespace
from importlib import import_module
from pathlib import Path

from deepkm.jobs.interruption import add_checkpoint_argument
from deepkm.stages import choose
from deepkm.study.data import check_data, is_shared
from deepkm.study.inventory import is_of_search, jobs_of, load_study
from deepkm.study.options import add_study_arguments
from deepkm.study.paths import RAW_FILE, meta_of, path_of
from deepkm.study.spec import dumps


def add_arguments(parser):
    add_study_arguments(parser)
    add_checkpoint_argument(parser)


def main(args):
    """Do in this process what is not done yet, job by job: the same files that Snakemake makes."""
    study = load_study(args.configfile, args.config)
    if not study.config.get("search"):
        raise ValueError(
            "search: got none, expected what to try, such as `search: {seeds: [1, 2, 3], methods: {dkm: "
            "{clustering_weight: [0.1, 1, 10]}}}`; add it to a --configfile"
        )
    prepare_data(study)
    jobs = [job for job in jobs_of(study) if is_of_search(job, study)]
    left = [job for job in jobs if job.state()[0] != "done"]
    print(f"{len(jobs) - len(left)} of {len(jobs)} jobs of the search are done", flush=True)
    for number, job in enumerate(left, len(jobs) - len(left) + 1):
        print(f"job {number} of {len(jobs)}: {job.path}", flush=True)
        below = {"autoencoder": [job.autoencoder] if job.autoencoder else []}
        given = {"data": study.data_file(job.spec["dataset"]["name"]), "spec": job.spec, "output": job.path, **below}
        options = {name: getattr(args, name) for name in ("device", "threads", "jobs_per_gpu", "checkpoint_seconds")}
        import_module(f"deepkm.stages.{job.stage}").main(Namespace(**given, **options))
    data = [study.data_file(dataset) for dataset in study.datasets]
    spec = json.loads(dumps(study.spec_of("choose")))  # as a rule hands it on: the same files
    choose.main(Namespace(spec=spec, data=data, results=study.folders["results"]))


def prepare_data(study):
    """Download and convert the study's data sets where they are not there yet, or are others."""
    for dataset, found in check_data(study).items():
        if found.state == "done" or (found.state == "stale" and is_shared(study)):
            continue
        files = [Path(path) for path in study.dataset_files(dataset)]
        for path in [] if "path" in study.config["datasets"][dataset] else files:
            _download(study, path)
        output = study.data_file(dataset)
        given = {"input": files, "output": output, "meta": meta_of(output), "scaling": study.scaling_of(dataset)}
        import_module("deepkm.stages.dataset").main(Namespace(spec=study.spec_of("dataset", dataset=dataset), **given))


def _download(study, path):
    """Download one raw file where it is not there."""
    source, file = path.parts[-2:]
    output = path_of(RAW_FILE, **study.folders, source=source, file=file)
    if not output.exists():
        print(f"downloading {output}", file=sys.stderr, flush=True)
        spec = study.spec_of("download", source=source, file=file)
        import_module("deepkm.stages.download").main(Namespace(spec=spec, output=output, mirror=study.mirror))
