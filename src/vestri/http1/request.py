"""Heads of requests: read from bytes in any pieces, and written afresh for a replica."""

import re

from vestri.errors import RequestError
from vestri.http1 import request_fields
from vestri.http1.fields import TOKEN, check_unfinished
from vestri.http1.framing import CHUNKED, LENGTH, NONE, ChunkedBody, LengthBody
from vestri.http1.request_fields import REMEMBERED_SIZE, read, read_once

VERSIONS = {b"HTTP/1.1": 11, b"HTTP/1.0": 10}
#: Methods that are known to be tokens without a look.
USUAL = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE", b"CONNECT"})
#: What a request target may hold: visible ASCII, which is what RFC 3986 allows and a little more, and no fragment.
TARGET_BYTES = bytes(set(range(0x21, 0x7F)) - {ord("#")})
SLASH = ord("/")
#: Empty lines before a request line that are passed over (RFC 9112 section 2.2 asks for at least one).
EMPTY_LINES = 8
#: http-URI and https-URI of RFC 9110 section 4.2, as far as their authority.
ABSOLUTE = re.compile(rb"(https?)://([^/?]+)(.*)", re.IGNORECASE)
DEFAULT_PORTS = {b"http": b":80", b"https": b":443"}
#: Methods whose requests have no body in HTTP/1.0, where a server could not tell it from the next request.
BODILESS_IN_10 = frozenset({b"GET", b"HEAD", b"DELETE"})


class RequestHead:
    """The head of one request.

    target: in origin form, or `*`.  host: the value of Host, b"" where an HTTP/1.0 request has none.
    version: 11 or 10.  framing: NONE, LENGTH or CHUNKED.  keep_alive: whether the client wants the connection
    to stay.  upgrade: the protocols that it offers to switch to, or None. An offer with a body is passed over (RFC 9110
    section 7.8 leaves us free): servers disagree on whether the body comes before the switch.
    """

    __slots__ = (
        "expects_continue",
        "fields",
        "framing",
        "host",
        "keep_alive",
        "method",
        "target",
        "upgrade",
        "version",
    )

    def __init__(self, method, target, version, host, fields):
        self.method, self.target, self.version, self.host, self.fields = method, target, version, host, fields
        self.framing = CHUNKED if fields.chunked else NONE if fields.length is None else LENGTH
        if version == 11:
            self.keep_alive, self.upgrade = (
                not fields.close,
                None if fields.chunked or fields.length else fields.upgrade,
            )
            self.expects_continue = fields.expects_continue and (fields.chunked or bool(fields.length))
        else:
            self.keep_alive, self.upgrade = fields.keep_alive and not fields.close, None
            self.expects_continue = False

    via = property(lambda self: self.fields.via)
    forwarding = property(lambda self: self.fields.forwarding)
    length = property(lambda self: self.fields.length)

    def get(self, name):
        """The value of the first field of that lower-case name, or None."""
        return self.fields.get(name)

    def body(self):
        """What reads the body, or None where there is none."""
        if self.framing == CHUNKED:
            return ChunkedBody()
        return LengthBody(self.fields.length) if self.fields.length else None

    def __repr__(self):
        return f"<RequestHead {self.method!r} {self.target!r} HTTP/{self.version / 10}>"


