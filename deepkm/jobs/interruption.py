"""What lets a job stop at any moment and go on later: noted signals, and locks that die with their owner."""

import os
import signal
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # no POSIX system: no stale locks are cleared
    fcntl = None

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)  # Ctrl-C, shutdown or time limit, SLURM's early warning


@contextmanager
def noted_signals():
    """Yield a list that gets the numbers of `STOP_SIGNALS` instead of their ending the process; a second one does."""
    noted = []

    def note(number, frame):
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


def clear_stale_locks(folder):
    """Delete the locks of Snakemake in `folder` if no Snakemake lives there; return a file to keep open while one does.

    Snakemake's own locks outlive a SIGKILL, so that the next call would only say that the folder is locked. Each call
    of this workflow holds a shared lock that dies with it: whoever gets it exclusively is alone.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        alive = open(folder / "alive.lock", "a")  # noqa: SIM115
    except OSError:
        return None  # a read-only folder: nothing can run here anyway
    try:
        fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for path in (folder / "locks").glob("*.lock"):
            path.unlink(missing_ok=True)
    except BlockingIOError:
        pass  # another one lives: its locks hold
    except (OSError, AttributeError):
        return alive  # this file system has no locks
    fcntl.flock(alive, fcntl.LOCK_SH)
    return alive
