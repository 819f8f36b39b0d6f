"""Download one raw file of a data set, from the first source that gives the right one."""

from pathlib import Path

from deepkm.datasets.catalogue import CATALOGUE, load_catalogue
from deepkm.datasets.download import fetch


def add_arguments(parser):
    parser.add_argument("--output", required=True, type=Path, help="the file to write: .../{source}/{file}")
    parser.add_argument("--mirror", nargs="?", help="a folder or URL to try first: {mirror}/{source}/{file}")
    parser.add_argument("--catalogue", type=Path, default=CATALOGUE, help="another list of sources")
    parser.add_argument("--attempts", type=int, default=3, help="tries per source (default 3)")
    parser.add_argument("--timeout", type=float, default=60, help="seconds without a byte (default 60)")


def main(args):
    source, file = args.spec["source"], args.spec["file"]
    urls = load_catalogue(args.catalogue)[source]["files"][file]["urls"]
    fetch(
        args.output,
        urls=urls,
        checksum=args.spec["checksum"],
        mirror=args.mirror,
        attempts=args.attempts,
        timeout=args.timeout,
    )
    print(f"{source}: {file}, {args.output.stat().st_size:,} bytes")
