"""The values of a configuration are read as they were meant, or refused before anything runs."""

import ast
import importlib
import json
import re
from copy import deepcopy
from typing import get_args, get_type_hints

import pytest
import yaml
from conftest import ROOT, run_stage
from test_settings import parameters

import deepkm
from deepkm import _METHODS
from deepkm.study.config import SCHEMA, check_config
from deepkm.study.parameters import fields_of
from deepkm.study.plan import Study
from deepkm.study.settings import AUTOENCODER_KEYS
from deepkm.training.trainable import Trainable
from deepkm.values import alternatives

NAN = float("nan")


def with_values(config, values):
    """Return a copy of the configuration with keys set, by their paths with slashes."""
    config = deepcopy(config)
    for path, value in values.items():
        *parents, last = path.split("/")
        entry = config
        for key in parents:
            entry = entry.setdefault(key, {})
        entry[last] = value
    return config


@pytest.mark.parametrize(
    ("path", "given", "meant"),
    [
        ("methods/ct/reinit", "no", False),
        ("methods/ct/reinit", "No", False),
        ("methods/ct/reinit", "False", False),
        ("methods/ct/reinit", "off", False),
        ("methods/ct/reinit", "true", True),
        ("methods/ct/alpha", "2.5", 2.5),
        ("methods/ct/alpha", "1e-3", 0.001),
        ("methods/ct/alpha", 2, 2.0),
        ("methods/ct/n_init", "3", 3),
        ("methods/ct/n_init", 3.0, 3),
        ("methods/ct/epochs", "1e2", 100),
        ("methods/ct/epochs", "null", 100),
        ("methods/ct/initial_centers", "data", "data"),
        ("methods/ct/per_dataset/digits", {"alpha": "4"}, 4.0),
        ("autoencoders/mlp/per_dataset/digits", {"hidden_widths": [8.0, "16"]}, [8, 16]),
        ("autoencoders/mlp/n_latent", "7", 7),
        ("training/batch_size", "1e2", 100),
        ("training/learning_rate", 1, 1.0),
    ],
)
def test_values_are_read_as_meant(config, path, given, meant):
    found = parameters(with_values(config, {path: given}), "ct")
    name = next(iter(given)) if isinstance(given, dict) else path.rpartition("/")[2]
    assert (found[name], type(found[name])) == (meant, type(meant))


