# The .npz is `ancient`: its small .meta.json, which holds its checksum, tells whether the data changed.


def pretrained(wildcards):
    """Return the autoencoders that a method builds on; none in input space."""
    key = study.autoencoder_of(wildcards.method)
    return collect("<results>/autoencoders/{key}/{{dataset}}/{{block}}.h5", key=[key] if key else [])


rule autoencoder:
    """Pretrain the autoencoders of a block of seeds, once for all methods."""
    input:
        meta="<data>/{dataset}.meta.json",
        npz=ancient("<data>/{dataset}.npz"),
    output:
        "<results>/autoencoders/{autoencoder}/{dataset}/{block}.h5",
    params:
        spec=lambda wildcards: dumps(study.autoencoder_spec(**wildcards)),
    threads: 1
    resources:
        gpu=1,
    log:
        "<results>/logs/autoencoder/{autoencoder}/{dataset}/{block}.log",
    benchmark:
        "<results>/benchmarks/autoencoder/{autoencoder}/{dataset}/{block}.jsonl"
    conda:
        "../../envs/deepkm.yaml"
    shell:
        "python -m deepkm autoencoder --spec {params.spec:q} --data {input.npz:q} --output {output:q}"
        " --gpu {resources.gpu} --threads {threads} > {log:q} 2>&1"


rule cluster:
    """Cluster one data set by one method, for a block of seeds."""
    input:
        meta="<data>/{dataset}.meta.json",
        npz=ancient("<data>/{dataset}.npz"),
        autoencoder=pretrained,
    output:
        "<results>/clusterings/{method}/{dataset}/{block}.h5",
    params:
        spec=lambda wildcards: dumps(study.cluster_spec(**wildcards)),
    threads: 1
    resources:
        gpu=1,
    log:
        "<results>/logs/cluster/{method}/{dataset}/{block}.log",
    benchmark:
        "<results>/benchmarks/cluster/{method}/{dataset}/{block}.jsonl"
    conda:
        "../../envs/deepkm.yaml"
    shell:
        "python -m deepkm cluster --spec {params.spec:q} --data {input.npz:q} --autoencoder {input.autoencoder:q}"
        " --output {output:q} --gpu {resources.gpu} --threads {threads} > {log:q} 2>&1"
