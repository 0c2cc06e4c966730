"""Field lines: read strictly, and sorted into those that travel on and those that are for us."""

import re
from functools import lru_cache

from vestri.errors import RequestError

#: RFC 9110 section 5.6.2.
TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
#: What a field line may hold (RFC 9110 section 5.5), and what a field section may, the line ends included.
LINE_BYTES = bytes([*b"\t", *range(0x20, 0x7F), *range(0x80, 0x100)])
SECTION_BYTES = LINE_BYTES + b"\r\n"
SPACE = ord(" ")
WHOLE = re.compile(rb"[0-9]{1,18}")

#: Of one connection only (RFC 9110 section 7.6.1, RFC 7540 section 3.2.1): never relayed, or written afresh.
HOP_BY_HOP = frozenset({
    b"connection", b"proxy-connection", b"keep-alive", b"te", b"transfer-encoding", b"upgrade",
    b"proxy-authenticate", b"proxy-authorization", b"http2-settings",
})  # fmt: skip
#: Spellings remembered at most, and the bytes of one, lest clients fill our memory; the rest is looked at each time.
REMEMBERED, SHORT = 2048, 64


class Names:
    """Sorts field names: bytes as spelled -> (lower-case name, what reads such a field or None).

    readers: lower-case name -> any value.  other: given the lower-case name of any other field.
    A spelling is checked once and remembered, since clients send the same few again and again.
    """

    def __init__(self, readers, other=lambda name: None):
        self._readers, self._other = readers, other
        self.known = {}

    def learn(self, spelled):
        """Raises RequestError where the name is no token; obs-fold and a space before the colon end here."""
        if not TOKEN.fullmatch(spelled):
            raise RequestError("bad_request", "a field name that is no token")
        name = spelled.lower()
        found = name, self._readers[name] if name in self._readers else self._other(name)
        if len(self.known) < REMEMBERED and len(spelled) <= SHORT:
            self.known[spelled] = found
        return found


def lines_of(section):
    """The lines of a field section given without its last line end.

    Raises RequestError for a byte that no field may hold, and for CR or LF that is no line end:
    lenient readers take those for ends of lines, strict ones do not, and disagree about the message.
    """
    if not section:
        return ()
    lines = section.split(b"\r\n")
    if len(section.translate(None, LINE_BYTES)) != 2 * (len(lines) - 1):  # there is more than the ends of lines
        if section.translate(None, SECTION_BYTES):
            raise RequestError("bad_request", "a control character in a field")
        raise RequestError("bad_request", "a line of the head does not end in CRLF")
    return lines


def check_unfinished(begun, checked):
    """Refuse what cannot become the lines of a head, without waiting for its end.

    checked: how many bytes at the beginning were fine before.  Raises RequestError.
    """
    fresh = begun[checked - begun.endswith(b"\r", 0, checked) :]
    ends = fresh.count(b"\r\n")
    lone_cr = fresh.count(b"\r") - ends - fresh.endswith(b"\r")
    if lone_cr or fresh.count(b"\n") != ends or fresh.translate(None, SECTION_BYTES):
        raise RequestError("bad_request", "a head with control characters, or lines that do not end in CRLF")


def parsed(section, names):
    """(spelled name, lower-case name, its reader, value) of each line of a field section."""
    known, learn = names.known, names.learn
    for line in lines_of(section):
        spelled, colon, value = line.partition(b":")
        if not colon:
            raise RequestError("bad_request", "a field line without a colon")
        name, reader = known.get(spelled) or learn(spelled)
        yield spelled, name, reader, value.strip(b" \t")


def read_into(message, section, names):
    """Let a message learn what a field section says. Returns (lines that travel on, number of all lines).

    names: sorts the fields; a reader is called with (message, lower-case name, value), and says whether its line
    travels on, as all do that have no reader. Those stay behind that the message has then as `nominated`
    (RFC 9110 section 7.6.1).  Raises RequestError.
    """
    known, learn = names.known, names.learn
    lines, travelling, travellers = lines_of(section), [], []
    for line in lines:
        spelled, colon, value = line.partition(b":")
        if not colon:
            raise RequestError("bad_request", "a field line without a colon")
        name, reader = known.get(spelled) or learn(spelled)
        bare = value.strip(b" \t")
        if reader is None or reader(message, name, bare):
            as_is = len(bare) + 1 == len(value) and value[0] == SPACE
            travelling.append(line if as_is else b"%b: %b" % (spelled, bare))
            travellers.append(name)
    nominated = message.nominated
    if nominated and not nominated.isdisjoint(travellers):
        travelling = [line for line, name in zip(travelling, travellers, strict=True) if name not in nominated]
    if travelling:
        travelling.append(b"")
    return b"\r\n".join(travelling), len(lines)


def members(value):
    """The lower-case members of a comma-separated list (RFC 9110 section 5.6.1), empty ones left out."""
    return [each for each in (part.strip(b" \t").lower() for part in value.split(b",")) if each]


def options(value):
    """The members of a Connection field as a frozenset."""
    return _options_once(value) if len(value) <= SHORT else _options(value)


def _options(value):
    return frozenset(members(value))


_options_once = lru_cache(REMEMBERED)(_options)


def content_length(value):
    """Bytes. Digits and nothing else: Python's `int` would take signs, underscores and spaces."""
    if not WHOLE.fullmatch(value):
        raise RequestError("bad_request", "a Content-Length that is no number")
    return int(value)
