"""The configuration: one check at the start, so that no job fails over a misspelt key an hour later."""

import re
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path

import yaml

from deepkm.datasets.catalogue import load_catalogue
from deepkm.datasets.roles import Options
from deepkm.study.parameters import parameters_of

SCHEMA = Path(__file__).with_name("config.schema.yaml")

# Keys of a method's entry that are no parameters of its estimator.
ENTRY_KEYS = {"color", "title", "estimator", "autoencoder", "per_dataset"}
# Keys whose values are text, whatever they look like.
TEXT_KEYS = {"title", "path", "estimator", "results_dir", "data_dir", "data_mirror"}
TEXT_KEYS |= {"target_column", "feature_array", "ignore_columns", "drop_labels"}
# Keys of a data set's entry that describe a user's own file.
OWN_KEYS = {"path", "first", "stream", *(option.name for option in fields(Options))}
# Further keys of the sources that take some.
SOURCE_KEYS = {"blobs": {"n_samples", "n_features", "spread", "seed"}, "file": OWN_KEYS}
# Set by an entry of `autoencoders`, by a stack's seeds, or by where the job runs.
NOT_IN_ENTRY = {"autoencoder", "hidden_widths", "n_latent", "n_clusters", "random_state", "device"}


def check_config(config, schema=SCHEMA):
    """Return the configuration with numbers that arrived as text read as such.

    Raises
    ------
    ValueError
        One line: the path of the first wrong key, what was got, what was expected.
    """
    import jsonschema  # noqa: PLC0415  each job loads this module, and none checks the configuration

    config = _read_scalars(config)
    validator = jsonschema.Draft202012Validator(yaml.safe_load(Path(schema).read_text()))
    error = jsonschema.exceptions.best_match(validator.iter_errors(config))
    if error is not None:
        raise ValueError(_describe(error))
    for kind in ("datasets", "methods"):
        for key in config["study"][kind]:
            _check_known(f"study.{kind}", key, config[kind], what=kind[:-1])
    for key in config["panels"]:
        _check_known("panels", key, config["methods"], what="method")
    for key, entry in config["datasets"].items():
        _check_dataset(key, entry)
    for key, entry in config["methods"].items():
        _check_method(key, entry, config)
    for key, entry in config["autoencoders"].items():
        for dataset in entry.get("per_dataset", {}):
            _check_known(f"autoencoders.{key}.per_dataset", dataset, config["datasets"], what="data set")
    return config


def _check_dataset(key, entry):
    source = entry.get("source", "file")
    _check_known(f"datasets.{key}.source", source, {"digits", "blobs", "file", *load_catalogue()}, what="source")
    if source == "file" and "path" not in entry:
        raise ValueError(
            f"datasets.{key}: got neither `source` nor `path`, expected `path: my.npz` or `source: digits`"
        )
    for name in sorted({"blobs": SOURCE_KEYS["blobs"]}.get(source, set()) - set(entry)):
        raise ValueError(f"datasets.{key}: got no `{name}`, expected one for `source: {source}`")
    # A study that gives a `path` to a fetched data set takes its place.
    used = SOURCE_KEYS.get(source, OWN_KEYS if "path" in entry else {"first"} if source in load_catalogue() else set())
    hint = "; name a `path` of your own too, or" if source in load_catalogue() and set(entry) & OWN_KEYS else ";"
    for name in sorted(set(entry) - used - {"title", "source", "n_clusters", "scaling"}):
        raise ValueError(f"datasets.{key}.{name}: got a key that `source: {source}` does not use{hint} remove it")


def _check_method(key, entry, config):
    try:
        known = set(parameters_of(entry["estimator"])) - NOT_IN_ENTRY
    except ValueError as error:
        raise ValueError(f"methods.{key}.estimator: {error}") from None
    if entry.get("autoencoder") is not None:
        _check_known(f"methods.{key}.autoencoder", entry["autoencoder"], config["autoencoders"], what="autoencoder")
    for name in sorted(set(entry) - ENTRY_KEYS):
        _check_known(f"methods.{key}", name, known, what="parameter")
    for dataset, override in entry.get("per_dataset", {}).items():
        _check_known(f"methods.{key}.per_dataset", dataset, config["datasets"], what="data set")
        for name in override:
            _check_known(f"methods.{key}.per_dataset.{dataset}", name, known, what="parameter")


def _check_known(path, name, known, *, what):
    if name not in known:
        raise ValueError(f"{path}: got unknown {what} {name!r}, expected {_suggest(name, known)}")


def _suggest(name, known):
    close = get_close_matches(str(name), known, n=1)
    return f"{close[0]!r}?" if close else f"one of {', '.join(sorted(known))}"


def _describe(error):
    """Turn a schema error into one line."""
    path = ".".join(str(part) for part in error.absolute_path) or "configuration"
    if error.validator == "additionalProperties":
        known = error.schema.get("properties", {})
        name = next(key for key in error.instance if key not in known)
        return f"{path}: got unknown key {name!r}, expected {_suggest(name, known)}"
    if error.validator == "required":
        return f"{path}: {error.message}; add it"
    expected = {
        "type": lambda value: f"of type {' or '.join([value] if isinstance(value, str) else value)}",
        "enum": lambda value: f"one of {', '.join(map(str, value))}",
        "minimum": lambda value: f">= {value}",
        "exclusiveMinimum": lambda value: f"> {value}",
        "uniqueItems": lambda value: "no repeated items",
        "minItems": lambda value: f"at least {value} item",
        "pattern": lambda value: f"text of the form {value}",
    }.get(error.validator, lambda value: f"{error.validator} {value}")(error.validator_value)
    return f"{path}: got {error.instance!r}, expected {expected}"


def _read_scalars(value):
    """Read what YAML or `--config` left as text: 1e-3 in YAML 1.1, every nested value on the command line."""
    if isinstance(value, dict):
        return {key: item if key in TEXT_KEYS else _read_scalars(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_read_scalars(item) for item in value]
    if not isinstance(value, str):
        return value
    if re.fullmatch(r"[-+]?\d+", value):
        return int(value)
    if re.fullmatch(r"[-+]?\d+(\.\d*)?([eE][-+]?\d+)?", value):
        return float(value)
    return {"true": True, "false": False, "null": None}.get(value, value)
