"""Bytes in pieces through the readers of `vestri.http1`, as the connections feed them, and what came out."""

import attrs

from vestri.errors import RequestError
from vestri.http1 import CHUNKED, AnswerReader, RequestReader, answer_head, chunk, last_chunk, request_head
from vestri.model import Limits

FRAMINGS = ("none", "length", "chunked", "close")


@attrs.frozen(kw_only=True)
class Request:
    """A whole request. written: as a replica would get it, without lines of ours."""

    method: bytes
    target: bytes
    host: bytes
    version: int
    keep_alive: bool
    upgrade: bytes | None
    expects_continue: bool
    body: bytes
    trailers: bytes
    written: bytes


@attrs.frozen(kw_only=True)
class Answer:
    """A whole final answer.

    framing: of `FRAMINGS`.  interims: status codes before it.  written, written_10: as a client of HTTP/1.1, and one
    of HTTP/1.0, would get it.
    """

    status: int
    version: int
    keep_alive: bool
    upgrade: bytes | None
    framing: str
    interims: tuple[int, ...]
    body: bytes
    trailers: bytes
    written: bytes
    written_10: bytes


@attrs.frozen
class Reading:
    """What was read.

    verdict: as in the corpus.  messages: the whole ones.  status: that a client's fault is answered with.
    unfinished: what came of the body under way.  rest: bytes that are for nobody, or for the protocol after an upgrade.
    """

    verdict: str
    messages: tuple = ()
    status: int | None = None
    unfinished: bytes = b""
    rest: bytes = b""


def split(data, positions):
    """The pieces of `data` between ascending positions."""
    return [data[start:end] for start, end in zip([0, *positions], [*positions, len(data)], strict=True)]


def bytewise(data):
    """The bytes one by one."""
    return [data[at : at + 1] for at in range(len(data))]


def read_requests(pieces, limits=None):
    """The `Reading` of a client's bytes."""
    feed = RequestFeed(limits or Limits())
    for piece in pieces:
        feed.receive(piece)
    return feed.reading()


def read_answer(pieces, method=b"GET"):
    """The `Reading` of a replica's bytes up to the end of its connection, in answer to one request."""
    feed = AnswerFeed(method)
    for piece in pieces:
        feed.receive(piece)
    return feed.ended()


class Feed:
    """Gives what comes to `_step`, which reads some of it, and returns what stands behind that."""

    def __init__(self, reader):
        self._reader, self._step = reader, self._read_head
        self._head = self._body = self._refused = None
        self._payload, self._rest = b"", b""

    def receive(self, data):
        """The next piece."""
        try:
            while data:
                data = self._step(data)
        except RequestError as error:
            self._refused, self._step = error, self._ignore

    def _begin(self, head, rest):
        """A head came: its body is next, if it has one, even where none of its bytes came along."""
        self._head, self._body, self._payload = head, head.body(), b""
        if self._body is None:
            self._complete(b"")
            return rest
        self._step = self._read_body
        return self._read_body(rest)

    def _read_body(self, data):
        body = self._body
        self._payload += body.feed(data)
        if not body.done:
            return b""
        self._body = None
        self._complete(body.trailers)
        return body.rest

    def _keep(self, data):
        self._rest += data
        return b""

    def _ignore(self, data):
        return b""


class RequestFeed(Feed):
    """Reads requests until one is refused, closes the connection, or asks for an upgrade."""

    def __init__(self, limits):
        super().__init__(RequestReader(limits))
        self._messages = []

    def reading(self):
        """All that came so far."""
        messages = tuple(self._messages)
        if self._refused is not None:
            return Reading("refuse", messages, self._refused.status)
        if self._body is not None or self._reader.partial:
            return Reading("incomplete", messages, unfinished=self._payload)
        return Reading("accept", messages, rest=self._rest)

    def _read_head(self, data):
        read = self._reader.receive(data)
        return b"" if read is None else self._begin(*read)

    def _complete(self, trailers):
        head = self._head
        self._messages.append(_request(head, self._payload, trailers))
        if head.upgrade is not None:
            self._step = self._keep
        else:
            self._step = self._read_head if head.keep_alive else self._ignore


class AnswerFeed(Feed):
    """Reads one answer and the interim ones before it, up to its end or that of the connection."""

    def __init__(self, method):
        super().__init__(AnswerReader())
        self._method, self._interims, self._answer = method, [], None

    def ended(self):
        """The connection ended: all that came."""
        if self._refused is not None:
            return Reading("refuse")
        if self._head is None:
            return Reading("incomplete")
        if self._body is not None:
            try:
                self._body.eof()
            except RequestError:
                return Reading("truncated", unfinished=self._payload)
            self._complete(self._body.trailers)
        return Reading("accept", (self._answer,), rest=self._rest)

    def _read_head(self, data):
        read = self._reader.receive(data, self._method)
        if read is None or not read[0].interim:
            return b"" if read is None else self._begin(*read)
        head, rest = read
        self._interims.append(head.status)
        return rest

    def _complete(self, trailers):
        self._answer = _answer(self._head, tuple(self._interims), self._payload, trailers)
        self._step = self._keep


def _request(head, body, trailers):
    names = ("method", "target", "host", "version", "keep_alive", "upgrade", "expects_continue")
    said = {name: getattr(head, name) for name in names}
    written = request_head(head, head.target, head.host or b"replica.example", b"")
    written += _framed(body, trailers, chunked=head.framing == CHUNKED)
    return Request(**said, body=body, trailers=trailers, written=written)


def _answer(head, interims, body, trailers):
    said = {name: getattr(head, name) for name in ("status", "version", "keep_alive", "upgrade")}
    new, old = (_relayed(head, body, trailers, version) for version in (11, 10))
    framing = FRAMINGS[head.framing]
    return Answer(**said, framing=framing, interims=interims, body=body, trailers=trailers, written=new, written_10=old)


def _relayed(head, body, trailers, version):
    """An answer as a client would get it; b"" where nobody would, for a switch to a protocol that has no name."""
    if head.status == 101 and head.upgrade is None:
        return b""
    start = answer_head(head, version, version == 11)
    return start + _framed(body, trailers, chunked=head.framing >= CHUNKED and version == 11)


def _framed(body, trailers, *, chunked):
    return chunk(body) + last_chunk(trailers) if chunked else body
