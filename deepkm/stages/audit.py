"""Compare each result with the current study and list what is missing, stale or foreign."""

from collections import Counter

from deepkm.study.data import found_data
from deepkm.study.inventory import STATES, foreign_files, jobs_of, load_study
from deepkm.study.options import add_study_arguments
from deepkm.study.paths import SCORES, path_of
from deepkm.study.scored import check_scores, scores_state

add_arguments = add_study_arguments


def main(args):
    study = load_study(args.configfile, args.config)
    data = found_data(study)
    rows = [(one.state, one.remark, one.path) for one in data.values()]
    rows += [(*job.state(whole=True), job.path) for job in jobs_of(study, data)]
    rows += _scores(study, whole=all(state == "done" for state, _, _ in rows))
    rows += [("foreign", "no job of this study makes it", path) for path in foreign_files(study)]
    for state, remark, path in rows:
        if state != "done":
            print(f"{state:<11} {path}{f'  ({remark})' if remark else ''}")
    counts = Counter(state for state, _, _ in rows)
    print(", ".join(f"{counts[state]} {state}" for state in STATES if counts[state] or state == "done"))
    if any(counts[state] for state in ("stale", "unreadable", "missing", "unfinished")):
        raise SystemExit(1)  # for scripts: the study is not complete


def _scores(study, *, whole):
    """Yield what is wrong with tables of scores that were made; that all jobs are done does not mean that they were."""
    path = path_of(SCORES, **study.folders)
    try:
        noted = check_scores(path.parent)
        state = scores_state(study) if whole else "done"
    except ValueError:
        noted, state = [path.name], "stale"
    if state == "stale" or (state == "missing" and noted):
        yield state, "other than what the results give" if state == "stale" else "", path
