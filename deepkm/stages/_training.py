"""What the two training stages share: their options, progress, checkpoints and provenance."""

import platform
import resource
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import sklearn
import torch
from tqdm import tqdm

import deepkm
from deepkm.checkpoint import restore_run, save_run
from deepkm.datasets.features import load_features
from deepkm.datasets.streaming import StreamedFeatures, is_streamed
from deepkm.spec import digest


def add_training_arguments(parser):
    parser.add_argument("--data", required=True, help="data/{dataset}.npz")
    parser.add_argument("--output", required=True, type=Path, help="the .h5 to write")
    parser.add_argument("--checkpoint-seconds", type=float, default=60, help="time between checkpoints (default 60)")


def load_data(args):
    """Return the scaled features, (N, F), on the job's device; those larger than memory stay in their file."""
    torch.set_num_threads(args.threads)
    scaling = args.spec["dataset"]["scaling"]
    if is_streamed(args.data):
        return StreamedFeatures(args.data, scaling, args.device)
    x = load_features(args.data, scaling)
    return torch.from_numpy(x).to(args.device)


def checkpoint_path(args):
    """Return the side file of a job; a change of its spec gives another one."""
    return args.output.with_name(f".{args.output.stem}.{digest(args.spec)}.checkpoint")


def resume(run, args, *, optimizer_options):
    """Restore `run` from the job's checkpoint, if there is one."""
    path = checkpoint_path(args)
    if restore_run(path, run, spec=args.spec, optimizer_options=optimizer_options, device=args.device):
        print(f"going on from epoch {run.epoch} ({path})", flush=True)


def follow(runs, run, args, *, epochs):
    """Drive a training generator: show its progress, add up its time, save a checkpoint now and then."""
    started = saved = time.monotonic()
    before = run.seconds
    with tqdm(total=epochs, initial=max(run.epoch, 0), unit="epoch", mininterval=5, ascii=True) as bar:
        for _ in runs:
            now = time.monotonic()
            run.seconds = before + now - started
            bar.update(run.epoch - bar.n)
            if now - saved >= args.checkpoint_seconds and run.epoch < epochs:
                save_run(checkpoint_path(args), run, spec=args.spec)
                saved = time.monotonic()


def provenance(run, args):
    """Return who made a result: versions, device, time and peak memory."""
    on_gpu = args.device == "cuda"
    return {
        "versions": {
            "deepkm": deepkm.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
            "scikit-learn": sklearn.__version__,
            "h5py": h5py.__version__,
        },
        "device": torch.cuda.get_device_name() if on_gpu else f"CPU ({platform.machine()})",
        "threads": args.threads,
        "seconds": run.seconds,
        "peak_memory_bytes": torch.cuda.max_memory_allocated()
        if on_gpu
        else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024),
    }
