from deepkm.report.tables.study import table_names


rule score:
    """Compare all results with the true classes: the only rule that reads them."""
    input:
        score_inputs,
        npz=all_data["npz"],
    output:
        report(paths.SCORES, caption="../report/scores.rst", category="Scores"),
        [path for path in paths.WRITES["score"] if path != paths.SCORES],
    log:
        paths.log_of("score"),
    benchmark:
        paths.benchmark_of("score")
    conda:
        "../../envs/deepkm.yaml"
    params:
        spec=spec_of("score"),
        folder=results_folder,  # a command cannot name 10,000 files
    shell:
        "python -m deepkm score --spec - <<< {params.spec:q} --data {input.npz:q} --results {params.folder:q}"
        " --output {output:q} > {log:q} 2>&1"


rule labels:
    """Write what all runs found, a table of each data set, and what can be said of it without true classes."""
    input:
        **all_data,
        results=all_results,
    output:
        labels=collect(paths.LABELS, dataset=study.datasets),
        structure=paths.STRUCTURE,
        agreement=paths.AGREEMENT,
    log:
        paths.log_of("labels"),
    benchmark:
        paths.benchmark_of("labels")
    conda:
        "../../envs/deepkm.yaml"
    params:
        spec=spec_of("labels"),
        folder=results_folder,
    shell:
        "python -m deepkm labels --spec - <<< {params.spec:q} --data {input.npz:q} --results {params.folder:q}"
        " --output {output.labels:q} --structure {output.structure:q} --agreement {output.agreement:q} > {log:q} 2>&1"


rule choose:
    """Choose among the settings of the search without classes; then say what the classes would have chosen."""
    input:
        **all_data,
        results=all_trials,
    output:
        paths.SEARCH,
    log:
        paths.log_of("choose"),
    benchmark:
        paths.benchmark_of("choose")
    conda:
        "../../envs/deepkm.yaml"
    params:
        spec=spec_of("choose"),
        folder=results_folder,
    shell:
        "python -m deepkm choose --spec - <<< {params.spec:q} --data {input.npz:q} --results {params.folder:q} > {log:q} 2>&1"


rule statistics:
    """Tests between methods, paired over seeds, and over data sets."""
    input:
        **paths.named(paths.READS["statistics"]),
    output:
        paths.WRITES["statistics"],
    log:
        paths.log_of("statistics"),
    benchmark:
        paths.benchmark_of("statistics")
    conda:
        "../../envs/deepkm.yaml"
    params:
        spec=spec_of("statistics"),
    shell:
        "python -m deepkm statistics --spec - <<< {params.spec:q} --scores {input.scores:q} --output {output:q} > {log:q} 2>&1"


rule tables:
    """Scores, contrasts, cost, parameters and published figures, as CSV, Markdown and LaTeX."""
    input:
        paths.READS["tables"],
    output:
        report(paths.table_files(table_names(), ["csv"]), caption="../report/tables.rst", category="Tables"),
        paths.table_files(table_names(), ["md", "tex"]),
    log:
        paths.log_of("tables"),
    benchmark:
        paths.benchmark_of("tables")
    conda:
        "../../envs/deepkm.yaml"
    params:
        spec=spec_of("tables"),
    shell:
        "python -m deepkm tables --spec - <<< {params.spec:q} --tables {input:q} --output {output:q} > {log:q} 2>&1"


rule figures:
    """All drawings of the study, as PNG and SVG, and figures.json that says what each one shows."""
    input:
        **all_data,
        results=all_results,
        tables=[*paths.READS["figures"], *search_tables],
    output:
        folder=report(
            directory(paths.FIGURES),
            patterns=["{figure}.png"],
            labels={"figure": "{figure}"},
            caption="../report/figures.rst",
            category="Figures",
        ),
        checksums=paths.FIGURES_CHECKSUMS,
    log:
        paths.log_of("figures"),
    benchmark:
        paths.benchmark_of("figures")
    conda:
        "../../envs/deepkm.yaml"
    params:
        spec=spec_of("figures"),
        folder=results_folder,
    shell:
        "python -m deepkm figures --spec - <<< {params.spec:q} --tables {input.tables:q} --data {input.npz:q}"
        " --results {params.folder:q} --output {output.folder:q} --checksums {output.checksums:q} > {log:q} 2>&1"


rule record:
    """Note what the study asks for, for the page and for whoever looks into the folder of results later."""
    output:
        paths.STUDY,
    log:
        paths.log_of("record"),
    conda:
        "../../envs/deepkm.yaml"
    params:
        spec=spec_of("record"),
        record=lambda wildcards, output: study.record,
    shell:
        "printf '%s\\n' {params.record:q} > {output:q} 2> {log:q}"


rule report:
    """One page with all tables and figures of the study, for any browser."""
    input:
        tables=[*paths.READS["report"], *search_tables],
        study=ancient(paths.STUDY),  # where what it says shapes the page, another input has changed
        figures=paths.FIGURES_CHECKSUMS,  # and not the folder, of which Snakemake sees its age alone: a copy is new
    output:
        report(paths.PAGE, caption="../report/page.rst", category="The study on one page"),
    log:
        paths.log_of("report"),
    benchmark:
        paths.benchmark_of("report")
    conda:
        "../../envs/deepkm.yaml"
    params:
        spec=spec_of("report"),
        figures=lambda wildcards, output: paths.path_of(paths.FIGURES, **study.folders),
        study=called_as,
    shell:
        "python -m deepkm report --spec - <<< {params.spec:q} --tables {input.tables:q} --figures {params.figures:q}"
        " --study {input.study:q} {params.study:q} --output {output:q} > {log:q} 2>&1"


rule partial:
    """Scores, tables and a page of the results that there are, in results/partial; nothing is trained."""
    log:
        paths.log_of("partial"),
    conda:
        "../../envs/deepkm.yaml"
    params:
        study=called_as,
    shell:
        "python -m deepkm partial {params.study:q} 2>&1 | tee {log:q}"


rule clean_checkpoints:
    """Delete checkpoints and temporary files that no job of the study will use."""
    log:
        paths.log_of("clean_checkpoints"),
    conda:
        "../../envs/deepkm.yaml"
    params:
        study=called_as,
    shell:
        "python -m deepkm clean_checkpoints {params.study:q} 2>&1 | tee {log:q}"
