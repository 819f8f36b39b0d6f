"""How benchmarks measure: medians of interleaved CPU times, as rows of docs/performance/*.csv.

CPU time hardly depends on what else runs on the machine; interleaving spreads what it does depend on (clock, caches)
over all cases. Ratios of such medians are what is published, never seconds.
"""

import platform
import time
from datetime import date
from pathlib import Path
from statistics import median

import pandas as pd
import torch

FOLDER = Path(__file__).parents[1] / "docs" / "performance"


def cpu_seconds(function):
    """Return the CPU time of one call, all threads of this process together."""
    started = time.process_time()
    function()
    return time.process_time() - started


def interleaved(cases, *, rounds):
    """Return the median of each case, a function that measures itself and returns seconds.

    Parameters
    ----------
    cases : dict of str to callable
    rounds : int
        Each case is called so often, in turn, after one round that does not count.
    """
    seconds = {name: [] for name in cases}
    for turn in range(rounds + 1):
        for name, measure in cases.items():
            found = measure()
            if turn > 0:
                seconds[name].append(found)
    return {name: median(values) for name, values in seconds.items()}


def write_rows(name, rows, folder=FOLDER):
    """Print rows and write them to docs/performance/{name}.csv, with the date and the processor."""
    folder.mkdir(parents=True, exist_ok=True)
    table = pd.DataFrame(rows).assign(machine=machine(), date=date.today().isoformat())
    table.to_csv(folder / f"{name}.csv", index=False, float_format="%.4g")
    print(table.drop(columns=["machine", "date"]).to_markdown(index=False, floatfmt=".2f"), flush=True)


def machine():
    """Return what the figures were measured on."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    models = [line for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    return f"{models[0].partition(': ')[2] if models else platform.processor()}, PyTorch {torch.__version__}"


def _lines(path):
    return Path(path).read_text().splitlines() if Path(path).exists() else []
