"""Downloads over real connections to a local server: each ends in the right file or in one clear error."""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from conftest import environment, run_snakemake
from faulty_server import (
    Server,
    cut,
    dripping,
    dripping_after_half,
    dripping_headers,
    endless,
    loop,
    moved,
    paced,
    short,
    slow,
    stalled,
    status,
    truncated,
    wrong,
)
from raw_formats import images, write_coil

from deepkm.datasets import download
from deepkm.datasets.archives import pictures_digest
from deepkm.datasets.checksums import check_raw_file
from deepkm.datasets.download import fetch

BODY = np.random.default_rng(0).bytes(3_000_000)
CHECKSUM = f"sha256:{hashlib.sha256(BODY).hexdigest()}"


@pytest.fixture
def server():
    with Server().running() as server:
        server.files |= {"/a/file.bin": BODY, "/b/file.bin": BODY}
        yield server


def left(folder):
    """Return what a download left, but for its lock."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")


def get(server, folder, *places, checksum=CHECKSUM, **options):
    path = folder / "source" / "file.bin"
    fetch(path, urls=[f"{server.url}/{place}/file.bin" for place in places or "a"], checksum=checksum, **options)
    return path


def test_a_file_arrives_and_is_not_fetched_twice(server, tmp_path):
    for _ in range(2):
        assert get(server, tmp_path).read_bytes() == BODY
    assert server.requests == ["/a/file.bin"]
    assert left(tmp_path) == ["file.bin"]


@pytest.mark.parametrize(
    "fault", [wrong, truncated, short, cut, status(404), status(503), status(500), moved("/b/file.bin")]
)
def test_a_passing_fault_is_tried_again(fault, server, tmp_path):
    server.faults["/a/file.bin"] = [fault]
    assert get(server, tmp_path, attempts=2).read_bytes() == BODY
    assert left(tmp_path) == ["file.bin"]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (wrong, "wrong checksum, damaged or another version"),
        (truncated, "the connection broke"),
        (short, "wrong checksum"),
        (cut, "the connection broke"),
        (status(404), "HTTP status 404"),
        (status(503), "HTTP status 503"),
        (stalled, "no connection, or it broke"),
        (loop, "it redirects in circles"),
    ],
    ids="wrong truncated short cut 404 503 stalled loop".split(),
)
def test_a_lasting_fault_leads_to_the_next_source_or_one_clear_error(fault, reason, server, tmp_path):
    server.faults["/a/file.bin"] = [fault] * 99
    assert get(server, tmp_path / "two", "a", "b", attempts=1, timeout=0.5).read_bytes() == BODY
    with pytest.raises(OSError, match=f"file.bin: {reason}") as caught:
        get(server, tmp_path / "one", attempts=1, timeout=0.5)
    assert "got it from none of its sources" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert left(tmp_path / "one") == []
    assert left(tmp_path / "two") == ["file.bin"]


def test_a_silent_server_is_left(server, tmp_path):
    server.faults["/a/file.bin"] = [slow]
    with pytest.raises(OSError, match="no answer in time"):
        get(server, tmp_path, attempts=1, timeout=0.2)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (endless, "sends more than 3,000,000 bytes"),
        (dripping, r"too slow, [\d,]+ bytes in 1 s"),
        (dripping_headers, "too slow, 0 bytes in 1 s"),
        (dripping_after_half, r"too slow, [\d,]+ bytes in \d s"),
    ],
)
def test_a_source_without_an_end_gives_way_at_once(fault, reason, server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "BYTES_PER_SECOND", 2**20)
    bounds = {"timeout": 0.4, "max_bytes": len(BODY)}
    server.faults["/a/file.bin"] = [fault] * 9
    started = time.monotonic()
    assert get(server, tmp_path / "two", "a", "b", **bounds).read_bytes() == BODY
    with pytest.raises(OSError, match=rf"file\.bin: {reason}"):
        get(server, tmp_path / "one", **bounds)
    assert time.monotonic() - started < 10
    assert server.requests == ["/a/file.bin", "/b/file.bin", "/a/file.bin"]  # no source was tried again
    assert left(tmp_path) == ["file.bin"]


def test_a_slow_line_is_no_fault(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "BYTES_PER_SECOND", len(BODY) / 3)
    server.faults["/a/file.bin"] = [paced]
    started = time.monotonic()
    assert get(server, tmp_path, timeout=0.4, attempts=1).read_bytes() == BODY
    assert time.monotonic() - started > 2 * 0.4
    assert server.requests == ["/a/file.bin"]


def test_a_mirror_may_be_as_unbounded(server, tmp_path):
    folder = tmp_path / "mirror" / "source"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "file.bin")
    assert get(server, tmp_path / "a", mirror=str(tmp_path / "mirror")).read_bytes() == BODY
    (folder / "file.bin").unlink()
    (folder / "file.bin").write_bytes(bytes(4_000_000))
    path = get(server, tmp_path / "b", mirror=str(tmp_path / "mirror"), checksum=None, max_bytes=len(BODY))
    assert path.read_bytes() == BODY


def test_no_server_at_all(tmp_path):
    with pytest.raises(OSError, match="no connection"):
        fetch(tmp_path / "s" / "f", urls=["http://127.0.0.1:9/f", "http://no-such-host.invalid/f"], attempts=1)
    assert left(tmp_path) == []


def test_a_mirror_comes_first_a_folder_or_a_url(server, tmp_path):
    server.files["/mirror/source/file.bin"] = BODY
    get(server, tmp_path / "url", mirror=f"{server.url}/mirror/")
    assert server.requests == ["/mirror/source/file.bin"]
    (tmp_path / "mirror" / "source").mkdir(parents=True)
    (tmp_path / "mirror" / "source" / "file.bin").write_bytes(BODY)
    assert get(server, tmp_path / "folder", mirror=str(tmp_path / "mirror")).read_bytes() == BODY
    assert len(server.requests) == 1


def test_a_mirror_without_the_file_or_with_another_is_passed_over(server, tmp_path):
    assert get(server, tmp_path / "none", mirror=str(tmp_path)).read_bytes() == BODY
    (tmp_path / "mirror" / "source").mkdir(parents=True)
    (tmp_path / "mirror" / "source" / "file.bin").write_bytes(b"another")
    assert get(server, tmp_path / "other", mirror=str(tmp_path / "mirror")).read_bytes() == BODY
    assert server.requests == ["/a/file.bin"] * 2


def test_a_damaged_file_in_place_is_replaced(server, tmp_path):
    get(server, tmp_path).write_bytes(BODY[:-1])
    assert get(server, tmp_path).read_bytes() == BODY


def test_without_a_known_checksum_the_first_one_holds(server, tmp_path):
    path = get(server, tmp_path, checksum=None)
    assert left(tmp_path) == ["file.bin", "file.bin.sha256"]
    if shutil.which("sha256sum"):
        subprocess.run(["sha256sum", "--check", "file.bin.sha256"], cwd=path.parent, check=True, capture_output=True)
    path.unlink()
    server.faults["/a/file.bin"] = [wrong]
    with pytest.raises(OSError, match=r"wrong checksum.*delete .*file\.bin\.sha256 if another version is wanted"):
        get(server, tmp_path, checksum=None, attempts=1)
    assert get(server, tmp_path, checksum=None).read_bytes() == BODY


@pytest.mark.parametrize("note", [b"", b"\n", b"0" * 63, b"hello  file.bin\n", b"\xff\xfe\0"])
def test_a_note_without_a_checksum_gets_one_line(note, server, tmp_path):
    path = get(server, tmp_path, checksum=None)
    path.with_name("file.bin.sha256").write_bytes(note)
    with pytest.raises(ValueError, match=r"file\.bin\.sha256: got no sha256 in it, expected .*; delete it") as caught:
        get(server, tmp_path, checksum=None)
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match=r"file\.bin\.sha256: got no sha256"):
        check_raw_file(path, "noted")


def test_what_was_noted_is_what_is_converted(tmp_path):
    path = tmp_path / "file.bin"
    path.write_bytes(BODY)
    check_raw_file(path, "noted")  # put there by hand
    assert left(tmp_path) == ["file.bin", "file.bin.sha256"]
    check_raw_file(path, "noted")
    path.write_bytes(BODY[:-1])
    with pytest.raises(ValueError, match=r"file\.bin: got sha256 \w+, expected \w+; delete it and .* if this version"):
        check_raw_file(path, "noted")


def test_without_an_address_the_hand_comes_first(tmp_path):
    with pytest.raises(
        OSError, match=r"/file\.bin: get this file by hand, no public address of it is known; set data_mi"
    ):
        fetch(tmp_path / "source" / "file.bin", urls=[])


def test_a_study_says_first_what_is_got_by_hand(tmp_path):
    study = {"study": {"datasets": ["cmu_pie"], "methods": ["km"], "seeds": [0]}}
    line = (
        "datasets.cmu_pie: get PIE_pose27.mat by hand, no public address of it is known; put it into data/raw/cmu_pie"
    )
    assert run_snakemake(tmp_path, "-n", study=study).stdout.count(line) == 1
    assert line not in run_snakemake(tmp_path, "-n", study={**study, "data_mirror": "/a/mirror"}).stdout
    path = tmp_path / "data" / "raw" / "cmu_pie" / "PIE_pose27.mat"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    assert line not in run_snakemake(tmp_path, "-n", study=study).stdout


def test_pictures_packed_anew_are_as_good(server, tmp_path):
    pictures = images(12).reshape(3, 4, 8, 8)
    [path] = write_coil(tmp_path / "coil.zip", pictures, step=5, folder="coil")
    checksum = ["sha256:" + "0" * 64, f"pictures:{pictures_digest(path)}"]
    others = [(f"{folder}/obj1__0.png", b"") for folder in ("__MACOSX", "coil")]
    more = [("__MACOSX/coil/._obj1__0.png", b""), ("readme.txt", b"packed anew")]
    bodies = {
        "anew": write_coil(tmp_path / "anew.zip", pictures, step=5, folder="another/folder", more=more),
        "other": write_coil(tmp_path / "other.zip", pictures[::-1], step=5, folder="coil"),
        "more": write_coil(tmp_path / "more.zip", pictures, step=5, folder="coil", more=others[:1]),
        "less": write_coil(tmp_path / "less.zip", pictures[:2], step=5, folder="coil"),
    }
    server.files |= {f"/{name}/file.bin": body.read_bytes() for name, [body] in bodies.items()}
    path = get(server, tmp_path, "a", "other", "more", "less", "anew", checksum=checksum, attempts=1)
    assert path.read_bytes() == server.files["/anew/file.bin"]
    assert len(server.requests) == 5
    check_raw_file(path, checksum)
    with pytest.raises(ValueError, match=r"coil\.zip: got pictures \w+, expected 00"):
        check_raw_file(tmp_path / "coil.zip", ["pictures:" + "0" * 64])


def test_two_at_once_download_once(server, tmp_path):
    server.faults["/a/file.bin"] = [slow]
    jobs = [threading.Thread(target=get, args=(server, tmp_path)) for _ in range(3)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    assert (tmp_path / "source" / "file.bin").read_bytes() == BODY
    assert server.requests == ["/a/file.bin"]
    assert left(tmp_path) == ["file.bin"]


SCRIPT = """
import sys
from deepkm.datasets.download import fetch
try:
    fetch(sys.argv[1], urls=[sys.argv[2]], checksum=sys.argv[3], attempts=1)
