"""Try settings of one method on one data set, side by side, on the seeds of a search."""

import json
import pkgutil

import torch

from deepkm.jobs.finishing import confirm, finish
from deepkm.jobs.inputs import load_data
from deepkm.jobs.provenance import provenance
from deepkm.jobs.resuming import add_training_arguments, diverged_seeds, follow, resumable, resume
from deepkm.methods.side_by_side import as_one, keep_for_choice, repeated, trial_arrays
from deepkm.study.spec import SearchSpec
from deepkm.training.checkpoint import load_pretrained
from deepkm.training.loop import train


def add_arguments(parser):
    add_training_arguments(parser)
    parser.add_argument("--autoencoder", nargs="*", help="the pretrained .h5; none for methods in input space")


@resumable
def main(args):
    spec: SearchSpec = args.spec
    made = pkgutil.resolve_name(spec["estimator"])
    methods = [made(**{**spec["parameters"], **setting}) for _, setting in spec["settings"]]
    for method in methods:
        method.check_parameters()
    x = load_data(args)
    methods[0].check_samples(len(x))
    method, run = _start([method.in_epochs(len(x)) for method in methods], x[:0], args)  # a streamed x is no tensor
    if not isinstance(x, torch.Tensor) and not list(run.autoencoder.parameters()):
        raise ValueError(f"{args.data}: {spec['method']} needs all data in memory; set `stream: false` where they fit")
    resume(run, args, optimizer_options=method.optimizer_options())
    tried = [json.dumps(setting) for _, setting in spec["settings"]]
    follow(keep_for_choice(train(method, x, run), method), run, args, epochs=method.epochs)
    finish(
        args, trial_arrays(method, run), {"provenance": provenance(run, args), "diverged": diverged_seeds(run, tried)}
    )


def _start(methods, like, args):
    """Return the stacked method, and its fresh run on the pretrained autoencoders of its seeds."""
    seeds, moments = args.spec["seeds"], {}
    run = methods[0].start(like, seeds=seeds)
    for path in args.autoencoder or []:
        moments = load_pretrained(path, run, device=args.device, carried=methods[0].starts_warm("moments"))
    confirm(args.autoencoder or [])
    method = as_one(methods, n_seeds=len(seeds), like=like)
    return method, repeated(method, run, moments, like, times=len(methods))
