"""The configuration: one check at the start, so that no job fails over a misspelt key an hour later."""

from dataclasses import fields
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Annotated, Any
from unicodedata import category

import yaml

from deepkm.datasets.catalogue import load_catalogue
from deepkm.datasets.features import SCALINGS
from deepkm.datasets.roles import Options
from deepkm.study.contrasts import check_contrasts, check_nemenyi
from deepkm.study.reading import check_known, read, shown, suggested
from deepkm.study.search import read_search
from deepkm.study.settings import read_settings

SCHEMA = Path(__file__).with_name("config.schema.yaml")

# Keys of a data set's entry that describe a user's own file.
OWN_KEYS = {"path", "first", "stream", *(option.name for option in fields(Options))}
# Further keys of the sources that take some.
SOURCE_KEYS = {"blobs": {"n_samples", "n_features", "spread", "seed"}, "file": OWN_KEYS}
# JSON Schema's types and bounds, as annotations say them.
TYPES = {"integer": int, "number": float, "boolean": bool, "string": str, "null": None}
WORDS = {"object": "keys with values", "array": "a list", "string": "text", "null": "null", "boolean": "true or false"}
WORDS |= {"integer": "an integer", "number": "a number"}
BOUNDS = {"minimum": ">=", "exclusiveMinimum": ">", "exclusiveMaximum": "<"}


def check_config(config: dict, schema: Path = SCHEMA) -> dict:
    """Return the configuration with every value read as it was meant: text as numbers, ``no`` as false, 8.0 as 8.

    Raises
    ------
    ValueError
        One line: the path of the first wrong key or value, what was got, what was expected.
    """
    import jsonschema  # noqa: PLC0415  each job loads this module, and none checks the configuration

    validator = jsonschema.Draft202012Validator(yaml.safe_load(Path(schema).read_text()))
    config = _read(config, validator.schema, validator.schema["$defs"])
    error = jsonschema.exceptions.best_match(validator.iter_errors(config))
    if error is not None:
        raise ValueError(_describe(error, validator.schema["properties"]))
    _check_names(config)
    check_contrasts(config["study"].get("contrasts") or [], config["study"]["methods"])
    check_nemenyi(config["nemenyi"], config["study"]["datasets"])
    for key, entry in config["datasets"].items():
        _check_dataset(key, entry)
    config["datasets"] = {key: _scaled(key, config["datasets"]) for key in config["datasets"]}
    for key in config["autoencoders"]:
        if key.lower() == "null":
            raise ValueError(f"autoencoders: got the key {key!r}, which means none; choose another one")
    for kind in ("datasets", "methods"):
        for key, entry in config[kind].items():
            _check_title(f"{kind}.{key}.title", entry.get("title", key))
    return read_search(read_settings(config))


def _check_names(config: dict) -> None:
    """Raise a ValueError over the first name of an entry that there is not."""
    kept = (config.get("keep_models") or {}).get("methods", ())
    asked = {"study.datasets": config["study"]["datasets"], "study.methods": config["study"]["methods"]}
    asked |= {"keep_models.methods": kept, "panels": config["panels"] or ()}
    for kind in ("autoencoders", "methods"):
        asked |= {f"{kind}.{key}.per_dataset": entry.get("per_dataset", {}) for key, entry in config[kind].items()}
    for path, keys in asked.items():
        kind, what = ("datasets", "data set") if path.endswith(("dataset", "datasets")) else ("methods", "method")
        for key in keys:
            check_known(path, key, config[kind], what=what)


def _check_title(path: str, title: str) -> None:
    """Raise a ValueError over a title that tables and figures cannot show, or that a terminal would obey."""
    controls = [letter for letter in title if category(letter) in ("Cc", "Cs") and not letter.isspace()]
    if controls or not title.strip():
        raise ValueError(f"{path}: got {shown(title)}, expected text that can be seen; correct it")