def test_a_study_and_its_data_are_read_as_meant(config):
    own = {
        "path": str(SCHEMA),
        "n_clusters": "3",
        "scaling": "none",
        "first": 1e2,
        "grey": "no",
        "image_size": ["16", 16.0],
    }
    values = {
        "datasets/1987": own,
        "study/datasets": ["1987"],
        "study/seeds": ["1e3", 2.0],
        "seeds_per_job": "1e1",
        "data_mirror": "null",
        "datasets/blobs/spread": "1e-1",
    }
    study = Study(with_values(config, values))
    assert study.datasets == ["1987"]
    assert study.stacks == {"seed1000x2": [1000, 2]}
    assert (study.mirror, study.config["datasets"]["blobs"]["spread"]) == ("", 0.1)
    spec = study.dataset_spec("1987")
    assert [spec[key] for key in ("n_clusters", "first", "grey", "image_size")] == [3, 100, False, [16, 16]]
    assert Study(json.loads(json.dumps(study.config))).config == study.config  # as other stages get it


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("methods/ct/alpha", -3, "methods.ct.alpha: got -3, expected > 0"),
        ("methods/ct/alpha", "abc", "methods.ct.alpha: got 'abc', expected a number > 0"),
        ("methods/ct/alpha", True, "methods.ct.alpha: got true, expected a number > 0"),
        ("methods/ct/alpha", None, "methods.ct.alpha: got null, expected a number > 0"),
        ("methods/ct/alpha", [3], "methods.ct.alpha: got [3], expected a number > 0"),
        ("methods/ct/alpha", {"x": 3}, "methods.ct.alpha: got {'x': 3}, expected a number > 0"),
        ("methods/ct/alpha", 10**400, "expected a finite number > 0"),
        ("methods/ct/learning_rate", NAN, "methods.ct.learning_rate: got nan, expected a finite number > 0"),
        ("methods/ct/learning_rate", "inf", "methods.ct.learning_rate: got 'inf', expected a number > 0 or null"),
        ("methods/ct/learning_rate", "1e999", "methods.ct.learning_rate: got '1e999', expected a finite number"),
        ("training/learning_rate", float("inf"), "training.learning_rate: got inf, expected a finite number > 0"),
        ("methods/ct/epochs", 2.5, "methods.ct.epochs: got 2.5, expected an integer >= 0"),
        ("methods/ct/epochs", True, "methods.ct.epochs: got true, expected an integer >= 0"),
        ("methods/ct/batch_size", 2**70, "methods.ct.batch_size: got 1180591620717411303424, expected an integer of"),
        ("methods/ct/optimizer", "adamw", "methods.ct.optimizer: got 'adamw', expected 'adam' or 'sgd'"),
        ("methods/ct/optimizer", True, "methods.ct.optimizer: got true, expected 'adam' or 'sgd'"),
        ("training/read_out", "some", "training.read_out: got 'some', expected 'schedule' or 'all'"),
        ("methods/ct/read_out", True, "methods.ct.read_out: got true, expected 'schedule' or 'all'"),
        (
            "autoencoders/mlp/read_out",
            "all",
            "autoencoders.mlp: got unknown key 'read_out', expected it under `training`",
        ),
        ("read_out", "all", "configuration: got unknown key 'read_out', expected it under `training`"),
        ("seeds", [1], "configuration: got unknown key 'seeds', expected it under `keep_models` or `study`"),
        ("methods/ct/reinit", "maybe", "methods.ct.reinit: got 'maybe', expected true or false"),
        ("methods/ct/reinit", 0, "methods.ct.reinit: got 0, expected true or false"),
        ("methods/ct/initial_centers", "kmean++", "methods.ct.initial_centers: got 'kmean++', expected 'kmeans', "),
        ("methods/km/initial_centers", "data", "methods.km.initial_centers: got 'data', expected 'kmeans'"),
        ("methods/idec/loss_scale", "mean", "methods.idec.loss_scale: got 'mean', expected 'keras' or 'sum'"),
        ("methods/deepcluster/dropout", 1, "methods.deepcluster.dropout: got 1, expected in [0, 1)"),
        ("methods/ct/per_dataset", {"mnist": {"alpha": 0}}, "methods.ct.per_dataset.mnist.alpha: got 0, expected > 0"),
        (
            "methods/conv_dkm/per_dataset",
            {"digits": {"anneal_end": 50}},
            "digits.anneal_end: got 50, expected > anneal_",
        ),
        (
            "methods/conv_dkm/per_dataset",
            {"digits": {"anneal_start": 200}},
            "methods.conv_dkm.anneal_end: got 200, expec",
        ),
        ("methods/power_kmeans/exponent_floor", -1, "got -1.0, expected <= exponent=-3.0"),
        ("methods/dkm/n_clusters", 3, "methods.dkm.n_clusters: got a parameter that is set elsewhere, expected it in"),
        ("methods/dkm/pretraining_epochs", 3, "expected it in the entry of its autoencoder, or in `training`"),
        ("methods/dkm/random_state", 3, "expected it in study.seeds"),
        ("methods/dkm/autoencoder", False, "methods.dkm.autoencoder: got false, expected text or null; write it in"),
        ("autoencoders/mlp/hidden_widths", "[8]", "autoencoders.mlp.hidden_widths: got '[8]', expected a list"),
        ("autoencoders/mlp/hidden_widths", 8, "autoencoders.mlp.hidden_widths: got 8, expected a list"),
        ("autoencoders/mlp/hidden_widths", [8.5], "got [8.5], expected a list, each an integer > 0"),
        ("autoencoders/mlp/hidden_widths", [True], "got [True], expected a list, each an integer > 0"),
        ("autoencoders/mlp/n_latent", 0, "autoencoders.mlp.n_latent: got 0, expected > 0 or null"),
        (
            "autoencoders/mlp/kind",
            None,
            "autoencoders.mlp.kind: got null, expected 'mlp', 'conv', 'conv_sigmoid' or 'conv_dcec'",
        ),
        ("autoencoders/mlp/precision", "fp16", "autoencoders.mlp.precision: got 'fp16', expected 'float32', 'tf32' or"),
        ("autoencoders/mlp/per_dataset", {"usps": {"kind": "cnv"}}, "mlp.per_dataset.usps.kind: got 'cnv', expected"),
        ("autoencoders/null", {}, "autoencoders: got the key 'null', which means none; choose another one"),
        ("autoencoders", {None: {}}, "autoencoders: got the key null, expected text; write it in quotes"),
        ("datasets", {1987: {}}, "datasets: got the key 1987, expected text; write it in quotes"),
        ("datasets", {1.5: {}}, "datasets: got the key 1.5, expected text; write it in quotes"),
        ("methods", {True: {}}, "methods: got the key true, expected text; write it in quotes"),
        ("methods/ct/per_dataset", {False: {}}, "methods.ct.per_dataset: got the key false, expected text; write it"),
        ("study/datasets", [1987], "study.datasets.0: got 1987, expected text; write it in quotes"),
        ("study/methods", [None], "study.methods.0: got null, expected text; write it in quotes"),
        ("study/methods", "km", "study.methods: got 'km', expected a list"),
        ("study/seeds", 3, "study.seeds: got 3, expected a list"),
        ("study/seeds", [1.5], "study.seeds.0: got 1.5, expected an integer >= 0"),
        ("study/seeds", ["1e30"], "study.seeds.0: got '1e30', expected an integer >= 0"),
        ("study/seeds", [True], "study.seeds.0: got true, expected an integer >= 0"),
        ("study/seeds", [-1], "study.seeds.0: got -1, expected >= 0"),
        ("study/seeds", ["1e3", 1000], "study.seeds: got [1000, 1000], expected no repeated items"),
        ("study", None, "study: got null, expected keys with values"),
        ("study/methods", [["km"]], "study.methods.0: got ['km'], expected text"),
        ("seeds_per_job", {"a": 1}, "seeds_per_job: got {'a': 1}, expected an integer"),
        ("data_mirror", [], "data_mirror: got [], expected text or null"),
        ("results_dir", "", "results_dir: got '', expected text that is not empty"),
        ("datasets/usps", {"n_clusters": 2, "path": "x.npz", "image_size": [3]}, "got [3], expected at least 2 items"),
        ("methods/ct", None, "methods.ct: got null, expected keys with values"),
        ("snapshots", "many", "snapshots: got 'many', expected an integer >= 0"),
        ("datasets/blobs/spread", NAN, "datasets.blobs.spread: got nan, expected a finite number >= 0"),
        ("datasets/blobs/n_clusters", 2.5, "datasets.blobs.n_clusters: got 2.5, expected an integer >= 1"),
        ("datasets/digits/scaling", False, "datasets.digits.scaling: got false, expected one of unit, symmetric"),
        ("datasets/digits/title", 1987, "datasets.digits.title: got 1987, expected text; write it in quotes"),
        ("results_dir", 2024, "results_dir: got 2024, expected text; write it in quotes"),
    ],
)
def test_other_values_are_refused_at_the_start(config, path, value, message):
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        check_config(with_values(config, {path: value}))
    assert "\n" not in str(caught.value)


