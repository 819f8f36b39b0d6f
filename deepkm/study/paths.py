"""The files of a study: one place for their names."""

from pathlib import Path

from deepkm.study.spec import digest


def block_name(seeds) -> str:
    """Return the name of a block of seeds that one job trains.

    Examples
    --------
    >>> block_name([3]), block_name([3, 9])
    ('seed3', 'seed3x2')
    """
    return f"seed{seeds[0]}" if len(seeds) == 1 else f"seed{seeds[0]}x{len(seeds)}"


def side_file(result, spec: dict, suffix: str) -> Path:
    """Return the path of a result's ``checkpoint`` or ``lock``, beside it; another spec has another one."""
    return Path(result).with_name(f".{Path(result).stem}.{digest(spec)}.{suffix}")
