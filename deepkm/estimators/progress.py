"""How a fit shows what it does: a line of tqdm with the losses, the epochs and the time that is left."""

from collections.abc import Iterator

import numpy as np
from tqdm import tqdm

from deepkm.training.run import READ_OUT, Run


def shown(runs: Iterator[Run], *, epochs: int, title: str) -> Iterator[Run]:
    """Pass on the runs that training yields, and show them; nothing is shown of no epochs."""
    with tqdm(total=epochs, desc=title, unit="epoch", disable=not epochs) as bar:
        for run in runs:
            bar.set_postfix(_losses(run), refresh=False)
            bar.update(run.epoch - bar.n)
            yield run


def _losses(run: Run) -> dict[str, str]:
    """Return the losses of the last epoch in words: of several runs, those of the one whose loss is lowest."""
    losses = {name: values[-1] for name, values in run.history.items() if name not in (*READ_OUT, "stopped")}
    if "loss" not in losses:
        return {}
    best = int(np.argmin(np.where(np.isfinite(losses["loss"]), losses["loss"], np.inf)))
    return {name: f"{values[best]:.4g}" for name, values in losses.items()}
