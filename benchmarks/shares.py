"""Where an epoch's time goes, as multiples of the arithmetic floor: ``python -m benchmarks.shares``.

Epochs as in benchmarks/epochs.py, watched by PyTorch's profiler: it measures by the clock, so that the machine should
be idle.
"""

import argparse
from collections import Counter

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile, record_function

from benchmarks.epochs import ENCODER_ONLY, EPOCHS, METHODS, SHAPES, K, floor_seconds, ours
from benchmarks.measure import write_rows
from deepkm.training.run import Run

PRODUCTS = {"aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm", "mkldnn::_linear_pointwise"}
OPTIMIZER = {"aten::_fused_adam_", "aten::_fused_sgd_"}
ENCODING = "encoding of all samples"


def part_of(event):
    """Return which part of an epoch an operation belongs to."""
    above = event
    while above is not None:
        if above.name == ENCODING:
            return ENCODING
        above = above.cpu_parent
    return "products of steps" if event.name in PRODUCTS else "optimizer" if event.name in OPTIMIZER else "rest"


def seconds_by_part(epochs):
    """Return the seconds of one epoch, by part; `epochs` trains several and returns the time of one."""
    encode = Run.encode
    Run.encode = record_function(ENCODING)(encode)
    try:
        with profile(activities=[ProfilerActivity.CPU]) as watched:
            whole = epochs()
    finally:
        Run.encode = encode
    parts = Counter()
    for event in watched.events():
        if part_of(event) != "rest":
            parts[part_of(event)] += event.self_cpu_time_total / 1e6 / EPOCHS
    parts["rest"] = whole - parts.total()  # Python's own, too
    return parts


def measure(shape, name):
    """Return a row: the parts of an epoch of one training, over the floor."""
    n_samples, n_features, hidden = SHAPES[shape]
    half = [n_features, *hidden, K]
    widths = half if name in ENCODER_ONLY else [*half, *half[-2::-1]]
    x = np.random.default_rng(0).random((n_samples, n_features), np.float32)
    epochs = ours(name, torch.from_numpy(x), hidden)
    epochs()
    parts = seconds_by_part(epochs)
    floor = min(floor_seconds(n_samples, widths, torch.mm) for _ in range(3))
    row = {f"{part} / floor": parts[part] / floor for part in ("products of steps", ENCODING, "optimizer", "rest")}
    total = parts.total()
    row |= {"all but the rest / floor": (total - parts["rest"]) / floor, "all / floor": total / floor}
    return {"data": shape, "training": name, **row}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shapes", nargs="+", default=list(SHAPES))
    args = parser.parse_args()
    torch.set_num_threads(1)
    for shape in args.shapes:
        write_rows("shares", [measure(shape, name) for name in ("pretraining", *METHODS)])


if __name__ == "__main__":
    main()
