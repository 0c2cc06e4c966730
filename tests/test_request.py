"""Heads of requests: what is read of them, and how they are written for a replica."""

import pytest

from pieces import bytewise
from support_proxying import chunked_post, get, lines_of, message, post
from vestri.errors import RequestError
from vestri.http1 import CHUNKED, LENGTH, NONE, RequestReader, request_head
from vestri.http1.request import EMPTY_LINES
from vestri.model import Limits


def head_of(data, limits=None):
    head, _ = RequestReader(limits or Limits()).receive(data)
    return head


def refusal(data, limits=None):
    with pytest.raises(RequestError) as refused:
        head_of(data, limits)
    return refused.value.status, refused.value.reason


def written(data, target=b"/", host=b"replica", lines=b"X-Ours: 1\r\n"):
    return lines_of(request_head(head_of(data), target, host, lines))


# Reading


def test_a_head_says_what_is_asked_and_how_the_body_comes():
    head = head_of(post(b"", length=5, target=b"/x?y"))

    assert (head.method, head.target, head.version, head.host) == (b"POST", b"/x?y", 11, b"example.org")
    assert (head.framing, head.length, head.keep_alive, head.upgrade) == (LENGTH, 5, True, None)
    assert repr(head) == "<RequestHead b'POST' b'/x?y' HTTP/1.1>"


@pytest.mark.parametrize(
    ("data", "framing", "reads"),
    [
        (get(), NONE, False),
        (post(b""), LENGTH, False),
        (post(b"", length=1), LENGTH, True),
        (chunked_post(), CHUNKED, True),
    ],
)
def test_a_body_is_read_where_there_is_one(data, framing, reads):
    head = head_of(data)

    assert head.framing == framing
    assert (head.body() is not None) is reads


def test_fields_are_found_by_their_lower_case_names():
    head = head_of(get(b"/", b"X-A: 1", b"x-a: 2", b"Accept: text/plain", b"Connection: X-A"))

    assert (head.get(b"x-a"), head.get(b"accept"), head.get(b"x-b")) == (b"1", b"text/plain", None)


@pytest.mark.parametrize("at", [0, 5])
def test_what_follows_a_head_is_given_with_it(at):
    reader, data = RequestReader(Limits()), get() + b"more"
    if at:
        assert reader.receive(data[:at]) is None
    _, rest = reader.receive(data[at:])

    assert rest == b"more"


def test_heads_in_single_bytes_are_the_same():
    reader = RequestReader(Limits())

    read = [reader.receive(byte) for byte in bytewise(get(b"/1") + get(b"/2"))]

    assert [(head.target, rest) for head, rest in filter(None, read)] == [(b"/1", b""), (b"/2", b"")]


@pytest.mark.parametrize(
    ("begun", "partial"),
    [(b"", False), (b"\r", False), (b"\r\n", False), (b"\r\n\r\n", False), (b"G", True), (b"\r\nG", True)],
)
def test_an_empty_line_is_no_beginning(begun, partial):
    reader = RequestReader(Limits())
    reader.receive(begun)

    assert reader.partial is partial


def test_a_head_that_has_ended_is_partial_no_more():
    reader = RequestReader(Limits())
    reader.receive(get()[:5])
    reader.receive(get()[5:])

    assert not reader.partial


@pytest.mark.parametrize("count", [1, EMPTY_LINES])
def test_empty_lines_before_a_request_are_passed_over(count):
    assert head_of(b"\r\n" * count + get(b"/x")).target == b"/x"


def test_empty_lines_without_end_are_no_request():
    assert refusal(b"\r\n" * (EMPTY_LINES + 1) + get()) == (400, "bad_request")


def test_empty_lines_are_counted_for_each_request():
    reader = RequestReader(Limits())

    for _ in range(3):
        assert reader.receive(b"\r\n" * EMPTY_LINES + get())


@pytest.mark.parametrize(
    "begun",
    [b"GE T /\r\n", b"GET / HTTP/1.1\n", b"GET / HTTP/1.1\r\nA\rB", b"\x16\x03\x01", b"GET / HTTP/2.0\r\n"],
)
def test_what_cannot_become_a_head_is_refused_before_it_ends(begun):
    assert refusal(begun) == (400, "bad_request")


# Limits


@pytest.mark.parametrize("spare", [0, 1])
def test_a_head_may_be_as_large_as_the_limit_says(spare):
    data = get(b"/", b"X-A: " + b"x" * 100)

    assert head_of(data, Limits(header_size=len(data) + spare)).target == b"/"
    assert refusal(data, Limits(header_size=len(data) - 1)) == (431, "header_too_large")


def test_a_request_line_alone_is_too_large_in_its_own_way():
    assert refusal(get(b"/" + b"x" * 200), Limits(header_size=100)) == (414, "uri_too_long")


@pytest.mark.parametrize(("count", "fits"), [(9, True), (10, False)])
def test_a_head_may_have_so_many_fields(count, fits):
    data = get(b"/", *[b"X-A: 1"] * count)

    if fits:
        assert head_of(data, Limits(header_count=10))
    else:
        assert refusal(data, Limits(header_count=10)) == (431, "header_too_large")


# Targets


