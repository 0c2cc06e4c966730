"""What the field section of a request says: to the replica, and to us."""

import re
from functools import lru_cache

from vestri.errors import RequestError
from vestri.http1.fields import HOP_BY_HOP, Names, content_length, members, options, parsed, read_into

#: uri-host and port of RFC 3986 section 3.2, without the characters that no host in use has.
AUTHORITY = re.compile(rb"(?:[A-Za-z0-9_~-]+(?:\.[A-Za-z0-9_~-]+)*\.?|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{0,5}))?")
#: What a client, or a proxy before us, says about where a request came from: believed or not by
#: `proxying.forwarding`, and never relayed unseen. All other X-Forwarded-... fields are of the kind.
FORWARDING = frozenset({b"forwarded", b"x-real-ip", b"x-request-id", b"x-vestri-attempt"})
#: Sections up to this size are remembered as read, so many of them: a client's requests mostly differ in their
#: first line alone.
REMEMBERED_SIZE, REMEMBERED = 2048, 1024


class RequestFields:
    """A field section, read.

    relayed: the lines that travel on as they are.  count: of lines.  host: None where there is no Host field.
    length: of Content-Length, or None.  chunked: of Transfer-Encoding.  close, keep_alive, te_trailers, upgrade
    (the wanted protocols, or None): of the connection.  expects_continue: of Expect.  via: values of Via.
    forwarding: lower-case name -> values of the fields about the request's origin, or None.
    """

    __slots__ = (
        "_section", "chunked", "close", "codings", "count", "expects_continue", "forwarding", "host", "keep_alive",
        "length", "nominated", "offered", "relayed", "te_trailers", "upgrade", "via",
    )  # fmt: skip

    def __init__(self, section):
        self._section, self.relayed = section, b""
        self.chunked = self.close = self.keep_alive = self.te_trailers = self.expects_continue = False
        self.host = self.length = self.forwarding = self.upgrade = None
        self.nominated, self.codings, self.offered, self.via, self.count = frozenset(), (), (), (), 0

    def get(self, wanted):
        """The value of the first field of that lower-case name, or None."""
        return next((value for _, name, _, value in parsed(self._section, NAMES) if name == wanted), None)


def read(section):
    """The `RequestFields` of a section without its last line end. Raises RequestError."""
    fields = RequestFields(section)
    fields.relayed, fields.count = read_into(fields, section, NAMES)
    if fields.codings:
        _settle_framing(fields)
    _settle_connection(fields)
    return fields


#: The same, remembered: for sections of up to `REMEMBERED_SIZE` bytes.
read_once = lru_cache(REMEMBERED)(read)


def _settle_framing(fields):
    """chunked, once and alone, is what we know of transfer codings (RFC 9112 sections 6.1 and 6.3)."""
    if fields.length is not None:
        raise RequestError("bad_request", "both Content-Length and Transfer-Encoding")
    if fields.codings != (b"chunked",):
        *others, last = fields.codings
        unknown = last == b"chunked" and others and not {b"", b"chunked", b"identity"} & set(others)
        raise RequestError("bad_request", "a transfer coding other than chunked", status=501 if unknown else 400)
    fields.chunked = True


def _settle_connection(fields):
    """What `Connection` names goes, and an upgrade holds only if it is named (RFC 9110 sections 7.6.1 and 7.8)."""
    options = fields.nominated
    fields.close, fields.keep_alive = b"close" in options, b"keep-alive" in options
    if b"upgrade" in options and fields.offered:
        fields.upgrade = b", ".join(fields.offered)
    if fields.forwarding:
        for name in options & fields.forwarding.keys():
            del fields.forwarding[name]


# Readers of the fields that are for us: each takes (fields, lower-case name, value), and says whether the line
# travels on.


def _host(fields, name, value):
    if fields.host is not None:
        raise RequestError("bad_request", "more than one Host")
    fields.host = authority(value)


def authority(value):
    """A valid host with or without a port, as it came. Raises RequestError."""
    found = AUTHORITY.fullmatch(value)
    if found is None or int(found[1] or 0) > 65535:
        raise RequestError("bad_request", "a Host that is no host")
    return value


def _content_length(fields, name, value):
    if fields.length is not None:
        raise RequestError("bad_request", "more than one Content-Length")
    fields.length = content_length(value)


def _transfer_encoding(fields, name, value):
    fields.codings += tuple(part.strip(b" \t").lower() for part in value.split(b","))


def _connection(fields, name, value):
    fields.nominated |= options(value)


def _te(fields, name, value):
    fields.te_trailers |= b"trailers" in members(value)


def _upgrade(fields, name, value):
    """HTTP/2 is never begun through us: what would follow is no HTTP/1.1 (RFC 9113 section 3.1 withdrew h2c)."""
    wanted = [part.strip(b" \t") for part in value.split(b",")]
    fields.offered += tuple(each for each in wanted if each and each.lower().partition(b"/")[0] not in (b"h2c", b"h2"))


def _expect(fields, name, value):
    if value.lower() != b"100-continue":
        raise RequestError("bad_request", "an expectation other than 100-continue", status=417)
    fields.expects_continue = True


def _via(fields, name, value):
    fields.via += (value,)
    return True


def _forwarding(fields, name, value):
    if fields.forwarding is None:
        fields.forwarding = {}
    fields.forwarding.setdefault(name, []).append(value)


def _dropped(fields, name, value):
    return False


READERS = {
    **dict.fromkeys(HOP_BY_HOP, _dropped),
    **dict.fromkeys(FORWARDING, _forwarding),
    b"connection": _connection,
    b"content-length": _content_length,
    b"expect": _expect,
    b"host": _host,
    b"te": _te,
    b"transfer-encoding": _transfer_encoding,
    b"upgrade": _upgrade,
    b"via": _via,
}


def _other(name):
    """The reader of a field that is not among `READERS`.

    Servers that make variables of field names (CGI, WSGI) take `X_Forwarded_For` for `X-Forwarded-For`: a name
    that would pass for one of ours with underscores goes, all others stay.
    """
    dashed = name.replace(b"_", b"-")
    ours = dashed.startswith(b"x-forwarded-")
    if dashed == name:
        return _forwarding if ours else None
    return _dropped if ours or dashed in READERS else None


NAMES = Names(READERS, _other)
