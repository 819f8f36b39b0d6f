"""What people read while Snakemake runs a study: a line when a job begins, one when it ends, in words.

Snakemake's own account, with files and reasons, stands in its log as before.
"""

import logging
import os
import re
import sys
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from deepkm.jobs.progress import Progress, about, counted, duration

LONG = ("download", "dataset", "autoencoder", "cluster", "search", "figures")  # rules whose beginning is told too
MOST_NAMED = 10  # jobs in a closing list
# What says the same as a line of ours, or nothing.
TOLD = ("At least one job did not complete", "Exiting because a job execution failed", "CalledProcessError in file")
UNTOLD = ("Assuming unrestricted shared filesystem usage", "Config file ")
SILENT = "run_info workflow_started job_started group_info resources_info debug_dag progress rulegraph".split()


class Terminal(logging.Handler):
    """Tells what Snakemake reports, in lines for people.

    Parameters
    ----------
    stream : file
    quiet : set of str
        What the user does not want to see: ``rules``, what begins; ``progress``, what ends; ``all``. Errors are
        always told.
    commands : bool
        Whether the command of a job that begins is shown.
    """

    def __init__(self, stream: TextIO, *, quiet: Collection[str] = (), commands: bool = False) -> None:
        super().__init__()
        self.stream, self.quiet, self.commands = stream, set(quiet), commands
        self.progress = Progress({}, slots=1)  # before the jobs are known
        self.failed: dict[int, str] = {}
        self.saved: dict[int, str] = {}
        self.listens = self.stopped = False
        self._runs, self._since_failure = False, 0

    def say(self, line: str, quiet: str = "") -> None:
        """Show a line, unless the user does not want to see what is of that sort; "" is always shown."""
        if not quiet or self.quiet.isdisjoint({quiet, "all"}):
            with suppress(OSError):  # a study does not end with the terminal it was started in
                print(line, file=self.stream, flush=True)
            self._since_failure += 1

    def emit(self, record: logging.LogRecord) -> None:
        """Show what a record of Snakemake says, in words."""
        event = str(getattr(record, "event", None))
        tells = {
            "job_info": self._tell_begin,
            "shellcmd": self._tell_command,
            "job_finished": self._tell_end,
            "job_error": self._tell_failure,
        }
        self.listens, self._runs = True, self._runs or event == "workflow_started"
        try:
            if event in tells:
                tells[event](record)
            elif event not in SILENT:
                self._tell_other(record, record.getMessage())
        except Exception:  # a study does not end over a line
            self.handleError(record)

    def _tell_begin(self, record: Any) -> None:
        if job := self.progress.jobs.get(record.jobid):
            self.progress.begin(record.jobid)
            self.failed.pop(record.jobid, None)  # it is tried again
            if job.rule in LONG:
                begins = "goes on from its checkpoint" if job.resumes else "begins"
                self.say(f"{job.words}: {begins if record.local else 'sent'}", "rules")

    def _tell_command(self, record: Any) -> None:
        if self.commands and record.shellcmd:
            self.say(record.shellcmd, "rules")

    def _tell_end(self, record: Any) -> None:
        if job := self.progress.jobs.get(record.job_id):
            took = duration(self.progress.end(record.job_id))
            left = self.progress.seconds_left()
            tail = f", {about(left)} left" if left else ""
            count = f"job {len(self.progress.ended)} of {len(self.progress.jobs)}"
            self.say(f"{job.words}: {took}, {count}{tail}", "progress")

    def _tell_failure(self, record: Any) -> None:
        job, why = self.progress.jobs.get(record.jobid), last_word(record.log)
        words = job.words if job else record.rule_name
        self.progress.running.pop(record.jobid, None)
        if found := re.match(r"stopped by (\w+) after (epoch \d+);", why):
            self.saved[record.jobid] = f"{words} up to {found[2]}"
        if found and not self.stopped:
            self.say(f"{words}: stopped by {found[1]}, saved at {found[2]}", "progress")
        elif not self.stopped:
            why = why or record.rule_msg or "ended without a word; killed, maybe"
            log = f" ({record.log[0]})" if record.log else ""
            self.failed[record.jobid] = f"{words}: failed: {why}{log}"
            self.say(self.failed[record.jobid])
            self._since_failure = 0

    def _tell_other(self, record: Any, message: str) -> None:
        if message.startswith("Terminating processes on user request"):
            self.stopped = True
            self.say("Stopping: what trains ends its epoch and saves.", "progress")
        elif record.levelno >= logging.ERROR:
            if not (self.stopped or any(text in message for text in TOLD)):
                self.say(message)
        elif record.levelno >= logging.WARNING:
            self.say(message, "all")
        elif message.startswith("Nothing to be done") or not (self._runs or message.startswith(UNTOLD)):
            self.say(message, "progress")

    def begin(self, progress: Progress, about_it: Iterable[str]) -> None:
        """Begin a study: how many jobs there are, and some lines more."""
        self.progress = progress
        for line in [f"{counted(len(progress.jobs), 'job')} to do", *about_it]:
            self.say(line, "progress")

    def end(self, page: str) -> None:
        """End a study that came to its end; name its page, if that was made."""
        made = any(job.rule == "report" for job in self.progress.jobs.values())
        self.say(f"Done in {duration(self.progress.seconds)}" + f"; all on one page: {page}" * made, "progress")

    def break_off(self, *, go_on: str, so_far: str) -> None:
        """End a study that did not come to its end: what failed, what is kept, what to do next.

        Parameters
        ----------
        go_on : str
            The command that goes on.
        so_far : str
            What shows how far it came.
        """
        failed = [*self.failed.values()] if self._since_failure else []  # else they stand right above
        for line in [*failed[:MOST_NAMED], *_more(failed, MOST_NAMED)]:
            self.say(line)
        saved = [*self.saved.values()]
        kept = f"{len(self.progress.ended)} of {counted(len(self.progress.jobs), 'job')}"
        kept += "; saved: " * bool(saved) + ", ".join([*saved[:3], *_more(saved, 3)])
        self.say("Whatever finished is kept" + f": {kept}" * self.listens)
        self.say(f"The same command goes on: {go_on}")
        if not self.stopped:
            self.say(so_far)


