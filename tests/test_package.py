"""The package alone: built, installed beside its dependencies, and used far from the checkout."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv

import pytest
from conftest import ROOT, changed, run_snakemake

STUDY = changed(study={"methods": ["km", "dkm"], "seeds": [0]})


def run(*command, check=True, **options):
    """Run a command without what leads to the checkout; return the completed process with its output in stdout."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    options |= {"env": environment, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    done = subprocess.run([str(word) for word in command], check=False, **options)
    assert not check or done.returncode == 0, done.stdout
    return done


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """A Python that has this one's libraries and the package, but sees no checkout."""
    folder = tmp_path_factory.mktemp("package")
    pip = ["-m", "pip", "--disable-pip-version-check"]
    venv.create(folder / "build", with_pip=True)
    builder, python = folder / "build" / "bin" / "python", folder / "empty" / "bin" / "python"
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    if run(builder, *pip, "install", *needed, check=False).returncode:
        pytest.skip(f"{' '.join(needed)} cannot be installed here: no network")
    run(builder, *pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, ROOT)
    venv.create(folder / "empty")
    [wheel] = folder.glob("*.whl")
    libraries = next((folder / "empty").glob("lib/*/site-packages"))
    (libraries / "libraries.pth").write_text(sysconfig.get_path("purelib"))
    run(sys.executable, *pip, "--python", python, "install", "--no-deps", "--no-index", wheel)
    return python


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The folder of a study that the repository's workflow has made."""
    folder = tmp_path_factory.mktemp("study")
    run_snakemake(folder, "results/scores.csv", "results/study.json", study=STUDY)
    return folder


def test_the_installed_package_is_the_one_in_use(python, tmp_path):
    code = "import deepkm, deepkm.study.options as options; print(deepkm.__file__, options.DEFAULTS, sep='\\n')"
    package, defaults = run(python, "-c", code, cwd=tmp_path).stdout.split()
    assert str(ROOT) not in package
    assert (defaults, package) == (f"{os.path.dirname(package)}/study/config.yaml", package)


def test_a_study_is_looked_after(python, study):
    for configfile in ("study.yaml", "results/study.json"):
        options = ["--configfile", configfile]
        assert run(python, "-m", "deepkm", "audit", *options, cwd=study).stdout == "4 done\n"
        assert run(python, "-m", "deepkm", "status", *options, cwd=study).stdout == "3 of 3 training jobs done\n"
    other = ["--config", "methods={dkm: {alpha: 10.0}}", "--configfile", "study.yaml"]
    done = run(python, "-m", "deepkm", "audit", *other, cwd=study, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "3 done, 1 stale")


def test_two_studies_are_compared(python, study, tmp_path):
    shutil.copytree(study / "results", tmp_path / "copy")
    text = run(python, "-m", "deepkm", "compare", study / "results", "copy", cwd=tmp_path).stdout
    assert "Nothing was changed" in text
    assert "equal in 1 seed" in text


def test_the_example_of_the_readme(python, tmp_path):
    example = re.search(r"`(DKM\(.*?\)\.fit_predict\(x\))`", (ROOT / "README.md").read_text())[1]
    lines = ["import json, numpy", "from deepkm import DKM", "x = numpy.random.default_rng(0).normal(size=(50, 8))"]
    code = "\n".join([*lines, f"print(json.dumps({example}.tolist()))"])
    labels = json.loads(run(python, "-c", code, cwd=tmp_path).stdout)
    assert len(labels) == 50
    assert set(labels) <= set(range(10))
