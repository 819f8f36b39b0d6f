"""What trains with what: classes, `training` and entries; a user's own classes."""

import re
import sys
from importlib import invalidate_caches
from typing import Annotated

import pytest

from deepkm.stages.score import settings_of
from deepkm.study.config import check_config
from deepkm.study.parameters import fields_of
from deepkm.study.plan import Study
from deepkm.study.settings import method_parameters
from deepkm.values import expected

METHOD = '''
"""A user's method."""
import dataclasses
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal as Word, Optional
import deepkm.methods.base as base
from deepkm.methods.dec import DEC
from deepkm.values import *

WEIGHT = 0.25
Percent = Annotated[float, ">= 0", "<= 100"]

class Named:
    """No dataclass, no method."""

@dataclass(kw_only=True, eq=False, repr=False)
class Mine(Named, base.DeepClustering):
    """Fields of all kinds."""
    count: "int" = 3
    share: Percent = 50
    weight: base.NonNegative = WEIGHT
    mode: Word["slow", "fast"] = "slow"
    low: float = 0.0
    high: Annotated[Optional[float], "> low"] = None
    sizes: tuple[PositiveInt, ...] = (1, 2)
    flags: ClassVar[int] = 3
    anything: object = None

@dataclasses.dataclass(kw_only=True, eq=False, repr=False)
class Needy(Mine):
    """One field without a default."""
    needed: bool

@dataclass(kw_only=True, eq=False, repr=False)
class MyDEC(DEC):
    """States nothing but its weight."""
    alpha: Positive = 2.0

class Bare(DEC):
    """No dataclass."""
    alpha: Positive = 2.0

@dataclass(kw_only=True, eq=False, repr=False)
class Computed(DEC):
    """A default that is not written out."""
    alpha: Positive = 1 / 3
'''


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A module of a user with methods, beside the study."""
    (tmp_path / "mine.py").write_text(METHOD)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mine", raising=False)  # of another test
    invalidate_caches()
    yield "mine"
    sys.modules.pop("mine", None)


def parameters(config, method="dkm", dataset="digits"):
    """Return what a method trains with."""
    return checked_parameters(check_config(config), method, dataset)


def checked_parameters(config, method, dataset):
    return method_parameters(config, dataset, method, fields_of(config["methods"][method]["estimator"]))


def test_a_class_states_then_training_fills_then_an_entry_overrides(config):
    config["training"] |= {"epochs": 7, "learning_rate": 0.5, "batch_size": 9, "precision": "float32"}
    config["methods"] |= {
        "plain": {"estimator": "deepkm.methods.dec:DEC", "autoencoder": "mlp"},
        "own": {"estimator": "deepkm.methods.dec:DEC", "autoencoder": "mlp", "learning_rate": 0.1, "epochs": None},
        "given": {
            "estimator": "deepkm.methods.dec:DEC",
            "learning_rate": None,
            "per_dataset": {"digits": {"tol": 0.2}},
        },
    }
    names = ("optimizer", "learning_rate", "momentum", "n_init", "epochs", "batch_size", "tol", "precision")
    found = {key: parameters(config, key) for key in ("plain", "own", "given")}
    found = {key: [values[name] for name in names] for key, values in found.items()}
    assert found["plain"] == ["sgd", 0.01, 0.9, 20, 7, 9, 0.001, "float32"]
    assert found["own"] == ["sgd", 0.1, 0.9, 20, 7, 9, 0.001, "float32"]
    assert found["given"] == ["sgd", 0.5, 0.9, 20, 7, 9, 0.2, "float32"]
    assert parameters(config, "ct")["learning_rate"] == 0.5
    assert [parameters(config, key)["epochs"] for key in ("km", "aekm", "aekm_long")] == [0, 0, 7]


def test_when_labels_are_read_is_no_part_of_what_a_method_is(config):
    """Rows that were published stay, and pairs that differ in one part do so still; but a job is another one."""
    config["study"] |= {"methods": ["ct", "ct_no_reinit"], "datasets": ["digits"]}
    before, config["methods"]["ct"]["read_out"] = Study(config), "all"
    after = Study(config)
    specs = [study.cluster_spec("digits", "ct", next(iter(study.stacks))) for study in (before, after)]
    assert [spec["parameters"]["read_out"] for spec in specs] == ["schedule", "all"]
    assert specs[0] != specs[1]
    older = {name: value for name, value in specs[0]["parameters"].items() if name != "read_out"}
    for on_cpu in (True, False):
        settings = [settings_of(spec, on_cpu=on_cpu) for spec in (*specs, {**specs[0], "parameters": older})]
        assert settings[0] == settings[1] == settings[2]
    assert before.ablations() == after.ablations() == [["ct", "ct_no_reinit", "re-initialised centers"]]


def test_an_entry_needs_nothing_but_its_class(config):
    """The catalogue repeats no value: an entry without any trains as the catalogue's where no data set has its own."""
    for entry in config["methods"].values():
        entry.pop("per_dataset", None)
    keys = {"km", "dcn", "dkm", "ct", "dec", "idec", "power_kmeans", "deep_power_kmeans", "soft_kmeans", "conv_dkm"}
    for key in keys | {"soft_kmeans_free", "deepcluster"}:
        config["methods"]["new"] = {"estimator": config["methods"][key]["estimator"]}
        assert parameters(config, "new", "fashion_mnist") == parameters(config, key, "fashion_mnist"), key
    config["autoencoders"] = {"mlp": {}, "mlp_untrained": {}, "conv_sigmoid": {}}  # all pretrained
    del config["methods"]["deep_power_kmeans"]["autoencoder"]
    with pytest.raises(ValueError, match=r"methods\.deep_power_kmeans: got no autoencoder, expected one of mlp, mlp_"):
        check_config(config)


