"""What each method and autoencoder trains with on each data set: what a configuration says of it, in order.

A parameter's value is, from the weakest on: the default of `DeepClustering`, that of ``training``, what the method's
class states, the method's entry, the entry's ``per_dataset`` (`of_dataset`).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING
from functools import cache
from types import NoneType
from typing import Any, get_args

from deepkm.study.classes import METHOD
from deepkm.study.parameters import Field, fields_of
from deepkm.study.reading import check_known, meant, read, shown
from deepkm.study.resampled import whole_of
from deepkm.values import condition_of

Fields = Callable[[str], dict[str, Field]]

# Keys of a method's entry that are no parameters of its class.
ENTRY_KEYS = {"color", "title", "estimator", "autoencoder", "per_dataset"}
# Where the parameters are set that no entry of a method sets.
SET_ELSEWHERE = {
    **dict.fromkeys(("hidden_widths", "n_latent"), "the entry of its autoencoder"),
    **dict.fromkeys(("precision", "pretraining_epochs"), "the entry of its autoencoder, or in `training`"),
    "pretraining_batch_size": "the entry of its autoencoder, as `batch_size`",
    "pretraining_steps": "the entry of its autoencoder, as `steps`",
    "pretraining_min_steps": "the entry of its autoencoder, as `min_steps`",
    "pretraining_learning_rate": "the entry of its autoencoder, as `learning_rate`",
    "pretraining_views": "the entry of its autoencoder, as `views`",
    "pretraining_denoising": "the entry of its autoencoder, as `denoising`",
    "n_clusters": "the entry of the data set",
    "random_state": "study.seeds",
    "device": "--resources gpu=...",
}
# Keys of an autoencoder's entry, by the parameter that they set.
AUTOENCODER_KEYS = {
    "autoencoder": "kind",
    "hidden_widths": "hidden_widths",
    "n_latent": "n_latent",
    "pretraining_epochs": "pretraining_epochs",
    "pretraining_steps": "steps",
    "pretraining_min_steps": "min_steps",
    "pretraining_batch_size": "batch_size",
    "pretraining_learning_rate": "learning_rate",
    "pretraining_views": "views",
    "pretraining_denoising": "denoising",
    "precision": "precision",
}


def read_settings(config: dict) -> dict:
    """Return the configuration with all parameters of methods and autoencoders read as their annotations mean them.

    Raises
    ------
    ValueError
        One line: the path of the first wrong value, what was got, what was expected.
    """
    fields = cache(fields_of)
    base = {name: field.hint for name, field in fields(METHOD).items()}
    config = {**config, "training": _read(config["training"], base, "training")}
    hints = {key: base[name] for name, key in AUTOENCODER_KEYS.items()}
    hints["kind"] = next(option for option in get_args(base["autoencoder"]) if option is not NoneType)
    config["autoencoders"] = {
        key: _read_autoencoder(f"autoencoders.{key}", entry, hints) for key, entry in config["autoencoders"].items()
    }
    config["methods"] = {key: _read_method(key, entry, config, fields) for key, entry in config["methods"].items()}
    for method in config["methods"]:
        for dataset in config["study"]["datasets"]:
            check_together(config, dataset, method, fields)
    return config


def autoencoder_parameters(config: dict, dataset: str, key: str) -> dict[str, Any]:
    """Return what an autoencoder is built and pretrained with, by the names of a method's parameters."""
    values = _autoencoder_defaults() | config["training"] | config["autoencoders"][key]
    values = nearer(values, of_dataset(config, dataset, values.pop("per_dataset", {}))[1])
    values["n_latent"] = values["n_latent"] or config["datasets"][dataset]["n_clusters"]
    return {name: values[key] for name, key in AUTOENCODER_KEYS.items()}


def of_dataset(config: dict, dataset: str, per_dataset: dict[str, dict]) -> tuple[str, dict[str, Any]]:
    """Return which part of a `per_dataset` holds for a data set, and its values: that of its key, else of its source.

    Of two parts that name it, that of the source does not count: a part is read as it stands. What holds for all
    samples holds for a share of them that each seed draws.
    """
    entry = config["datasets"][dataset]
    whole = whole_of(config["datasets"], dataset) if "resample" in entry else ""
    source = entry.get("source", "file")
    key = next((name for name in (dataset, whole) if name in per_dataset), dataset if source == "file" else source)
    return key, per_dataset.get(key, {})


