"""What made a result: versions, device, time and memory."""

import platform
import resource
import sys
from argparse import Namespace
from importlib import metadata

import h5py
import numpy as np
import torch

import deepkm
from deepkm.training.run import Run


def provenance(run: Run, args: Namespace) -> dict[str, object]:
    """Return who made a result: versions, device, time and peak memory."""
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
        "threads": args.threads,
        "seconds": run.seconds,
        "peak_memory_bytes": torch.cuda.max_memory_allocated()
        if args.device == "cuda"
        else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024),
    }


def describe_device(device: str) -> str:
    """Return a device's name, and a GPU's UUID."""
    if device == "cuda":
        return f"{torch.cuda.get_device_name()} (GPU-{torch.cuda.get_device_properties(0).uuid})"
    return f"{'MPS' if device == 'mps' else 'CPU'} ({platform.machine()})"