except OSError as error:
    sys.exit(str(error))
"""


def test_a_killed_download_is_begun_anew(server, tmp_path):
    path = tmp_path / "source" / "file.bin"
    server.faults["/a/file.bin"] = [stalled]
    command = [sys.executable, "-c", SCRIPT, str(path), f"{server.url}/a/file.bin", CHECKSUM]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL) as job:
        deadline = time.monotonic() + 60
        while not any(file.stat().st_size for file in tmp_path.rglob("tmp*") if file.is_file()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        job.send_signal(signal.SIGKILL)
    assert not path.exists()
    assert get(server, tmp_path).read_bytes() == BODY
    assert left(tmp_path) == ["file.bin"]


def own_mounts():
    """Tell whether this machine lets a test mount a small file system of its own."""
    command = ["unshare", "-rm", "true"]
    return bool(shutil.which("unshare")) and subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not own_mounts(), reason="needs unshare, to mount a small file system")
def test_a_full_disk(server, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    arguments = [sys.executable, "-c", SCRIPT, str(disk / "s" / "file.bin"), f"{server.url}/a/file.bin", CHECKSUM]
    mount = 'mount -t tmpfs -o size=1m tmpfs "$0" && "$@"; code=$?; find "$0" -name "*.bin"; exit $code'
    command = ["unshare", "-rm", "sh", "-c", mount, str(disk), *arguments]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert re.search(r"\n.*file\.bin: no space left for this download; free some, or name another .*\n$", done.stderr)
    assert done.stdout == ""  # no file left on it
    assert os.listdir(disk) == []
