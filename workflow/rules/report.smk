from deepkm.report.tables.study import table_names


rule score:
    """Compare all results with the true classes: the only rule that reads them."""
    input:
        meta=collect("<data>/{dataset}.meta.json", dataset=study.datasets),
        npz=ancient(collect("<data>/{dataset}.npz", dataset=study.datasets)),
        results=collect(
            "<results>/clusterings/{method}/{dataset}/{block}.h5",
            dataset=study.datasets,
            method=study.methods,
            block=study.blocks,
        ),
        autoencoders=collect(
            "<results>/autoencoders/{autoencoder}/{dataset}/{block}.h5",
            dataset=study.datasets,
            autoencoder=sorted(set(filter(None, map(study.autoencoder_of, study.methods)))),
            block=study.blocks,
        ),
    output:
        scores=report("<results>/scores.csv", caption="../report/scores.rst", category="Scores"),
        epochs="<results>/epochs.csv",
        runs="<results>/runs.csv",
        parameters="<results>/parameters.csv",
    log:
        "<results>/logs/score.log",
    benchmark:
        "<results>/benchmarks/score.jsonl"
    conda:
        "../../envs/deepkm.yaml"
    params:
        spec=dumps(study.score_spec()),
        folder=lambda wildcards, output: os.path.dirname(output.scores),  # a command cannot name 10,000 files
    shell:
        "python -m deepkm score --spec {params.spec:q} --data {input.npz:q} --results {params.folder:q}"
        " --output {output:q} > {log:q} 2>&1"


rule statistics:
    """Tests between methods, paired over seeds, and over data sets."""
    input:
        rules.score.output.scores,
    output:
        pairwise="<results>/statistics/pairwise.csv",
        best="<results>/statistics/best.csv",
        friedman="<results>/statistics/friedman.csv",
        nemenyi="<results>/statistics/nemenyi.csv",
    log:
        "<results>/logs/statistics.log",
    benchmark:
        "<results>/benchmarks/statistics.jsonl"
    conda:
        "../../envs/deepkm.yaml"
    params:
        spec=dumps(study.statistics_spec()),
    shell:
        "python -m deepkm statistics --spec {params.spec:q} --scores {input:q} --output {output:q} > {log:q} 2>&1"


TABLES = table_names()


rule tables:
    """Scores, cost, ablations, parameters and published figures, as CSV, Markdown and LaTeX."""
    input:
        scores=rules.score.output.scores,
        runs=rules.score.output.runs,
        parameters=rules.score.output.parameters,
        pairwise=rules.statistics.output.pairwise,
        best=rules.statistics.output.best,
    output:
        report(
            collect("<results>/tables/{table}.csv", table=TABLES),
            caption="../report/tables.rst",
            category="Tables",
        ),
        collect("<results>/tables/{table}.{format}", table=TABLES, format=["md", "tex"]),
    log:
        "<results>/logs/tables.log",
    benchmark:
        "<results>/benchmarks/tables.jsonl"
    conda:
        "../../envs/deepkm.yaml"
    params:
        spec=dumps(study.report_spec("tables")),
    shell:
        "python -m deepkm tables --spec {params.spec:q} --scores {input.scores:q} --runs {input.runs:q}"
        " --parameters {input.parameters:q} --pairwise {input.pairwise:q} --best {input.best:q} --output {output:q}"
        " > {log:q} 2>&1"


rule figures:
    """All drawings of the study, as PNG and SVG, and figures.json that says what each one shows."""
    input:
        tables=[rules.score.output, rules.statistics.output],
        meta=rules.score.input.meta,
        npz=rules.score.input.npz,
        results=rules.score.input.results,
    output:
        folder=report(
            directory("<results>/figures"),
            patterns=["{figure}.png"],
            labels={"figure": "{figure}"},
            caption="../report/figures.rst",
            category="Figures",
        ),
        checksums="<results>/figures.sha256",
    log:
        "<results>/logs/figures.log",
    benchmark:
        "<results>/benchmarks/figures.jsonl"
    conda:
        "../../envs/deepkm.yaml"
    params:
        spec=dumps(study.figures_spec()),
        folder=lambda wildcards, output: os.path.dirname(output.folder),
    shell:
        "python -m deepkm figures --spec {params.spec:q} --tables {input.tables:q} --data {input.npz:q}"
        " --results {params.folder:q} --output {output.folder:q} --checksums {output.checksums:q} > {log:q} 2>&1"


rule report:
    """One page with all tables and figures of the study, for any browser."""
    input:
        tables=[rules.score.output, rules.statistics.output],
        figures=rules.figures.output.checksums,  # and not the folder, of which Snakemake sees its age alone: a copy is new
    output:
        page=report("<results>/report.html", caption="../report/page.rst", category="The study on one page"),
    log:
        "<results>/logs/report.log",
    benchmark:
        "<results>/benchmarks/report.jsonl"
    conda:
        "../../envs/deepkm.yaml"
    params:
        spec=dumps(study.page_spec()),
        figures=lambda wildcards, output: os.path.join(os.path.dirname(output.page), "figures"),
    shell:  # the environment holds what is no parameter: where it shapes a result, an input has changed
        "python -m deepkm report --spec {params.spec:q} --tables {input.tables:q} --figures {params.figures:q}"
        ' --study "$DEEPKM_STUDY" --options "$DEEPKM_OPTIONS" --output {output:q} > {log:q} 2>&1'


rule partial:
    """Scores, tables and a page of the results that there are, in results/partial; nothing is trained."""
    log:
        "<results>/logs/partial.log",
    conda:
        "../../envs/deepkm.yaml"
    params:
        spec=dumps(study.config),
    shell:
        "python -m deepkm partial --spec {params.spec:q} 2>&1 | tee {log:q}"


rule clean_checkpoints:
    """Delete checkpoints and temporary files that no job of the study will use."""
    log:
        "<results>/logs/clean_checkpoints.log",
    conda:
        "../../envs/deepkm.yaml"
    params:
        spec=dumps(study.config),
    shell:
        "python -m deepkm clean_checkpoints --spec {params.spec:q} 2>&1 | tee {log:q}"


onerror:
    print(
        "Whatever finished is kept; the same command goes on. So far: snakemake partial; how far: python -m deepkm status",
        file=sys.stderr,
    )
