"""What a clustering keeps so that new samples can be labelled, in its result, and the estimator that is made of it."""

import math
import pkgutil
from argparse import Namespace
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from deepkm.datasets.form import Form, form_of, form_of_kept
from deepkm.datasets.streaming import StreamedFeatures
from deepkm.files import read_hdf5
from deepkm.jobs.pipelines import pack, unpack
from deepkm.methods.base import DeepClustering
from deepkm.training.checkpoint import load_autoencoder
from deepkm.training.run import Run

if TYPE_CHECKING:  # scikit-learn, which jobs do without
    from deepkm.estimators.estimator import Estimator

FORMAT = 1  # of what is kept; another one is read by another version


def keep_models(
    args: Namespace, method: DeepClustering, run: Run, x: Tensor | StreamedFeatures
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the arrays, ``model/...``, and the attributes by which `load` makes estimators of a job's runs.

    Parameters
    ----------
    args : Namespace
        Of the job. ``keep_models``: the seeds whose models are kept; by default, all. ``largest_model``: bytes of one
        run's, at most; by default, any.
    method : DeepClustering
    run : Run
        At its end.
    x : Tensor or StreamedFeatures of shape (N, F)
        What it was trained on.
    """
    wanted, largest = (getattr(args, name, None) for name in ("keep_models", "largest_model"))
    places = [s for s, seed in enumerate(run.seeds) if wanted is None or seed in wanted]
    tensors = {f"model/autoencoder/{name}": tensor for name, tensor in run.autoencoder.state_dict().items()}
    try:
        tensors |= {f"model/state/{name}": run.state[name] for name in read_of_state(method, run, x)}
    except Exception as error:  # in a method of somebody's own: what was trained for hours is worth more than its model
        return _absent(f"its method fails on a single new sample ({error!r}); mend that and run again")
    size = sum(tensor[0].numel() * tensor.element_size() for tensor in tensors.values())
    if not places or (largest is not None and size > largest):
        size = f"{size / 1e6:.1f} MB to a run"
        return _absent(f"`keep_models` leaves it out ({size}); name it there, delete the file and run again")
    arrays = {name: tensor[places].numpy(force=True) for name, tensor in tensors.items()}
    packed = pack_models(arrays, run, places, form_of(args.data, args.spec["dataset"]["scaling"]))
    return packed or _absent(f"nothing but a pickle holds that of {type(method).__name__}; fit the estimator instead")


def pack_models(
    arrays: dict[str, np.ndarray], run: Run, places: list[int], form: Form | None
) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
    """Return arrays and attributes of the models of some runs of a stack; None where arrays do not hold them.

    Parameters
    ----------
    arrays : dict of str to ndarray
        Weights and state of these runs, each with a leading axis of them.
    run : Run
    places : list of int
        Where they stand in it.
    form : Form or None
        How raw data become what training saw; None: they are taken as they are.
    """
    packed = [pack(run.models[s]) if run.models and run.models[s] is not None else ({}, []) for s in places]
    fitted = [model for model in packed if model is not None]
    if len(fitted) < len(packed):
        return None
    for place, (parts, _) in enumerate(fitted):
        arrays |= {f"model/fitted/{place}/{name}": array for name, array in parts.items()}
    statistics, words = form.kept() if form else ({}, None)
    arrays |= {f"model/statistics/{name}": array for name, array in statistics.items()}
    about = {"format": FORMAT, "seeds": [run.seeds[s] for s in places], "epoch": run.epoch, "form": words}
    return arrays, {"model": {**about, "fitted": [words for _, words in fitted]}}


def _absent(reason: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return what a file holds in place of a model: why it has none, and what to do."""
    return {}, {"model": {"absent": " ".join(reason.split())}}


def load(path: str | PathLike, seed: int | None = None, *, device: str = "cpu") -> "Estimator":
    """Return the estimator that `deepkm.load` describes."""
    from deepkm.estimators.estimator import as_estimator  # noqa: PLC0415  it imports scikit-learn
    from deepkm.estimators.samples import check_device  # noqa: PLC0415  so does this

    _check_path(Path(path))
    check_device(device)
    arrays, attributes = read_hdf5(path, ("model/", "history/"))
    about = _check_model(path, attributes)
    seed = _check_seed(path, about["seeds"], seed)
    if seed in attributes["diverged"]:
        raise ValueError(f"{path}: training diverged with seed {seed}; there is no model")
    spec = attributes["spec"]
    found = as_estimator(_method_of(path, spec["estimator"]))
    form = about["form"] and form_of_kept(_group(arrays, "model/statistics/"), about["form"])
    try:
        estimator = found(**spec["parameters"], random_state=seed, device=device)
        estimator.form_, estimator.sample_shape_ = form, form.shape if form else tuple(about["shape"])
        estimator.n_features_in_ = math.prod(estimator.sample_shape_)
        x = torch.empty(0, estimator.n_features_in_, device=device, dtype=getattr(torch, estimator.dtype))
        run = estimator.start(x, seeds=[seed])
        _restore(run, arrays, attributes, device=device)
    except (TypeError, KeyError, RuntimeError) as error:  # of a class that was changed since
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"{path}: got a model that this {spec['estimator']} is not made for ({reason}); take the version that "
            f"trained it, {attributes['provenance']['versions']['deepkm']}, or train again"
        ) from None
    for name, value in about.get("fitted_as", {}).items():
        setattr(estimator, name, value)
    if columns := about.get("columns"):  # of a DataFrame that an estimator was fitted on
        estimator.feature_names_in_ = np.array(columns, dtype=object)
    return estimator._take(run)


