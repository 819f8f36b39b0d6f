"""Checkpoints: all that a run needs to go on bit for bit."""

from pathlib import Path

import numpy as np
import torch

from deepkm.files import read_hdf5, write_hdf5
from deepkm.training.optimizers import make_optimizer


def save_run(path, run, *, spec, reason="its time"):
    """Save all that `restore_run` needs to go on bit for bit, and why it was saved."""
    arrays = {f"autoencoder/{name}": tensor for name, tensor in run.autoencoder.state_dict().items()}
    arrays |= {f"state/{name}": tensor.detach() for name, tensor in run.state.items()}
    if run.optimizer is not None:
        for trained, moments in run.optimizer.moments.items():
            arrays |= {f"optimizer/{trained}/{name}": tensor for name, tensor in moments.items()}
    arrays = {name: tensor.cpu().numpy() for name, tensor in arrays.items()}
    for kind in ("history", "snapshots"):
        arrays |= {f"{kind}/{name}": np.stack(values) for name, values in getattr(run, kind).items()}
    trained = [name for name, tensor in run.state.items() if tensor.requires_grad]
    attributes = {"spec": spec, "epoch": run.epoch, "seconds": run.seconds, "trained": trained, "reason": reason}
    attributes |= {"cpu_seconds": run.cpu_seconds, "diverged": run.diverged.tolist()}
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
    for kind in ("history", "snapshots"):
        setattr(run, kind, {name: list(values) for name, values in group.get(kind, {}).items()})
    for name in ("epoch", "seconds", "cpu_seconds"):
        setattr(run, name, attributes[name])
    run.diverged = np.array(attributes["diverged"])
    if "optimizer" in group:
        run.optimizer = make_optimizer(run.parameters(), **optimizer_options)
        for name, array in group["optimizer"].items():
            trained, _, moment = name.partition("/")
            tensor = torch.from_numpy(np.asarray(array)).to(device)
            run.optimizer.moments.setdefault(trained, {})[moment] = tensor
    return True


def history_arrays(run):
    """Return the history with a leading S: ``history/loss`` (S, E), ``history/labels`` (S, E + 1, N), ..."""
    return {f"history/{name}": np.stack(values, axis=1) for name, values in run.history.items()}


def load_autoencoder(arrays, autoencoder):
    """Load arrays named like the autoencoder's parameters into it."""
    autoencoder.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})


def _groups(arrays):
    groups = {}
    for name, array in arrays.items():
        group, _, rest = name.partition("/")
        groups.setdefault(group, {})[rest] = array
    return groups
