"""The planned contrasts of a study, tested on the published rows."""

from functools import cache

from deepkm.numerics.metrics import PRIMARY_METRIC
from deepkm.report.frames import read_frame
from deepkm.report.statistics.over_seeds import compare_over_seeds
from deepkm.report.tables.contrasts import contrast_table, describe_contrasts
from deepkm.report.tables.recorded import SCORES
from deepkm.study.inventory import load_study
from docs.coverage import ROOT, ROWS


def contrasts_on(name, dataset):
    """Return the table of one data set: the contrasts that ``studies/{name}.yaml`` plans, as far as rows go.

    Seeds and pairs are the study's, whatever has run.
    """
    study = _study(name)
    scores = read_frame(ROWS / SCORES)
    scores = scores[(scores["dataset"] == dataset) & scores["seed"].isin(study.seeds)]
    scores = scores[scores["method"].isin(study.methods)]
    planned = study.contrasts()
    there_are = set(scores["method"])
    asked = {"datasets": [dataset], "methods": study.methods, "seeds": study.seeds}
    found, _, _ = compare_over_seeds(scores, **asked, contrasts=[pair for pair in planned if set(pair) <= there_are])
    summary = describe_contrasts(scores, found[found["metric"] == PRIMARY_METRIC], study.ablations())
    titles = dict(study.report_spec("tables")["methods"])
    title = dict(study.report_spec("tables")["datasets"])[dataset]
    table = contrast_table(summary, dataset, title, datasets={dataset: title}, methods=titles)
    missing = [" against ".join(titles[key] for key in pair) for pair in planned if not set(pair) <= there_are]
    if missing:
        table.notes.append(f"Planned too, but not run: {'; '.join(missing)}.")
    return table


@cache
def _study(name):
    return load_study([str(ROOT / "studies" / f"{name}.yaml")])
