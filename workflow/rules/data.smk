rule data:
    """All data sets of the study."""
    input:
        collect("<data>/{dataset}.meta.json", dataset=study.datasets),


rule dataset:
    """Check one data set and convert it to .npz."""
    input:
        lambda wildcards: study.dataset_file(wildcards.dataset),
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
