"""What made a result: versions, device, time and memory."""

import platform
import resource
import subprocess
import sys
from argparse import Namespace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import h5py
import numpy as np
import torch

import deepkm
from deepkm.networks.products import products_on_cpu
from deepkm.training.run import Run


def provenance(run: Run, args: Namespace) -> dict[str, object]:
    """Return what made a result: versions, device, day, time and peak memory.

    ``cpu_seconds`` are those of all of the job's threads: unlike ``seconds``, they hardly grow while others use
    the machine.
    """
    return {
        "versions": {
            "deepkm": deepkm.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
            "scikit-learn": metadata.version("scikit-learn"),
            "h5py": h5py.__version__,
        },
        "device": describe_device(args.device),
        "processor": processor(),
        "products": products_on_cpu(),
        "threads": args.threads,
        "finished": datetime.now(UTC).date().isoformat(),
        **({"jobs_per_gpu": args.jobs_per_gpu} if args.device == "cuda" else {}),
        "seconds": run.seconds,
        "cpu_seconds": run.cpu_seconds,
        "peak_memory_bytes": torch.cuda.max_memory_allocated()
        if args.device == "cuda"
        else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024),
    }


def describe_device(device: str) -> str:
    """Return a device's name, a GPU's UUID, a processor's model."""
    if device == "cuda":
        return f"{torch.cuda.get_device_name()} (GPU-{torch.cuda.get_device_properties(0).uuid})"
    return f"CPU ({processor()})"


def processor() -> str:
    """Return the processor's model as the system names it, or its architecture where it names none."""
    try:
        if sys.platform == "darwin":
            names = [subprocess.check_output(["sysctl", "-n", "machdep.cpu.brand_string"], text=True)]
        else:
            lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
            names = [line.partition(":")[2] for line in lines if line.startswith("model name")]
    except (OSError, subprocess.CalledProcessError):
        names = []
    return " ".join("".join(names[:1]).split()) or platform.processor() or platform.machine()
