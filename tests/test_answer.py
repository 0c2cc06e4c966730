"""Heads of answers: what is read of them, and how they are written for a client."""

import pytest

from pieces import bytewise
from support_proxying import message, ok
from vestri.errors import RequestError
from vestri.http1 import CHUNKED, LENGTH, NONE, UNTIL_CLOSE, AnswerReader, answer_head

CHUNKED_200 = message(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked", b"Trailer: X-Sum")


def head_of(data, method=b"GET"):
    head, _ = AnswerReader().receive(data, method)
    return head


def refusal(data, method=b"GET"):
    with pytest.raises(RequestError) as refused:
        head_of(data, method)
    return refused.value.status, refused.value.reason


# Reading


@pytest.mark.parametrize(
    ("data", "method", "framing", "keep_alive"),
    [
        (ok(b"", length=5), b"GET", LENGTH, True),
        (ok(b"", length=5), b"HEAD", NONE, True),
        (CHUNKED_200, b"GET", CHUNKED, True),
        (CHUNKED_200, b"HEAD", NONE, True),
        (message(b"HTTP/1.1 200 OK"), b"GET", UNTIL_CLOSE, False),
        (message(b"HTTP/1.1 200 OK"), b"HEAD", NONE, True),
        (message(b"HTTP/1.1 204 No Content", b"Content-Length: 5"), b"GET", NONE, True),
        (message(b"HTTP/1.1 304 Not Modified", b"Content-Length: 5"), b"GET", NONE, True),
        (message(b"HTTP/1.1 103 Early Hints", b"Content-Length: 5"), b"GET", NONE, True),
        (message(b"HTTP/1.0 200 OK", b"Content-Length: 0"), b"GET", LENGTH, False),
        (message(b"HTTP/1.0 200 OK", b"Content-Length: 0", b"Connection: Keep-Alive"), b"GET", LENGTH, True),
        (ok(b"", b"Connection: close"), b"GET", LENGTH, False),
        (ok(b"", b"Connection: keep-alive, close"), b"GET", LENGTH, False),
    ],
)
def test_a_head_says_how_the_body_comes_and_whether_the_connection_stays(data, method, framing, keep_alive):
    head = head_of(data, method)

    assert (head.framing, head.keep_alive) == (framing, keep_alive)


@pytest.mark.parametrize(
    ("data", "reads"),
    [(ok(b"", length=5), True), (ok(), False), (CHUNKED_200, True), (message(b"HTTP/1.1 200 OK"), True)],
)
def test_a_body_is_read_where_there_is_one(data, reads):
    assert (head_of(data).body() is not None) is reads


@pytest.mark.parametrize(("status", "interim"), [(100, True), (103, True), (101, False), (200, False), (999, False)])
def test_an_interim_answer_is_followed_by_another(status, interim):
    head = head_of(message(b"HTTP/1.1 %d X" % status))

    assert (head.status, head.interim) == (status, interim)
    assert repr(head) == f"<AnswerHead {status}>"


def test_heads_in_single_bytes_are_the_same():
    reader = AnswerReader()
    read = [reader.receive(byte, b"GET") for byte in bytewise(message(b"HTTP/1.1 103 Early Hints") + ok())]

    assert [(head.status, rest) for head, rest in filter(None, read)] == [(103, b""), (200, b"")]


@pytest.mark.parametrize("at", [0, 5])
def test_what_follows_a_head_is_given_with_it(at):
    reader, data = AnswerReader(), ok(b"hello")
    if at:
        assert reader.receive(data[:at], b"GET") is None
    _, rest = reader.receive(data[at:], b"GET")

    assert rest == b"hello"


@pytest.mark.parametrize(
    "line",
    [
        b"HTTP/1.1 20 OK", b"HTTP/1.1 2000 OK", b"HTTP/1.1 2x0 OK", b"HTTP/1.1 099 OK", b"HTTP/1.1  200 OK",
        b"HTTP/1.1\t200 OK", b"HTTP/1.2 200 OK", b"HTTP/2 200 OK", b"http/1.1 200 OK", b"ICY 200 OK",
        b" HTTP/1.1 200 OK", b"HTTP/1.1 200OK", b"HTTP/1.1 +20 OK", b"HTTP/1.1 200 O\x00K", b"HTTP/1.1 200 O\rK",
    ],
)  # fmt: skip
def test_a_status_line_is_refused_if_it_is_none(line):
    assert refusal(message(line, b"Content-Length: 0")) == (502, "bad_response")


@pytest.mark.parametrize(
    ("line", "phrase"),
    [
        (b"HTTP/1.1 200", b""),
        (b"HTTP/1.1 200 ", b""),
        (b"HTTP/1.1 200 Tr\xe8s bien", b"Tr\xe8s bien"),
        (b"HTTP/1.0 200 OK", b"OK"),
    ],
)
def test_a_reason_phrase_is_passed_on(line, phrase):
    head = head_of(message(line, b"Content-Length: 0"))

    assert answer_head(head, 11, True).startswith(b"HTTP/1.1 200 " + phrase + b"\r\n")


@pytest.mark.parametrize(
    ("why", "lines"),
    [
        ("two lengths", [b"Content-Length: 1", b"Content-Length: 1"]),
        ("a list of lengths", [b"Content-Length: 1, 1"]),
        ("a length that is none", [b"Content-Length: +1"]),
        ("a length and a coding", [b"Content-Length: 1", b"Transfer-Encoding: chunked"]),
        ("an unknown coding", [b"Transfer-Encoding: gzip"]),
        ("two codings", [b"Transfer-Encoding: gzip, chunked"]),
        ("chunked twice", [b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"]),
        ("no coding", [b"Transfer-Encoding: "]),
        ("a folded line", [b"A: 1", b" 2"]),
        ("a space before the colon", [b"A : 1"]),
        ("a bare line feed", [b"A: 1\nB: 2"]),
        ("a NUL", [b"A: \x00"]),
    ],
)
def test_a_head_is_refused_for(why, lines):
    with pytest.raises(RequestError):
        head_of(message(b"HTTP/1.1 200 OK", *lines))


def test_http_1_0_has_no_chunks():
    assert refusal(message(b"HTTP/1.0 200 OK", b"Transfer-Encoding: chunked")) == (502, "bad_response")


@pytest.mark.parametrize("begun", [b"S", b"HTTP/2", b"HTTX", b"\x15\x03", b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000])
def test_what_cannot_become_a_head_is_refused_before_it_ends(begun):
    assert refusal(begun) == (502, "bad_response")


def test_a_head_has_so_many_fields():
    assert refusal(ok(b"", *[b"X: 1"] * 1001)) == (502, "bad_response")


# Writing


@pytest.mark.parametrize(
    ("why", "data", "version", "keep_alive", "written"),
    [
        ("stays by itself", ok(), 11, True, ok()),
        ("closes", ok(), 11, False, ok(b"", b"Connection: close")),
        ("HTTP/1.0 stays", ok(), 10, True, ok(b"", b"Connection: keep-alive")),
        ("HTTP/1.0 closes", ok(), 10, False, ok(b"", b"Connection: close")),
        ("chunks and their trailers", CHUNKED_200, 11, True, CHUNKED_200),
        ("no chunks, no trailers", CHUNKED_200, 10, False, message(b"HTTP/1.1 200 OK", b"Connection: close")),
        (
            "until the end becomes chunks",
            message(b"HTTP/1.1 200 OK"),
            11,
            True,
            message(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked"),
        ),
        (
            "a switch",
            message(b"HTTP/1.1 101 X", b"Upgrade: websocket", b"Connection: upgrade", b"A: 1"),
            11,
            True,
            message(b"HTTP/1.1 101 X", b"A: 1", b"Connection: Upgrade", b"Upgrade: websocket"),
        ),
        (
            "interim answers say nothing of connections",
            message(b"HTTP/1.1 103 X"),
            11,
            False,
            message(b"HTTP/1.1 103 X"),
        ),
        ("304 keeps its length", ok(b"", length=5, status=b"304 X"), 11, True, ok(b"", length=5, status=b"304 X")),
        ("204 has none", ok(b"", length=0, status=b"204 X"), 11, True, message(b"HTTP/1.1 204 X")),
    ],
)
def test_a_head_is_written_for_its_client(why, data, version, keep_alive, written):
    head = head_of(data)

    lines = answer_head(head, version, keep_alive).split(b"\r\n")
    assert lines[0] == written.split(b"\r\n")[0]
    assert sorted(lines[1:]) == sorted(written.split(b"\r\n")[1:])


def test_a_head_is_written_once_for_all_who_get_the_same():
    head = head_of(ok(b"", b"X-A: 1"))

    assert answer_head(head, 11, True) is answer_head(head, 11, True)


def test_an_upgrade_counts_only_if_connection_names_it():
    assert head_of(message(b"HTTP/1.1 101 X", b"Upgrade: websocket")).upgrade is None
    assert head_of(message(b"HTTP/1.1 101 X", b"Upgrade: websocket", b"Connection: Upgrade")).upgrade == b"websocket"
