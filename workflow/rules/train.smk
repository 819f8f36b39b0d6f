# `exec`: a signal that ends the shell would else leave Python without anyone who waits for its checkpoint.
# The .npz is `ancient`: its small .meta.json, which holds its checksum, tells whether the data changed.


rule autoencoder:
    """Pretrain the autoencoders of a block of seeds, once for all methods."""
    input:
        meta="<data>/{dataset}.meta.json",
        npz=ancient("<data>/{dataset}.npz"),
    output:
        "<results>/autoencoders/{autoencoder}/{dataset}/{block}.h5",
    log:
        "<results>/logs/autoencoder/{autoencoder}/{dataset}/{block}.log",
    benchmark:
        "<results>/benchmarks/autoencoder/{autoencoder}/{dataset}/{block}.jsonl"
    conda:
        "../../envs/deepkm.yaml"
    threads: 1
    resources:
        gpu=1,
        jobs_per_gpu=study.config["jobs_per_gpu"],
    params:
        spec=lambda wildcards: dumps(study.autoencoder_spec(**wildcards)),
    shell:
        "exec python -m deepkm autoencoder --spec {params.spec:q} --data {input.npz:q} --output {output:q}"
        " --gpu {resources.gpu} --jobs-per-gpu {resources.jobs_per_gpu} --threads {threads} > {log:q} 2>&1"


rule cluster:
    """Cluster one data set by one method, for a block of seeds."""
    input:
        meta="<data>/{dataset}.meta.json",
        npz=ancient("<data>/{dataset}.npz"),
        autoencoder=pretrained,
    output:
        "<results>/clusterings/{method}/{dataset}/{block}.h5",
    log:
        "<results>/logs/cluster/{method}/{dataset}/{block}.log",
    benchmark:
        "<results>/benchmarks/cluster/{method}/{dataset}/{block}.jsonl"
    conda:
        "../../envs/deepkm.yaml"
    threads: 1
    resources:
        gpu=1,
        jobs_per_gpu=study.config["jobs_per_gpu"],
    params:
        spec=lambda wildcards: dumps(study.cluster_spec(**wildcards)),
    shell:
        "exec python -m deepkm cluster --spec {params.spec:q} --data {input.npz:q} --autoencoder {input.autoencoder:q}"
        " --output {output:q} --gpu {resources.gpu} --jobs-per-gpu {resources.jobs_per_gpu} --threads {threads} > {log:q} 2>&1"