def test_the_command_line_gets_one_line(tmp_path):
    (tmp_path / "study.yaml").write_text("methods: {ct: {alpha: -3}}\n")
    done = run_stage("status", "--configfile", tmp_path / "study.yaml", check=False, folder=tmp_path)
    assert done.returncode == 2
    assert done.stdout.startswith("deepkm: error: methods.ct.alpha: got -3, expected > 0")
    assert done.stdout.count("\n") == 1


def test_the_schema_describes_each_key_and_its_default():
    schema, config = (yaml.safe_load(path.read_text()) for path in (SCHEMA, ROOT / "config.yaml"))
    properties = dict(_properties(schema, ""))
    assert {"results_dir", "study.seeds", "training.precision", "datasets.*.spread", "methods.*.per_dataset"} <= set(
        properties
    )
    for path, about in properties.items():
        assert len(about["description"]) > 5, path
        assert "default" in about, path
    simple = [key for key in config if key not in ("study", "datasets", "autoencoders", "methods")]
    assert {key: schema["properties"][key]["default"] for key in simple} == {key: config[key] for key in simple}
    training = schema["properties"]["training"]["properties"]
    base = fields_of("deepkm.methods.base:DeepClustering")
    for key, value in config["training"].items():
        assert training[key]["default"] == value == base[key].default
    parameters = {key: name for name, key in AUTOENCODER_KEYS.items()}
    for key, about in schema["$defs"]["autoencoder"]["properties"].items():
        if key != "per_dataset":
            default = base[parameters[key]].default
            assert about["default"] == (list(default) if isinstance(default, tuple) else default), key


