"""Imports run in one direction, and light stages stay light."""

import ast
import subprocess
import sys

import pytest
from conftest import ROOT

ORDER = "files numerics networks datasets training methods study jobs report stages".split()


def test_imports_run_left_to_right():
    for path in (ROOT / "deepkm").rglob("*.py"):
        part = path.relative_to(ROOT / "deepkm").parts[0].removesuffix(".py")
        if part in ("__init__", "__main__"):
            continue
        assert part in ORDER, f"{part} has no place in the order of imports"
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("deepkm."):
                imported = node.module.split(".")[1]
                assert ORDER.index(imported) <= ORDER.index(part), f"{path} imports {node.module}"


STAGES = (
    "download dataset describe score statistics compare tables figures report partial audit status clean_checkpoints"
)
LIGHT = [
    "files",
    "study.plan",
    "jobs.interruption",
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
