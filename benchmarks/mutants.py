"""Mutants: one small fault at a time in a copy of the package, which the tests of its folder should see.

python -m benchmarks.mutants numerics networks training --count 120 --seed 0
"""

import argparse
import ast
import importlib
import os
import random
import signal
import sys
import tempfile
from collections import Counter
from multiprocessing import get_context
from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest

ROOT = Path(__file__).parents[1]
# The tests of each folder, in the order in which they run; doctests come first, and the first failure ends them.
TESTS = {
    "numerics": "test_centers.py test_metrics.py test_seeding.py test_kmeans.py methods test_seams.py",
    "networks": "test_products.py test_autoencoder.py test_convolution.py methods test_seams.py",
    "training": "test_optimizers.py test_seams.py methods test_snapshots.py test_steps.py",
    "methods": "methods test_seams.py test_values.py test_estimator.py test_snapshots.py test_contract.py",
    "jobs": "test_devices.py test_seams.py test_sharing.py test_origin.py test_jobs.py test_interruption.py",
}
OTHERS = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult,
}  # fmt: skip
LIMIT = 900  # seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", choices=TESTS, help="of the package")
    parser.add_argument("--count", type=int, default=100, help="how many to draw of all that there are")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=(), help="instead: all whose names begin so")
    args = parser.parse_args()
    paths = {folder: sorted(Path(ROOT, "deepkm", folder).glob("*.py")) for folder in args.folders}
    mutants = {name: (path, text) for found in paths.values() for path in found for name, text in mutants_of(path)}
    chosen = [name for name in mutants if name.startswith(tuple(args.only))]
    chosen = chosen or random.Random(args.seed).sample(sorted(mutants), min(args.count, len(mutants)))
    for module in "torch pandas matplotlib.figure scipy.optimize sklearn.utils.estimator_checks".split():
        importlib.import_module(module)  # once, and not in each of the forks that test a mutant
    with tempfile.TemporaryDirectory() as folder:
        copytree(ROOT, folder, ignore=ignore_patterns(".*", "data", "results", "results-*"), dirs_exist_ok=True)
        for path, *_ in paths.values():
            if (end := try_mutant(Path(folder), path, path.read_text(encoding="utf-8"))) != "survived":
                sys.exit(f"{path.parent}: got {end} without a mutant, expected tests that pass")
        ends = Counter()
        for name in chosen:
            ends[end := try_mutant(Path(folder), *mutants[name])] += 1
            print(f"{end:9} {name}", flush=True)
    print(f"{len(chosen)} of {len(mutants)} mutants: {', '.join(f'{count} {end}' for end, count in ends.items())}")


def mutants_of(path):
    """Yield the name and the text of each mutant of a module."""
    text = path.read_text(encoding="utf-8")
    for node in nodes(ast.parse(text)):
        for old, new in changes(node):
            told = " ".join(f"{ast.get_source_segment(text, old)} -> {new}".split())
            if (mutant := replaced(text, old, new)) != text:
                yield f"{path.relative_to(ROOT)}:{old.lineno}:{old.col_offset}: {told}", mutant


def nodes(node):
    """Yield what may change below a node: no imports, annotations, decorators, messages."""
    for field, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            fixed = isinstance(child, ast.Import | ast.ImportFrom | ast.Raise | ast.JoinedStr)
            if isinstance(child, ast.AST) and not fixed and field not in ("annotation", "returns", "decorator_list"):
                yield child
                yield from nodes(child)


def changes(node):
    """Return pairs: a node, this one or one below, and the text to put in its place."""
    texts, place = [], node
    match node:
        case ast.Compare(ops=[op]) if type(op) in OTHERS:
            texts = [_with(node, ops=[OTHERS[type(op)]()])]
        case ast.BinOp(op=op) | ast.BoolOp(op=op) if type(op) in OTHERS:
            texts = [_with(node, op=OTHERS[type(op)]())]
        case ast.UnaryOp(op=ast.Not()):
            texts = [f"({ast.unparse(node.operand)})"]
        case ast.Constant(value=bool()):
            texts = [str(not node.value)]
        case ast.Constant(value=int() | float()):
            texts = [str(node.value + 1), str(node.value - 1)]
        case ast.Call(args=args, keywords=given):
            texts = [_with(node, args=[args[1], args[0], *args[2:]])] if len(args) > 1 else []
            dropped = [keyword for keyword in given if keyword.arg not in ("strict", "device")]  # for what is not here
            texts += [_with(node, keywords=[kept for kept in given if kept is not one]) for one in dropped]
        case ast.If() | ast.While() | ast.IfExp():
            texts, place = [f"(not ({ast.unparse(node.test)}))"], node.test
        case ast.Return(value=ast.expr()):
            texts = ["return None"]
        case ast.Expr(value=ast.Call()) | ast.AugAssign() | ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            texts = ["pass"]
    return [(place, text) for text in texts]


def _with(node, **fields):
    return f"({ast.unparse(type(node)(**{**vars(node), **fields}))})"


def replaced(text, node, new):
    """Return the text with that of one node replaced."""
    lines = text.encode().splitlines(keepends=True)  # columns count bytes
    before = b"".join(lines[: node.lineno - 1]) + lines[node.lineno - 1][: node.col_offset]
    after = lines[node.end_lineno - 1][node.end_col_offset :] + b"".join(lines[node.end_lineno :])
    return (before + new.encode() + after).decode()


def try_mutant(folder, path, text):
    """Return whether the tests of a mutant's folder "killed" it, or it "survived", or they "timed out"."""
    mutated = folder / path.relative_to(ROOT)
    original = mutated.read_bytes()
    mutated.write_text(text, encoding="utf-8")
    tests = [str(mutated), *(f"tests/{test}" for test in TESTS[path.parent.name].split())]
    process = get_context("fork").Process(target=_run_tests, args=(folder, tests))
    process.start()
    process.join(LIMIT)
    if timed_out := process.is_alive():
        os.killpg(process.pid, signal.SIGKILL)
        process.join()
    mutated.write_bytes(original)
    return "timed out" if timed_out else "killed" if process.exitcode else "survived"


def _run_tests(folder, tests):
    os.setsid()  # so that what the tests have started ends with them
    os.chdir(folder)
    sys.path[0] = str(folder)
    sys.dont_write_bytecode = True  # which could be taken for that of the next mutant
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    for output in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), output)
    options = ["-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist"]
    sys.exit(any(pytest.main([*options, test]) not in (0, 5) for test in tests))  # 5: a module without doctests


if __name__ == "__main__":
    main()
