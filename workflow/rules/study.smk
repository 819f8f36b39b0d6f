# The study as an object, and what lets every job find the package.

# Jobs call `python -m deepkm`: the Python that runs Snakemake (or a conda environment's, which comes first), with this
# checkout's package, from whichever folder the workflow is called.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(workflow.basedir), os.environ.get("PYTHONPATH")]))
sys.path[:0] = [str(workflow.basedir), os.getcwd()]

from deepkm.spec import Study, dumps

try:
    study = Study(config)
except ValueError as error:
    raise WorkflowError(f"config: {error}") from None


wildcard_constraints:
    dataset=r"\w+",
    method=r"\w+",
    autoencoder=r"\w+",
    block=r"seed\d+(x\d+)?",
