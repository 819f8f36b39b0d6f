"""Pretrained autoencoders shared between studies and users: a folder of results by what made them, DEEPKM_CACHE.

Not Snakemake's between-workflow cache, whose key holds neither wildcards nor file names: there, two seeds or two
outputs of one job can get each other's content. Here the key is a hash of the whole spec with its source digest,
and of the very numbers that are trained on.
"""

import hashlib
import os
import shutil
from argparse import Namespace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from deepkm.files import check_hdf5, replacing
from deepkm.study.spec import dumps

if TYPE_CHECKING:  # what reads results imports this module, and never PyTorch
    from torch import Tensor

    from deepkm.datasets.streaming import StreamedFeatures


def shared_path(args: Namespace, x: "Tensor | StreamedFeatures") -> Path | None:
    """Return where a pretraining on x, (N, F), lies in the shared folder; None without one, and for streamed data."""
    folder = os.environ.get("DEEPKM_CACHE")
    if not folder or not hasattr(x, "numpy"):
        return None
    key = hashlib.sha256(f"{dumps(args.spec)}\n{x.dtype} {tuple(x.shape)}\n".encode())
    key.update(x.numpy(force=True).tobytes())
    return Path(folder) / "autoencoders" / f"{key.hexdigest()}.h5"


def fetch(path: Path | None, args: Namespace) -> bool:
    """Copy a shared result to the job's output and return True, if there is a sound one."""
    if path is None or not path.exists():
        return False
    try:
        found = check_hdf5(path)
        if (found.get("spec"), found.get("inputs")) != (args.spec, args.inputs):
            raise OSError(f"{path} is of something else")
        copy(path, args.output)
    except OSError as error:
        print(f"trained anew: {error}")
        return False
    print(f"taken from {path}")
    return True


def publish(path: Path | None, args: Namespace) -> None:
    """Copy the job's output to the shared folder; where that fails, say so: the job itself is done."""
    if path is None:
        return
    try:
        copy(args.output, path)
        path.chmod(0o444)
    except OSError as error:
        print(f"not shared: {error}")


def copy(source: str | PathLike, target: str | PathLike) -> None:
    """Copy a file that appears whole or not at all, whoever else copies it at the same time."""
    with open(source, "rb") as original, replacing(target, shared=True) as file:
        shutil.copyfileobj(original, file)