def read_of_state(method: DeepClustering, run: Run, x: Tensor | StreamedFeatures) -> list[str]:
    """Return the names of what a method keeps that labels, memberships, codes and decoded centers of new data need."""
    kept, run.state = run.state, _Noted(run.state)
    try:
        z, index = run.encode(x[:1]), torch.zeros(1, dtype=torch.long, device=x.device)
        with torch.no_grad():
            method.embed(z, run)
            method.decode_centers(run)
            if method.labels_new_samples and not run.models:
                method.assign_new(z, run)
            if type(method).assign_new is DeepClustering.assign_new:
                method.membership(z, index, run)
        return sorted(kept.keys() & (run.state.read | {"centers"}))
    finally:
        run.state = kept


class _Noted(dict):
    """A dictionary that notes which of its values are asked for."""

    def __init__(self, values: Mapping[str, Tensor]) -> None:
        super().__init__(values)
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Tensor:
        self.read.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.read.add(name)
        return super().get(name, default)


def _check_path(path: Path) -> None:
    """Raise a ValueError, which names what lies beside it, for what is no result at all: nobody should delete it."""
    if path.suffix != ".h5" or not path.is_file():
        there = sorted(file.name for file in path.parent.glob("[!.]*.h5"))
        hint = f" such as {', '.join(there[:3])} beside it" if there else ""
        raise ValueError(
            f"{path}: got no such result, expected a .h5 file of results/clusterings{hint}; correct the path"
        )


def _check_model(path: str | PathLike, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is said of the models in a file, or raise a ValueError where there are none that can be read."""
    if "estimator" not in attributes.get("spec", {}) or "provenance" not in attributes:
        raise ValueError(f"{path}: got no finished clustering, expected a file of results/clusterings; name one")
    about = attributes.get("model", {"absent": "it is older than models are; delete the file and run again"})
    if "absent" in about:
        raise ValueError(f"{path}: got a result without a model, expected one: {about['absent']}")
    if about["format"] != FORMAT:
        version = attributes["provenance"]["versions"]["deepkm"]
        raise ValueError(f"{path}: got a model as DeepKM {version} keeps it, expected another form; load it there")
    return about


def _check_seed(path: str | PathLike, seeds: list[int], seed: int | None) -> int:
    if seed is None and len(seeds) == 1:
        return seeds[0]
    if seed not in seeds:
        got = "no seed" if seed is None else f"seed {seed}"
        raise ValueError(f"{path}: got {got}, expected one of {', '.join(map(str, seeds))}; name it")
    return seed


def _method_of(path: str | PathLike, name: str) -> type:
    """Return the class of a method by what a file says; a file must not name anything else to be called."""
    try:
        found = pkgutil.resolve_name(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(
            f"{path}: got a model of {name}, which is not to be found ({error}); put it on PYTHONPATH"
        ) from None
    if not (isinstance(found, type) and issubclass(found, DeepClustering)):
        raise ValueError(f"{path}: got a model of {name}, expected a method; take a file that DeepKM wrote")
    return found


def _restore(run: Run, arrays: Mapping[str, np.ndarray], attributes: Mapping[str, Any], *, device: str) -> None:
    """Make a fresh run, S = 1, the run of a seed in a result."""
    [seed], about = run.seeds, attributes["model"]
    place, s = about["seeds"].index(seed), attributes["spec"]["seeds"].index(seed)
    weights = _group(arrays, "model/autoencoder/")
    load_autoencoder({name: array[place : place + 1] for name, array in weights.items()}, run.autoencoder)
    for name, array in _group(arrays, "model/state/").items():
        run.state[name] = torch.from_numpy(array[place : place + 1]).to(device)
    run.history = {name: list(array[s : s + 1].swapaxes(0, 1)) for name, array in _group(arrays, "history/").items()}
    run.epoch = about["epoch"]
    run.doubts = [line for line in attributes["doubts"] if line.startswith(f"seed {seed}:")]
    if words := about["fitted"][place]:
        run.models = [unpack(_group(arrays, f"model/fitted/{place}/"), words)]


def _group(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
