"""Where a body ends: readers for each framing of RFC 9112 section 6, and the writing of chunks."""

import re

from vestri.errors import RequestError
from vestri.http1.fields import HOP_BY_HOP, TOKEN, Names, parsed

#: How a body is delimited. Those from CHUNKED on have no length that is known beforehand.
NONE, LENGTH, CHUNKED, UNTIL_CLOSE = range(4)

#: chunk-size and chunk-ext of RFC 9112 section 7.1, without the white space that it calls bad.
_TOKEN = TOKEN.pattern
_QUOTED = rb'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"'
CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})((?:;%b(?:=(?:%b|%b))?)*)" % (_TOKEN, _TOKEN, _QUOTED))
#: Bytes of one chunk-size or trailer line, and of the chunk extensions of a whole body.
LONGEST_LINE = 4096
MOST_EXTENSIONS = 16 * 1024
#: Bytes of a trailer section.
LARGEST_TRAILERS = 8 * 1024
LARGEST_CHUNK = 2**63 - 1

#: Fields that would change what the message is, or who handles it, if one merged them into the head
#: (RFC 9110 section 6.5.1). In a trailer section the first are refused, the others dropped.
FRAMING_FIELDS = frozenset({b"content-length", b"transfer-encoding", b"host"})
NOT_IN_TRAILERS = HOP_BY_HOP | {
    b"authorization", b"cache-control", b"content-encoding", b"content-range", b"content-type", b"cookie", b"expect",
    b"forwarded", b"max-forwards", b"range", b"set-cookie", b"trailer", b"via", b"www-authenticate",
    b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip", b"x-request-id",
}  # fmt: skip

REFUSED, DROPPED = "refused", "dropped"
TRAILER_NAMES = Names(dict.fromkeys(NOT_IN_TRAILERS, DROPPED) | dict.fromkeys(FRAMING_FIELDS, REFUSED))


class LengthBody:
    """A body of so many bytes. rest: what came behind it, when `done`."""

    __slots__ = ("_left", "done", "rest")
    trailers = b""

    #: Bytes still to come that need not be read here; the last one tells that the body is `done`.
    unread = property(lambda self: self._left - 1)

    def __init__(self, length):
        self._left, self.done, self.rest = length, False, b""

    def feed(self, data):
        """The bytes of the body in what came."""
        left = self._left = self._left - len(data)
        if left > 0:
            return data
        self.done = True
        if left:
            data, self.rest = data[:left], data[left:]
        return data

    def passed(self, count):
        """So many of the `unread` have gone on without being read."""
        self._left -= count

    def eof(self):
        """The connection ended. Raises RequestError where the body has not."""
        if not self.done:
            raise RequestError("upstream_reset", f"the body ended {self._left} bytes early")


class CloseBody:
    """A body that the end of its connection ends."""

    __slots__ = ("done",)
    trailers = rest = b""
    unread = 0

    def __init__(self):
        self.done = False

    def feed(self, data):
        return data

    def eof(self):
        self.done = True


class ChunkedBody:
    """A chunked body (RFC 9112 section 7.1), decoded. A fault in it raises RequestError from `feed`.

    trailers: the trailer fields that may travel on, as lines, when `done`.  rest: what came behind.
    """

    __slots__ = ("_extensions", "_held", "_left", "_step", "_trailer_size", "done", "rest", "trailers")
    unread = 0

    def __init__(self):
        self._held = b""
        self._left = self._extensions = self._trailer_size = 0
        self._step = self._size_line
        self.done, self.rest, self.trailers = False, b"", b""

    def feed(self, data):
        """The bytes of the body in what came."""
        if self._left > len(data):  # inside a chunk, where nothing is held: the way of most bytes
            self._left -= len(data)
            return data
        buffer, self._held = self._held + data, b""
        pieces, at = [], 0
        while at is not None and not self.done:
            at = self._step(buffer, at, pieces)
        if self.done:
            self.rest = buffer[at:]
        return b"".join(pieces)

    def eof(self):
        """The connection ended. Raises RequestError where the body has not."""
        if not self.done:
            raise RequestError("upstream_reset", "the chunked body ended early")

    # Each step begins at a position of the buffer and returns where it ended, or None for want of bytes.

    def _size_line(self, buffer, at, pieces):
        end = self._line_end(buffer, at)
        if end is None:
            return None
        found = CHUNK_LINE.fullmatch(buffer, at, end)
        if found is None:
            raise RequestError("bad_request", "a chunk size that is none")
        self._left = int(found[1], 16)
        if self._left > LARGEST_CHUNK:
            raise RequestError("bad_request", "a chunk size beyond all measure")
        self._count_extensions(len(found[2]))
        self._step = self._data if self._left else self._trailer_line
        return end + 2

    def _count_extensions(self, size):
        """Many small chunks with long extensions would cost us more to read than they bring (CVE-2023-39326)."""
        self._extensions += size
        if self._extensions > MOST_EXTENSIONS:
            raise RequestError("bad_request", "too many bytes of chunk extensions")

    def _data(self, buffer, at, pieces):
        piece = buffer[at : at + self._left]
        pieces.append(piece)
        self._left -= len(piece)
        if self._left:
            return None
        self._step = self._data_end
        return at + len(piece)

    def _data_end(self, buffer, at, pieces):
        end = buffer[at : at + 2]
        if end == b"\r\n":
            self._step = self._size_line
            return at + 2
        if end not in (b"", b"\r"):
            raise RequestError("bad_request", "a chunk is longer than its size")
        self._held = end
        return None

    def _trailer_line(self, buffer, at, pieces):
        end = self._line_end(buffer, at)
        if end is None:
            return None
        if end == at:
            self.done = True
            return at + 2
        self._trailer_size += end + 2 - at
        if self._trailer_size > LARGEST_TRAILERS:
            raise RequestError("header_too_large", "the trailer section is too large")
        self.trailers += trailer_lines(buffer[at:end])
        return end + 2

    def _line_end(self, buffer, at):
        """Where the line that begins at `at` has its CRLF; None, and the line held, if that is still to come."""
        end = buffer.find(b"\r\n", at, at + LONGEST_LINE)
        if end >= 0:
            return end
        if len(buffer) - at >= LONGEST_LINE:
            raise RequestError("bad_request", "a line of a chunked body is too long")
        if buffer.find(b"\n", at) >= 0 or buffer.find(b"\r", at, -1) >= 0:
            raise RequestError("bad_request", "a line of a chunked body does not end in CRLF")
        self._held = buffer[at:]
        return None


def trailer_lines(section):
    """The fields of a trailer section that may travel on, as lines. Raises RequestError."""
    lines = []
    for spelled, _, reader, value in parsed(section, TRAILER_NAMES):
        if reader is REFUSED:
            raise RequestError("bad_request", "a framing field in a trailer section")
        if reader is None:
            lines.append(b"%b: %b\r\n" % (spelled, value))
    return b"".join(lines)


def chunk(payload):
    """One chunk."""
    return b"%x\r\n%b\r\n" % (len(payload), payload) if payload else b""


def last_chunk(trailers):
    """The end of a chunked body. trailers: lines."""
    return b"0\r\n%b\r\n" % trailers
