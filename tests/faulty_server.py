"""A local HTTP server that serves files, and fails as real ones do."""

import threading
import time
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server:
    """Files by path, and what happens to the next requests for them.

    Attributes
    ----------
    files : dict of str to bytes
    faults : dict of str to list
        Faults of a path, one per request; then it is served as it is.
    requests : list of str
        The paths asked for.
    """

    def __init__(self):
        self.files, self.faults, self.requests = {}, {}, []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                server.requests.append(self.path)
                faults = server.faults.get(self.path, [])
                (faults.pop(0) if faults else whole)(self, server.files.get(self.path))

            def log_message(self, *args):
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    @contextmanager
    def running(self):
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        try:
            yield self
        finally:
            self._http.shutdown()
            self._http.server_close()


def whole(handler, body):
    if body is None:
        handler.send_error(404)
        return
    _head(handler, len(body))
    handler.wfile.write(body)


def status(code):
    return lambda handler, body: handler.send_error(code)


def wrong(handler, body):
    """Another file of the same length."""
    whole(handler, bytes(len(body)))


def truncated(handler, body):
    """Half of the body, and a clean end."""
    _head(handler, len(body))
    handler.wfile.write(body[: len(body) // 2])


def short(handler, body):
    """Half of the body, with a header that agrees."""
    whole(handler, body[: len(body) // 2])


def cut(handler, body):
    """Half of the body, then a reset connection."""
    truncated(handler, body)
    handler.wfile.flush()
    handler.connection.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")  # SO_LINGER of 0 s: reset instead of a clean end
    handler.connection.close()


def stalled(handler, body):
    """Half of the body, then silence."""
    truncated(handler, body)
    handler.wfile.flush()
    time.sleep(10)


def slow(handler, body):
    """The whole body, after a while."""
    time.sleep(1)
    whole(handler, body)


def endless(handler, body):
    """A body without an end."""
    handler.send_response(200)
    handler.end_headers()
    with suppress(OSError):  # the client goes
        while True:
            handler.wfile.write(bytes(2**16))


def dripping(handler, body):
    """The whole body, a byte at a time."""
    _head(handler, len(body))
    _drip(handler, body)


def dripping_after_half(handler, body):
    truncated(handler, body)
    _drip(handler, body[len(body) // 2 :])


def dripping_headers(handler, body):
    """Headers that never end."""
    handler.send_response(200)
    handler.flush_headers()
    _drip(handler, b"X: " + bytes([65]) * 60_000)


def _drip(handler, content):
    with suppress(OSError):
        for byte in content:
            handler.wfile.write(bytes([byte]))
            handler.wfile.flush()
            time.sleep(0.02)


def paced(handler, body):
    """The whole body, in pieces."""
    _head(handler, len(body))
    for start in range(0, len(body), len(body) // 10):
        time.sleep(0.15)
        handler.wfile.write(body[start : start + len(body) // 10])


def loop(handler, body):
    """A redirect to itself."""
    handler.send_response(302)
    handler.send_header("Location", handler.path)
    handler.end_headers()


def moved(path):
    def answer(handler, body):
        handler.send_response(301)
        handler.send_header("Location", path)
        handler.end_headers()

    return answer


def _head(handler, length):
    handler.send_response(200)
    handler.send_header("Content-Length", str(length))
    handler.end_headers()
