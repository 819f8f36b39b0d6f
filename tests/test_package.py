"""The package alone: built, installed beside its dependencies, and used far from the checkout."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from contextlib import suppress
from importlib import metadata

import pytest
from conftest import ROOT, changed, run_snakemake
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

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


def brought_along(lines):
    """Return the names of all distributions that requirements bring, and the requirements of these."""
    found, left = set(), [Requirement(line) for line in lines]
    while left:
        one = left.pop()
        name = canonicalize_name(one.name)
        if name in found or (one.marker and not one.marker.evaluate({"extra": ""})):
            continue
        found.add(name)
        with suppress(metadata.PackageNotFoundError):  # not for this machine
            left += map(Requirement, metadata.requires(name) or ())
    return found


def test_the_wheel_alone_clusters_saves_and_loads(python, tmp_path):
    """Nothing can be imported but what installing the wheel brings; whoever wants more is told how."""
    [about] = python.parents[1].glob("lib/*/site-packages/deepkm-*.dist-info")
    there = brought_along(metadata.Distribution.at(about).requires)
    assert {"torch", "scikit-learn", "h5py", "tqdm"} <= there
    assert not {"snakemake", "pandas", "matplotlib", "pyarrow", "pooch", "jsonschema", "statsmodels"} & there
    tops = metadata.packages_distributions().items()
    absent = [top for top, names in tops if top != "deepkm" and not {*map(canonicalize_name, names)} & there]
    blocked = f"import sys\nsys.modules.update(dict.fromkeys({absent}))\n"
    example = re.search(r"^```python\n(.*?)^```", (ROOT / "docs" / "PACKAGE.md").read_text(), re.M | re.S)[1]
    check = "assert (again == labels).all() and code.shape == (200, 3) and memberships.shape == (10, 3)\n"
    check += "try:\n    deepkm.tune(model, x, {'alpha': [1.0]})\nexcept ImportError as error:\n    print(error)\n"
    more = "from deepkm.__main__ import main\nsys.exit(main(['status']))"
    done = run(python, "-c", blocked + example + check + more, cwd=tmp_path, check=False)
    tune, status = done.stdout.splitlines()
    assert re.fullmatch(r"deepkm.tune needs \w+; pip install 'deepkm\[workflow\]'", tune)
    assert re.fullmatch(r"deepkm: error: got no package '\w+', .*; pip install 'deepkm\[workflow\]'", status)
    assert done.returncode == 2


def test_the_page_of_the_package_has_no_links_into_the_repository(python):
    [about] = python.parents[1].glob("lib/*/site-packages/deepkm-*.dist-info")
    text = metadata.Distribution.at(about).metadata["Description"] or (about / "METADATA").read_text()
    assert "pip install 'deepkm[workflow]'" in text
    assert not re.findall(r"\]\((?!https?:)", text)
