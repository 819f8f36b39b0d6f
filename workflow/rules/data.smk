rule data:
    """All data sets of the study: with them, everything else runs without a network."""
    input:
        meta=collect("<data>/{dataset}.meta.json", dataset=study.datasets),
        npz=ancient(collect("<data>/{dataset}.npz", dataset=study.datasets)),


rule download:
    """Download one raw file, on the machine where Snakemake was called."""
    output:
        "<data>/raw/{source}/{file}",
    log:
        "<results>/logs/download/{source}/{file}.log",
    benchmark:
        "<results>/benchmarks/download/{source}/{file}.jsonl"
    wildcard_constraints:
        source=alternatives(load_catalogue()),
        file=alternatives(file for entry in load_catalogue().values() for file in entry["files"]),
    localrule: True
    conda:
        "../../envs/deepkm.yaml"
    resources:
        mirror=study.mirror,  # no part of the spec: another mirror gives the same file
    params:
        spec=lambda wildcards: dumps(study.download_spec(**wildcards)),
    shell:
        "python -m deepkm download --spec {params.spec:q} --output {output:q} --mirror {resources.mirror:q}"
        " > {log:q} 2>&1"


rule dataset:
    """Check one data set and convert it to .npz."""
    input:
        raw_files,
    output:
        npz="<data>/{dataset}.npz",
        meta="<data>/{dataset}.meta.json",
    log:
        "<results>/logs/dataset/{dataset}.log",
    benchmark:
        "<results>/benchmarks/dataset/{dataset}.jsonl"
    conda:
        "../../envs/deepkm.yaml"
    params:
        spec=lambda wildcards: dumps(study.dataset_spec(wildcards.dataset)),
    shell:
        "python -m deepkm dataset --spec {params.spec:q} --input {input:q} --output {output.npz:q}"
        " --meta {output.meta:q} > {log:q} 2>&1"


rule describe:
    """Print a table of the study's data sets and draw samples of each, whenever it is asked for."""
    input:
        meta=collect("<data>/{dataset}.meta.json", dataset=study.datasets),
        npz=ancient(collect("<data>/{dataset}.npz", dataset=study.datasets)),
    log:
        "<results>/logs/describe.log",
    localrule: True
    conda:
        "../../envs/deepkm.yaml"
    params:
        spec=dumps(study.describe_spec()),
        folder=f"{study.config['results_dir']}/datasets",
    shell:
        "python -m deepkm describe --spec {params.spec:q} --data {input.npz:q} --output {params.folder:q} 2>&1"
        " | tee {log:q}"
