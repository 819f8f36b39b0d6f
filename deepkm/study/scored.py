"""What a study's scores were made of, noted beside them: results may be replaced by older ones, tables edited."""

import hashlib
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import Any

from deepkm.files import digest_at_head, read_attributes, sha256_of, write_hdf5
from deepkm.study.inventory import result_files
from deepkm.study.paths import SCORES, WRITES, meta_of, path_of
from deepkm.study.plan import Study
from deepkm.study.spec import ScoreSpec, digest


def note_scores(
    spec: ScoreSpec, *, output: Iterable[str | PathLike], results: Iterable[Path], data: Iterable[Path]
) -> None:
    """Note what scores were made of, in a file beside them; `output` are the tables, `data` the ``{dataset}.npz``."""
    files = list(map(Path, output))
    write_hdf5(_notes_of(files[0].parent), arrays={}, attributes=_about(spec, files, results=results, data=data))


def scores_state(study: Study) -> str:
    """Return whether scores are of the results and data that lie there: ``"done"``, ``"stale"`` or ``"missing"``."""
    folder = path_of(SCORES, **study.folders).parent
    try:
        noted = read_attributes(_notes_of(folder))
        spec = study.score_spec()
        results = [path for paths in result_files(folder, spec) for path in paths]
        data = map(study.data_file, study.datasets)
        found = _about(spec, [path_of(name, **study.folders) for name in WRITES["score"]], results=results, data=data)
    except OSError:  # one of them is missing or damaged; it will be made again, and scores after it
        return "missing"
    found["data"] = {**noted["data"], **found["data"]}  # what is missing is converted from the same again
    return "done" if noted == found else "stale"


def check_scores(folder: str | PathLike) -> list[str]:
    """Return which tables of scores were noted; raise ValueError, one line, where one of them is not as it was."""
    folder, notes = Path(folder), _notes_of(Path(folder))
    noted = read_attributes(notes)["files"] if notes.exists() else {}  # of a part of a study nothing is noted
    for path in (folder / name for name in noted):
        if path.exists() and sha256_of(path) != noted[path.name]:
            raise ValueError(
                f"{path}: got other contents than were noted, expected scores as they were made; delete it, and call "
                "Snakemake again"
            )
    return list(noted)


def described_data(folder: str | PathLike) -> dict[str, str]:
    """Return digests of what describes the data that a folder's scores are of, labels too; none where not noted."""
    notes = _notes_of(Path(folder))
    return read_attributes(notes).get("data", {}) if notes.exists() else {}


def _about(spec: ScoreSpec, files: Iterable[Path], *, results: Iterable[Path], data: Iterable[Path]) -> dict[str, Any]:
    heads = "\n".join(f"{digest_at_head(path)} {path.parts[-4:]}" for path in results)
    return {
        "spec": digest(spec),
        "results": hashlib.sha256(heads.encode()).hexdigest(),
        "data": {path.stem: sha256_of(meta_of(path)) for path in data if meta_of(path).exists()},
        "files": {path.name: sha256_of(path) for path in files},
    }


def _notes_of(folder: Path) -> Path:
    return folder / ".scores.h5"
