"""Compare each result with the current study and list what is missing, stale or foreign."""

from collections import Counter

from deepkm.study.inventory import STATES, data_states, foreign_files, jobs_of, load_study
from deepkm.study.options import add_study_arguments

add_arguments = add_study_arguments


def main(args):
    study = load_study(args.configfile, args.config)
    rows = [*data_states(study), *((*job.state(whole=True), job.path) for job in jobs_of(study))]
    rows += [("foreign", "no job of this study makes it", path) for path in foreign_files(study)]
    for state, remark, path in rows:
        if state != "done":
            print(f"{state:<11} {path}{f'  ({remark})' if remark else ''}")
    counts = Counter(state for state, _, _ in rows)
    print(", ".join(f"{counts[state]} {state}" for state in STATES if counts[state] or state == "done"))
    if any(counts[state] for state in ("stale", "unreadable", "missing", "unfinished")):
        raise SystemExit(1)  # for scripts: the study is not complete
