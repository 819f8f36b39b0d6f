"""--configfile and --config: read, merged and quoted as Snakemake does."""

import copy
import importlib.util
import json
import random
import shlex
import sys
from pathlib import Path
from unittest import mock

import pytest
import yaml
from conftest import ROOT, TINY_STUDY, run_stage
from snakemake.cli import parse_config
from snakemake.common.configfile import load_configfile
from snakemake.settings.types import ConfigSettings
from snakemake.utils import update_config

from deepkm.__main__ import main
from deepkm.study import options
from deepkm.study.inventory import load_study


def merged_by_snakemake(configfiles, settings):
    given = ConfigSettings(config=parse_config(settings), configfiles=[*map(Path, configfiles)]).overwrite_config
    config = copy.deepcopy(given)
    for other in (load_configfile(ROOT / "config.yaml"), given):
        update_config(config, other)
    return config


@pytest.fixture
def alone():
    """The module as it is where there is no Snakemake."""
    with mock.patch.dict(sys.modules, {"snakemake.utils": None}):
        spec = importlib.util.spec_from_file_location("deepkm.study.options_alone", options.__file__)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    assert module.update_config is not update_config
    return module


FILES = {
    "study.yaml": yaml.safe_dump(TINY_STUDY),
    "narrow.yaml": "study: {seeds: [3]}\nmethods: {ct: {alpha: 2.0}, new: {estimator: 'deepkm.methods.ct:CT'}}\n",
    "json.json": json.dumps({"training": {"epochs": 7}, "data_mirror": "/a"}),
    "tabs.json": '{\n\t"seeds_per_job": 2\n}',
    "replaced.yaml": "training: 5\npanels: null\n",
    "over.yaml": "training: {epochs: 9}\ndatasets: {usps: {path: 'x y.npz'}}\n",
}
SETTINGS = {
    "numbers": ["seeds_per_job=2", "snapshots=1e1", "results_dir=007"],
    "nested": ["datasets={usps: {path: /my/usps.npz, image_size: [16, 16]}}", "study={seeds: [0, 1], methods: [km]}"],
    "twice": ["methods={ct: {alpha: 1}}", "methods={ct: {reinit: False}, km: {title: '{a} $x$ = b'}}"],
    "quotes": ["results_dir='a b'", 'data_dir="c=d"', "data_mirror=", "results_dir=True"],
    "no yaml": ["results_dir={", "data_dir=a: b: c", "data_mirror=~"],
}


@pytest.mark.parametrize("settings", [[], *SETTINGS.values()], ids=["none", *SETTINGS])
@pytest.mark.parametrize(
    "names",
    [[], ["study.yaml"], ["study.yaml", "narrow.yaml"], ["json.json", "tabs.json"], ["replaced.yaml", "over.yaml"]],
    ids=" ".join,
)
def test_a_study_is_merged_as_by_snakemake(tmp_path, monkeypatch, names, settings, alone):
    monkeypatch.chdir(tmp_path)
    for name in names:
        (tmp_path / name).write_text(FILES[name])
    expected = merged_by_snakemake(names, settings)
    assert options.read_config(names, settings) == expected
    assert alone.read_config(names, settings) == expected


def test_dictionaries_are_merged_as_by_snakemake(alone):
    draw = random.Random(0)

    def value(depth):
        if depth and draw.random() < 0.6:
            return {draw.choice("abc"): value(depth - 1) for _ in range(draw.randrange(4))}
        return draw.choice([None, 0, "x", [1, {"a": 2}], {}])

    for _ in range(300):
        first, second = ({"a": value(3), "b": value(3)} for _ in range(2))
        ours, theirs = copy.deepcopy(first), copy.deepcopy(first)
        alone.update_config(ours, copy.deepcopy(second))
        update_config(theirs, copy.deepcopy(second))
        assert ours == theirs