def test_values_of_a_data_set_are_found_by_its_key_else_by_its_source(config):
    config["datasets"] |= {
        "few": {"source": "mnist", "first": 1000, "n_clusters": 10, "scaling": "unit"},
        "more": {"source": "mnist", "first": 2000, "n_clusters": 10, "scaling": "unit"},
        "file": {"path": "a.npz", "n_clusters": 10, "scaling": "none"},
        "mine": {"source": "file", "path": "a.npz", "n_clusters": 10, "scaling": "none"},
    }
    config["methods"]["dcn"]["per_dataset"] |= {"more": {"n_init": 3}, "file": {"n_init": 4}}
    config["autoencoders"]["mlp"]["per_dataset"] = {"mnist": {"hidden_widths": [9]}, "more": {"n_latent": 2}}
    names = ("clustering_weight", "n_init", "hidden_widths", "n_latent")
    found = {
        key: [parameters(config, "dcn", key)[name] for name in names]
        for key in ("mnist", "few", "more", "mine", "usps")
    }
    assert found["few"] == found["mnist"] == [10.0, 10, [9], 10]
    assert found["more"] == [0.1, 3, [500, 500, 2000], 2]  # its own, and nothing of its source
    assert found["mine"] == found["usps"] == [0.1, 10, [500, 500, 2000], 10]
    config["methods"]["dcn"]["per_dataset"]["mnist"] = {"clustering_weight": -1}
    config["study"] |= {"datasets": ["few"], "methods": ["dcn"]}
    with pytest.raises(ValueError, match=r"methods\.dcn\.per_dataset\.mnist\.clustering_weight: got -1"):
        check_config(config)


