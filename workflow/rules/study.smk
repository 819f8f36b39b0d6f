# The study as an object, and what lets every job find this package and a user's own methods.
import os
import re
import shlex
import signal
import sys
import time
from functools import cache

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

sys.path.insert(0, str(workflow.basedir))

from deepkm.files import bring_to_now
from deepkm.jobs.devices import visible_gpus
from deepkm.jobs.interruption import claim
from deepkm.jobs.progress import Progress, plan_jobs, training_place
from deepkm.jobs.telling import as_typed, tell
from deepkm.study import paths
from deepkm.study.data import check_data, files_by_hand, is_shared
from deepkm.study.inventory import jobs_of, result_files
from deepkm.study.keeping import describe_models, model_options
from deepkm.study.refreshes import describe_refreshes
from deepkm.study.options import method_folders, read_config, snakemake_options, stage_command, study_options
from deepkm.study.plan import Study
from deepkm.study.scored import scores_state
from deepkm.study.spec import dumps
from deepkm.study.trials import trial_places


def called_with():
    """Return the files and settings of the command line's configuration: Snakemake documents no way to ask for them."""
    if workflow.config_settings.replace_workflow_config:
        raise WorkflowError(
            "config: got --replace-workflow-config, expected files that are laid over config.yaml, as `partial`, `status`"
            " and `audit` take them; leave the option out"
        )
    return workflow.overwrite_configfiles, workflow.config_settings.config_args


configfiles, settings = called_with()
terminal = tell(logger if workflow.is_main_process else None, workflow.output_settings)
called = shlex.join(as_typed(sys.argv))  # before PATH changes
sys.path[1:1] = method_folders(configfiles)
python_path = os.pathsep.join([str(workflow.basedir), *method_folders(configfiles)])
for name, first in (("PATH", os.path.dirname(sys.executable)), ("PYTHONPATH", python_path)):
    os.environ[name] = os.pathsep.join(filter(None, [first, os.environ.get(name)]))
# SLURM warns a whole job; only training listens: deepkm.jobs.interruption.
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
try:
    paths.plain_path("config: the folder of the Snakefile", str(workflow.basedir))
    if workflow.is_main_process:
        read_config(configfiles, settings)  # Snakemake names no line, and drops the first of two equal keys
except (ValueError, OSError) as error:
    raise WorkflowError(str(error)) from None


configfile: os.path.join(workflow.basedir, "config.yaml")


try:
    study = Study(config)
    if workflow.is_main_process:
        data_found = check_data(study)
        for line in files_by_hand(study):  # a download that cannot be stops the study, maybe hours later
            print(line, file=sys.stderr)
except ValueError as error:
    raise WorkflowError(f"config: {error}") from None
except OSError as error:
    raise WorkflowError(str(error)) from None


# A spec is a value of a function, since in a text Snakemake takes braces for wildcards, and reaches its stage through
# the standard input, since an argument has a largest length; files are quoted arguments.
def spec_of(rule):
    """Return a function that gives the spec of a rule's job."""
    return lambda wildcards: dumps(study.spec_of(rule, **wildcards))


# Functions of `output` are no reason to run a job again: they say how, and not what.
def results_folder(wildcards, output):
    """Return the folder of all results."""
    return study.folders["results"]


def jobs_per_gpu(wildcards, output):
    """Return how many jobs may share a GPU."""
    return study.config["jobs_per_gpu"]


@cache
def gpus_here():
    """Return the GPUs of this machine that the study may use."""
    return list(visible_gpus())


def gpus_of_a_job(wildcards):
    """Return how many GPUs a training job asks for: none where it runs here and here is none."""
    return 0 if workflow.is_main_process and workflow.local_exec and not gpus_here() else 1


def study_begins():
    """Say what there is to do, where it trains, how to watch it, which models are kept, and what is slow."""
    jobs = dict(plan_jobs(study, workflow.dag.needrun_jobs()))
    gpu = workflow.global_resources["gpu"].value if "gpu" in workflow.global_resources else None
    place, slots = f"training on the cluster, {'on CPUs' if gpu == 0 else 'each job on a GPU'}", None
    if workflow.local_exec:
        per_gpu = study.config["jobs_per_gpu"]
        place, slots = training_place(
            gpus_here(), gpu=gpu, cores=workflow.global_resources["_cores"].value or 1, jobs_per_gpu=per_gpu
        )
    watch = f"how far they are: {stage_command('status', configfiles, settings)} --watch"
    clusters = any(job.rule == "cluster" for job in jobs.values())
    lines = [place, watch] if any(job.trains for job in jobs.values()) else []
    described = [*describe_models(study, trains=clusters), *(describe_refreshes(study) if clusters else [])]
    terminal.begin(Progress(jobs, slots=slots), [*lines, *described])


