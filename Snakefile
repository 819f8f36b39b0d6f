# A table of contents: what a study is made of stands in config.yaml, how each step is done in workflow/rules.
import os

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

min_version("9.27")


include: "workflow/rules/study.smk"


pathvars:
    **study.folders,


# On a cluster these run where Snakemake runs: seconds each, and downloads need the internet that nodes often lack.
localrules:
    all,
    data,
    download,
    dataset,
    describe,
    labels,
    choose,
    score,
    statistics,
    tables,
    figures,
    record,
    report,
    partial,
    clean_checkpoints,


include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/report.smk"


rule all:
    default_target: True
    input:
        paths.table_files(table_names()),
        [paths.WRITES[rule] for rule in ("statistics", "figures", "report")],
        collect(paths.LABELS, dataset=study.datasets),
        search_files,


onstart:
    try:
        claim(study.folders.values(), [path for job in workflow.dag.needrun_jobs() for path in job.output])
        for path in {path for job in workflow.dag.needrun_jobs() for path in job.input}:
            if os.path.exists(path):
                bring_to_now(path)
        study_begins()
    except (ValueError, OSError) as error:
        raise WorkflowError(str(error)) from None


onsuccess:
    terminal.end(file_of(paths.PAGE))


onerror:
    options, status = snakemake_options(configfiles, settings), stage_command("status", configfiles, settings)
    so_far = f"So far: {f'snakemake partial {options}'.rstrip()}; how far: {status}"
    terminal.break_off(go_on=called, so_far=so_far)
