"""How the training stages run: one writer, progress, checkpoints, interruption, going on."""

import functools
import signal
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from tqdm import tqdm

from deepkm.files import check_hdf5, read_attributes, sole_writer
from deepkm.jobs.finishing import checkpoint_path, take_finished
from deepkm.jobs.inputs import digest_conversion, digest_inputs
from deepkm.jobs.interruption import add_checkpoint_argument, noted_signals
from deepkm.study.paths import side_file
from deepkm.training.checkpoint import restore_run, save_run
from deepkm.training.run import Run

CHECKPOINT_SHARE = 0.02  # of the time, at most


def add_training_arguments(parser: ArgumentParser) -> None:
    """Let a stage be called for one training job."""
    parser.add_argument("--data", required=True, help="data/{dataset}.npz")
    parser.add_argument("--output", required=True, type=Path, help="the .h5 to write")
    add_checkpoint_argument(parser)


def resumable(stage: Callable[[Namespace], None]) -> Callable[[Namespace], None]:
    """Make a training stage the only writer of its result, and let it end at once where all was done before."""

    @functools.wraps(stage)
    def main(args: Namespace) -> None:
        with sole_writer(side_file(args.output, args.spec, "lock")) as waited:
            args.inputs, args.conversion = digest_inputs(args), digest_conversion(args)
            if waited and _is_made(args):
                print(f"{args.output} was made by the process waited for")
            elif not take_finished(args):
                stage(args)

    return main


def _is_made(args: Namespace) -> bool:
    try:
        found = check_hdf5(args.output)
    except OSError:  # missing or damaged
        return False
    return (found.get("spec"), found.get("inputs")) == (args.spec, args.inputs)


def resume(run: Run, args: Namespace, *, optimizer_options: dict) -> None:
    """Restore `run` from the job's checkpoint, if there is a readable one."""
    path = checkpoint_path(args)
    try:
        found = restore_run(path, run, spec=_identity(args), optimizer_options=optimizer_options, device=args.device)
    except OSError as error:
        print(f"starting again: {error}", flush=True)
        return
    if not found and path.exists():
        print(f"starting again: {path} was saved by a job on other data", flush=True)
    if found:
        reason = read_attributes(path).get("reason")  # Snakemake deletes the log of the interrupted try
        print(f"going on from epoch {run.epoch}, saved at {reason} ({path})", flush=True)


def follow(runs: Iterable[Run], run: Run, args: Namespace, *, epochs: int) -> None:
    """Drive a training generator: show its progress, add up its time, save now and then and before a stop."""
    started = saved = time.monotonic()
    before, between = run.seconds, args.checkpoint_seconds
    cpu_before = run.cpu_seconds - time.process_time()
    with noted_signals() as stops, tqdm(total=epochs, initial=max(run.epoch, 0), unit="epoch", **_BAR) as bar:
        for _ in runs:
            now, stop = time.monotonic(), stops[:1]  # a signal during the saving counts for the next epoch
            run.seconds, run.cpu_seconds = before + now - started, cpu_before + time.process_time()
            bar.update(run.epoch - bar.n)
            if run.epoch < epochs and (stop or now - saved >= between):
                reason = signal.Signals(stop[0]).name if stop else "its time"
                kept = save(run, args, reason)
                saved = time.monotonic()
                between = seconds_between(args.checkpoint_seconds, saved - now)
            if run.epoch < epochs and stop:
                done = f"after epoch {run.epoch}; the same command goes on from there"
                lost = f"and epoch {run.epoch} not saved: the same command goes on from what was saved before"
                print(f"\nstopped by {reason} {done if kept else lost}", flush=True)
                raise SystemExit(128 + stop[0])


def diverged_seeds(run: Run, settings: Sequence[str] = ("",)) -> list[int]:
    """Return the seeds whose runs diverged, and say so; a search has all seeds of the first of its `settings` first."""
    of_each = [setting for setting in settings for _ in range(len(run.seeds) // len(settings))]
    lost = [place for place in zip(of_each, run.seeds, run.diverged, strict=True) if place[2]]
    for setting in dict.fromkeys(setting for setting, *_ in lost):
        seeds = [seed for of, seed, _ in lost if of == setting]
        where = f"{setting}, seeds {seeds}" if setting else f"seeds {seeds}"
        print(f"training diverged with {where}: their numbers are no answer; lower the learning rate, or scale")
    return [seed for _, seed, _ in lost]


_BAR = {"mininterval": 5, "ascii": True}


def seconds_between(seconds: float, cost: float) -> float:
    """Return the time from one checkpoint to the next: longer where writing is slow, so that it stays cheap.

    Examples
    --------
    >>> seconds_between(60, 0.1), seconds_between(0, 3)
    (60, 0)
    >>> seconds_between(60, 3)
    <BLANKLINE>
    a checkpoint took 3.0 s: slow files; the next one after 150 s
    150.0
    """
    if seconds and cost / CHECKPOINT_SHARE > max(seconds, 60):
        print(f"\na checkpoint took {cost:.1f} s: slow files; the next one after {cost / CHECKPOINT_SHARE:.0f} s")
    return max(seconds, cost / CHECKPOINT_SHARE) if seconds else 0


def save(run: Run, args: Namespace, reason: str) -> bool:
    """Save a checkpoint, and return whether it is there; where that fails, say so and go on without."""
    try:
        save_run(checkpoint_path(args), run, spec=_identity(args), reason=reason)
    except OSError as error:
        print(f"\nno checkpoint at epoch {run.epoch}: {error}", flush=True)
        return False
    return True


def _identity(args: Namespace) -> dict:
    """Return what a checkpoint must be of to be resumed: the same parameters and the same numbers."""
    return {**args.spec, "inputs": args.inputs}