def models_kept(wildcards, output):
    """Return the options that say which models a clustering keeps."""
    return model_options(study, wildcards.method, wildcards.stack)


def called_as(wildcards, output):
    """Return the options that name this study, for stages that read the configuration or show commands."""
    return study_options(configfiles, settings)


all_data = {
    "meta": collect(paths.META, dataset=study.datasets),
    "npz": ancient(collect(paths.DATASET, dataset=study.datasets)),
}
all_trials = [paths.path_of(paths.TRIAL, **study.folders, **place) for place in trial_places(study)]
search_files = paths.SEARCH if all_trials else ()
search_tables = [paths.CHOICE, paths.PEEKED] if all_trials else []
all_results = list(map(str, result_files(study.folders["results"], study.training_jobs())[0]))


# Whether a file is what the study asks for is for the file to say: dates are lost in copies, kept by what takes its place,
# or wrong, and Snakemake's records may be elsewhere. So inputs that are younger than what was made from them are `ancient`
# where that says so, and what says no has one input more: a younger one. A job on a cluster, sent already, need not know.


@cache
def younger():
    """Return a file that is younger than all others, and of another content each time."""
    path = os.path.join(".snakemake", "deepkm_start")
    with open(path, "w") as file:
        file.write(str(time.time_ns()))
    return path


def remade(state):
    """Return what makes Snakemake see that a file is not what the study asks for."""
    return [younger()] if state in ("stale", "unreadable") else []


def file_of(pattern, **wildcards):
    """Return the name of a file of the study."""
    return str(paths.path_of(pattern, **study.folders, **wildcards))


@cache
def states():
    """Return what all results and converted data sets say of themselves, by their names."""
    if not workflow.is_main_process:
        return {}
    data = {str(one.path): one.state for one in data_found.values()}
    if is_shared(study):  # those of others have been checked, and are never made again
        data = {path: "done" if state == "stale" else state for path, state in data.items()}
    return data | {str(job.path): job.state()[0] for job in jobs_of(study, data_found)}


def by_content(files, rule, output, **wildcards):
    """Return the inputs that the output of a job says it was made of, as `ancient` where they are dated after it."""
    made = [file_of(name, **wildcards) for name in [*output, paths.benchmark_of(rule, output[0])]]
    age = min(os.lstat(path).st_mtime for path in made if os.path.exists(path))
    return [ancient(path) if os.path.exists(path) and os.path.getmtime(path) > age else path for path in files]


def conversion_inputs(wildcards):
    """Return the raw files of a data set; a file of one's own is in its spec, by its content."""
    raw = [] if "path" in study.config["datasets"][wildcards.dataset] else study.dataset_files(wildcards.dataset)
    return list(map(ancient, raw)) + remade(states().get(file_of(paths.DATASET, **wildcards)))


def training_inputs(stage):
    """Return a function that gives what a training job reads."""

    def inputs(wildcards):
        meta, npz = (file_of(name, dataset=wildcards.dataset) for name in (paths.META, paths.DATASET))
        below = study.autoencoder_below(stage, **wildcards)
        weights = [file_of(paths.AUTOENCODER, **below)] if below else []
        files = {"meta": [meta], "npz": [ancient(npz)], "autoencoder": weights}
        result = file_of(paths.TRAINED[stage], **wildcards)
        state, of_data = states().get(result), states().get(npz)
        if state == "done" and of_data == "missing":
            files["meta"] = files["npz"] = []  # others may need them: they are converted from the same again
        elif state == of_data == "done":
            files["meta"] = by_content(files["meta"], stage, [paths.TRAINED[stage]], **wildcards)
        if state == "done" and all(states()[path] == "done" for path in weights):
            files["autoencoder"] = by_content(weights, stage, [paths.TRAINED[stage]], **wildcards)
        return {**files, "remade": remade(state)}

    return inputs


def score_inputs(wildcards):
    """Return the descriptions of all data, and all results."""
    results = sum(result_files(study.folders["results"], study.training_jobs()), [])
    files = [str(path) for path in [*map(paths.meta_of, map(study.data_file, study.datasets)), *results]]
    state = scores_state(study) if states() else ""
    if state == "done" and {"done", "missing"}.issuperset(states().values()):
        return by_content(files, "score", paths.WRITES["score"])
    return files + remade(state)


def data_file(wildcards, output):
    """Return the converted data that a training job reads."""
    return file_of(paths.DATASET, dataset=wildcards.dataset)


def alternatives(names):
    """Return a pattern that matches these names and nothing else."""
    return "|".join(map(re.escape, sorted(set(names))))


wildcard_constraints:
    dataset=r"\w+",
    method=r"\w+",
    autoencoder=r"\w+(-k\d+)?",
    part=r"part\d+",
    stack=r"seed\d+(x\d+)?",