def test_all_methods_have_one_budget_and_the_published_lengths_are_variants(config):
    """So a table compares methods, not lengths; each length has its baseline."""
    config = check_config(config)
    joint = ("aekm_long", "dcn", "dec", "idec", "dkm", "dkm_reinit", "ct", "ct_no_reinit")
    for dataset in ("usps", "mnist", "fashion_mnist", "coil100", "cmu_pie", "rcv1", "20news", "digits"):
        found = {
            key: checked_parameters(config, key, dataset) for key in (*joint, "dec_long", "idec_long", "aekm_longest")
        }
        assert {(found[key]["epochs"], found[key]["steps"]) for key in joint} == {(100, None)}, dataset
        assert {found[key]["steps"] for key in ("dec_long", "idec_long", "aekm_longest")} == {20_000}
        for key in ("dec", "idec"):
            assert {**found[f"{key}_long"], "steps": None} == found[key]


def test_lengths_in_steps(config):
    """Of the nearest place that says how long; of one place, only one way."""
    config["training"]["min_steps"] = 300
    config["methods"]["ct"] |= {"steps": "2e4", "per_dataset": {"usps": {"epochs": 7}, "mnist": {"steps": 50}}}
    config["autoencoders"]["mlp"] |= {"steps": 40, "per_dataset": {"usps": {"pretraining_epochs": 3}}}
    names = ("epochs", "steps", "min_steps", "pretraining_epochs", "pretraining_steps", "pretraining_min_steps")
    found = {key: [parameters(config, "ct", key)[name] for name in names] for key in ("digits", "usps", "mnist")}
    assert found["digits"] == [100, 20_000, 300, 50, 40, 300]
    assert found["usps"] == [7, None, 300, 3, None, 300]
    assert found["mnist"] == [100, 50, 300, 50, 40, 300]
    assert parameters(config, "km")["epochs"] == 0
    for kind, key, name in [("methods", "dkm", "epochs"), ("autoencoders", "mlp_untrained", "pretraining_epochs")]:
        wrong = {**config, kind: {**config[kind], key: {**config[kind][key], name: 5, "steps": 9}}}
        with pytest.raises(ValueError, match=rf"{kind}\.{key}: got both `{name}` and `steps`"):
            check_config(wrong)
    for name, place in (("pretraining_steps", "as `steps`"), ("pretraining_min_steps", "as `min_steps`")):
        wrong = {**config["methods"], "dkm": {**config["methods"]["dkm"], name: 5}}
        with pytest.raises(ValueError, match=rf"dkm\.{name}: got a parameter .* the entry of its autoencoder, {place}"):
            check_config({**config, "methods": wrong})


def test_variants_have_the_values_of_their_models_on_each_data_set(config):
    """What a variant changes it changes on all data: resets and lengths, or views."""
    pairs = {f"{key}_brb": key for key in ("dcn", "dec", "idec", "dkm", "ct")}
    pairs |= {"dec_da": "dec", "idec_da": "idec", "dcn_da": "dcn", "dkm_views": "dkm", "ct_views": "ct"}
    config = check_config(config)
    for variant, model in pairs.items():
        for dataset in config["datasets"]:
            found, expected = (checked_parameters(config, key, dataset) for key in (variant, model))
            differing = {name for name in found if found[name] != expected[name]}
            allowed = {"reset_interval", "epochs", "tol"} if variant.endswith("_brb") else {"views", "view_limits"}
            assert differing <= allowed | {"pretraining_views"}, (variant, dataset)


def test_data_sets_without_published_values_have_those_of_their_like(config):
    """All that is set for a data set is set for the others of its kind, but for the images' own lengths."""
    alike = [("fashion_mnist", "mnist"), ("coil20", "coil100"), ("20news", "rcv1"), ("reuters10k", "rcv1")]
    config = check_config(config)
    for method in ("dcn", "dkm", "dkm_reinit", "dkm_annealed", "ct", "ct_no_reinit", "dec", "idec"):
        for dataset, other in [*alike, ("usps_11000", "usps")]:
            found, expected = (checked_parameters(config, method, key) for key in (dataset, other))
            differing = {name for name in found if found[name] != expected[name]}
            assert differing <= {"n_clusters", "n_latent", "epochs"}, (method, dataset)


