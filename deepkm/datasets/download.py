"""Downloads: each file from the first of its sources that gives the right one. A file appears whole or not at all."""

import errno
import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import pooch
import requests
from tqdm import tqdm

from deepkm.files import replacing, sha256_of, sole_writer

# Seconds to wait for a connection, and for the next piece of a body.
TIMEOUT = (15, 60)
CHUNK_BYTES = 2**18


def fetch(path, *, urls, checksum=None, mirror=None, attempts=3, timeout=TIMEOUT):
    """Bring one file to `path`, unless it is there already.

    Parameters
    ----------
    path : path-like
        ``.../{source}/{file}``; its folder is created. While another process downloads the same file, this one waits.
    urls : list of str
        Sources, tried in order.
    checksum : str, optional
        ``"algorithm:digest"``. Without one, the first download's sha256 is noted in ``{path}.sha256`` and holds from
        then on.
    mirror : str, optional
        A folder or URL that is laid out like the folder above `path`'s: ``{mirror}/{source}/{file}``. Tried first.
    attempts : int
        Per source, with growing pauses between them.
    timeout : float or (float, float)
        Seconds, as in `requests.get`.

    Raises
    ------
    OSError
        One line that says what went wrong at each source.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    sources = [f"{mirror.rstrip('/')}/{path.parent.name}/{path.name}"] if mirror else []
    with sole_writer(path.with_name(f".{path.name}.lock")):
        known = checksum or _noted_checksum(path)
        if not (path.is_file() and _matches(path, known)):
            with _working_folder(path) as folder:
                found = folder / path.name
                how = {"checksum": known, "attempts": attempts, "timeout": timeout}
                _first_good([*sources, *urls], found, path, **how)
                os.replace(found, path)
        if known is None:
            _note_checksum(path)


def _first_good(sources, partial, path, **how):
    """Write the first copy that can be had and has the right checksum to `partial`."""
    problems = []
    for source in sources:
        try:
            _fetch_from(source, partial, **how)
        except (OSError, ValueError) as error:  # requests' errors are OSErrors
            if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
                raise OSError(f"{path}: no space left for this download; free some, or name another data_dir") from None
            problems.append(f"{source}: {_reason(error)}")
        else:
            return
    noted = f", delete {_note(path)} if another version is wanted" if _note(path).exists() else ""
    raise OSError(
        f"{path}: got it from none of its sources ({'; '.join(problems)}); set data_mirror to a folder or URL that has "
        f"{path.parent.name}/{path.name}, or put the file there yourself{noted}"
    )


def _fetch_from(source, partial, *, checksum, attempts, timeout):
    if "://" not in source:
        print(f"Copying file '{source}'.", flush=True)
        shutil.copyfile(source, partial)
        if not _matches(partial, checksum):
            raise ValueError("hash does not match")
        return
    with _progress_bar() as bar:
        # As stored: a server that compresses on the fly would change the checksum.
        headers = {"Accept-Encoding": "identity"}
        downloader = pooch.HTTPDownloader(progressbar=bar, chunk_size=CHUNK_BYTES, timeout=timeout, headers=headers)
        store = pooch.create(
            path=partial.parent,
            base_url="",
            registry={partial.name: checksum},
            urls={partial.name: source},
            retry_if_failed=attempts - 1,
        )
        store.fetch(partial.name, downloader=downloader)


def _matches(path, checksum):
    if checksum is None:
        return True
    algorithm, _, digest = checksum.rpartition(":")
    return pooch.file_hash(str(path), alg=algorithm or "sha256") == digest.lower()


def _reason(error):
    """Return a download's error in a few words."""
    if isinstance(error, requests.exceptions.HTTPError):
        return f"HTTP status {error.response.status_code}"
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if "does not match" in str(error):
        return "wrong checksum, damaged or another version"
    kinds = {
        requests.exceptions.TooManyRedirects: "it redirects in circles",
        requests.exceptions.Timeout: "no answer in time",
        requests.exceptions.ChunkedEncodingError: "the connection broke",
        requests.exceptions.ConnectionError: "no connection, or it broke",
    }
    text = " ".join(str(error).split())[:200]
    return next((reason for kind, reason in kinds.items() if isinstance(error, kind)), text)


@contextmanager
def _working_folder(path):
    """Yield a folder beside `path` for what is under way; what a killed process left there is removed first."""
    folder = path.with_name(f".{path.name}.partial")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _progress_bar():
    """Yield a progress bar on the user's terminal, since a job's own output goes to its log; False without one."""
    try:
        terminal = open("/dev/tty", "w", encoding="utf-8")  # noqa: SIM115
    except OSError:
        yield False
        return
    with terminal, tqdm(total=0, unit="B", unit_scale=True, ncols=79, leave=False, file=terminal) as bar:
        yield bar


def _note(path):
    return path.with_name(path.name + ".sha256")


def _noted_checksum(path):
    note = _note(path)
    return f"sha256:{note.read_text().split()[0]}" if note.is_file() else None


def _note_checksum(path):
    """Write what `sha256sum --check` reads."""
    with replacing(_note(path)) as file:
        file.write(f"{sha256_of(path)}  {path.name}\n".encode())