def tell(logger: logging.Logger | None, settings: object) -> Terminal:
    """Let Snakemake's terminal speak in words, where the user chose no other way: a logger, `--verbose`, a dry run.

    Parameters
    ----------
    logger : Logger or None
        Snakemake's; None where nobody reads along: a job on a cluster.
    settings : snakemake.settings.types.OutputSettings
    """
    quiet = {one.name.lower() for one in getattr(settings, "quiet", None) or ()}
    terminal = Terminal(sys.stderr, quiet=quiet, commands=getattr(settings, "printshellcmds", False))
    if logger and not any(getattr(settings, name, False) for name in ("verbose", "debug_dag", "dryrun")):
        for handler in [one for one in logger.handlers if one.name == "DefaultStreamHandler"]:
            logger.removeHandler(handler)
            logger.addHandler(terminal)
    return terminal


def last_word(logs: Iterable[str]) -> str:
    """Return the last line of the first log that says why a job ended; empty where none does."""
    for log in logs:
        try:
            lines = Path(log).read_text(errors="replace").replace("\r", "\n").splitlines()
        except OSError:
            continue
        for line in reversed(lines):
            if re.search(r"\w*(Error|Exception)\b|error:|^stopped by|Killed", line):
                return line.strip()
    return ""


def as_typed(argv: list[str]) -> list[str]:
    """Return the words of the command by which Snakemake was called."""
    name = Path(argv[0])
    if name.name == "__main__.py":
        return ["python", "-m", "snakemake", *argv[1:]]
    found = name.is_absolute() and str(name.parent) in os.get_exec_path()
    return [name.name if found else str(name), *argv[1:]]


def _more(lines: list[str], shown: int) -> list[str]:
    return [f"and {len(lines) - shown} more"] if len(lines) > shown else []