def test_a_users_class_is_read_like_the_others(config, mine):
    fields = fields_of(f"{mine}:Mine")
    assert "flags" not in fields
    assert fields["count"].hint is int
    config["methods"]["mine"] = {"estimator": f"{mine}:Mine"}
    defaults = {
        "count": 3,
        "share": 50.0,
        "weight": 0.25,
        "mode": "slow",
        "high": None,
        "sizes": [1, 2],
        "anything": None,
    }
    found = parameters(config, "mine")
    assert {name: found[name] for name in defaults} == defaults
    assert type(found["share"]) is float
    config["methods"]["mine"] |= {"share": "99.5", "weight": 1, "mode": "fast", "high": "0.5", "sizes": ["3"]}
    found = parameters(config, "mine")
    assert [found[name] for name in ("share", "weight", "mode", "high", "sizes")] == [99.5, 1.0, "fast", 0.5, [3]]
    config["methods"]["mine"]["anything"] = "1e-3"  # nobody says what it is
    assert parameters(config, "mine")["anything"] == 0.001
    config["methods"]["mine"] = {"estimator": f"{mine}:MyDEC"}
    assert [parameters(config, "mine")[name] for name in ("alpha", "learning_rate")] == [2.0, 0.01]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"share": 101}, "methods.mine.share: got 101, expected <= 100"),
        ({"weight": -1}, "methods.mine.weight: got -1, expected >= 0"),
        ({"mode": "quick"}, "methods.mine.mode: got 'quick', expected 'slow' or 'fast'"),
        ({"high": 0.0}, "methods.mine.high: got 0.0, expected > low=0.0 or null"),
        ({"count": "2.5"}, "methods.mine.count: got '2.5', expected an integer"),
        ({"flags": 3}, "methods.mine: got unknown parameter 'flags'"),
        ({"estimator": "mine:Needy"}, "methods.mine: got no `needed`, for which its class has no default; add it"),
        ({"estimator": "mine:Needy", "needed": 3}, "methods.mine.needed: got 3, expected true or false"),
        ({"estimator": "mine:Bare"}, "methods.mine.estimator: got the class Bare with fields (alpha), expected a data"),
        ({"estimator": "mine:Computed"}, "got the default `1 / 3` of Computed.alpha, expected a plain value such as"),
    ],
)
def test_a_users_class_is_held_to_what_it_says(config, mine, entry, message):
    config["methods"]["mine"] = {"estimator": f"{mine}:Mine", **entry}
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        check_config(config)
    assert "\n" not in str(caught.value)


def test_a_bound_in_no_known_form_is_said():
    with pytest.raises(ValueError, match="got the bound 'positive', expected '> 0', '<= another_parameter' or"):
        expected(Annotated[float, "positive"], 3.0)


@pytest.mark.parametrize(
    ("entry", "refused"),
    [
        ({"km": {"views": "target"}}, "km"),
        ({"random": {"views": "both"}}, "random"),
        ({"aekm": {"views": "target"}}, "aekm"),
        ({"aekm_long": {"views": "target"}}, None),
        ({"dkm": {"views": "target"}}, None),
    ],
)
def test_views_are_for_what_is_trained_on_them(config, entry, refused):
    [(key, changes)] = entry.items()
    config["methods"][key] |= changes
    config["study"] = {"datasets": ["digits"], "methods": [key], "seeds": [0]}
    if refused:
        with pytest.raises(ValueError, match=rf"methods\.{refused}\.views: got .* where nothing is trained"):
            Study(config)
    else:
        assert dict(Study(config).report_spec("tables")["methods"])[key].endswith("‡")


