"""Checkpoints: all that a run needs to go on bit for bit."""

from pathlib import Path

import numpy as np
import torch

from deepkm.files import read_hdf5, write_hdf5
from deepkm.training.optimizers import make_optimizer

KEPT = ("history", "snapshots", "ends")  # dictionaries of a run, by name: lists that grow while it trains


def save_run(path, run, *, spec, reason="its time"):
    """Save all that `restore_run` needs to go on bit for bit, and why it was saved."""
    arrays = {f"autoencoder/{name}": tensor for name, tensor in run.autoencoder.state_dict().items()}
    arrays |= {f"state/{name}": tensor.detach() for name, tensor in run.state.items()}
    arrays = {name: tensor.cpu().numpy() for name, tensor in arrays.items()} | moment_arrays(run)
    for kind in KEPT:
        arrays |= {f"{kind}/{name}": np.stack(values) for name, values in getattr(run, kind).items()}
    trained = [name for name, tensor in run.state.items() if tensor.requires_grad]
    attributes = {"spec": spec, "epoch": run.epoch, "seconds": run.seconds, "trained": trained, "reason": reason}
    attributes |= {"cpu_seconds": run.cpu_seconds, "diverged": run.diverged.tolist(), "doubts": run.doubts}
    write_hdf5(path, arrays=arrays, attributes=attributes)


def restore_run(path, run, *, spec, optimizer_options, device):
    """Bring `run` to the state that `save_run` stored, on `device`.

    Returns
    -------
    bool
        False, with `run` untouched, when `path` does not exist or belongs to another spec.
    """
    if not Path(path).exists():
        return False
    arrays, attributes = read_hdf5(path)
    if attributes["spec"] != spec:
        return False
    group = _groups(arrays)
    load_autoencoder(group.get("autoencoder", {}), run.autoencoder)
    run.state = {name: torch.from_numpy(array).to(device) for name, array in group.get("state", {}).items()}
    for name in attributes["trained"]:
        run.state[name].requires_grad_()
    for kind in KEPT:
        setattr(run, kind, {name: list(values) for name, values in group.get(kind, {}).items()})
    for name in ("epoch", "seconds", "cpu_seconds", "doubts"):
        setattr(run, name, attributes[name])
    run.diverged = np.array(attributes["diverged"])
    if "optimizer" in group:
        run.optimizer = make_optimizer(run.parameters(), **optimizer_options)
        run.optimizer.moments = _moments(group["optimizer"], device)
    return True


def history_arrays(run):
    """Return the history with a leading S: ``history/loss`` (S, E), ``history/labels`` (S, R, N) of R read-outs, ..."""
    return {f"history/{name}": np.stack(values, axis=1) for name, values in run.history.items()}


def moment_arrays(run):
    """Return the optimizer's moments, ``optimizer/{tensor}/{moment}``, each (S, ...); nothing before its first step."""
    moments = {} if run.optimizer is None else run.optimizer.moments
    return {
        f"optimizer/{trained}/{name}": (tensor if tensor.dim() else tensor.expand(len(run.seeds))).numpy(force=True)
        for trained, own in moments.items()
        for name, tensor in own.items()
    }


def load_pretrained(path, run, *, device, carried):
    """Load the weights of a pretrained autoencoder's file into those of `run`.

    Returns
    -------
    dict of str to dict of str to Tensor
        The moments that pretraining ended with, if they are to be `carried` over; else none.

    Raises
    ------
    OSError
        When the file is unreadable, or has no moments to carry over.
    """
    arrays, _ = read_hdf5(path, ("autoencoder/", "optimizer/") if carried else "autoencoder/")
    group = _groups(arrays)
    load_autoencoder(group["autoencoder"], run.autoencoder)
    if carried and "optimizer" not in group:
        raise OSError(f"{path}: got an autoencoder without its optimizer's moments, expected them; {_AGAIN}")
    return _moments(group.get("optimizer", {}), device)


def load_autoencoder(arrays, autoencoder):
    """Load arrays named like the autoencoder's parameters into it."""
    autoencoder.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})


_AGAIN = "delete it and run again, or choose another warm_start than moments"


def _moments(arrays, device):
    """Return moments by tensor and name, from arrays by ``{tensor}/{moment}``."""
    moments = {}
    for name, array in arrays.items():
        trained, _, moment = name.partition("/")
        tensor = torch.from_numpy(array).to(device)
        moments.setdefault(trained, {})[moment] = tensor[0] if moment == "step" else tensor  # one count for all runs
    return moments


def _groups(arrays):
    groups = {}
    for name, array in arrays.items():
        group, _, rest = name.partition("/")
        groups.setdefault(group, {})[rest] = array
    return groups
