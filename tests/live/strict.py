"""HTTP/1.1 read by the letter: what Vestri writes, to either side, must stand up to a reader without leniency."""

import re
import socket
import struct
import time
from typing import NamedTuple

from wire import LOOPBACK

#: Seconds that one read may take: longer than any timeout of the Vestris under test.
PATIENCE = 10.0

_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+: ?(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?")
_REQUEST = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ [!-~]+ HTTP/1\.1")
_STATUS = re.compile(rb"HTTP/1\.1 [1-9][0-9]{2} [\t -~\x80-\xff]*")
_SIZE = re.compile(rb"0|[1-9a-f][0-9a-f]*")


class Malformed(AssertionError):
    """Vestri wrote something that is not HTTP."""


class Message(NamedTuple):
    """A request or an answer. start: its first line.  lines: of its fields, as they came.  stream: where it came."""

    start: bytes
    lines: tuple
    body: bytes
    trailers: tuple
    stream: object

    @property
    def status(self):
        return int(self.start.split(b" ")[1])

    @property
    def method(self):
        return self.start.split(b" ")[0]

    @property
    def target(self):
        return self.start.split(b" ")[1]

    @property
    def names(self):
        """Lower-case names of the fields, in order."""
        return [line.partition(b":")[0].lower() for line in self.lines]

    def values(self, name):
        """Every value of a field, in order. name: in lower case."""
        pairs = (line.partition(b":") for line in self.lines)
        return [value.strip(b" ") for field, _, value in pairs if field.lower() == name]

    def get(self, name):
        """The value of a field that may stand there once, or None."""
        values = self.values(name)
        assert len(values) < 2, f"{name!r} came {len(values)} times: {values}"
        return values[0] if values else None


class Stream:
    """One end of a connection. Whatever breaks the rules raises Malformed, an end too early EOFError."""

    def __init__(self, sock, timeout=PATIENCE):
        sock.settimeout(timeout)
        self.sock, self._file = sock, sock.makefile("rb")

    def send(self, data):
        self.sock.sendall(data)

    def end(self):
        """Say that nothing more follows, and go on reading."""
        self.sock.shutdown(socket.SHUT_WR)

    def close(self):
        self._file.close()
        self.sock.close()

    def reset(self):
        """Close with RST in place of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    # Reading

    def waiting(self):
        """Whether something is there to be read, once it is; False at the end."""
        return bool(self._file.peek(1))

    def request(self):
        """The next whole request."""
        return self.whole_request(self.request_head())

    def request_head(self):
        """The next request as a Message without its body."""
        return self.head(_REQUEST)

    def whole_request(self, head):
        """The request with its body, once its head was read."""
        body, trailers = self._delimited(head) or (b"", ())
        return head._replace(body=body, trailers=trailers)

    def answer(self, to=b"GET"):
        """The next whole answer, interim ones too. to: the request's method."""
        head = self.head(_STATUS)
        if to == b"HEAD" or head.status < 200 or head.status in (204, 304):
            return head
        body, trailers = self._delimited(head) or (self._file.read(), ())
        return head._replace(body=body, trailers=trailers)

    def final_answer(self, to=b"GET"):
        while (answer := self.answer(to)).status < 200 and answer.status != 101:
            pass
        return answer

    def head(self, start=_STATUS):
        """The next head, of an answer unless `start` says otherwise, as a Message without a body."""
        first = self._line()
        if not start.fullmatch(first):
            raise Malformed(f"a first line that is none: {first!r}")
        return Message(first, tuple(self._lines()), b"", (), self)

    def rest(self):
        """All that comes until the other side ends; a reset is an end too, but a silence is none."""
        received = bytearray()
        try:
            while data := self._file.read1(65536):
                received += data
        except ConnectionResetError:
            pass
        return bytes(received)

    def ended(self):
        """Whether the other side ended in order, with nothing more to say. ConnectionResetError where it broke off."""
        return self._file.read(1) == b""

    def exactly(self, size):
        data = bytearray()
        while len(data) < size:
            piece = self._file.read1(min(65536, size - len(data)))
            if not piece:
                raise EOFError(f"ended after {len(data)} of {size} bytes")
            data += piece
        return bytes(data)

    def _delimited(self, head):
        """(body, trailers) by chunks or length, or None where neither delimits it (RFC 9112 section 6.3)."""
        coding, length = head.get(b"transfer-encoding"), head.get(b"content-length")
        if coding is not None and (coding, length) != (b"chunked", None):
            raise Malformed(f"framed by {coding!r} and {length!r}")
        if coding is not None:
            return b"".join(self._chunks()), tuple(self._lines())
        return None if length is None else (self.exactly(int(length)), ())

    def _chunks(self):
        while size := int(self._size(), 16):
            yield self.exactly(size)
            if self.exactly(2) != b"\r\n":
                raise Malformed("a chunk that does not end in CRLF")

    def _size(self):
        line = self._line()
        if not _SIZE.fullmatch(line):
            raise Malformed(f"a chunk size that is none: {line!r}")
        return line

    def _lines(self):
        while line := self._line():
            if not _LINE.fullmatch(line):
                raise Malformed(f"a field line that is none: {line!r}")
            yield line

    def _line(self):
        line = self._file.readline()
        if not line.endswith(b"\n"):
            raise EOFError(f"ended after {line!r}")
        if not line.endswith(b"\r\n"):
            raise Malformed(f"a line that does not end in CRLF: {line!r}")
        return line[:-2]


def connect(port, timeout=PATIENCE):
    """A client's Stream to loopback."""
    return Stream(socket.create_connection((LOOPBACK, port), timeout), timeout)


def deliver(stream, data, pieces):
    """Send bytes in so many pieces, each of which Vestri most likely reads on its own."""
    size = max(1, -(-len(data) // pieces))
    for at in range(0, len(data), size):
        stream.send(data[at : at + size])
        if pieces > 1:
            time.sleep(0.003)