def test_one_entry_can_be_changed_although_it_shares_an_anchor(tmp_path):
    (tmp_path / "one.yaml").write_text("methods: {dkm: {per_dataset: {coil100: {clustering_weight: 5.0}}}}")
    methods = options.read_config([tmp_path / "one.yaml"])["methods"]
    assert methods["dkm"]["per_dataset"]["coil100"]["clustering_weight"] == 5.0
    assert methods["dkm_reinit"]["per_dataset"]["coil100"]["clustering_weight"] == 0.1  # an alias


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: 1\n  b: 2\n", "study.yaml, line 2: mapping values are not allowed here"),
        ("study:\n  seeds: [0, 1\ntraining: {}\n", "study.yaml, line 3: "),
        ("study:\n\tseeds: [0]\n", "study.yaml, line 2: found character '\\t'"),
        (
            "study: {seeds: [0]}\nmethods: {}\nstudy: {}\n",
            "study.yaml, line 3: got the key 'study' a second",
        ),
        ("methods:\n  ct: {alpha: 1.0,\n       alpha: 2.0}\n", "study.yaml, line 3: got the key 'alpha' a second time"),
        ("results_dir: *here\n", "study.yaml, line 1: found undefined alias 'here'"),
        ("results_dir: !!python/object/apply:os.getcwd []\n", "study.yaml, line 1: could not determine a constructor"),
        ("a: \x07\n", "study.yaml, line 1: got a character that YAML forbids"),
        ("- 1\n", "study.yaml: got list, expected keys"),
        ("", "study.yaml: got NoneType, expected keys"),
        ('{"study": {"seeds": [0], "seeds": [1]}}', "study.yaml: got no valid YAML (the key 'seeds' a second time)"),
        ("__use_yte__: true\nsnapshots: ?1 + 1\n", "study.yaml: got `__use_yte__`, expected values as they are"),
        (b"title: \xff\xfe", "study.yaml: got bytes that are not UTF-8"),
        (None, "No such file or directory: 'study.yaml'"),
    ],
)
def test_a_file_that_is_no_configuration(tmp_path, monkeypatch, capsys, content, message):
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / "study.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    assert main(["status", "--configfile", "study.yaml"]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("setting", ["seeds_per_job", "=1", "a.b=1", "-x=1"])
def test_a_setting_that_is_none(setting, capsys):
    assert main(["status", f"--config={setting}"]) == 2
    assert f"--config: got {setting!r}, expected KEY=VALUE" in capsys.readouterr().err


def test_a_setting_in_which_a_key_occurs_twice(capsys):
    assert main(["status", "--config", "study={seeds: [0], seeds: [1]}"]) == 2
    assert "--config: got the key 'seeds' a second time in '{seeds" in capsys.readouterr().err


def test_config_is_no_abbreviation(tmp_path):
    done = run_stage("status", "--conf", "study.yaml", folder=tmp_path, check=False)
    assert done.returncode == 2
    assert "unrecognized arguments: --conf" in done.stdout


def test_commands_are_quoted(tmp_path, monkeypatch):
    folder = tmp_path / "it's a {folder}"
    (folder / "studies").mkdir(parents=True)
    monkeypatch.chdir(folder)
    files, settings = [folder / "-dash.yaml", "studies/$HOME é.yaml"], ["methods={km: {title: 'a \"b\"'}}"]
    expected = ["--configfile", "./-dash.yaml", "studies/$HOME é.yaml", "--config", *settings]
    assert shlex.split(options.snakemake_options(files, settings))[2:] == expected
    assert shlex.split(options.stage_command("audit", files, settings))[-5:] == expected
    assert options.snakemake_options().startswith("--snakefile ")  # that folder has none


def test_methods_beside_a_configuration_are_found(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    text = "from deepkm.methods.ct import CT\n\n\nclass Mine(CT):\n    pass\n"
    (tmp_path / "elsewhere" / "method_of_my_own.py").write_text(text)
    entry = {"estimator": "method_of_my_own:Mine", "autoencoder": "mlp"}
    study = {"study": {"datasets": ["blobs"], "methods": ["mine"], "seeds": [0]}, "methods": {"mine": entry}}
    (tmp_path / "elsewhere" / "study.yaml").write_text(yaml.safe_dump(study))
    with mock.patch.object(sys, "path", sys.path[:]):
        assert load_study([tmp_path / "elsewhere" / "study.yaml"]).methods == ["mine"]


@pytest.mark.parametrize("stage", ["autoencoder", "cluster", "search", "tune"])
def test_whatever_trains_is_told_by_the_environment_how_often_to_save(stage, monkeypatch, capsys):
    monkeypatch.setenv("DEEPKM_CHECKPOINT_SECONDS", "often")
    with pytest.raises(SystemExit):
        main([stage, *([] if stage == "tune" else ["--data", "x.npz", "--output", "x.h5"])])
    assert "--checkpoint-seconds: invalid float value: 'often'" in capsys.readouterr().err
