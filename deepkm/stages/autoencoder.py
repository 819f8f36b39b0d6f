"""Pretrain the autoencoders of a stack of seeds; all methods of a study share them."""

from deepkm.jobs.finishing import checkpoint_path, finish
from deepkm.jobs.inputs import digest_arrays, load_data
from deepkm.jobs.provenance import provenance
from deepkm.jobs.resuming import add_training_arguments, diverged_seeds, follow, resumable, resume
from deepkm.jobs.sharing import fetch, publish, shared_path
from deepkm.networks.autoencoder import build_autoencoder
from deepkm.networks.views import LIMITS
from deepkm.study.spec import AutoencoderSpec
from deepkm.training.checkpoint import history_arrays, moment_arrays
from deepkm.training.lengths import whole_epochs
from deepkm.training.loop import pretrain
from deepkm.training.run import Run

add_arguments = add_training_arguments


@resumable
def main(args):
    spec: AutoencoderSpec = args.spec
    parameters = spec["parameters"]
    x = load_data(args)
    shared = shared_path(args, x)
    if fetch(shared, args):
        checkpoint_path(args).unlink(missing_ok=True)
        return
    autoencoder = build_autoencoder(
        parameters["autoencoder"],
        seeds=spec["seeds"],
        n_features=x.shape[1],
        n_latent=parameters["n_latent"],
        hidden_widths=parameters["hidden_widths"],
        precision=parameters["precision"],
    )
    run = Run(spec["seeds"], autoencoder.to(x.device, x.dtype))
    given = {name.removeprefix("pretraining_"): value for name, value in parameters.items() if "pretraining_" in name}
    limits = given.pop("views", None)
    options = {"learning_rate": given.pop("learning_rate"), "denoising": given.pop("denoising", 0.0)}
    options["batch_size"] = given["batch_size"]
    options["epochs"] = whole_epochs(len(x), **given)
    options["views"] = None if limits is None else {**LIMITS, **limits}
    resume(run, args, optimizer_options={"learning_rate": options["learning_rate"]})
    follow(pretrain(x, run, **options), run, args, epochs=options["epochs"])
    weights = {f"autoencoder/{name}": tensor.numpy(force=True) for name, tensor in autoencoder.state_dict().items()}
    moments = moment_arrays(run)
    made = {"provenance": provenance(run, args), "diverged": diverged_seeds(run)}
    made["lengths"] = {"pretraining_epochs": options["epochs"]}
    made["carried"] = {"weights": digest_arrays(weights), "moments": digest_arrays(weights | moments)}
    finish(args, weights | moments | history_arrays(run), made)
    publish(shared, args)
