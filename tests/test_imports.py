"""Imports run in one direction, and light stages stay light."""

import ast
import graphlib
import subprocess
import sys

import pytest
from conftest import ROOT

ORDER = {
    "deepkm": (
        "files values numerics networks datasets training methods estimators study jobs report tuning stages".split()
    ),
    "deepkm.report": "frames statistics tables figures page".split(),
}


@pytest.mark.parametrize("package", ORDER)
def test_imports_run_left_to_right(package):
    folder, order = ROOT / package.replace(".", "/"), ORDER[package]
    for path in folder.rglob("*.py"):
        room = path.relative_to(folder).parts[0].removesuffix(".py")
        if room in ("__init__", "__main__"):
            continue
        assert room in order, f"{room} has no place in the order of imports"
        for node in ast.walk(ast.parse(path.read_text())):
            assert not (isinstance(node, ast.ImportFrom) and node.level), f"{path} has a relative import"
            names = [node.module] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                if name.startswith(f"{package}."):
                    imported = name.removeprefix(f"{package}.").split(".")[0]
                    assert order.index(imported) <= order.index(room), f"{path} imports {name}"


def test_no_files_import_each_other():
    files = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in (ROOT / "deepkm").rglob("*.py")}
    imported = {}
    for module, path in files.items():
        froms = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
        names = {name for node in froms for name in (node.module, *(f"{node.module}.{a.name}" for a in node.names))}
        imported[module] = names & files.keys()
    graphlib.TopologicalSorter(imported).prepare()


STAGES = (
    "download dataset describe labels choose score statistics compare tables figures report partial publish verify "
    "audit status tune clean_checkpoints"
)
LIGHT = [
    "files",
    "study.plan",
    "study.keeping",
    "jobs.interruption",
    "jobs.telling",
    "study.inventory",
    *(f"stages.{stage}" for stage in STAGES.split()),
]


def test_what_snakemake_reads_of_metrics_and_tables_is_light():
    code = (
        "import sys, deepkm.report.tables.study; print(*{'torch', 'sklearn', 'scipy', 'matplotlib'} & {*sys.modules})"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True).stdout == b"\n"


@pytest.mark.parametrize("module", LIGHT)
def test_pytorch_stays_out(module):
    code = f"import sys, deepkm.{module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
