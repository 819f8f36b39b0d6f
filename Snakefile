# A table of contents: what a study is made of stands in config.yaml, how each step is done in workflow/rules.
import os
import re
import shlex
import signal
import sys

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

min_version("9.27")


configfile: os.path.join(workflow.basedir, "config.yaml")


include: "workflow/rules/study.smk"


pathvars:
    data=study.config["data_dir"],
    results=study.config["results_dir"],


# On a cluster these run where Snakemake runs: seconds each, and downloads need the internet that nodes often lack.
localrules:
    all,
    data,
    dataset,
    score,
    statistics,
    tables,
    figures,
    report,
    partial,
    clean_checkpoints,


include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/report.smk"


rule all:
    default_target: True
    input:
        rules.tables.output,
        rules.statistics.output,
        rules.figures.output,
        rules.report.output,