@pytest.mark.parametrize(
    ("key", "given", "message"),
    [
        ("dkm", {"momentum": 0.9}, "momentum: got 0.9, which changes nothing unless `optimizer` is 'sgd'; remove it"),
        ("dkm", {"per_dataset": {"usps": {"momentum": 0.9}}}, "momentum: got 0.9, which changes nothing unless"),
        ("ct", {"view_limits": {"zoom": 0.1}}, "view_limits: .* changes nothing without `views`"),
        ("ct", {"reset_keep": 0.5}, "reset_keep: got 0.5, which changes nothing without `reset_interval`"),
        ("vade", {"n_init": 50}, "n_init: got 50, which changes nothing in this method; remove it"),
        ("ward", {"per_dataset": {"digits": {"n_init": 3}}}, "n_init: got 3, which changes nothing in this method"),
    ],
)
def test_what_is_given_in_vain_is_refused(key, given, message, config):
    config["methods"][key] |= given
    with pytest.raises(ValueError, match=rf"^methods\.{key}\.{message}"):
        Study(config)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kind": "conv", "hidden_widths": [256]}, r"hidden_widths: got \[256\], which changes nothing in kind `conv`"),
        ({"pretraining_epochs": 0, "views": {"shift": 0.1}}, "views: .* which changes nothing without pretraining"),
        ({"pretraining_epochs": 0, "denoising": 0.2}, "denoising: got 0.2, which changes nothing without pretraining"),
        ({"kind": "conv", "hidden_widths": [500, 500, 2000]}, None),  # as everywhere
        ({"kind": "mlp", "hidden_widths": [256], "per_dataset": {"usps": {"kind": "conv"}}}, None),
        ({"kind": "conv", "hidden_widths": [256], "per_dataset": {"usps": {"kind": "mlp"}}}, None),
        ({"pretraining_epochs": 0, "denoising": 0.2, "per_dataset": {"usps": {"pretraining_epochs": 5}}}, None),
        ({"pretraining_epochs": 0, "steps": 100, "denoising": 0.2}, "got both `pretraining_epochs` and `steps`"),
        ({"steps": 100, "denoising": 0.2}, None),
    ],
)
def test_what_an_autoencoder_is_given_in_vain_is_refused(given, message, config):
    config["autoencoders"]["own"] = given
    if message is None:
        Study(config)
    else:
        with pytest.raises(ValueError, match=rf"^autoencoders\.own.*{message}"):
            Study(config)


@pytest.mark.parametrize("key", ["km", "ward", "random"])
@pytest.mark.parametrize("given", [{"epochs": 5}, {"steps": 5, "epochs": None}])
def test_a_control_on_the_data_has_no_length(key, given, config):
    config["methods"][key] |= given
    config["study"] = {"datasets": ["digits"], "methods": [key], "seeds": [0]}
    with pytest.raises(ValueError, match=rf"^methods\.{key}: got {next(iter(given))} of training, 5, for a control"):
        Study(config)


@pytest.mark.parametrize(
    ("key", "given", "search"),
    [
        ("dec", {"optimizer": "adam"}, {}),  # its class has a momentum
        ("ct", {"reset_keep": 0.8, "view_limits": None}, {}),
        ("ct", {"optimizer": "sgd", "momentum": 0.9, "per_dataset": {"digits": {"optimizer": "adam"}}}, {}),
        ("ct", {"momentum": 0.9, "per_dataset": {"usps": {"optimizer": "sgd"}}}, {}),
        ("idec", {"per_dataset": {"usps": {"optimizer": "adam", "momentum": 0.99}}}, {}),
        ("ct", {}, {"optimizer": ["adam", "sgd"], "momentum": [0, 0.9]}),
        ("ct", {"momentum": 0.9}, {"optimizer": ["adam", "sgd"]}),
        ("ct", {"reset_keep": 0.5}, [{"reset_interval": 0}, {"reset_interval": 5}]),
        ("ct", {"view_limits": {"zoom": 0.1}}, {"views": [None, "both"]}),
    ],
)
def test_what_some_data_set_or_search_has_a_use_for_is_taken(key, given, search, config):
    config["methods"][key] |= given
    config["study"] = {"datasets": ["digits"], "methods": [key, "km"], "seeds": [0]}
    config["training"]["pretraining_epochs"] = 0
    if search:
        config["search"] = {"seeds": [1, 2], "methods": {key: search}}
    Study(config)
