from deepkm.datasets.catalogue import load_catalogue


rule data:
    """All data sets of the study: with them, everything else runs without a network."""
    input:
        **all_data,


rule download:
    """Download one raw file, on the machine where Snakemake was called."""
    output:
        paths.RAW_FILE,
    log:
        paths.log_of("download", paths.RAW_FILE),
    benchmark:
        paths.benchmark_of("download", paths.RAW_FILE)
    wildcard_constraints:
        source=alternatives(load_catalogue()),
        file=alternatives(file for entry in load_catalogue().values() for file in entry["files"]),
    conda:
        "../../envs/deepkm.yaml"
    params:
        spec=spec_of("download"),
        mirror=lambda wildcards, output: study.mirror,  # no part of the spec: another mirror gives the same file
    shell:
        "python -m deepkm download --spec - <<< {params.spec:q} --output {output:q} --mirror={params.mirror:q}"
        " > {log:q} 2>&1"


rule dataset:
    """Check one data set and convert it to .npz."""
    input:
        conversion_inputs,
    output:
        npz=paths.DATASET,
        meta=paths.META,
    log:
        paths.log_of("dataset", paths.DATASET),
    benchmark:
        paths.benchmark_of("dataset", paths.DATASET)
    conda:
        "../../envs/deepkm.yaml"
    params:
        spec=spec_of("dataset"),
        files=lambda wildcards, output: study.dataset_files(wildcards.dataset),
        # No part of the spec: it decides what is refused, not what is written.
        scaling=lambda wildcards, output: study.scaling_of(wildcards.dataset),
    shell:
        "python -m deepkm dataset --spec - <<< {params.spec:q} --input {params.files:q} --output {output.npz:q}"
        " --meta {output.meta:q} --scaling {params.scaling} > {log:q} 2>&1"


rule describe:
    """Print a table of the study's data sets and draw samples of each, whenever it is asked for."""
    input:
        **all_data,
    log:
        paths.log_of("describe"),
    conda:
        "../../envs/deepkm.yaml"
    params:
        spec=spec_of("describe"),
        folder=lambda wildcards, input: paths.path_of(paths.DESCRIPTION, **study.folders),
    shell:
        "python -m deepkm describe --spec - <<< {params.spec:q} --data {input.npz:q} --output {params.folder:q} 2>&1"
        " | tee {log:q}"
