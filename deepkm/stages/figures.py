"""Draw the figures of a study: results/figures/*.{png,svg,pdf}, and figures.json, which says what each one shows."""

import json
from functools import partial
from pathlib import Path

from deepkm.datasets.converted import digest_of
from deepkm.files import read_attributes, sha256_of
from deepkm.report.figures.gallery import attempt, draw_study, undrawn
from deepkm.report.figures.inputs import Dataset, Numbers
from deepkm.report.figures.style import save
from deepkm.report.frames import read_frame
from deepkm.study.inventory import result_files
from deepkm.study.paths import FIGURES_INDEX
from deepkm.study.results import check_place
from deepkm.study.spec import FiguresSpec


def add_arguments(parser):
    parser.add_argument("--tables", nargs="+", required=True, type=Path, help="the .csv of scores and of statistics")
    parser.add_argument("--data", nargs="+", required=True, type=Path, help="data/{dataset}.npz of each data set")
    parser.add_argument("--results", required=True, type=Path, help="the folder of results; the spec says which")
    parser.add_argument("--output", required=True, type=Path, help="the folder to write to")
    parser.add_argument("--checksums", type=Path, help="the file to write the checksums of all figures to")


def main(args):
    spec: FiguresSpec = args.spec
    data = {path.stem: path for path in args.data}
    numbers = Numbers(**{path.stem: read_frame(path) for path in args.tables if path.stem in Numbers.__annotations__})
    digests = {key: digest_of(path) for key, path in data.items()}
    files: dict[tuple[str, str], list[Path]] = {}
    for path in filter(Path.exists, result_files(args.results, spec["jobs"])[0]):
        dataset, method = path.parent.name, path.parent.parent.name
        expected = {"jobs": spec["jobs"], "data": digests[dataset]}
        check_place(path, read_attributes(path), stage="cluster", **expected)
        files.setdefault((dataset, method), []).append(path)

    def load(key):
        return Dataset(data[key], key=key, title=dict(spec["datasets"])[key], scaling=spec["features"][key]["scaling"])

    args.output.mkdir(parents=True, exist_ok=True)
    index = []
    for drawing in draw_study(numbers, spec, files=files, load=load):
        why = save_drawing(drawing, args.output) if drawing.figure else None
        index.append((undrawn(drawing, why) if why else drawing).about())
    (args.output / FIGURES_INDEX).write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")
    if args.checksums:
        args.checksums.write_text("".join(map(_checksum, sorted(args.output.iterdir()))), encoding="utf-8")


def save_drawing(drawing, folder):
    """Save a figure, and return why it could not be, or None."""
    _, why = attempt(drawing.title, partial(save, drawing.figure, folder / drawing.stem))
    print(f"{drawing.stem}: {drawing.title}", flush=True)
    return why


def _checksum(path):
    """Return a line as `sha256sum` writes it."""
    return f"{sha256_of(path)}  {path.parent.name}/{path.name}\n"