def _check_dataset(key: str, entry: dict) -> None:
    source = entry.get("source", "file")
    check_known(f"datasets.{key}.source", source, {"digits", "blobs", "file", *load_catalogue()}, what="source")
    if source == "file" and "path" not in entry:
        raise ValueError(
            f"datasets.{key}: got neither `source` nor `path`, expected `path: my.npz` or `source: digits`"
        )
    for name in sorted({"blobs": SOURCE_KEYS["blobs"]}.get(source, set()) - set(entry)):
        raise ValueError(f"datasets.{key}: got no `{name}`, expected one for `source: {source}`")
    if "resample" in entry and entry.get("stream"):
        raise ValueError(
            f"datasets.{key}.resample: got {entry['resample']:g} with `stream: true`, expected samples that are held "
            "in memory; use one of them"
        )
    # A study that gives a `path` to a fetched data set takes its place.
    used = SOURCE_KEYS.get(source, OWN_KEYS if "path" in entry else {"first"} if source in load_catalogue() else set())
    hint = "; name a `path` of your own too, or" if source in load_catalogue() and set(entry) & OWN_KEYS else ";"
    for name in sorted(set(entry) - used - {"title", "source", "n_clusters", "scaling", "resample"}):
        raise ValueError(f"datasets.{key}.{name}: got a key that `source: {source}` does not use{hint} remove it")


def _scaled(key: str, datasets: dict) -> dict:
    """Return an entry with its `scaling`: where it names none and no file, that of its source's own entry."""
    entry = datasets[key]
    same = {} if "path" in entry else datasets.get(entry.get("source"), {})
    scaling = entry.get("scaling") or (same.get("scaling") if same.get("source") == entry.get("source") else None)
    if scaling:
        return {**entry, "scaling": scaling}
    choices = "; ".join(f"{name}: {what}" for name, what in SCALINGS.items())
    raise ValueError(f"datasets.{key}: got no `scaling`, expected one of ({choices}); add it")


def _describe(error: Any, parts: dict) -> str:
    """Turn an error of a schema with these parts into one line."""
    path = ".".join(str(part) for part in error.absolute_path) or "configuration"
    if error.validator == "additionalProperties":
        known = error.schema.get("properties", {})
        name = next(key for key in error.instance if key not in known)
        homes = " or ".join(f"`{key}`" for key, part in parts.items() if name in part.get("properties", {}))
        return f"{path}: got unknown key {name!r}, expected {f'it under {homes}' if homes else suggested(name, known)}"
    if error.validator == "required":
        return f"{path}: {error.message}; add it"
    expected = {
        "type": lambda value: " or ".join(WORDS[name] for name in ([value] if isinstance(value, str) else value)),
        "enum": lambda value: f"one of {', '.join(map(str, value))}",
        "uniqueItems": lambda value: "no repeated items",
        "minItems": lambda value: f"at least {value} item{'s' * (value > 1)}",
        "maxItems": lambda value: f"at most {value} items",
        "minLength": lambda value: "text that is not empty",
        "pattern": lambda value: f"text of the form {value}",
    }.get(error.validator, lambda value: f"{error.validator} {value}")(error.validator_value)
    return f"{path}: got {shown(error.instance)}, expected {expected}"


def _read(value: object, schema: dict, definitions: dict, path: str = "") -> Any:
    """Return a part of the configuration with its values read as the schema says; what it says no type of stays."""
    schema = definitions[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    if isinstance(value, dict):
        parts, others = schema.get("properties", {}), schema.get("additionalProperties") or {}
        for key in value:
            if not isinstance(key, str):
                raise ValueError(
                    f"{path or 'configuration'}: got the key {shown(key)}, expected text; write it in quotes"
                )
        prefix = f"{path}." if path else ""
        return {key: _read(item, parts.get(key, others), definitions, prefix + key) for key, item in value.items()}
    if isinstance(value, list):
        return [_read(item, schema.get("items", {}), definitions, f"{path}.{i}") for i, item in enumerate(value)]
    names = schema.get("type", [])
    names = [names] if isinstance(names, str) else names
    if "null" in names and value == "null":  # from the command line
        return None
    if not names or not TYPES.keys() >= set(names):
        return value
    hint: Any = reduce(or_, (TYPES[name] for name in names))
    for name in BOUNDS.keys() & schema.keys():
        hint = Annotated[hint, f"{BOUNDS[name]} {schema[name]}"]
    return read(value, hint, path)
