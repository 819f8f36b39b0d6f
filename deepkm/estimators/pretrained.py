"""What an estimator may start from in place of pretraining: a fitted estimator, a file, a trained pair of modules."""

from collections.abc import Mapping
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from deepkm.estimators.fitted import Fitted
from deepkm.files import read_hdf5
from deepkm.networks.modules import is_pair
from deepkm.training.run import Run

_EXPECTED = "a fitted estimator, a file of results/autoencoders, or a trained pair of modules"


def start_pretrained(run: Run, given: Any) -> None:
    """Give all runs of a fresh `Run` the weights of what was pretrained.

    Parameters
    ----------
    run : Run
        Of S autoencoders, which are a trained pair already where `given` is one.
    given : estimator, path-like or pair of modules

    Raises
    ------
    OSError, ValueError
        One line, when there are no such weights, or they are those of another network.
    """
    if is_pair(given):
        return
    own = run.autoencoder.state_dict()
    if not own:
        raise ValueError("pretrained: got one for a method without an autoencoder; set autoencoder='mlp'")
    weights = _of_file(given, run.seeds[0]) if isinstance(given, str | PathLike) else _of_estimator(given)
    shapes, expected = ({name: tuple(tensor.shape[1:]) for name, tensor in one.items()} for one in (weights, own))
    if shapes != expected:
        raise ValueError(
            f"pretrained: got a network of layers {_layers(shapes)}, expected {_layers(expected)}; give both the same "
            "autoencoder, hidden_widths and n_latent (or n_clusters), and X of as many features"
        )
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(weights[name].expand_as(tensor))


def _of_estimator(given: Any) -> Mapping[str, Tensor]:
    if not isinstance(given, Fitted):
        raise ValueError(f"pretrained: got {type(given).__name__}, expected {_EXPECTED}")
    if not hasattr(given, "_run"):
        raise ValueError(f"pretrained: got a {type(given).__name__} that is not fitted; call its fit first")
    weights = given._run.autoencoder.state_dict()
    if not weights:
        raise ValueError(
            f"pretrained: got one of no autoencoder, {type(given).__name__}; fit it with autoencoder='mlp'"
        )
    return weights


def _of_file(path: str | PathLike, seed: int) -> Mapping[str, Tensor]:
    if Path(path).suffix != ".h5" or not Path(path).is_file():  # nobody should be told to delete another file
        raise ValueError(f"pretrained: {fspath(path)}: got no such .h5 file, expected {_EXPECTED}; correct the path")
    arrays, attributes = read_hdf5(path, "autoencoder/")
    if not arrays:
        raise ValueError(
            f"pretrained: {fspath(path)}: got no autoencoder, expected {_EXPECTED}; of a clustering, or what "
            "deepkm.save wrote, give what deepkm.load returns"
        )
    seeds = attributes["spec"]["seeds"]
    if len(seeds) > 1 and seed not in seeds:
        raise ValueError(
            f"pretrained: {fspath(path)}: got autoencoders of seeds {', '.join(map(str, seeds))}; set "
            "random_state to one of them"
        )
    place = seeds.index(seed) if len(seeds) > 1 else 0
    return {
        name.removeprefix("autoencoder/"): torch.from_numpy(array[place : place + 1]) for name, array in arrays.items()
    }


def _layers(shapes: Mapping[str, tuple[int, ...]]) -> str:
    """Return the sizes of all weights in words."""
    return ", ".join("x".join(map(str, shape)) for name, shape in shapes.items() if name.endswith("weight"))
