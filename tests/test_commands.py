"""Each command in README, docs and studies is run as it stands there, in a small copy of the checkout."""

import os
import re
import shlex
import shutil
import sys
from pathlib import Path

import forked
import numpy as np
import pytest
import yaml
from conftest import ROOT, shell

from deepkm.files import read_hdf5, write_hdf5

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/*.md"), *ROOT.glob("studies/*.yaml")]
PROGRAM = re.compile(r"(snakemake|python|make|pip|git|ssh|sinfo|export|pytest|apt-get|\.) ")
# Run with `-n`, since they need what is not here.
PLANNED = {
    "profiles/slurm": "a SLURM cluster; tests/slurm has one",
    r"\[(cmu_pie|coil100|mnist10k)\]": "the real file",
    r"^snakemake .*studies/(mnist10k|paper|rows|sensitivity)": "what is run for studies/usps.yaml, with other names",
    "--cores 8": "what is run with two, on more",
    "warm_start: none": "what is run for studies/usps.yaml, with other values",
}
SKIPPED = {
    r"git clone <this repository>": "names no address",
    r"\. \.venv/bin/activate|make (test|lint)|pytest ": "what runs these tests",
    r"make bench|python -m benchmarks": "up to hours; their pages say what came out",
    r"pip install|apt-get|make docs": "a download; tests/test_package.py installs the package",
    r"git tag|python -m (build|twine)": "a release",
    r"ssh login-node|sinfo ": "a cluster's own",
    r"python -m deepkm( predict| cluster --spec \.\.\.)?$": "no whole command",
}


def commands_of(page):
    """Yield the commands of a page: in its `sh` blocks, in its indented lines, and between backticks."""
    text = page.read_text()
    if page.suffix == ".yaml":
        text = re.sub("^#", " ", text, flags=re.MULTILINE)
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    blocks += re.findall(r"^((?:    .*\n)+)", text, re.MULTILINE)
    for line in "\n".join(blocks).replace("\\\n", " ").splitlines():
        yield re.sub(r"\s+", " ", re.sub(r"\s#.*", "", line)).strip()
    yield from re.findall(r"`([^`\n]+)`", text)


COMMANDS = sorted({command for page in PAGES for command in commands_of(page) if PROGRAM.match(command)})


def distinct(commands):
    """Return commands of which each says more than how many jobs run at once, and whether they do at all."""
    kinds = {}
    for command in commands:
        kinds.setdefault(re.sub(r" (--cores \d+|--resources gpu=\d+|-n)(?= |$)", "", command), command)
    return [*kinds.values()]


def found_in(patterns, command):
    return next((reason for pattern, reason in patterns.items() if re.search(pattern, command)), None)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of the checkout whose studies are small, with results of two, and what the commands' examples name."""
    folder = tmp_path_factory.mktemp("commands") / "deepkm"
    for name in ("deepkm", "workflow", "profiles", "envs", "studies"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "docs" / "figures").mkdir(parents=True)
    shutil.copytree(ROOT / "docs" / "results", folder / "docs" / "results")
    for name in ("Snakefile", "Makefile", "README.md", *("docs/" + path.name for path in ROOT.glob("docs/*.py"))):
        shutil.copy(ROOT / name, folder / name)
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    config["study"] = {"datasets": ["blobs"], "methods": ["km", "dkm"], "seeds": [0]}
    config["training"] |= {"pretraining_epochs": 1, "epochs": 1}
    config["datasets"]["blobs"] |= {"n_samples": 60, "n_features": 4, "n_clusters": 3}
    config["autoencoders"]["mlp"] = {"kind": "mlp", "hidden_widths": [8]}
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    for path in (folder / "studies").glob("*.yaml"):
        small = {"results_dir": yaml.safe_load(path.read_text())["results_dir"], "study": {"methods": ["km"]}}
        if path.stem in ("usps", "rows"):
            usps = {"path": "my/usps.npz", "image_size": [16, 16]}
            small["datasets"] = yaml.safe_load(path.read_text()).get("datasets", {}) | {"usps": usps}
        if path.stem == "usps":
            small["study"]["datasets"] = ["usps"]
        if path.stem == "rows":
            small["results_dir"] = "results"  # those that there are
        if path.stem == "tune_usps":
            small["search"] = {"seeds": [1, 2], "methods": {"km": {"n_init": [1, 2]}}}
        path.write_text(yaml.safe_dump(small))
    (folder / "my").mkdir()
    feature = np.random.default_rng(0).uniform(-1, 1, (40, 256))
    np.savez(folder / "my" / "usps.npz", feature=feature, target=np.arange(40) % 10)
    (folder / "my" / "PIE_pose27.mat").touch()
    (folder / ".venv").mkdir()
    for name in ("bin", "lib"):
        (folder / ".venv" / name).symlink_to(Path(sys.prefix) / name)
    shutil.copy(Path(sys.prefix) / "pyvenv.cfg", folder / ".venv")
    (folder / ".venv" / "ready").touch()
    run(folder, "snakemake --cores 2 --resources gpu=0")
    (folder / "docs" / "results" / "rows").rename(folder / "published")  # so short a study may not stand beside them
    for rows in ("published-rows", "docs/results/rows --configfile studies/rows.yaml"):
        run(folder, f"python -m deepkm publish {rows}")
    # `status --watch` waits for its end:
    run(folder, "snakemake --cores 2 --resources gpu=0 --configfile studies/usps.yaml")
    for name in ("results-a", "results-b"):
        shutil.copytree(folder / "results", folder / name)
    arrays, attributes = read_hdf5(folder / "results" / "clusterings" / "dkm" / "blobs" / "seed0.h5")
    for part in ("spec", "model"):
        attributes[part]["seeds"] = [291]
    model = folder / "results" / "clusterings" / "ct" / "mine" / "seed8905x4.h5"
    write_hdf5(model, arrays=arrays, attributes=attributes)
    samples = np.load(folder / "data" / "blobs.npz")["feature"]
    np.savetxt(folder / "new.csv", samples, delimiter=",", header="a,b,c,d", comments="")
    return folder


def run(folder, command):
    """Run a command that must end well; return its output."""
    return ended(shell(folder, placed(folder, command)))


def plan(folder, command):
    """Return what Snakemake prints of a command of which it only shows what it would do."""
    return ended(forked.snakemake([*shlex.split(placed(folder, command))[1:], "-n"], folder, {**os.environ}))


def placed(folder, command):
    return command.replace("/my/", f"{folder}/my/").replace("/shared/", f"{folder}/shared/")


def ended(done):
    printed = done.stdout + (done.stderr or "")
    assert done.returncode == 0, printed
    return printed


@pytest.mark.parametrize("command", distinct(c for c in COMMANDS if not found_in(SKIPPED, c)))
def test_a_command_of_the_docs(checkout, command):
    if command == "make results":  # of the rows that the documents are of
        rows, short = checkout / "docs" / "results" / "rows", checkout / "short"
        rows.rename(short)
        shutil.copytree(checkout / "published", rows)
        run(checkout, command)
        shutil.rmtree(rows)
        short.rename(rows)
        return
    output = (plan if found_in(PLANNED, command) else run)(checkout, command)
    assert "Traceback" not in output


@pytest.mark.parametrize("pattern", [*SKIPPED, *PLANNED])
def test_what_is_not_run_is_still_there(pattern):
    assert any(re.search(pattern, command) for command in COMMANDS)
