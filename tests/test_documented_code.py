"""Python and YAML of README and docs do what they say; tests/test_commands.py runs the commands."""

import re
import sys
from functools import partial
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import ROOT

import deepkm
from deepkm.study.options import read_config
from deepkm.study.plan import Study

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
ELSEWHERE = "deepkm.load("  # tests/test_models.py runs these beside a result
PEER = "clustpy"


def blocks_of(page, language):
    """Return the blocks of a page in one language, as (name of the file that a first comment names or "", text)."""
    return re.findall(rf"^```{language}\n(?:# (\w+\.py)\n)?(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def pages_with(language):
    return [page for page in PAGES if blocks_of(page, language)]


@pytest.fixture
def names(tmp_path, monkeypatch):
    """What pages take for granted, in an empty folder whose modules can be imported and are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    x, target = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32), np.arange(40) % 7
    np.savez("my.npz", feature=x, target=target)
    for name in ("CT", "DKM"):  # networks of any size would show the same
        small = {"hidden_widths": (8,), "pretraining_epochs": 1, "epochs": 2}
        monkeypatch.setattr(deepkm, name, partial(getattr(deepkm, name), **small), raising=False)
    yield {"np": np, "x": x, "feature": x, "target": target}
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def can_run(code):
    """Tell whether a block can run here: a peer's needs the peer, and a result is not at hand."""
    if PEER in code:
        try:
            import_module("benchmarks.clustpy_comparison")  # it mends an import where torchvision is of another PyTorch
        except ImportError:
            return False
    return ELSEWHERE not in code


def write_modules(page):
    """Write the files that a page shows, and return the names of the modules."""
    files = [(file, code) for file, code in blocks_of(page, "python") if file]
    for file, code in files:
        Path(file).write_text(code)
    return [Path(file).stem for file, _ in files]


@pytest.mark.parametrize("page", pages_with("python"), ids=lambda page: page.stem)
def test_the_python_of_a_page(page, names):
    tests = [
        function
        for module in write_modules(page)
        for name, function in vars(import_module(module)).items()
        if name.startswith("test_")
    ]
    for test in tests:
        test()
    for file, code in blocks_of(page, "python"):
        if not file and can_run(code):
            exec(compile(code, page.name, "exec"), names)


@pytest.mark.parametrize("page", pages_with("yaml"), ids=lambda page: page.stem)
def test_the_yaml_of_a_page(page, names):
    """Each block is part of a study that can be planned, beside the entries that its page names elsewhere."""
    write_modules(page)
    blocks = [yaml.safe_load(text) for _, text in blocks_of(page, "yaml")]
    for number, block in enumerate(blocks):
        Path(f"{number}.yaml").write_text(yaml.safe_dump(block))
    catalogue = read_config(f"{number}.yaml" for number in range(len(blocks)))
    for number, block in enumerate(blocks):
        config = read_config([f"{number}.yaml"])
        for part in ("datasets", "methods"):
            config[part] = {**catalogue[part], **config[part]}
        named = {"datasets": list(block.get("datasets", ["digits"])), "methods": list(block.get("methods", ["km"]))}
        config["study"] = config["study"] | named | block.get("study", {})
        study = Study(config)
        for method in study.methods:
            assert study.cluster_spec(study.datasets[-1], method, next(iter(study.stacks_of(study.datasets[-1]))))[
                "parameters"
            ]
