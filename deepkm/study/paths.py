"""The files of a study: one place for their names."""

from pathlib import Path

from deepkm.study.spec import digest


def side_file(result, spec: dict, suffix: str) -> Path:
    """Return the path of a result's ``checkpoint`` or ``lock``, beside it; another spec has another one."""
    return Path(result).with_name(f".{Path(result).stem}.{digest(spec)}.{suffix}")
