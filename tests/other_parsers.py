"""What others make of a message that we wrote: h11, llhttp (through httptools) and Python's own http package.

Each function takes bytes that must be exactly one message, and raises AssertionError or the parser's own error where
they are not. None stands for a message that this parser cannot be asked about.
"""

import http.client
import http.server
import io

import attrs
import h11
import httptools

#: Fields that the readers of http.client need to find the end of a body.
FRAMING = (b"content-length", b"transfer-encoding")
#: Field lines beyond which http.client gives up.
MOST_FIELDS = 99


@attrs.frozen
class Parsed:
    """start: (method, target), or (status,) alone.  fields, trailers: (lower-case name, value) in order."""

    start: tuple
    fields: tuple
    body: bytes
    trailers: tuple = ()


def _pairs(fields):
    return tuple((bytes(name).lower(), bytes(value)) for name, value in fields)


# h11


def h11_request(data):
    head, body, trailers = _h11_message(h11.Connection(h11.SERVER, len(data) + 1), data)
    return Parsed((head.method, head.target), _pairs(head.headers), body, trailers)


def h11_answer(data, method, *, ended):
    """ended: whether the connection ends behind the answer."""
    connection = h11.Connection(h11.CLIENT, len(data) + 1)
    connection.send(h11.Request(method=method, target="/", headers=[("Host", "a.example")]))
    connection.send(h11.EndOfMessage())
    head, body, trailers = _h11_message(connection, data, ended=ended)
    return Parsed((head.status_code,), _pairs(head.headers), body, trailers)


def _h11_message(connection, data, *, ended=False):
    connection.receive_data(data)
    if ended:
        connection.receive_data(b"")
    head, body = connection.next_event(), b""
    while isinstance(event := connection.next_event(), h11.Data):
        body += event.data
    assert isinstance(event, h11.EndOfMessage), event
    assert not connection.trailing_data[0]
    return head, body, _pairs(event.headers)


# llhttp


class _Collector:
    """Hears what httptools finds, and that it is one message."""

    def __init__(self):
        self.target = self.body = b""
        self.fields, self.trailers, self.complete = [], [], 0
        self._lines = self.fields

    def on_message_begin(self):
        assert not self.complete

    def on_url(self, url):
        self.target += url

    def on_header(self, name, value):
        self._lines.append((name, value))

    def on_headers_complete(self):
        self._lines = self.trailers

    def on_body(self, body):
        self.body += body

    def on_message_complete(self):
        self.complete += 1


def llhttp_request(data):
    """None for a method that llhttp has not heard of."""
    found = _Collector()
    parser = httptools.HttpRequestParser(found)
    try:
        _llhttp_feed(parser, data)
    except httptools.HttpParserInvalidMethodError:
        return None
    assert found.complete == 1
    start = (parser.get_method(), found.target)
    return Parsed(start, _pairs(found.fields), found.body, _pairs(found.trailers))


def llhttp_answer(data):
    found = _Collector()
    parser = httptools.HttpResponseParser(found)
    _llhttp_feed(parser, data)
    assert found.complete == 1
    start = (parser.get_status_code(),)
    return Parsed(start, _pairs(found.fields), found.body, _pairs(found.trailers))


def _llhttp_feed(parser, data):
    end = len(data)
    try:
        parser.feed_data(data)
    except httptools.HttpParserUpgrade as upgrade:
        (end,) = upgrade.args  # where it thinks that another protocol begins
    assert end == len(data)


# http.client and http.server


class _Unclosed(io.BytesIO):
    """Stands for a socket; stays readable when its reader has done with it."""

    def makefile(self, mode):
        return self

    def close(self):
        pass


class _Handler(http.server.BaseHTTPRequestHandler):
    """Reads the head of a request, and answers nothing."""

    def __init__(self, data):
        self.rfile, self.wfile = _Unclosed(data), io.BytesIO()
        self.raw_requestline = self.rfile.readline()
        assert self.parse_request(), self.wfile.getvalue()

    def log_message(self, *args):
        pass


def stdlib_request(data):
    """None for more fields than http.client reads. It throws trailers away."""
    if _fields_in(data) > MOST_FIELDS:
        return None
    handler = _Handler(data)
    fields = _encoded(handler.headers)
    framing = [b"%b: %b\r\n" % each for each in fields if each[0] in FRAMING] or [b"Content-Length: 0\r\n"]
    body = _stdlib_read(b"HTTP/1.1 200 OK\r\n%b\r\n%b" % (b"".join(framing), handler.rfile.read()), b"GET")[1]
    start = tuple(word.encode("latin-1") for word in handler.requestline.split(" ")[:2])
    return Parsed(start, fields, body)


def stdlib_answer(data, method):
    """None for more fields than http.client reads. It throws trailers away."""
    if _fields_in(data) > MOST_FIELDS:
        return None
    answer, body = _stdlib_read(data, method)
    return Parsed((answer.status,), _encoded(answer.headers), body)


def _stdlib_read(data, method):
    source = _Unclosed(data)
    answer = http.client.HTTPResponse(source, method=method.decode("ascii"))
    answer.begin()
    body = answer.read()
    assert source.tell() == len(data)
    return answer, body


def _fields_in(data):
    return data.partition(b"\r\n\r\n")[0].count(b"\r\n")


def _encoded(headers):
    return _pairs((name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items())


# All of them


def seen_request(data):
    """A request as each parser sees it, which must be the same for all. Returns what h11 sees."""
    return _agreed(h11_request(data), [llhttp_request(data), stdlib_request(data)])


def seen_answer(data, method, *, ended):
    """An answer as each parser sees it, which must be the same for all. Returns what h11 sees.

    llhttp is not asked where only the request, or the end of the connection, says where the answer ends.
    """
    others = [stdlib_answer(data, method)]
    if method != b"HEAD" and not ended:
        others.append(llhttp_answer(data))
    return _agreed(h11_answer(data, method, ended=ended), others)


def _agreed(seen, others):
    for other in others:
        if other is not None:
            assert (other.start, other.fields, other.body) == (seen.start, seen.fields, seen.body)
            assert other.trailers in ((), seen.trailers)
    return seen
