"""An estimator that was fitted in Python, in a file such as those of the workflow: arrays and JSON, no pickles."""

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

import deepkm
from deepkm.files import write_hdf5
from deepkm.jobs.models import pack_models, read_of_state
from deepkm.networks.modules import ModulePair

if TYPE_CHECKING:  # scikit-learn, which jobs do without
    from deepkm.estimators.estimator import Estimator

_NOT_SAVED = ("random_state", "device", "pretrained")  # its run's seed stands for the first, `load` asks for the second


def save(estimator: "Estimator", path: str | PathLike) -> None:
    """Write the file that `deepkm.save` describes."""
    path, run = Path(path), getattr(estimator, "_run", None)
    if run is None:
        raise ValueError(f"{path}: got {estimator!r:.60}, which is not a fitted estimator; call its fit first")
    if path.suffix != ".h5":
        raise ValueError(f"{path}: got a name without .h5 at its end, expected one; load knows its files by it")
    tensors = {f"model/autoencoder/{name}": tensor for name, tensor in run.autoencoder.state_dict().items()}
    sample = torch.zeros(1, estimator.n_features_in_, device=run.centers.device, dtype=run.centers.dtype)
    trained = estimator.in_epochs(len(estimator.labels_))  # as it was, whatever its length is told in
    tensors |= {f"model/state/{name}": run.state[name] for name in read_of_state(trained, run, sample)}
    arrays = {name: tensor.numpy(force=True) for name, tensor in tensors.items()}
    packed = pack_models(arrays, run, [0], estimator.form_)
    if packed is None or isinstance(run.autoencoder, ModulePair):
        raise ValueError(f"{path}: got a part that no array holds, modules of one's own or UMAP; take joblib.dump")
    arrays, about = packed
    about["model"]["shape"] = list(estimator.sample_shape_)
    about["model"]["columns"] = list(getattr(estimator, "feature_names_in_", []))
    about["model"]["fitted_as"] = {"inertia_": estimator.inertia_} if hasattr(estimator, "inertia_") else {}
    arrays |= {f"history/{name}": np.stack(values, axis=1) for name, values in run.history.items()}
    method = type(estimator)._method
    parameters = estimator.get_params(deep=False)
    spec = {
        "estimator": f"{method.__module__}:{method.__qualname__}",
        "parameters": {name: value for name, value in parameters.items() if name not in _NOT_SAVED},
        "seeds": list(run.seeds),
    }
    made = {"provenance": {"versions": {"deepkm": deepkm.__version__}}, "diverged": [], "doubts": run.doubts}
    write_hdf5(path, arrays=arrays, attributes={"spec": spec, **about, **made})
