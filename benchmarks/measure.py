"""How benchmarks measure: medians of interleaved CPU times, as rows of docs/performance/*.csv.

CPU time hardly depends on what else runs on the machine; interleaving spreads what it does depend on (clock, caches)
over all cases. Ratios of such medians are what is published, rarely seconds. A row says on which processor it was
measured, with what, when, by which command and beside what other work; other processors' rows stay.
"""

import os
import sys
import time
from datetime import date
from pathlib import Path
from statistics import median

import pandas as pd
import torch

from deepkm.jobs.provenance import processor

FOLDER = Path(__file__).parents[1] / "docs" / "performance"
ORIGIN = ["processor", "versions", "date", "command", "load"]  # of a row: where it comes from


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


def write_rows(name, rows, folder=FOLDER, *, measured_on=None):
    """Print rows, measured on this processor or on a GPU of that name, and lay them over docs/performance/{name}.csv.

    A row takes the place of the one that this processor had with the same words, in columns that have one in each row.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.csv"
    table = pd.DataFrame(rows)
    print(table.to_markdown(index=False, floatfmt=".2f"), flush=True)
    table = table.assign(**origin(measured_on or processor()))
    if path.exists():
        table = pd.concat([pd.read_csv(path), table], ignore_index=True)
    words = [name for name in table if name not in ORIGIN and all(isinstance(value, str) for value in table[name])]
    table = table.drop_duplicates([*words, "processor"], keep="last")
    table = table[[*(column for column in table if column not in ORIGIN), *ORIGIN]]
    table.to_csv(path, index=False, float_format="%.4g")


def origin(measured_on):
    """Return where a row comes from; the load is that of the last quarter of an hour, this program's own included."""
    return {
        "processor": measured_on,
        "versions": f"PyTorch {torch.__version__}",
        "date": date.today().isoformat(),
        "command": command(),
        "load": f"{os.getloadavg()[2]:.1f} on {os.cpu_count()} cores",
    }


def command():
    """Return how this program was called, without the folders of its files."""
    module = sys.modules["__main__"].__spec__
    return " ".join(["python -m", module.name if module else "", *(Path(word).name for word in sys.argv[1:])])
