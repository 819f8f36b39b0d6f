"""The options by which Snakemake is told of a study: read and merged as it does, and written into commands."""

import json
import os
import re
import shlex
from argparse import ArgumentParser
from collections.abc import Sequence
from importlib import metadata
from os import PathLike
from pathlib import Path
from typing import Any

import yaml

try:
    from snakemake.utils import update_config
except ImportError:  # the package alone, without the workflow

    def update_config(config: dict, overwrite_config: dict) -> dict:
        """Lay one dictionary over another, in place and key by key; lists and values are replaced."""
        for key, value in overwrite_config.items():
            config = config if isinstance(config, dict) else {}
            config[key] = update_config(config.get(key, {}), value) if isinstance(value, dict) else value
        return config


Files = Sequence[str | PathLike]

ROOT = Path(__file__).parents[2]  # of a checkout
PACKAGED = Path(__file__).with_name("config.yaml")  # in an installed package
MOST_VALUES = 20_000  # of a configuration: aliases can stand for a billion in a few lines
DEFAULTS = PACKAGED if PACKAGED.exists() else ROOT / "config.yaml"


def add_study_arguments(parser: ArgumentParser) -> None:
    """Let a stage be called with Snakemake's own options for a study."""
    parser.add_argument(
        "--configfile",
        "--configfiles",
        nargs="+",
        default=[],
        metavar="FILE",
        help="laid over config.yaml in this order, as for snakemake",
    )
    parser.add_argument(
        "--config", "-C", nargs="*", default=[], metavar="KEY=VALUE", help="laid over those, as for snakemake"
    )


def method_folders(configfiles: Files = ()) -> list[str]:
    """Return where methods of a user's own may lie: in this folder and beside the files of the configuration."""
    return list(dict.fromkeys([os.getcwd(), *(str(Path(path).absolute().parent) for path in configfiles)]))


def study_options(configfiles: Files = (), settings: Sequence[str] = ()) -> list[str]:
    """Return the options that name a study, as words of a command in this folder."""
    words = ["--configfile", *map(_relative, configfiles)] if configfiles else []
    return words + (["--config", *settings] if settings else [])


def snakemake_options(configfiles: Files = (), settings: Sequence[str] = ()) -> str:
    """Return the same as text for a shell, with the Snakefile where Snakemake would not find it by itself."""
    snakefile = ROOT / "Snakefile"
    elsewhere = snakefile.exists() and not Path("Snakefile").exists()
    words = ["--snakefile", _relative(snakefile)] if elsewhere else []
    return shlex.join(words + study_options(configfiles, settings))


def stage_command(stage: str, configfiles: Files = (), settings: Sequence[str] = ()) -> str:
    """Return the command of a stage that reads the configuration, for a shell in this folder."""
    found = Path("deepkm").is_dir() or any(metadata.distributions(name="deepkm"))
    python = "python -m deepkm" if found else f"PYTHONPATH={shlex.quote(str(ROOT))} python -m deepkm"
    return " ".join(filter(None, [python, stage, shlex.join(study_options(configfiles, settings))]))


def _relative(path: str | PathLike) -> str:
    relative = os.path.relpath(path)
    return f"./{relative}" if relative.startswith("-") else relative  # no option


def read_config(configfiles: Files = (), settings: Sequence[str] = ()) -> dict:
    """Return the merged configuration.

    Parameters
    ----------
    configfiles : iterable of path-like
    settings : iterable of str
        ``KEY=VALUE``, where a value may be YAML.

    Raises
    ------
    ValueError
        One line that names the file and the line in it, or the setting.
    OSError
        When a file cannot be read.
    """
    config: dict = {}
    given: dict = {}
    update_config(config, read_configfile(DEFAULTS))
    for path in configfiles:
        update_config(given, read_configfile(path))
    for setting in settings:
        update_config(given, _read_setting(setting))
    update_config(config, given)  # as one: what a file replaces is not what lies below it
    return config


def read_configfile(path: str | PathLike) -> dict:
    """Return the content of a configuration file, JSON or YAML.

    Raises
    ------
    ValueError
        One line that names the file and the line in it.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        try:
            config = json.loads(text, object_pairs_hook=_unique)
        except json.JSONDecodeError:
            config = yaml.load(text, Loader=_Loader)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: got bytes that are not UTF-8 ({error.reason}), expected a YAML file") from None
    except yaml.MarkedYAMLError as error:
        line = (error.problem_mark or error.context_mark).line + 1
        raise ValueError(f"{path}, line {line}: {error.problem or error.context}; mend the YAML there") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ValueError(f"{path}, line {line}: got a character that YAML forbids; remove it") from None
    except (RecursionError, ValueError) as error:  # lists within lists without end; no such date
        raise ValueError(f"{path}: got no valid YAML ({error}); correct it") from None
    if not isinstance(config, dict):
        raise ValueError(f"{path}: got {type(config).__name__}, expected keys such as `study:` at its top level")
    if "__use_yte__" in config:  # Snakemake would run what is in it; stages read the file, too, and run nothing
        raise ValueError(f"{path}: got `__use_yte__`, expected values as they are; write out what the template gives")
    return check_size(config, path)


def check_size(config: dict, path: str | PathLike = "configuration") -> dict:
    """Return a configuration, or raise a ValueError where aliases make it endless or huge."""
    todo: list[tuple[Any, tuple[int, ...]]] = [(config, ())]
    count = 0
    while todo:
        value, parents = todo.pop()
        count += 1
        if id(value) in parents or count > MOST_VALUES:
            raise ValueError(f"{path}: got aliases that stand for more than {MOST_VALUES} values; write them out")
        if isinstance(value, dict | list):
            parts = value.values() if isinstance(value, dict) else value
            todo += [(part, (*parents, id(value))) for part in parts]
    return config


class _Unique(yaml.constructor.BaseConstructor):
    """YAML in which a key that occurs twice is an error: the first one would be lost."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen = set()
        for key, _ in node.value:
            name = (key.tag, str(key.value))
            if name in seen:
                problem = f"got the key {key.value!r} a second time"
                raise yaml.constructor.ConstructorError(problem=problem, problem_mark=key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep)


class _Loader(_Unique, yaml.SafeLoader):
    """Of a file."""


class _TextLoader(_Unique, yaml.BaseLoader):
    """Of a value of `--config`."""


def _unique(pairs: list[tuple[str, Any]]) -> dict:
    """Return an object of JSON, in which a key that occurs twice is an error as well."""
    names = [name for name, _ in pairs]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"the key {twice[0]!r} a second time")
    return dict(pairs)


def _read_setting(text: str) -> dict:
    key, equals, value = text.partition("=")
    if not equals or not re.fullmatch(r"[a-zA-Z_][\w-]*\w", key):
        raise ValueError(f"--config: got {text!r}, expected KEY=VALUE, such as results_dir=results-mine")
    return {key: _read_value(value.strip("'\""))}


def _read_value(text: str) -> object:
    """Read a value of `--config` as Snakemake does: nested ones keep numbers as text, which `check_config` reads."""
    if not text:
        return None
    for read in (int, float, {"True": True, "False": False}.__getitem__):
        try:
            return read(text)
        except (ValueError, KeyError):
            continue
    try:
        return yaml.load(text, _TextLoader)
    except yaml.constructor.ConstructorError as error:
        raise ValueError(f"--config: {error.problem} in {text!r}; correct it") from None
    except yaml.YAMLError:
        return text
