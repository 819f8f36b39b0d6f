# The study as an object, and what lets every job find this package and a user's own methods.
import os
import re
import signal
import sys

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

sys.path.insert(0, str(workflow.basedir))

from deepkm.jobs.interruption import CalmEnd, claim
from deepkm.study import paths
from deepkm.study.inventory import check_data, check_shared_data, files_by_hand
from deepkm.study.options import method_folders, read_configfile, snakemake_options, stage_command, study_options
from deepkm.study.plan import Study
from deepkm.study.spec import dumps


def called_with():
    """Return the files and settings of the command line's configuration: Snakemake documents no way to ask for them."""
    if workflow.config_settings.replace_workflow_config:
        raise WorkflowError(
            "config: got --replace-workflow-config, expected files that are laid over config.yaml, as `partial`, `status`"
            " and `audit` take them; leave the option out"
        )
    return workflow.overwrite_configfiles, workflow.config_settings.config_args


configfiles, settings = called_with()
sys.path[1:1] = method_folders(configfiles)
python_path = os.pathsep.join([str(workflow.basedir), *method_folders(configfiles)])
for name, first in (("PATH", os.path.dirname(sys.executable)), ("PYTHONPATH", python_path)):
    os.environ[name] = os.pathsep.join(filter(None, [first, os.environ.get(name)]))
# SLURM warns a whole job; only training listens: deepkm.jobs.interruption.
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
try:
    paths.plain_path("the folder of the Snakefile", str(workflow.basedir))
    study = Study(config)
    if workflow.is_main_process:
        logger.addFilter(CalmEnd())
        for path in configfiles:
            read_configfile(path)  # of two equal keys, Snakemake's own reader drops the first without a word
        check_shared_data(study)
        check_data(study)
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


def called_as(wildcards, output):
    """Return the options that name this study, for stages that read the configuration or show commands."""
    return study_options(configfiles, settings)


all_data = {
    "meta": collect(paths.META, dataset=study.datasets),
    "npz": ancient(collect(paths.DATASET, dataset=study.datasets)),
}
all_results = {
    "results": collect(paths.CLUSTERING, dataset=study.datasets, method=study.methods, stack=study.stacks),
    "autoencoders": collect(
        paths.AUTOENCODER,
        dataset=study.datasets,
        autoencoder=sorted(set(filter(None, map(study.autoencoder_of, study.methods)))),
        stack=study.stacks,
    ),
}


def pretrained(wildcards):
    """Return the autoencoders that a method builds on; none in input space."""
    key = study.autoencoder_of(wildcards.method)
    return collect(paths.AUTOENCODER, autoencoder=[key] if key else [], allow_missing=True)


def raw_files(wildcards):
    """Return what a data set is converted from; of a folder, the spec knows the files."""
    files = study.dataset_files(wildcards.dataset)
    return [ancient(path) if os.path.isdir(path) else path for path in files]


def alternatives(names):
    """Return a pattern that matches these names and nothing else."""
    return "|".join(map(re.escape, sorted(set(names))))


wildcard_constraints:
    dataset=r"\w+",
    method=r"\w+",
    autoencoder=r"\w+",
    stack=r"seed\d+(x\d+)?",
