"""Cluster one data set by one method, for a stack of seeds side by side."""

import pkgutil

import torch

from deepkm.jobs.finishing import confirm, finish
from deepkm.jobs.inputs import load_data
from deepkm.jobs.models import keep_models
from deepkm.jobs.provenance import provenance
from deepkm.jobs.resuming import add_training_arguments, diverged_seeds, follow, resumable, resume
from deepkm.study.spec import ClusterSpec
from deepkm.training.checkpoint import history_arrays, load_pretrained
from deepkm.training.ends import end_arrays, keep_ends
from deepkm.training.lengths import as_planned
from deepkm.training.loop import final_labels, train
from deepkm.training.snapshots import keep_snapshots, snapshot_arrays


def add_arguments(parser):
    add_training_arguments(parser)
    parser.add_argument("--autoencoder", nargs="*", help="the pretrained .h5; none for methods in input space")
    parser.add_argument("--keep-models", nargs="*", type=int, metavar="SEED", help="keep these models (default: all)")
    parser.add_argument("--largest-model", type=int, metavar="BYTES", help="keep none larger than this (default: any)")


@resumable
def main(args):
    spec: ClusterSpec = args.spec
    method = pkgutil.resolve_name(spec["estimator"])(**spec["parameters"])
    method.check_parameters()
    x = load_data(args)
    method.check_samples(len(x))
    method = method.in_epochs(len(x))
    run = method.start(x[:0], seeds=spec["seeds"])  # a streamed x is no tensor
    if not isinstance(x, torch.Tensor) and not list(run.autoencoder.parameters()):
        raise ValueError(
            f"{args.data}: {spec['method']} clusters the data themselves and needs all of them in memory; choose a "
            "method with an autoencoder, or set `stream: false` where they fit"
        )
    for path in args.autoencoder or []:
        moments = load_pretrained(path, run, device=args.device, carried=method.starts_warm("moments"))
        method.carry_over(moments, run, n_features=x.shape[1])
    confirm(args.autoencoder or [])
    resume(run, args, optimizer_options=method.optimizer_options())
    kept = as_planned(spec["snapshots"], method.epochs)
    runs = keep_snapshots(train(method, x, run), method, epochs=kept)
    follow(keep_ends(runs, method), run, args, epochs=method.epochs)
    result = {"labels": final_labels(run), "centers": run.centers.numpy(force=True)}
    result |= history_arrays(run) | snapshot_arrays(method, run) | end_arrays(run)
    if args.samples is not None:
        result["samples"] = args.samples[None]
    lengths = {name: getattr(method, name) for name in ("epochs", "pretraining_epochs")}
    print(*run.doubts, sep="\n", end="\n" * bool(run.doubts))
    made = {"provenance": provenance(run, args), "diverged": diverged_seeds(run), "lengths": lengths}
    model, about = keep_models(args, method, run, x)
    finish(args, result | model, {**made, "doubts": run.doubts, **about})
