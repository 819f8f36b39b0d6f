"""Download one raw file of a data set, from the first source that gives the right one."""

from pathlib import Path

from deepkm.datasets.catalogue import known_checksums, load_catalogue
from deepkm.datasets.download import MAX_BYTES, fetch
from deepkm.study.spec import DownloadSpec


def add_arguments(parser):
    parser.add_argument("--output", required=True, type=Path, help="the file to write: .../{source}/{file}")
    parser.add_argument("--mirror", nargs="?", help="a folder or URL to try first: {mirror}/{source}/{file}")


def main(args):
    spec: DownloadSpec = args.spec
    source, file = spec["source"], spec["file"]
    about = load_catalogue()[source]["files"][file]
    fetch(
        args.output,
        urls=about["urls"],
        checksum=known_checksums({**about, "checksum": args.spec["checksum"]}),
        mirror=args.mirror,
        max_bytes=about.get("max_bytes", MAX_BYTES),
    )
    print(f"{source}: {file}, {args.output.stat().st_size:,} bytes")