def _properties(schema, prefix):
    """Yield each property of a schema with its path."""
    for name, about in schema.get("properties", {}).items():
        yield prefix + name, about
        yield from _properties(about, f"{prefix}{name}.")
    for name, about in schema.get("$defs", {}).items():
        yield from _properties(about, f"{prefix}{name}.")
    if isinstance(schema.get("additionalProperties"), dict):
        yield from _properties(schema["additionalProperties"], f"{prefix}*.")


@pytest.mark.parametrize("name", [*_METHODS, "DeepClustering"])
def test_docstrings_name_all_choices_of_a_parameter(name):
    cls = getattr(importlib.import_module(f"deepkm.methods.{_METHODS[name]}"), name) if name in _METHODS else Trainable
    documented = dict(re.findall(r"^    (\w+) : \{(.*)\}$", cls.__doc__, re.MULTILINE))
    hints = get_type_hints(cls, include_extras=True)
    for parameter, choices in documented.items():
        allowed = {c for kind, _ in alternatives(hints[parameter]) for c in get_args(kind) or (None,)}
        assert set(ast.literal_eval(f"[{choices}]")) == allowed, parameter


def test_what_is_unused_has_its_bounds_all_the_same():
    for name in ("VaDE", "Ward", "GaussianMixture", "RandomLabels"):
        with pytest.raises(ValueError, match="n_init=-3 should be > 0"):
            getattr(deepkm, name)(n_init=-3).check_parameters()


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("if a == 3 or so", "got the condition 'if a == 3 or so', expected \"if views\""),
        ("if rset", "counts beside `rset`, which is no parameter of its class"),
    ],
)
def test_a_condition_that_cannot_be_read_is_found_at_once(condition, message, config, tmp_path, monkeypatch):
    source = (
        "from dataclasses import dataclass\nfrom typing import Annotated\nfrom deepkm.methods.ct import CT\n"
        f"@dataclass(kw_only=True, eq=False, repr=False)\nclass Mine(CT):\n"
        f"    more: Annotated[float, {condition!r}] = 1.0\n"
    )
    (tmp_path / "of_mine.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    config["methods"]["mine"] = {"estimator": "of_mine:Mine", "autoencoder": "mlp"}
    with pytest.raises(ValueError, match=re.escape(f"methods.mine.more: {message}")):
        Study(config)
