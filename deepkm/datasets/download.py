"""Downloads: each file from the first of its sources that gives the right one. A file appears whole or not at all."""

import errno
import os
import shutil
import time
from concurrent.futures import Future, wait
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pooch
import requests
from tqdm import tqdm

from deepkm.datasets.checksums import matches, note_checksum, note_path, noted_checksum
from deepkm.files import sole_writer

# Seconds to wait for a connection, and for the next piece of a body.
TIMEOUT = (15, 60)
# A source that is slower on the whole, but for this waiting, is left: an endless trickle ends, too.
BYTES_PER_SECOND = 2**14
# Of a file whose size is not known.
MAX_BYTES = 2**26
CHUNK_BYTES = 2**15


def fetch(path, *, urls, checksum=None, mirror=None, attempts=3, timeout=TIMEOUT, max_bytes=MAX_BYTES):
    """Bring one file to `path`, unless it is there already.

    Parameters
    ----------
    path : path-like
        ``.../{source}/{file}``; its folder is created. While another process downloads the same file, this one waits.
    urls : list of str
        Sources, tried in order.
    checksum : str or list of str, optional
        ``"algorithm:digest"``; of several, one must match. Without any, the first download's sha256 is noted in
        ``{path}.sha256`` and holds from then on.
    mirror : str, optional
        A folder or URL that is laid out like the folder above `path`'s: ``{mirror}/{source}/{file}``. Tried first.
    attempts : int
        Per source, with growing pauses between them.
    timeout : float or (float, float)
        Seconds, as in `requests.get`.
    max_bytes : int
        A source that sends more is left.

    Raises
    ------
    OSError, ValueError
        One line that says what went wrong at each source.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    sources = [f"{mirror.rstrip('/')}/{path.parent.name}/{path.name}"] if mirror else []
    with sole_writer(path.with_name(f".{path.name}.lock")):
        known = [checksum] if isinstance(checksum, str) else checksum or _noted(path)
        if not (path.is_file() and _is_right(path, known)):
            with _working_folder(path) as folder:
                how = {"known": known, "attempts": attempts, "timeout": timeout, "max_bytes": max_bytes}
                os.replace(_first_good([*sources, *urls], folder, path, **how), path)
        if not known:
            note_checksum(path)


def _first_good(sources, folder, path, **how):
    """Return the first copy that can be had and is right, a file in `folder`."""
    problems = []
    for i, source in enumerate(sources):
        try:
            partial = folder / str(i) / path.name  # of its own: a download that was left may still be writing to it
            _fetch_from(source, partial, **how)
        except (OSError, ValueError) as error:  # requests' errors are OSErrors
            if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
                raise OSError(f"{path}: no space left for this download; free some, or name another data_dir") from None
            problems.append(f"{source}: {_reason(error)}")
        else:
            return partial
    remedy = (
        f"set data_mirror to a folder or URL that has {path.parent.name}/{path.name}, or put the file there yourself"
    )
    if not sources:
        raise OSError(f"{path}: get this file by hand, no public address of it is known; {remedy}")
    note = note_path(path)
    noted = f", delete {note} if another version is wanted" if note.exists() else ""
    raise OSError(f"{path}: got it from none of its sources ({'; '.join(problems)}); {remedy}{noted}")


def _fetch_from(source, partial, *, known, attempts, timeout, max_bytes):
    partial.parent.mkdir()
    if "://" not in source:
        print(f"Copying file '{source}'.", flush=True)
        _copy(Path(source), partial, max_bytes)
        _check(partial, known)
        return
    with _progress_bar() as bar:
        downloader = _Downloader(bar, known=known, timeout=timeout, max_bytes=max_bytes)
        store = pooch.create(
            path=partial.parent,
            base_url="",
            registry={partial.name: None},
            urls={partial.name: source},
            retry_if_failed=attempts - 1,
        )
        store.fetch(partial.name, downloader=downloader)


class _Downloader(pooch.HTTPDownloader):
    """pooch's, within bounds of size and time; what arrives is checked here, so that pooch tries again."""

    def __init__(self, bar, *, known, timeout, max_bytes):
        # As stored: a server that compresses on the fly would change the checksum.
        headers = {"Accept-Encoding": "identity"}
        super().__init__(progressbar=bar, chunk_size=CHUNK_BYTES, timeout=timeout, headers=headers)
        self._known, self._max_bytes = known, max_bytes
        self._patience = sum(timeout) if isinstance(timeout, tuple) else 2 * timeout

    def __call__(self, url, output_file, pooch, check_only=False):
        with open(output_file, "wb") as file:
            body = _Body(file, self._max_bytes)
            self._within_time(body, lambda: super(_Downloader, self).__call__(url, body, pooch))
        _check(output_file, self._known)

    def _within_time(self, body, download):
        """Call `download`, which writes to `body`, in a thread: nothing else interrupts a wait for headers or bytes."""
        outcome, started = Future(), time.monotonic()
        Thread(target=_settle, args=(outcome, download), daemon=True).start()
        while not wait([outcome], timeout=0.1).done:
            seconds = time.monotonic() - started
            if seconds > self._patience + body.size / BYTES_PER_SECOND:
                body.left = True
                raise _LeftSourceError(f"too slow, {body.size:,} bytes in {seconds:.0f} s")
        outcome.result()


class _LeftSourceError(OSError):
    """A source that keeps to no bounds. It is not tried again: pooch does so after ValueErrors and requests' errors."""


class _Body:
    """A file that takes at most `limit` bytes, and none once its source is left."""

    def __init__(self, file, limit):
        self._file, self._limit, self.size, self.left = file, limit, 0, False

    def write(self, data):
        self.size += len(data)
        if self.left or self.size > self._limit:
            raise _LeftSourceError(f"sends more than {self._limit:,} bytes")
        self._file.write(data)

    def flush(self):
        pass  # pooch wants it after each piece


def _settle(outcome, action):
    try:
        outcome.set_result(action())
    except Exception as error:
        outcome.set_exception(error)


def _copy(source, partial, max_bytes):
    if not source.is_file():  # a pipe would be waited for
        raise FileNotFoundError(source)
    if source.stat().st_size > max_bytes:
        raise _LeftSourceError(f"has more than {max_bytes:,} bytes")
    shutil.copyfile(source, partial)


def _check(path, known):
    if not _is_right(path, known):
        raise ValueError("wrong checksum, damaged or another version")


def _is_right(path, known):
    try:
        return matches(path, known)
    except ValueError:  # no archive of pictures at all
        return False


def _noted(path):
    noted = noted_checksum(path)
    return [noted] if noted else []


def _reason(error):
    """Return a download's error in a few words."""
    if isinstance(error, requests.exceptions.HTTPError):
        return f"HTTP status {error.response.status_code}"
    if isinstance(error, FileNotFoundError):
        return "no such file"
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
