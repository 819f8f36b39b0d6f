"""Which device a job runs on. Called before PyTorch is imported, since CUDA reads its environment only once."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import gettempdir

from filelock import FileLock, Timeout


@contextmanager
def lease_device(n_gpus: int, *, threads: int = 1, jobs_per_gpu: int = 1) -> Iterator[str]:
    """Yield "cuda" or "cpu", holding a slot of one visible GPU for this process as long as the block lasts.

    Snakemake says how many GPUs a job may use but not which; a lock per slot keeps concurrent jobs apart and is freed
    by the operating system when the process dies.

    Parameters
    ----------
    n_gpus : int
        0 means CPU; so does a machine without a GPU.
    threads : int
        CPU threads of numerical libraries. Fixed per job, since sums depend on how they are split.
    jobs_per_gpu : int
        Jobs that may share one GPU.
    """
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)
    gpus = visible_gpus() if n_gpus > 0 else {}
    if not gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
        yield "cpu"
    elif "SLURM_JOB_ID" in os.environ:  # SLURM made its choice, and within a job it may number every GPU 0
        yield "cuda"
    else:
        with _free_slot(gpus, jobs_per_gpu) as gpu:
            os.environ["CUDA_VISIBLE_DEVICES"] = gpu
            yield "cuda"


def visible_gpus() -> dict[str, str]:
    """Return the GPUs that this process may use and the name under which each is locked, its UUID where known.

    They are those of ``CUDA_VISIBLE_DEVICES`` if it is set, else all that nvidia-smi lists, by UUID: what CUDA and
    nvidia-smi number differently has one UUID.
    """
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")  # so that CUDA numbers GPUs as nvidia-smi does
    uuids = _uuids()
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        names = [name.strip() for name in os.environ["CUDA_VISIBLE_DEVICES"].split(",")]
        return {name: uuids.get(name, name) for name in names if name}
    return {uuid: uuid for uuid in uuids.values()}


def _uuids() -> dict[str, str]:
    """Return the UUID of each GPU by its number, as nvidia-smi lists them."""
    if not shutil.which("nvidia-smi"):
        return {}
    command = ["nvidia-smi", "--query-gpu=index,uuid", "--format=csv,noheader"]
    listing = subprocess.run(command, capture_output=True, text=True, check=False)
    if listing.returncode != 0:
        return {}
    return dict(line.split(", ") for line in listing.stdout.splitlines() if ", " in line)


@contextmanager
def _free_slot(gpus: dict[str, str], jobs_per_gpu: int) -> Iterator[str]:
    """Wait for a free slot of a GPU and hold it; a GPU without jobs is taken before a second slot of another one."""
    folder = Path(gettempdir()) / f"deepkm-gpus-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    while True:
        for slot in range(jobs_per_gpu):
            for gpu, name in gpus.items():
                lock = FileLock(folder / f"{name.replace('/', '_')}.{slot}.lock")
                try:
                    lock.acquire(timeout=0)
                except Timeout:
                    continue
                try:
                    yield gpu
                finally:
                    lock.release()
                return
        time.sleep(0.2)
