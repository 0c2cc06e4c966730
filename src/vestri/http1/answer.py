"""Heads of answers: read from a replica's bytes in any pieces, and written afresh for a client."""

import re
from functools import lru_cache

from vestri.errors import RequestError
from vestri.http1.fields import HOP_BY_HOP, SHORT, Names, check_unfinished, content_length, members, options, read_into
from vestri.http1.framing import CHUNKED, LENGTH, NONE, UNTIL_CLOSE, ChunkedBody, CloseBody, LengthBody

#: status-line of RFC 9112 section 4. Servers in use leave out the space before an empty reason phrase.
STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*))?")
#: Bytes and lines of a head.
LARGEST_HEAD = 64 * 1024
MOST_FIELDS = 1000
#: Status codes whose answers have no body whatever their fields say (RFC 9112 section 6.3).
BODILESS = frozenset({204, 304})
#: Heads up to this size are remembered as read, so many of them.
REMEMBERED_SIZE, REMEMBERED = 2048, 1024


class AnswerHead:
    """The head of one answer. It never changes.

    version: 11 or 10, of the replica.  interim: whether another head follows (RFC 9110 section 15.2; 101 is the
    last of its kind).  framing: NONE, LENGTH, CHUNKED or UNTIL_CLOSE.  keep_alive: whether the replica lets the
    connection stay.  upgrade: the protocol that it switches to, or None.  trailer: the line of the Trailer field,
    written only where trailers can follow.
    """

    __slots__ = (
        "_written", "framing", "interim", "keep_alive", "length", "nominated", "offered", "relayed", "status",
        "status_line", "trailer", "transfer_codings", "upgrade", "version",
    )  # fmt: skip

    def __init__(self, status_line, version, status):
        self.status_line, self.version, self.status = status_line, version, status
        self.length = self.upgrade = self.offered = self._written = None
        self.nominated, self.transfer_codings, self.trailer = frozenset(), None, b""
        self.interim = status < 200 and status != 101
        self.framing, self.keep_alive, self.relayed = NONE, False, b""

    def body(self):
        """What reads the body, or None where there is none."""
        if self.framing == LENGTH:
            return LengthBody(self.length) if self.length else None
        if self.framing == CHUNKED:
            return ChunkedBody()
        return CloseBody() if self.framing == UNTIL_CLOSE else None

    def __repr__(self):
        return f"<AnswerHead {self.status}>"


class AnswerReader:
    """Reads the heads of the answers on a connection to a replica; bodies are read by `AnswerHead.body`."""

    __slots__ = ("_buffer",)

    def __init__(self):
        self._buffer = b""

    def receive(self, data, method):
        """(`AnswerHead`, what came behind it), or None while it has not ended. Raises RequestError.

        method: of the request; an answer to HEAD has no body.
        """
        checked = 0
        if self._buffer:
            checked = len(self._buffer)
            data, self._buffer = self._buffer + data, b""
        end = data.find(b"\r\n\r\n", checked - 3 if checked > 3 else 0, LARGEST_HEAD)
        if end < 0:
            self._check_begun(data, checked)
            self._buffer = data
            return None
        parse = _parse_once if end <= REMEMBERED_SIZE else _parse
        return parse(data[:end], method == b"HEAD"), data[end + 4 :]

    def _check_begun(self, data, checked):
        """Refuse what cannot become a head, without waiting for its end."""
        if not data.startswith(b"HTTP/1.", 0, 7) and not b"HTTP/1.".startswith(data[:7]):
            raise RequestError("bad_response", "not HTTP")
        check_unfinished(data, checked)
        if len(data) >= LARGEST_HEAD:
            raise RequestError("bad_response", "a head without end")


def _parse(data, to_head):
    line, _, section = data.partition(b"\r\n")
    head = AnswerHead(*(_status_once if len(line) <= SHORT else _status)(line))
    _read_fields(head, section)
    head.framing = _framing(head, to_head)
    wants_close, wants_stay = b"close" in head.nominated, b"keep-alive" in head.nominated
    stays = not wants_close and (head.version == 11 or wants_stay)
    head.keep_alive = stays and head.framing != UNTIL_CLOSE
    if b"upgrade" in head.nominated:
        head.upgrade = head.offered
    return head


_parse_once = lru_cache(REMEMBERED)(_parse)


def _status(line):
    """(the status line as we write it, version, status)."""
    found = STATUS_LINE.fullmatch(line)
    if found is None:
        raise RequestError("bad_response", "a status line that is none")
    minor, code, phrase = found.groups()
    return b"HTTP/1.1 %b %b\r\n" % (code, phrase or b""), 10 + int(minor), int(code)


_status_once = lru_cache(REMEMBERED)(_status)


def _read_fields(head, section):
    head.relayed, count = read_into(head, section, NAMES)
    if count > MOST_FIELDS:
        raise RequestError("bad_response", "a head with too many fields")


def _framing(head, to_head):
    """RFC 9112 section 6.3, where it leaves a choice the strict one."""
    codings = head.transfer_codings
    if codings is not None and (codings != [b"chunked"] or head.length is not None or head.version == 10):
        raise RequestError("bad_response", "a body whose end is told in two ways, or in none that we know")
    if to_head or head.status < 200 or head.status in BODILESS:
        return NONE
    if codings is not None:
        return CHUNKED
    return UNTIL_CLOSE if head.length is None else LENGTH


def _content_length(head, name, value):
    if head.length is not None:
        raise RequestError("bad_response", "more than one Content-Length")
    head.length = content_length(value)


def _transfer_encoding(head, name, value):
    head.transfer_codings = (head.transfer_codings or []) + members(value)


def _connection(head, name, value):
    head.nominated |= options(value)


def _upgrade(head, name, value):
    head.offered = value


def _trailer(head, name, value):
    head.trailer += b"Trailer: %b\r\n" % value


def _dropped(head, name, value):
    return False


NAMES = Names({
    **dict.fromkeys(HOP_BY_HOP, _dropped),
    b"connection": _connection,
    b"content-length": _content_length,
    b"trailer": _trailer,
    b"transfer-encoding": _transfer_encoding,
    b"upgrade": _upgrade,
    b"vestri-reason": _dropped,  # ours alone: it tells an answer of Vestri from one of a replica
})  # fmt: skip


def answer_head(head, version, keep_alive):
    """The head for a client, as bytes.

    version: of the client's request.  keep_alive: whether its connection stays after this answer.
    """
    if version == 11 and keep_alive:
        if head._written is None:
            head._written = b"".join((head.status_line, head.relayed, _framing_line(head, 11), b"\r\n"))
        return head._written
    connection = b"Connection: keep-alive\r\n" if keep_alive else b"Connection: close\r\n"
    if head.status < 200:
        connection = b""
    return b"".join((head.status_line, head.relayed, _framing_line(head, version), connection, b"\r\n"))


def _framing_line(head, version):
    if head.status == 101:
        return b"Connection: Upgrade\r\nUpgrade: %b\r\n" % head.upgrade
    if head.framing >= CHUNKED:
        return b"Transfer-Encoding: chunked\r\n" + head.trailer if version == 11 else b""
    if head.length is None or head.status < 200 or head.status == 204:
        return b""
    return b"Content-Length: %d\r\n" % head.length
