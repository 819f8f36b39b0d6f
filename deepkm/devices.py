"""Which device a job runs on. Called before PyTorch is imported, since CUDA reads its environment only once."""

import os
import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import gettempdir

from filelock import FileLock, Timeout


@contextmanager
def lease_device(n_gpus: int, *, threads: int = 1):
    """Yield "cuda" or "cpu", holding one visible GPU for this process as long as the block lasts.

    Snakemake says how many GPUs a job may use but not which; a lock per GPU keeps concurrent jobs apart and is freed by
    the operating system when the process dies.

    Parameters
    ----------
    n_gpus : int
        0 means CPU; so does a machine without a GPU.
    threads : int
        CPU threads of numerical libraries. Fixed per job, since sums depend on how they are split.
    """
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)
    gpus = visible_gpus() if n_gpus > 0 else []
    if not gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
        yield "cpu"
        return
    with _first_free(gpus) as gpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
        yield "cuda"


def visible_gpus() -> list[str]:
    """Return the GPUs this process may use: ``CUDA_VISIBLE_DEVICES`` if set, else all that nvidia-smi lists."""
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        return [gpu for gpu in os.environ["CUDA_VISIBLE_DEVICES"].split(",") if gpu.strip()]
    if not shutil.which("nvidia-smi"):
        return []
    command = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    listing = subprocess.run(command, capture_output=True, text=True, check=False)
    return listing.stdout.split() if listing.returncode == 0 else []


@contextmanager
def _first_free(gpus):
    folder = Path(gettempdir()) / f"deepkm-gpus-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    while True:
        for gpu in gpus:
            lock = FileLock(folder / f"{gpu.replace('/', '_')}.lock")
            try:
                lock.acquire(timeout=0)
            except Timeout:
                continue
            try:
                yield gpu
            finally:
                lock.release()
            return
        time.sleep(0.5)
