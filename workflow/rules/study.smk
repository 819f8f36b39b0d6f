# The study as an object, and what lets every job find the package.

sys.path[:0] = [str(workflow.basedir), os.getcwd()]  # the package, and a user's own methods beside the study

from deepkm.datasets.catalogue import load_catalogue
from deepkm.jobs.interruption import clear_stale_locks
from deepkm.study.inventory import check_shared_data, files_by_hand
from deepkm.study.plan import Study
from deepkm.study.spec import dumps

for name, first in (("PATH", os.path.dirname(sys.executable)), ("PYTHONPATH", str(workflow.basedir))):
    os.environ[name] = os.pathsep.join(filter(None, [first, os.environ.get(name)]))  # jobs: this Python and this package
signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # SLURM warns a whole job; only training listens (deepkm.jobs.interruption)
if workflow.is_main_process:
    alive = clear_stale_locks(".snakemake")  # open, and so held, as long as this process lives
try:
    study = Study(config)
    if workflow.is_main_process:
        check_shared_data(study)
        for line in files_by_hand(study):  # a download that cannot be stops the study, maybe hours later
            print(line, file=sys.stderr)
except ValueError as error:
    raise WorkflowError(f"config: {error}") from None


def options_of(workflow):
    """Return what Snakemake was called with for this study, beside targets: the page shows commands."""
    files, values = workflow.overwrite_configfiles, workflow.config_settings.config
    given = {
        "--cores": ["1"],
        "-s": [] if os.path.exists("Snakefile") else [os.path.relpath(workflow.main_snakefile)],
        "--configfile": [os.path.relpath(path) for path in files],
        "--config": [f"{key}={value if isinstance(value, str) else dumps(value)}" for key, value in values.items()],
    }
    return shlex.join(part for option, values in given.items() if values for part in (option, *values))


os.environ |= {"DEEPKM_STUDY": dumps(study.config), "DEEPKM_OPTIONS": options_of(workflow)}  # for the page


def pretrained(wildcards):
    """Return the autoencoders that a method builds on; none in input space."""
    key = study.autoencoder_of(wildcards.method)
    return collect("<results>/autoencoders/{key}/{{dataset}}/{{block}}.h5", key=[key] if key else [])


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
    block=r"seed\d+(x\d+)?",