def nearer(values: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Return values with those given nearer to a data set: its epochs take the place of steps."""
    counted = ("epochs", "pretraining_epochs")
    return values | ({"steps": None} if any(name in given for name in counted) else {}) | given


@cache
def _autoencoder_defaults() -> dict[str, Any]:
    fields = fields_of(METHOD)
    return {key: meant(fields[name].default, fields[name].hint) for name, key in AUTOENCODER_KEYS.items()}


def method_parameters(config: dict, dataset: str, method: str, fields: dict[str, Field]) -> dict[str, Any]:
    """Return the keywords of a method's class.

    Parameters
    ----------
    config : dict
        From `read_settings`.
    dataset, method : str
    fields : dict of str to Field
        From `deepkm.study.parameters.fields_of`.
    """
    entry = config["methods"][method]
    values = {name: meant(field.default, field.hint) for name, field in fields.items() if field.default is not MISSING}
    given = {name: value for name, value in entry.items() if name not in ENTRY_KEYS}
    given = nearer(given, of_dataset(config, dataset, entry.get("per_dataset", {}))[1])
    for name, value in config["training"].items():
        if name in given and given[name] is None:
            given[name] = value
        elif name != "pretraining_epochs" and not fields[name].stated:
            values[name] = value
    values |= given | {"n_clusters": config["datasets"][dataset]["n_clusters"], "autoencoder": None}
    if entry["autoencoder"] is not None:
        values |= autoencoder_parameters(config, dataset, entry["autoencoder"])
    return {name: value for name, value in values.items() if name not in ("random_state", "device")}


def sees_views(parameters: Mapping[str, Any]) -> bool:
    """Tell whether a method, or an autoencoder's pretraining, is trained on random views of images."""
    return any(
        parameters.get(f"{stage}views") is not None
        and (parameters.get(f"{stage}epochs") or parameters.get(f"{stage}steps"))
        for stage in ("", "pretraining_")
    )


def _read(values: dict, hints: dict, path: str) -> dict:
    for name in ("epochs", "pretraining_epochs"):
        if values.get("steps") is not None and values.get(name) is not None:
            raise ValueError(
                f"{path}: got both `{name}` and `steps`, which both say how long it trains; set one to null"
            )
    return {name: read(value, hints[name], f"{path}.{name}") for name, value in values.items()}


def _read_entry(entry: dict, hints: dict, path: str) -> dict:
    """Read an entry's own values and those of its `per_dataset`."""
    own = _read({name: value for name, value in entry.items() if name in hints}, hints, path)
    own = {**entry, **own}
    if "per_dataset" in entry:
        own["per_dataset"] = {
            dataset: _read(values, hints, f"{path}.per_dataset.{dataset}")
            for dataset, values in entry["per_dataset"].items()
        }
    return own


def _read_autoencoder(path: str, entry: dict, hints: dict) -> dict:
    """Read an autoencoder's entry; raise a ValueError over what it gives in vain beside its own kind or length."""
    entry, usual = _read_entry(entry, hints, path), _autoencoder_defaults()
    varied = {name for part in entry.get("per_dataset", {}).values() for name in part}  # there it may have a use
    kind, idle = entry.get("kind", usual["kind"]), {}
    if kind != usual["kind"] and "kind" not in varied:
        idle["hidden_widths"] = f"in kind `{kind}`"
    if entry.get("pretraining_epochs") == 0 and not varied & {"pretraining_epochs", "steps"}:  # said here, of all
        idle |= dict.fromkeys(("views", "denoising"), "without pretraining")
    for name in [name for name in idle if entry.get(name, usual[name]) != usual[name]]:
        raise ValueError(f"{path}.{name}: got {shown(entry[name])}, which changes nothing {idle[name]}; remove it")
    return entry


def _read_method(key: str, entry: dict, config: dict, fields: Fields) -> dict:
    path = f"methods.{key}"
    try:
        own = fields(entry["estimator"])
    except ValueError as error:
        raise ValueError(f"{path}.estimator: {error}") from None
    hints = {name: field.hint for name, field in own.items() if name not in ENTRY_KEYS}
    hints |= {name: hints[name] | None for name in config["training"]}  # null: that of `training`
    check_names(path, entry.keys() - ENTRY_KEYS, hints)
    for dataset, values in entry.get("per_dataset", {}).items():
        check_names(f"{path}.per_dataset.{dataset}", values, hints)
    entry = _read_entry(entry, hints, path)
    _check_use(path, entry, own, searched=((config.get("search") or {}).get("methods") or {}).get(key))
    return {**entry, "autoencoder": _autoencoder_of(path, entry, config, own)}


def _check_use(path: str, entry: dict, fields: dict[str, Field], *, searched: Any) -> None:
    """Raise a ValueError over a parameter that is given in vain: nothing in the entry touches what it counts beside.

    What holds for one data set, and what a search tries, is no reason to refuse what others have a use for.
    """
    parts = [entry, *entry.get("per_dataset", {}).values()]
    tried = searched if isinstance(searched, dict) else {name for one in searched or () for name in one}
    touched = {name for part in (*parts, tried) for name in part}
    for name, field in fields.items():
        try:
            condition = condition_of(field.hint)
        except ValueError as error:
            raise ValueError(f"{path}.{name}: {error}") from None
        if condition is None or field.default is MISSING:
            continue
        beside, choice = condition
        if beside and beside not in fields:
            raise ValueError(f"{path}.{name}: counts beside `{beside}`, which is no parameter of its class; correct it")
        default = fields[beside].default if beside else None
        if beside in touched or (beside and (default == choice if choice else default)):
            continue
        usual = meant(field.default, field.hint)
        for value in [part[name] for part in parts if part.get(name, usual) != usual]:
            unless = (
                f"unless `{beside}` is {choice!r}" if choice else f"without `{beside}`" if beside else "in this method"
            )
            raise ValueError(f"{path}.{name}: got {shown(value)}, which changes nothing {unless}; remove it")


def check_names(path: str, names: Iterable[str], known: dict) -> None:
    """Raise a ValueError over the first name that is no parameter of a method, or is set elsewhere."""
    for name in sorted(names):
        if name in SET_ELSEWHERE:
            raise ValueError(
                f"{path}.{name}: got a parameter that is set elsewhere, expected it in {SET_ELSEWHERE[name]}"
            )
        check_known(path, name, known.keys() - SET_ELSEWHERE.keys(), what="parameter")


def _autoencoder_of(path: str, entry: dict, config: dict, fields: dict[str, Field]) -> str | None:
    """Return the key of a method's autoencoder; where its entry names none, of one as its class states it, or None."""
    if "autoencoder" in entry:
        if entry["autoencoder"] is not None:
            check_known(f"{path}.autoencoder", entry["autoencoder"], config["autoencoders"], what="autoencoder")
        return entry["autoencoder"]
    own = fields["autoencoder"], fields["pretraining_epochs"]
    if own[0].default is None:
        return None
    for key, other in config["autoencoders"].items():
        found = _autoencoder_defaults() | config["training"] | other
        if own[0].default == found["kind"] and (not own[1].stated or own[1].default == found["pretraining_epochs"]):
            return key
    raise ValueError(
        f"{path}: got no autoencoder, expected one of {', '.join(config['autoencoders'])}, or null to cluster the data "
        "themselves; add it"
    )


def check_together(config: dict, dataset: str, method: str, fields: Fields) -> None:
    """Raise a ValueError where a parameter has no value, or one that does not go with the others."""
    entry = config["methods"][method]
    own = fields(entry["estimator"])
    values = method_parameters(config, dataset, method, own)
    for name in sorted(own.keys() - SET_ELSEWHERE.keys() - values.keys()):
        raise ValueError(f"methods.{method}: got no `{name}`, for which its class has no default; add it")
    trained, control = values["steps"] or values["epochs"], own["epochs"].default == 0
    if control and trained and entry["autoencoder"] is None:
        raise ValueError(
            f"methods.{method}: got {'steps' if values['steps'] else 'epochs'} of training, {trained}, for a control "
            "on the data, where there is nothing to train; remove them, or name an `autoencoder`"
        )
    idle = control and not trained  # not merely made so short
    if values["views"] is not None and idle:
        raise ValueError(
            f"methods.{method}.views: got {values['views']!r} where nothing is trained, expected null, or epochs of "
            "training; remove it"
        )
    key, given = of_dataset(config, dataset, entry.get("per_dataset", {}))
    for name, value in values.items():
        place = f"per_dataset.{key}." if name in given else ""
        read(value, own[name].hint, f"methods.{method}.{place}{name}", values)
