"""A finished result must outlive its job: Snakemake deletes it where the job died before Snakemake noted its end.

So a training stage writes its result in the place of its checkpoint, and the declared output is another name of that
file: a hard link, no second copy. A job that is sent again takes it from there. The stage that reads the result, which
Snakemake starts only after it has noted that end, deletes the first name (`confirm`).
"""

import os
from argparse import Namespace
from collections.abc import Iterable, Mapping
from contextlib import suppress
from os import PathLike
from pathlib import Path

import numpy as np

from deepkm.files import check_hdf5, write_hdf5
from deepkm.jobs.sharing import copy
from deepkm.study.paths import side_file, side_files


def checkpoint_path(args: Namespace) -> Path:
    """Return the side file of a job; a change of its spec gives another one."""
    return side_file(args.output, args.spec, "checkpoint")


def finish(args: Namespace, arrays: Mapping[str, np.ndarray], attributes: Mapping[str, object]) -> None:
    """Write a job's result."""
    attributes = {"spec": args.spec, "inputs": args.inputs, "conversion": args.conversion, **attributes}
    write_hdf5(checkpoint_path(args), arrays=arrays, attributes=attributes)
    _name_too(checkpoint_path(args), args.output)


def take_finished(args: Namespace) -> bool:
    """Make the output of a finished result in the checkpoint's place; return whether there was one."""
    path = checkpoint_path(args)
    try:
        found = check_hdf5(path) if path.exists() else {}
    except OSError:  # a damaged checkpoint; the job says so when it wants to go on from it
        return False
    if "provenance" not in found or (found["spec"], found["inputs"]) != (args.spec, args.inputs):
        return False
    _name_too(path, args.output)
    print(f"trained before, to its end: {path}")
    return True


def confirm(results: Iterable[str | PathLike]) -> None:
    """Delete the name in the checkpoint's place of results that Snakemake hands on (`deepkm.jobs.finishing`)."""
    for path in map(Path, results):
        for checkpoint in side_files(path, "checkpoint"):
            with suppress(OSError):  # another user's, or gone
                if checkpoint.samefile(path):
                    checkpoint.unlink()


def _name_too(path: Path, name: Path) -> None:
    temporary = name.with_name(f"{name.name}.tmp")
    temporary.unlink(missing_ok=True)
    try:
        os.link(path, temporary)
        os.replace(temporary, name)
    except OSError:  # a file system without hard links
        copy(path, name)
    temporary.unlink(missing_ok=True)  # os.replace leaves it where both are one file already
    os.utime(name)  # made now, as far as Snakemake is concerned