@pytest.mark.parametrize(
    ("method", "target", "host", "seen"),
    [
        (b"GET", b"http://example.org/a?b", b"example.org", (b"/a?b", b"example.org")),
        (b"GET", b"HTTP://Example.org:80/", b"example.org", (b"/", b"Example.org:80")),
        (b"GET", b"https://example.org", b"example.org:443", (b"/", b"example.org")),
        (b"GET", b"http://example.org?b", b"example.org", (b"/?b", b"example.org")),
        (b"OPTIONS", b"*", b"example.org", (b"*", b"example.org")),
        (b"OPTIONS", b"http://example.org", b"example.org", (b"*", b"example.org")),
        (b"CONNECT", b"example.org:443", b"example.org:443", (b"example.org:443", b"example.org:443")),
    ],
)
def test_a_target_may_have_other_forms(method, target, host, seen):
    head = head_of(message(method + b" " + target + b" HTTP/1.1", b"Host: " + host))

    assert (head.target, head.host) == seen


@pytest.mark.parametrize(
    ("why", "target"),
    [
        ("another host", b"http://other.org/"),
        ("another port", b"http://example.org:81/"),
        ("userinfo", b"http://me@example.org/"),
        ("another scheme", b"ftp://example.org/"),
        ("the asterisk for other methods", b"*"),
        ("no form at all", b"index.html"),
        ("a fragment", b"/#x"),
        ("a byte above 7f", b"/caf\xe9"),
    ],
)
def test_a_target_is_refused_for(why, target):
    assert refusal(get(target)) == (400, "bad_request")


# Fields that decide what the message is


@pytest.mark.parametrize(
    ("why", "status", "data"),
    [
        ("no Host", 400, message(b"GET / HTTP/1.1")),
        ("two Hosts", 400, get(b"/", b"Host: example.org")),
        ("a Host that is none", 400, get(host=b"a b")),
        ("a port that is none", 400, get(host=b"a:99999")),
        ("two lengths", 400, post(b"", b"Content-Length: 0")),
        ("a length and chunks", 400, post(b"", b"Transfer-Encoding: chunked")),
        ("an unknown coding alone", 400, get(b"/", b"Transfer-Encoding: gzip")),
        ("an unknown coding below chunked", 501, get(b"/", b"Transfer-Encoding: gzip, chunked")),
        ("chunked twice", 400, chunked_post(b"Transfer-Encoding: chunked")),
        ("an unknown expectation", 417, get(b"/", b"Expect: miracles")),
        ("chunks in HTTP/1.0", 400, message(b"POST / HTTP/1.0", b"Transfer-Encoding: chunked")),
        ("a body that HTTP/1.0 has no place for", 413, message(b"GET / HTTP/1.0", b"Content-Length: 1")),
    ],
)
def test_a_head_is_refused_for(why, status, data):
    assert refusal(data)[0] == status


# Writing


def test_a_head_is_written_afresh_with_our_lines_last():
    data = get(b"/other", b"A: 1", b"connection: close", b"B:2")

    head = request_head(head_of(data), b"/base/x", b"replica:81", b"X-Ours: 1\r\n")

    assert head == message(b"GET /base/x HTTP/1.1", b"Host: replica:81", b"A: 1", b"B: 2", b"X-Ours: 1")


@pytest.mark.parametrize(
    ("why", "data", "lines"),
    [
        ("a length", post(b"", length=5), [b"Content-Length: 5"]),
        ("also of nothing", post(b""), [b"Content-Length: 0"]),
        ("chunks", chunked_post(), [b"Transfer-Encoding: chunked"]),
        ("no body, no framing", get(), []),
        (
            "an expectation",
            post(b"", b"expect: 100-Continue", length=5),
            [b"Content-Length: 5", b"Expect: 100-continue"],
        ),
        ("an expectation of nothing", post(b"", b"Expect: 100-continue"), [b"Content-Length: 0"]),
        ("trailers wanted", get(b"/", b"TE: trailers, deflate;q=0.5"), [b"TE: trailers", b"Connection: TE"]),
        ("no other transfer coding", get(b"/", b"TE: deflate"), []),
        (
            "an upgrade",
            get(b"/", b"Connection: upgrade", b"Upgrade: websocket, h2c, x/1"),
            [b"Upgrade: websocket, x/1", b"Connection: Upgrade"],
        ),
        ("an upgrade to HTTP/2 alone", get(b"/", b"Connection: upgrade", b"Upgrade: h2c"), []),
        (
            "both",
            get(b"/", b"Connection: upgrade, te", b"Upgrade: x", b"TE: trailers"),
            [b"TE: trailers", b"Upgrade: x", b"Connection: TE, Upgrade"],
        ),
    ],
)
def test_the_replica_s_connection_has_lines_of_its_own(why, data, lines):
    assert written(data) == [b"Host: replica", b"X-Ours: 1", *lines]


def test_what_connection_names_goes_but_never_what_we_add():
    data = get(b"/", b"Connection: x-ours, x-mine", b"X-Ours: forged", b"X-Mine: 2", b"Other: 3")

    assert written(data) == [b"Host: replica", b"Other: 3", b"X-Ours: 1"]


@pytest.mark.parametrize("name", [b"X_Forwarded_For", b"content_length", b"Transfer_Encoding", b"x_real-ip"])
def test_underscores_do_not_pass_for_dashes_in_names_of_ours(name):
    lines = written(get(b"/", name + b": 1", b"x_other: 2", b"host_: 3"))

    assert lines == [b"Host: replica", b"x_other: 2", b"host_: 3", b"X-Ours: 1"]


def test_a_request_in_http_1_0_asks_for_nothing_that_only_http_1_1_has():
    data = message(b"POST / HTTP/1.0", b"TE: trailers", b"Expect: 100-continue", b"Content-Length: 1")

    assert written(data) == [b"Host: replica", b"X-Ours: 1", b"Content-Length: 1"]
