"""What tests share: the checkout, its config, and a tiny study in a folder of its own."""

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager, suppress
from copy import deepcopy
from pathlib import Path

import forked
import numpy as np
import pytest
import yaml

ROOT = Path(__file__).parents[1]
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started in the background; tests send it to what they start
    signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ.setdefault("OMP_NUM_THREADS", "1")  # before PyTorch is imported

TINY_STUDY = {
    "study": {"datasets": ["blobs"], "methods": ["km", "dkm", "ct", "ct_no_reinit"], "seeds": [0, 1]},
    "training": {"pretraining_epochs": 2, "epochs": 3},
    "datasets": {"blobs": {"n_samples": 120, "n_features": 4, "n_clusters": 3}},
    "autoencoders": {"mlp": {"hidden_widths": [8]}},
    "seeds_per_job": 1,
}


def pytest_collection_modifyitems(config, items):
    """Let workers end at about the same time: first the files that mostly wait for SLURM, then the long ones."""
    if hasattr(config, "workerinput"):  # without workers, in the order in which they are named
        sizes = Counter(item.path for item in items)
        for path in sizes:  # a test that runs a study takes as long as some hundred others
            sizes[path] *= 100 if re.search(r"\b(run_snakemake|slow_job|planned|shell)\(", path.read_text()) else 1
        items.sort(key=lambda item: ("slurm" not in item.path.parts, -sizes[item.path]))


@pytest.fixture
def config():
    """The default configuration, a job per seed."""
    return yaml.safe_load((ROOT / "config.yaml").read_text()) | {"seeds_per_job": 1}


def snakemake_command(folder, *arguments, study=TINY_STUDY, profile="default"):
    """Write `study` to `folder` and return the command that runs it there."""
    (folder / "study.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    root = folder if (folder / "Snakefile").exists() else ROOT  # a copy of the checkout runs its own code
    command = [sys.executable, "-m", "snakemake", *arguments, "-s", root / "Snakefile", "-d", folder]
    command += ["--configfile", folder / "study.yaml", "--workflow-profile", root / "profiles" / profile]
    if profile == "default" and "--cores" not in arguments:
        command += ["--cores", "2"]
    if profile == "default" and "--resources" not in arguments:
        command += ["--resources", "gpu=0"]
    return [str(argument) for argument in command]


def run_snakemake(folder, *arguments, check=True, extra=(), **options):
    """Run the workflow in `folder` on a study; return the completed process with its output in stdout."""
    words = snakemake_command(folder, *arguments, **options)[3:]
    variables = environment(folder if (folder / "Snakefile").exists() else ROOT) | dict(extra)
    done = forked.snakemake(words, folder, variables)
    assert not check or done.returncode == 0, done.stdout
    return done


def planned(folder, study=TINY_STUDY, *targets):
    """Return how many jobs of each rule a dry run plans."""
    output = run_snakemake(folder, *targets, "-n", "--quiet", "host", study=study).stdout
    if "Nothing to be done" in output:
        return {}
    table = re.search(r"Job stats:\njob +count\n[- ]+\n(.*?)\ntotal", output, re.DOTALL)
    jobs = dict(line.split() for line in table[1].splitlines())
    return {rule: int(count) for rule, count in jobs.items() if rule != "all"}


@contextmanager
def started_snakemake(folder, *arguments, extra=(), **options):
    """Run the workflow in a process group of its own while the block lasts; what is left of it then is killed."""
    command = snakemake_command(folder, *arguments, **options)
    with open(folder / "snakemake.txt", "w") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=environment() | dict(extra),
        )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_for(condition, seconds=90):
    """Wait until `condition()` is true, and return what it gave."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)
    return found


def run_stage(*arguments, check=True, folder=None):
    """Run ``python -m deepkm``; return the completed process with its output in stdout."""
    root = folder if folder and (folder / "Snakefile").exists() else ROOT
    command = [sys.executable, "-m", "deepkm", *map(str, arguments)]
    done = subprocess.run(
        command,
        cwd=folder,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        env=environment(root),
    )
    assert not check or done.returncode == 0, done.stdout
    return done


def shell(folder, command):
    """Run a command as someone types it whose Python is this one, but does not see the checkout."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    variables["PATH"] = os.pathsep.join([os.path.dirname(sys.executable), variables["PATH"]])
    words = ["bash", "-c", command]
    return subprocess.run(words, cwd=folder, env=variables, capture_output=True, text=True, check=False)


def environment(root=ROOT):
    """This process's environment, with the package of one checkout first."""
    return {**os.environ, "PYTHONPATH": str(root)}


def changed(**parts):
    """Return the tiny study with the keys of some parts replaced."""
    study = deepcopy(TINY_STUDY)
    for part, values in parts.items():
        study[part] = {**study.get(part, {}), **values} if isinstance(values, dict) else values
    return study


def assert_same(first, second):
    assert first.keys() == second.keys()
    for key, array in first.items():
        np.testing.assert_array_equal(array, second[key], err_msg=str(key))
