"""The servers' common contract as a WSGI application, for gunicorn with threads."""

import hashlib
import re
from pathlib import PurePosixPath
from threading import Semaphore

from servers import COOKIES, ENDLESS, FILE, GZIP, HELLO, MOVED_TO

PIECE = bytes(64 * 1024)


class Origin:
    """next: lets the running /events go on.  sending: answers to /endless that are under way."""

    def __init__(self):
        self.next, self.sending = Semaphore(0), 0

    def __call__(self, environ, start):
        first = PurePosixPath(environ["PATH_INFO"]).parts[1:2]
        serve = getattr(self, "get_" + "".join(first).replace("-", "_"), self.nothing)
        status, fields, body = serve(environ)
        start(status, fields)
        return () if environ["REQUEST_METHOD"] == "HEAD" else body

    def get_hello(self, environ):
        if environ.get("HTTP_IF_NONE_MATCH") == '"v1"':
            return "304 Not Modified", [("ETag", '"v1"')], ()
        return whole(HELLO, ("ETag", '"v1"'))

    def get_empty(self, environ):
        return "204 No Content", [], ()

    def get_moved(self, environ):
        return "302 Found", [("Location", MOVED_TO), ("Content-Length", "0")], ()

    def get_cookies(self, environ):
        return whole(b"", *(("Set-Cookie", cookie) for cookie in COOKIES))

    def get_gzip(self, environ):
        return whole(GZIP, ("Content-Encoding", "gzip"))

    def get_file(self, environ):
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", environ.get("HTTP_RANGE", ""))
        if not asked:
            return whole(FILE, ("Accept-Ranges", "bytes"))
        first, last = map(int, asked.groups())
        part = whole(FILE[first : last + 1], ("Content-Range", f"bytes {first}-{last}/{len(FILE)}"))
        return "206 Partial Content", *part[1:]

    def get_chunked(self, environ):
        return "200 OK", [("Content-Type", "text/plain")], (HELLO[:100], HELLO[100:])

    def get_echo(self, environ):
        return whole(environ["RAW_URI"].encode("latin-1"))

    def get_port(self, environ):
        return whole(environ["REMOTE_PORT"].encode())

    def get_upload(self, environ):
        size, sha = 0, hashlib.sha256()
        while piece := environ["wsgi.input"].read(64 * 1024):
            size += len(piece)
            sha.update(piece)
        return whole(f"{size} {sha.hexdigest()}".encode())

    def get_events(self, environ):
        self.next = Semaphore(0)
        return "200 OK", [("Content-Type", "text/event-stream")], self.events()

    def get_next(self, environ):
        self.next.release()
        return whole(b"")

    def get_endless(self, environ):
        return "200 OK", [("Content-Length", str(ENDLESS))], self.zeros()

    def get_sending(self, environ):
        return whole(str(self.sending).encode())

    def nothing(self, environ):
        return "404 Not Found", [("Content-Length", "0")], ()

    def events(self):
        yield b"id: 1\ndata: one\n\n"
        for number in (2, 3):
            self.next.acquire(timeout=20)
            yield b"id: %d\ndata: more\n\n" % number

    def zeros(self):
        self.sending += 1
        try:
            for _ in range(ENDLESS // len(PIECE)):
                yield PIECE
        finally:
            self.sending -= 1


def whole(body, *fields):
    """An answer of a known length."""
    return "200 OK", [("Content-Length", str(len(body))), *fields], (body,)


application = Origin()
