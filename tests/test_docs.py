"""What the documents name exists, and the made-up example that they show."""

import pkgutil
import re
import tomllib

import numpy as np
import pytest
import yaml
from conftest import ROOT

import deepkm
from docs.landscapes import descend, draw, example, landscape, local_minima

DOCUMENTS = [
    *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "config/README")),
    *sorted((ROOT / "docs").glob("*.md")),
]
FOLDERS = "deepkm|docs|workflow|tests|benchmarks|studies|profiles|envs"


def named(pattern):
    """Return what matches a pattern in all documents, as (document, match)."""
    return [(path, found) for path in DOCUMENTS for found in dict.fromkeys(re.findall(pattern, path.read_text()))]


def resolves(name):
    try:
        return bool(pkgutil.resolve_name(name))
    except (ImportError, AttributeError):
        return False


def test_dotted_names():
    names = named(r"(?<![\w/])deepkm(?:\.[A-Za-z_]\w*)+(?::\w+)?")
    assert len(names) > 20
    assert [name for _, name in names if not resolves(name)] == []


def test_paths():
    paths = named(rf"(?<![\w/.{{-])(?:{FOLDERS})/[\w./*-]*[\w/*]")
    assert len(paths) > 40
    assert [path for _, path in paths if not list(ROOT.glob(path))] == []


def test_names_of_files():
    there = {path.name for folder in FOLDERS.split("|") for path in (ROOT / folder).rglob("*")}
    there |= {path.name for path in ROOT.iterdir()}
    assert {name for _, name in named(r"`(\w+\.(?:py|smk|yaml|toml))`")} <= there


def test_links():
    links = named(r"\]\((?!https?:)([^)#\s]+)")
    assert [link for document, link in links if not (document.parent / link).exists()] == []


def anchors_of(path):
    """Return where a link may lead within a document: to its headings, as code hosts and MkDocs write them."""
    headings = re.findall(r"^#+ (.+)", re.sub(r"^```.*?^```", "", path.read_text(), flags=re.M | re.S), re.M)
    plain = [re.sub(r"[^\w\s-]", "", heading).strip().lower() for heading in headings]
    return {re.sub(r"\s", "-", text) for text in plain} & {re.sub(r"[-\s]+", "-", text) for text in plain}


def test_anchors():
    links = named(r"\]\((?!https?:)([^)#\s]*)#([^)\s]+)\)")
    assert len(links) > 10
    targets = [(document.parent / path if path else document, anchor) for document, (path, anchor) in links]
    assert [(path.name, anchor) for path, anchor in targets if anchor not in anchors_of(path)] == []


def test_commands():
    modules = [name.replace(".", "/") for _, name in named(r"python -m ((?:benchmarks|docs)\.\w+)")]
    modules += [f"deepkm/stages/{stage}" for _, stage in named(r"python -m deepkm ([a-z]\w+)")]
    assert len(modules) > 10
    assert [module for module in modules if not (ROOT / f"{module}.py").exists()] == []


def test_tests():
    source = "".join(path.read_text() for path in [*(ROOT / "tests").rglob("test_*.py"), *DOCUMENTS])
    names = [name for _, name in named(r"\b(test_\w+)\b(?!\.py)")]
    assert len(names) > 10
    assert [name for name in names if f"def {name}{'' if name.endswith('_') else '('}" not in source] == []


def test_the_way_of_a_cell_is_at_most_fifteen_files():
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text()
    section = re.search(r"^## From `snakemake` to a cell.*?(?=^## )", text, re.M | re.S)[0]
    files = re.findall(r"^\d+\. `([^`]+)`", section, re.M)
    assert 10 < len(set(files)) == len(files) <= 15
    assert all((ROOT / file).is_file() for file in files)


def test_the_version_is_one_everywhere():
    assert f"\nversion: {deepkm.__version__}\n" in (ROOT / "CITATION.cff").read_text()
    [latest, *_] = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert latest == deepkm.__version__


def test_hosted_ci_calls_what_anyone_can_call():
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"]
    assert [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step] == [".ci/run"]


def test_each_dependency_has_its_reason():
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text().partition("## Dependencies")[2].lower()
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = [re.match(r"[\w-]+", line)[0].lower() for line in dependencies]
    assert [name for name in names if name not in text] == []


def test_k_means_gets_stuck_where_power_k_means_does_not():
    x = example()
    grid = np.linspace(x.min() - 1, x.max() + 1, 61)
    soft, hard = (landscape(x, grid, exponent) for exponent in (-1.0, -np.inf))
    assert (len(local_minima(soft)), len(local_minima(hard))) == (2, 4)  # each with its mirror image
    assert hard[10, 50] == pytest.approx(np.minimum((x - grid[10]) ** 2, (x - grid[50]) ** 2).sum())
    assert soft[10, 50] == pytest.approx((2 / (1 / (x - grid[10]) ** 2 + 1 / (x - grid[50]) ** 2)).sum())
    inertia = [((x[:, None] - descend(x, (3.0, 8.5), s)[-1]) ** 2).min(1).sum() for s in (-np.inf, -0.5)]
    assert inertia[1] < 0.9 * inertia[0]
    assert len(draw().axes) == 4
