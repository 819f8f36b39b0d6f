"""The command line: ``python -m deepkm STAGE --spec ...`` does one job of a study.

A stage is a file in `deepkm/stages`, imported only when called: making tables never loads PyTorch.
"""

import argparse
import ast
import gc
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from deepkm.jobs.devices import lease_device

STAGES = {path.stem: path for path in sorted((Path(__file__).parent / "stages").glob("[a-z]*.py"))}

# What is imported of the packages in the extras of pyproject.toml: estimators in Python do without.
OF_EXTRAS = (
    "PIL jinja2 jsonschema matplotlib pandas pooch pyarrow requests scikit_posthocs statsmodels tabulate".split()
)
_INSTALL = "pip install 'deepkm[workflow]'"


def main(argv: list[str] | None = None) -> int:
    """Run one stage; return 0, 2 after one clear line on bad input or too little memory, or 130 after Ctrl-C."""
    argv = sys.argv[1:] if argv is None else argv
    options, _ = _common_options().parse_known_args(argv)
    try:
        with lease_device(options.gpu, threads=options.threads, jobs_per_gpu=options.jobs_per_gpu) as device:
            args = _parse(argv)  # imports the stage, and PyTorch with it: the device is chosen before
            args.spec, args.device = _read_spec(args), device
            import_module(f"deepkm.stages.{args.stage}").main(args)
    except (ValueError, TypeError, OSError, MemoryError, RuntimeError) as error:
        if os.environ.get("DEEPKM_TRACEBACK") or (isinstance(error, RuntimeError) and not _is_out_of_memory(error)):
            raise
        print(f"deepkm: error: {_describe(error)} (DEEPKM_TRACEBACK=1 shows where)", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in OF_EXTRAS:
            raise
        print(f"deepkm: error: got no package {error.name!r}, which studies need; {_INSTALL}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("deepkm: stopped by Ctrl-C", file=sys.stderr)
        return 128 + signal.SIGINT
    return 0


def _describe(error: Exception) -> str:
    if not _is_out_of_memory(error):
        return str(error)
    first = (str(error).splitlines() or ["out of memory"])[0]
    return f"{first}; lower seeds_per_job or batch_size, or ask for more memory"


def _is_out_of_memory(error: Exception) -> bool:
    """Tell whether NumPy, PyTorch on the CPU or PyTorch on a GPU found no memory, without importing them."""
    return isinstance(error, MemoryError) or "OutOfMemory" in type(error).__name__ or "t allocate memory" in str(error)


def _common_options() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    common.add_argument("--spec", help="what to do: JSON, a file that holds it, or - for the standard input")
    common.add_argument("--gpu", type=int, default=0, help="GPUs this job may use; 0 (the default) is the CPU")
    common.add_argument("--jobs-per-gpu", type=int, default=1, help="jobs that may share one GPU (default 1)")
    common.add_argument("--threads", type=int, default=1, help="CPU threads (default 1)")
    return common


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m deepkm", description="One job of a DeepKM study.", allow_abbrev=False
    )
    commands = parser.add_subparsers(dest="stage", required=True, metavar="STAGE")
    for stage, path in STAGES.items():
        summary = (ast.get_docstring(ast.parse(path.read_text())) or stage).splitlines()[0]
        command = commands.add_parser(
            stage, help=summary, description=summary, parents=[_common_options()], allow_abbrev=False
        )
        if stage in argv[:1]:
            with _imports_are_no_garbage():
                import_module(f"deepkm.stages.{stage}").add_arguments(command)
    return parser.parse_args(argv)


@contextmanager
def _imports_are_no_garbage() -> Iterator[None]:
    """Keep Python from looking for garbage in what is imported, now and at its end: half a second of each job."""
    gc.disable()
    yield
    gc.freeze()
    gc.enable()


def _read_spec(args: argparse.Namespace) -> dict | None:
    text = args.spec
    if text is None and hasattr(args, "configfile"):
        return None  # it reads the configuration itself
    if text is None:
        raise ValueError("got no --spec, expected a JSON text or a file that holds one")
    try:
        return json.loads(text if text.lstrip().startswith("{") else _read_text(text))
    except json.JSONDecodeError as error:
        raise ValueError(f"--spec: got no JSON ({error}), expected an object") from None


def _read_text(path: str) -> str:
    return sys.stdin.read() if path == "-" else Path(path).read_text()


if __name__ == "__main__":
    sys.exit(main())
