"""Whatever a source answers, the next one is asked, and alone it gets one line."""

import gzip
import hashlib
import socket
import threading
from contextlib import contextmanager, suppress

import pytest

from deepkm.datasets import download
from deepkm.datasets.download import fetch

BODY = b"what is wanted " * 90
CHECKSUM = f"sha256:{hashlib.sha256(BODY).hexdigest()}"
OK = b"HTTP/1.1 200 OK\r\n"


def of_length(number, body=BODY):
    return OK + f"Content-Length: {number}\r\n\r\n".encode() + body


def moved(place):
    return b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + place + b"\r\n\r\n"


def state(line):
    return b"HTTP/1.1 " + line + b"\r\nContent-Length: 0\r\n\r\n"


# What is sent, and whether its last part is repeated without an end.
ANSWERS = {
    "a page instead": (OK + b"Content-Type: text/html\r\n\r\n<html>log in</html>", False),
    "an endless body": (OK + b"\r\n" + bytes(2**16), True),
    "endless chunks": (OK + b"Transfer-Encoding: chunked\r\n\r\n" + (b"1000\r\n" + bytes(4096) + b"\r\n") * 9, True),
    "endless headers": (OK + b"X-A: b\r\n" * 500, True),
    "an endless header": (OK + b"X-A: " + b"b" * 2**16, True),
    "a bomb": (OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(bytes(2**24)), False),
    "a cut body": (of_length(2000, BODY[:50]), False),
    "a huge length": (of_length(10**20), False),
    "a negative length": (of_length(-5, BODY[:50]), False),
    "a length that is none": (of_length("abc", BODY[:50]), False),
    "nothing": (of_length(0, b""), False),
    "no content": (state(b"204 No Content"), False),
    "not modified": (state(b"304 Not Modified"), False),
    "forbidden": (state(b"403 Forbidden"), False),
    "come back in three years": (b"HTTP/1.1 429 Slow\r\nRetry-After: 100000000\r\nContent-Length: 0\r\n\r\n", False),
    "a status that is none": (b"HTTP/1.1 abc\r\n\r\n", False),
    "no HTTP": (b"hello\r\n", False),
    "a closed connection": (b"", False),
    "a broken chunk": (OK + b"Transfer-Encoding: chunked\r\n\r\nzzz\r\nabc", False),
    "a broken gzip": (OK + b"Content-Encoding: gzip\r\n\r\nnone", False),
    "a file of this machine": (moved(b"file:///etc/passwd"), False),
    "another protocol": (moved(b"ftp://127.0.0.1/x"), False),
    "a circle": (moved(b"/file.bin"), False),
    "an address that is none": (moved(b"http://["), False),
}
ADDRESSES = ["http://", "://x", "file:///etc/passwd", "ftp://127.0.0.1/x", "http://127.0.0.1:99999/x", "http://[::1/x"]


@contextmanager
def serving(answer, *, endless=False):
    """Yield the address of a server that gives each caller this answer; endlessly, its last bytes again and again."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        with suppress(OSError):  # it is closed
            while True:
                caller, _ = listener.accept()
                with caller, suppress(OSError):  # who left
                    caller.recv(2**16)
                    caller.sendall(answer)
                    while endless:
                        caller.sendall(answer[-(2**12) :])

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/file.bin"
    finally:
        listener.close()


def check(address, folder, monkeypatch):
    monkeypatch.setattr(download, "BYTES_PER_SECOND", 10**6)
    how = {"checksum": CHECKSUM, "timeout": (2, 2), "attempts": 1, "max_bytes": 20_000}
    with serving(of_length(len(BODY))) as good:
        fetch(folder / "both" / "file.bin", urls=[address, good], **how)
    assert (folder / "both" / "file.bin").read_bytes() == BODY
    with pytest.raises(OSError, match=r"file\.bin: got it from none of its sources") as caught:
        fetch(folder / "alone" / "file.bin", urls=[address], **how)
    assert len(str(caught.value).splitlines()) == 1
    assert [path.name for path in (folder / "alone").iterdir() if path.suffix != ".lock"] == []


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_an_answer_that_is_no_file(answer, tmp_path, monkeypatch):
    content, endless = answer
    with serving(content, endless=endless) as address:
        check(address, tmp_path, monkeypatch)


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_that_is_none(address, tmp_path, monkeypatch):
    check(address, tmp_path, monkeypatch)
