"""Snakemake, imported once: each call is a fork of a process that has done it, in half of the time.

What people type is run as such in test_commands.py, test_interruption.py and wherever `shell` stands.
"""

import multiprocessing
import os
import sys
import tempfile
from pathlib import Path
from runpy import run_module
from subprocess import CompletedProcess

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["snakemake.cli"])


def snakemake(arguments, folder, variables):
    """Do what ``python -m snakemake`` does in `folder`; return the completed process with its output in stdout."""
    with tempfile.TemporaryDirectory() as place:
        output = Path(place, "output.txt")
        process = FORKS.Process(target=_call, args=(arguments, folder, variables, output))
        process.start()
        process.join()
        return CompletedProcess(arguments, process.exitcode, output.read_text())


def _call(arguments, folder, variables, output):
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    installed = [place for place in sys.path if place.startswith((sys.prefix, sys.base_prefix))]
    sys.path[:] = [str(folder), *variables.get("PYTHONPATH", "").split(os.pathsep), *installed]
    sys.argv = ["snakemake", *arguments]
    with open(output, "w", buffering=1) as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
        sys.stdout = sys.stderr = file
        run_module("snakemake", run_name="__main__", alter_sys=True)
