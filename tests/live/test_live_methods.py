"""Methods, targets and versions mean at the replica what they meant for the client."""

import pytest
from puppet import ends
from stage import CHUNKED, PLAIN, head

from wire import send

pytestmark = pytest.mark.live
CONFIG = PLAIN


# Methods

BODY = {"no body": (b"", b"", b""), "a length": (b"Content-Length: 5\r\n", b"hello", b"hello"),
        "chunks": (CHUNKED, b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", b"hello")}  # fmt: skip
METHODS = [
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "PROPFIND",
    "MKCOL",
    "REPORT",
    "QUERY",
    "LINK",
    "BREW",
    "M-SEARCH",
    "get",
    "Post",
    "!#$%&'*+.^_`|~",
]


@pytest.mark.parametrize("body", BODY)
@pytest.mark.parametrize("method", METHODS)
def test_any_method_passes_with_and_without_a_body(stage, method, body):
    """RFC 9110 section 9.1: methods are the origin's to know. A GET may have a body too (section 9.3.1)."""
    lines, data, content = BODY[body]
    with stage.connect() as client:
        client.send(head(method.encode(), lines=lines) + data)
        answer = client.answer(method.encode())
        assert answer.status == 200
        client.send(head())
        assert client.answer().body == b"ok", "the connection is of no more use"
    first, _ = stage.taken
    assert (first.method, first.body) == (method.encode(), content)
    assert first.get(b"content-length") == (b"5" if body == "a length" else None)


@pytest.mark.parametrize(
    ("request_", "status", "fields"),
    [
        (b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n", 501, ()),
        (b"CONNECT a.example:443 HTTP/1.0\r\n\r\n", 501, ()),
        (head(b"TRACE"), 405, [b"allow"]),
        (head(b"TRACE", b"/x?y", lines=b"Max-Forwards: 0\r\n"), 405, [b"allow"]),
    ],
)
def test_methods_for_the_proxy_itself_are_refused(stage, request_, status, fields):
    """RFC 9110 sections 9.3.6 and 9.3.8: neither a tunnel nor an echo of the request's fields is served."""
    answer = stage.ask(request_)
    assert answer.status == status
    assert {*fields} <= {*answer.names}
    assert int(answer.get(b"content-length")) == len(answer.body) > 0
    stage.settle()
    assert stage.taken == []


def test_what_follows_a_refused_CONNECT_is_no_tunnel(stage):
    with stage.connect() as client:
        client.send(b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n\x16\x03\x01\x02\x00\x01")
        assert client.answer().status == 501
        assert b"HTTP/1.1 2" not in client.rest()
    stage.settle()
    assert stage.taken == []


@pytest.mark.parametrize("target", [b"*", b"http://a.example"])
def test_OPTIONS_for_the_whole_server(stage, target):
    """RFC 9112 section 3.2.4."""
    assert stage.ask(head(b"OPTIONS", target)).status == 200
    assert stage.taken[0].start == b"OPTIONS * HTTP/1.1"


# Targets: byte for byte

TARGETS = [
    "/", "//", "///a//b//", "/a/", "/a/?", "/?", "/??", "/?a=b&a=c", "/?a;b;c", "/?a=%00%ff", "/%2e", "/%2F/%2f",
    "/%zz", "/%", "/a%20b+c", "/;p=1;q", "/a:b@c", "/~u", "/%7Eu", "/*", "/'()!$&,=", "/[a]", "/{a}", "/a|b", "/a\\b",
    "/\"a\"", "/<a>", "/`a`", "/^", "/a/./b", "/a/../b", "/a/%2e%2e/b", "/%2e/b", "/%C3%A9", "/http://b.example/",
    "/?q=http://b.example/?a=b", "/.", "/a/..", "/..a", "/...", "/%252e", "/" + "a" * 8000, "/?" + "q=1&" * 2000,
    "/?a=1?b=2", "/a%3Fb", "/a%23b", "/?%", "/index.php/x.js?v",
]  # fmt: skip


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target[:40])
def test_a_target_travels_on_byte_for_byte(stage, target):
    """Signatures are made over the bytes, and %2F is no slash (RFC 3986 section 6.2.2)."""
    assert stage.ask(head(target=target.encode())).status == 200
    assert stage.taken[0].target == target.encode()


@pytest.mark.parametrize(
    ("target", "host", "forwarded", "seen_host"),
    [
        (b"http://a.example/x?y", b"a.example", b"/x?y", b"a.example"),
        (b"http://a.example", b"a.example", b"/", b"a.example"),
        (b"http://a.example?y", b"a.example", b"/?y", b"a.example"),
        (b"HTTP://a.example/", b"a.example", b"/", b"a.example"),
        (b"http://A.Example/", b"a.example", b"/", b"A.Example"),
        (b"http://a.example:80/", b"a.example", b"/", b"a.example:80"),
        (b"http://a.example:8080//x", b"a.example:8080", b"//x", b"a.example:8080"),
        (b"http://[::1]:8080/", b"[::1]:8080", b"/", b"[::1]:8080"),
    ],
)
def test_a_URL_as_target_is_taken_apart(stage, target, host, forwarded, seen_host):
    """RFC 9112 section 3.2.2: its authority is the Host."""
    assert stage.ask(b"GET %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (target, host)).status == 200
    (taken,) = stage.taken
    assert (taken.target, taken.get(b"host")) == (forwarded, seen_host)


# Versions


def test_a_client_of_HTTP_1_0_without_keep_alive_sees_the_connection_end(stage):
    with stage.connect() as client:
        client.send(b"GET / HTTP/1.0\r\n\r\n")
        assert client.answer().body == b"ok"
        assert client.ended()
    assert stage.taken[0].start == b"GET / HTTP/1.1"


def test_a_client_of_HTTP_1_0_with_keep_alive_is_told_that_it_stays(stage):
    with stage.connect() as client:
        for _ in range(3):
            client.send(b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")
            answer = client.answer()
            assert (answer.body, answer.get(b"connection")) == (b"ok", b"keep-alive")


@pytest.mark.parametrize("lines", [b"", b"Connection: keep-alive\r\n"], ids=["close", "keep-alive"])
@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 200 OK\r\n" + CHUNKED + b"\r\n5\r\nhello\r\n0\r\nX-A: 1\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\nhello"],
    ids=["chunks", "until close"],
)
def test_an_answer_without_a_length_ends_the_connection_of_a_client_of_HTTP_1_0(stage, lines, answer):
    """RFC 9112 section 9.3: such a client knows no other end."""
    stage.puppet.next(stage.puppet.take, send(answer), ends)
    with stage.connect() as client:
        client.send(head(version=b"1.0", lines=lines))
        got = client.answer()
        assert (got.body, got.get(b"connection")) == (b"hello", b"close")
        assert got.get(b"transfer-encoding") is None
        assert b"X-A" not in got.body
        assert client.ended()


@pytest.mark.parametrize(
    ("answer", "stays"),
    [
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello", True),
        (b"HTTP/1.0 200 OK\r\n\r\nhello", False),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", True),
        (b"HTTP/1.1 200 OK\r\n" + CHUNKED + b"\r\n5\r\nhello\r\n0\r\n\r\n", True),
    ],
)
def test_a_replica_s_connection_is_used_again_exactly_if_it_may_be(stage, answer, stays):
    stage.puppet.next(stage.puppet.take, send(answer), *(() if stays else (ends,)))
    with stage.connect() as client:
        client.send(head())
        got = client.answer()
        assert (got.body, got.get(b"connection")) == (b"hello", None), "the client's connection is not the replica's"
        opened = stage.puppet.opened
        client.send(head())
        assert client.answer().body == b"ok"
        assert stage.puppet.opened == opened + (not stays)
