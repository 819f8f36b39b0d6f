# `exec`: a signal that ends the shell would else leave Python without anyone who waits for its checkpoint.
# The .npz is `ancient`: its small .meta.json, which holds its checksum, tells whether the data changed.


rule autoencoder:
    """Pretrain the autoencoders of a stack of seeds, once for all methods."""
    input:
        unpack(training_inputs("autoencoder")),
    output:
        paths.AUTOENCODER,
    log:
        paths.log_of("autoencoder", paths.AUTOENCODER),
    benchmark:
        paths.benchmark_of("autoencoder", paths.AUTOENCODER)
    conda:
        "../../envs/deepkm.yaml"
    threads: 1
    resources:
        gpu=gpus_of_a_job,
    params:
        spec=spec_of("autoencoder"),
        data=data_file,
        jobs_per_gpu=jobs_per_gpu,
    shell:
        "exec python -m deepkm autoencoder --spec - <<< {params.spec:q} --data {params.data:q} --output {output:q}"
        " --gpu {resources.gpu} --jobs-per-gpu {params.jobs_per_gpu} --threads {threads} > {log:q} 2>&1"


rule cluster:
    """Cluster one data set by one method, for a stack of seeds."""
    input:
        unpack(training_inputs("cluster")),
    output:
        paths.CLUSTERING,
    log:
        paths.log_of("cluster", paths.CLUSTERING),
    benchmark:
        paths.benchmark_of("cluster", paths.CLUSTERING)
    conda:
        "../../envs/deepkm.yaml"
    threads: 1
    resources:
        gpu=gpus_of_a_job,
    params:
        spec=spec_of("cluster"),
        data=data_file,
        jobs_per_gpu=jobs_per_gpu,
        models=models_kept,
    shell:
        "exec python -m deepkm cluster --spec - <<< {params.spec:q} --data {params.data:q} --autoencoder {input.autoencoder:q}"
        " --output {output:q} {params.models} --gpu {resources.gpu} --jobs-per-gpu {params.jobs_per_gpu}"
        " --threads {threads} > {log:q} 2>&1"


rule search:
    """Try settings of one method on one data set, side by side, on the seeds of the study's search."""
    input:
        unpack(training_inputs("search")),
    output:
        paths.TRIAL,
    log:
        paths.log_of("search", paths.TRIAL),
    benchmark:
        paths.benchmark_of("search", paths.TRIAL)
    conda:
        "../../envs/deepkm.yaml"
    threads: 1
    resources:
        gpu=gpus_of_a_job,
    params:
        spec=spec_of("search"),
        data=data_file,
        jobs_per_gpu=jobs_per_gpu,
    shell:
        "exec python -m deepkm search --spec - <<< {params.spec:q} --data {params.data:q} --autoencoder {input.autoencoder:q}"
        " --output {output:q} --gpu {resources.gpu} --jobs-per-gpu {params.jobs_per_gpu} --threads {threads} > {log:q} 2>&1"
