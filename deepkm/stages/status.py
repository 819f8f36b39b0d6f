"""Show how far a study is: jobs done of all, and the epoch and remaining time of each running one."""

import sys
import time
from collections import Counter

from deepkm.study.data import found_data
from deepkm.study.inventory import STATES, jobs_of, load_study, progress
from deepkm.study.options import add_study_arguments


def add_arguments(parser):
    add_study_arguments(parser)
    parser.add_argument("--watch", nargs="?", type=float, const=5, metavar="SECONDS", help="show it anew, every 5 s")


def main(args):
    study = load_study(args.configfile, args.config)
    data = found_data(study)
    jobs = list(jobs_of(study, data))
    wrong = [f"{one.state:<11} {one.path}  ({one.remark})" for one in data.values() if one.remark]
    while True:
        lines, finished = report(jobs)
        lines += wrong
        if args.watch and sys.stdout.isatty():
            print("\033[H\033[J", end="")  # to the top of an empty screen
        print("\n".join(lines), flush=True)
        if finished or not args.watch:
            return
        time.sleep(args.watch)


def report(jobs):
    """Return the lines to show, and whether all jobs are done."""
    states = [(job, job.state()[0]) for job in jobs]
    counts = Counter(state for _, state in states)
    rest = ", ".join(f"{counts[state]} {state}" for state in STATES if state != "done" and counts[state])
    lines = [f"{counts['done']} of {len(jobs)} training jobs done{f', {rest}' if rest else ''}"]
    for job, state in states:
        if state in ("running", "unfinished"):
            epoch, epochs, left = progress(job.log) or (0, job.epochs, "?")
            tail = f", {left} left" if state == "running" else ": the same snakemake command goes on"
            lines.append(f"{state:<11} {job.path}  epoch {epoch} of {epochs}{tail}")
    return lines, counts["done"] == len(jobs)