class RequestReader:
    """Reads the heads of a connection's requests; their bodies are read by `RequestHead.body`.

    limits: model.Limits, of which `header_size` and `header_count` count here.  Whatever pieces the
    bytes come in, the result is the same.
    """

    __slots__ = ("_buffer", "_empty_lines", "_limits")

    def __init__(self, limits):
        self._limits, self._buffer, self._empty_lines = limits, None, 0

    @property
    def partial(self):
        """Whether a head has begun and not ended. An empty line before it is no beginning (RFC 9112 section 2.2)."""
        return self._buffer is not None and self._buffer != b"\r"

    def receive(self, data):
        """(`RequestHead`, what came behind it), or None while it has not ended.

        Raises RequestError; then the reader is of no more use.
        """
        if self._buffer is None and data[:1] != b"\r":
            end = data.find(b"\r\n\r\n")
            if 0 < end <= self._limits.header_size - 4:
                return self._head(data[:end]), data[end + 4 :]
        return self._receive_piece(data)

    def _receive_piece(self, data):
        buffer = self._buffer = bytearray() if self._buffer is None else self._buffer
        checked = len(buffer)
        buffer += data
        while buffer.startswith(b"\r\n"):
            del buffer[:2]
            checked = 0
            self._count_empty_line()
        size = self._limits.header_size
        end = buffer.find(b"\r\n\r\n", max(0, checked - 3), size)
        if end < 0:
            self._check_begun(bytes(buffer[:size]), checked)
            if len(buffer) >= size:
                raise self._too_large(buffer)
            if not buffer:
                self._buffer = None
            return None
        self._buffer, self._empty_lines = None, 0
        return self._head(bytes(buffer[:end])), bytes(buffer[end + 4 :])

    def _count_empty_line(self):
        self._empty_lines += 1
        if self._empty_lines > EMPTY_LINES:
            raise RequestError("bad_request", "empty lines and no request")

    def _too_large(self, buffer):
        if buffer.find(b"\r\n", 0, self._limits.header_size) < 0:
            return RequestError("uri_too_long", "the request line is too long")
        return RequestError("header_too_large", "the head is too large")

    def _check_begun(self, begun, checked):
        """Refuse what cannot become a head, without waiting for its end. checked: bytes that were fine before."""
        line_end = begun.find(b"\r\n")
        if line_end >= checked - 1 and line_end >= 0:
            _request_line(begun[:line_end])
        check_unfinished(begun, checked)

    def _head(self, head):
        line, _, section = head.partition(b"\r\n")
        method, target, version = _request_line(line)
        fields = read_once(section) if len(section) <= REMEMBERED_SIZE else read(section)
        if fields.count > self._limits.header_count:
            raise RequestError("header_too_large", "the head has too many fields")
        host = fields.host
        if version == 10:
            _check_10(method, fields)
        elif host is None:
            raise RequestError("bad_request", "no Host")
        if target[0] != SLASH or method == b"CONNECT":
            target, host = _other_form(method, target, host)
        return RequestHead(method, target, version, host or b"", fields)


def _request_line(line):
    """(method, target, version) of a request line. Raises RequestError (RFC 9112 section 3)."""
    try:
        method, target, version = line.split(b" ")
        number = VERSIONS[version]
    except (ValueError, KeyError):
        raise RequestError("bad_request", "a request line that is not METHOD target HTTP/1.1") from None
    if method not in USUAL and not TOKEN.fullmatch(method):
        raise RequestError("bad_request", "a method that is no token")
    if not target or target.translate(None, TARGET_BYTES):
        raise RequestError("bad_request", "a target with a character that no URL has")
    return method, target, number


def _other_form(method, target, host):
    """(target, host) of a target that is no path (RFC 9112 section 3.2)."""
    if method == b"CONNECT":
        request_fields.authority(target)
        return target, host
    if target == b"*" and method == b"OPTIONS":
        return target, host
    found = ABSOLUTE.fullmatch(target)
    if found is None:
        raise RequestError("bad_request", "a target that is neither a path nor a URL")
    scheme, authority, rest = found.groups()
    request_fields.authority(authority)
    if host is not None and _bare(host, scheme) != _bare(authority, scheme):
        raise RequestError("bad_request", "a Host that is not the target's")
    if not rest:
        return b"*" if method == b"OPTIONS" else b"/", authority
    return rest if rest.startswith(b"/") else b"/" + rest, authority


def _bare(host, scheme):
    return host.lower().removesuffix(DEFAULT_PORTS[scheme.lower()])


def _check_10(method, fields):
    if fields.chunked:
        raise RequestError("bad_request", "Transfer-Encoding in HTTP/1.0")
    if fields.length and method in BODILESS_IN_10:
        raise RequestError("body_too_large", "a body that HTTP/1.0 has no place for")


def request_head(head, target, host, lines):
    """The head for a replica, as bytes, in HTTP/1.1.

    target, host: as the replica is to see them.  lines: field lines of ours.
    """
    fields = head.fields
    if head.framing == NONE and head.upgrade is None and not fields.te_trailers:
        end = b"\r\n"
    else:
        end = _framing_lines(head)
    return b"".join((
        head.method, b" ", target, b" HTTP/1.1\r\nHost: ", host, b"\r\n", fields.relayed, lines, end,
    ))  # fmt: skip


def _framing_lines(head):
    lines, options = [], []
    if head.framing == CHUNKED:
        lines.append(b"Transfer-Encoding: chunked\r\n")
    elif head.framing == LENGTH:
        lines.append(b"Content-Length: %d\r\n" % head.length)
    if head.expects_continue:
        lines.append(b"Expect: 100-continue\r\n")
    if head.fields.te_trailers and head.version == 11:
        lines.append(b"TE: trailers\r\n")
        options.append(b"TE")
    if head.upgrade is not None:
        lines.append(b"Upgrade: %b\r\n" % head.upgrade)
        options.append(b"Upgrade")
    if options:
        lines.append(b"Connection: %b\r\n" % b", ".join(options))
    return b"".join(lines) + b"\r\n"
