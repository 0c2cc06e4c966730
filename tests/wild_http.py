"""Strategies for HTTP: requests in every spelling that is well-formed, and bytes that are nearly HTTP."""

import attrs
from hypothesis import strategies as st

from corpus_rows import answer_rows, request_rows

TOKEN = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
TARGET = bytes(set(range(0x21, 0x7F)) - {ord("#")})
VALUE = bytes([*b"\t ", *range(0x21, 0x7F), *range(0x80, 0x100)])
#: What lenient parsers trip over, and what holds messages together.
CRUMBS = (
    b"\r\n", b"\r\n\r\n", b"\n", b"\r", b" ", b"\t", b"\x0b", b"\x00", b"\x7f", b"\xa0", b":", b",", b";", b'"', b"0",
    b"5", b"0\r\n\r\n", b"5\r\nhello\r\n", b"+5", b"0x5", b"5_0", b"-1", b"ffffffffffffffff", b"GET / HTTP/1.1\r\n",
    b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0", b"Host: a.example\r\n", b"Host: b.example\r\n", b"Content-Length: 5\r\n",
    b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip, chunked\r\n", b"chunked",
    b"Connection: close\r\n", b"Connection: x-a\r\n", b"Connection: upgrade\r\nUpgrade: foo\r\n", b"X-A: 1\r\n",
    b" X-A: 1\r\n", b"Expect: 100-continue\r\n", b"http://a.example", b"*", b"HTTP/1.1 103 X\r\n\r\n", b"hello",
)  # fmt: skip


def of(octets, **size):
    """Strings of bytes that are taken from `octets`."""
    return st.text(octets.decode("latin-1"), **size).map(lambda text: text.encode("latin-1"))


tokens = of(TOKEN, min_size=1, max_size=12)
values = of(VALUE, max_size=30).map(lambda value: value.strip(b" \t"))
spaces = of(b" \t", max_size=2)
bodies = st.binary(max_size=60)
fields = st.lists(st.tuples(tokens.map(lambda name: b"X-Q-" + name), values), max_size=5)
extensions = st.sampled_from((b"", b"", b"", b";a", b";a=b", b';a="b;c"', b";a;b=c"))
spellings = st.sampled_from((bytes.upper, bytes.lower, bytes.title))


@attrs.frozen
class Sent:
    """A request that must be accepted. fields: (name, value) of those that travel on, in order."""

    data: bytes
    method: bytes
    target: bytes
    fields: list
    body: bytes
    trailers: list


@st.composite
def requests(draw):
    """`Sent`, well-formed in one of many ways, on a connection that stays."""
    method = draw(st.sampled_from((b"GET", b"HEAD", b"POST", b"PUT", b"OPTIONS", b"BREW")) | tokens.map(bytes.upper))
    target = b"/" + draw(of(TARGET, max_size=20))
    sent = draw(fields)
    named = draw(st.sets(st.sampled_from([name.lower() for name, _ in sent]))) if sent else set()
    body, framing, trailers, payload = draw(framed(draw(bodies)))
    own = [(b"Host", b"a.example"), *framing, *((b"Connection", name) for name in sorted(named))]
    lines = [*sent]
    for line in own:
        lines.insert(draw(st.integers(0, len(lines))), line)
    head = b"%b %b HTTP/1.1\r\n%b\r\n" % (method, target, b"".join(draw(spelled(*line)) for line in lines))
    onward = [(name, value) for name, value in sent if name.lower() not in named]
    return Sent(head + payload, method, target, onward, body, trailers)


@st.composite
def spelled(draw, name, value):
    """A field line, with white space and letters in any way that changes nothing."""
    name = name if name.startswith(b"X-Q-") else draw(spellings)(name)
    return b"%b:%b%b%b\r\n" % (name, draw(spaces), value, draw(spaces))


@st.composite
def framed(draw, body):
    """(body, framing fields, trailers, payload) in one of the framings that a request may have."""
    if not body and draw(st.booleans()):
        return b"", [], [], b""
    if draw(st.booleans()):
        zeros = b"0" * draw(st.integers(0, 3))
        return body, [(b"Content-Length", zeros + b"%d" % len(body))], [], body
    trailers = draw(fields)
    pieces = draw(st.lists(st.integers(1, 20), max_size=10))
    section = b"".join(b"%b: %b\r\n" % field for field in trailers)
    return body, [(b"Transfer-Encoding", b"chunked")], trailers, draw(chunked(body, pieces)) + section + b"\r\n"


@st.composite
def chunked(draw, body, sizes):
    """The body in chunks of at most those sizes, up to and with the last chunk's line."""
    out = []
    for size in [*sizes, len(body)]:
        piece, body = body[:size], body[size:]
        if piece:
            out.append(draw(chunk_line(len(piece))) + piece + b"\r\n")
    return b"".join(out) + draw(chunk_line(0))


@st.composite
def chunk_line(draw, size):
    digits = draw(spellings)(b"%x" % size)
    return b"0" * draw(st.integers(0, 3)) + digits + draw(extensions) + b"\r\n"


@st.composite
def damaged(draw, rows):
    """The bytes of a row of the corpus with something cut out, and something put in its place."""
    data = draw(st.sampled_from(rows)).data[:2000]
    start = draw(st.integers(0, len(data)))
    end = draw(st.integers(start, min(len(data), start + 20)))
    return data[:start] + draw(st.just(b"") | st.sampled_from(CRUMBS) | st.binary(max_size=5)) + data[end:]


def _wild(rows):
    crumbs = st.lists(st.sampled_from(CRUMBS) | st.binary(max_size=8), max_size=12).map(b"".join)
    return st.lists(damaged(rows) | crumbs | st.sampled_from([row.data for row in rows]), min_size=1, max_size=3).map(
        b"".join
    )


@st.composite
def _chunks(draw):
    """What may stand behind the head of a chunked request: good chunks, with something between them or without."""
    parts = []
    for _ in range(draw(st.integers(0, 4))):
        parts.append(draw(chunked(draw(bodies), draw(st.lists(st.integers(1, 20), max_size=5)))))
        parts.append(
            draw(st.sampled_from((b"", b"\r\n", b"X-A: 1\r\n\r\n")) | st.sampled_from(CRUMBS) | st.binary(max_size=5))
        )
    return b"".join(parts)


wild_chunks = _chunks()
wild_requests = _wild(request_rows())
wild_answers = _wild(answer_rows())
methods = st.sampled_from((b"GET", b"HEAD", b"POST"))


@st.composite
def in_pieces(draw, data):
    """The same bytes, cut anywhere."""
    cuts = sorted(draw(st.sets(st.integers(0, len(data)), max_size=8)))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]
