"""What lets a study stop at any moment and go on later: noted signals, and locks that die with their owner."""

import fcntl
import os
import signal
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import IO

from deepkm.study.spec import digest

CHECKPOINT_SECONDS = "DEEPKM_CHECKPOINT_SECONDS"
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)  # Ctrl-C, shutdown or time limit, SLURM's early warning


def add_checkpoint_argument(parser: ArgumentParser) -> None:
    """Let a stage be told how often to save; a text in the environment is read, and refused, as the option's is."""
    parser.add_argument(
        "--checkpoint-seconds",
        type=float,
        default=os.environ.get(CHECKPOINT_SECONDS, "60"),
        help=f"time between checkpoints (default: {CHECKPOINT_SECONDS}, else 60; 0: each epoch)",
    )


@contextmanager
def noted_signals() -> Iterator[list[int]]:
    """Yield a list that gets the numbers of `STOP_SIGNALS` instead of their ending the process; a second one does."""
    noted: list[int] = []

    def note(number: int, frame: object) -> None:
        noted.append(number)
        signal.signal(number, signal.SIG_DFL)
        name = signal.Signals(number).name
        os.write(2, f"\n{name}: stops after this epoch and saves; send it again to stop at once\n".encode())

    before = {number: signal.signal(number, note) for number in STOP_SIGNALS}
    try:
        yield noted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def claim(
    folders: Iterable[str | PathLike], outputs: Iterable[str | PathLike], state: str | PathLike = ".snakemake"
) -> None:
    """Hold, as long as this process lives, the locks of those folders that it makes files in.

    Snakemake's own locks outlive a SIGKILL, after which each call would want `--unlock` first. So the profiles switch
    them off, and this says that two calls in one working folder make files of one study.

    Parameters
    ----------
    folders : iterable of path-like
    outputs : iterable of path-like
        All files to be made.
    state : path-like
        The folder for the locks.

    Raises
    ------
    ValueError
        When another process holds one of them.
    """
    made = [Path(output).absolute() for output in outputs]
    for folder in map(Path, folders):
        if any(path.is_relative_to(folder.absolute()) for path in made):
            lock = open(Path(state, f"{digest(str(folder.absolute()))}.lock"), "a")  # noqa: SIM115
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ValueError(
                    f"Directory cannot be locked: got another Snakemake that makes files in {folder}, expected to be "
                    "alone; wait for it or stop it"
                ) from None
            except OSError:
                print("this file system has no locks: do not start a study twice at the same time", flush=True)
            _CLAIMS.append(lock)  # free again as soon as nothing holds the file open


_CLAIMS: list[IO] = []
