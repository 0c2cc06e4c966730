"""Answers before the last one, and last ones that come early: 100, 103, and a 413 while the upload runs."""

from threading import Event

import pytest
from puppet import OK, ends
from stage import CHUNKED, PLAIN, head

from wire import hang, pause, reset, send

pytestmark = pytest.mark.live
CONFIG = PLAIN


# Interim answers

EXPECTS = b"Expect: 100-continue\r\nContent-Length: 5\r\n"


def test_a_replica_s_100_invites_the_body(stage):
    """RFC 9110 section 10.1.1."""
    stage.puppet.next(stage.puppet.read_head, send(b"HTTP/1.1 100 Continue\r\n\r\n"), stage.puppet.read_body, send(OK))
    with stage.connect() as client:
        client.send(head(b"POST", lines=EXPECTS))
        assert client.answer().status == 100
        client.send(b"hello")
        assert client.answer().status == 200
    (taken,) = stage.taken
    assert (taken.body, taken.get(b"expect")) == (b"hello", b"100-continue")


def test_a_client_is_invited_though_the_replica_says_no_100(stage):
    """Many servers know nothing of Expect; the client would wait in vain (RFC 9110 section 10.1.1)."""
    with stage.connect() as client:
        client.send(head(b"POST", lines=EXPECTS))
        assert client.answer().status == 100
        client.send(b"hello")
        assert client.answer().status == 200
    assert stage.taken[0].body == b"hello"


def test_a_client_that_does_not_wait_gets_no_100(stage):
    """RFC 9110 section 10.1.1: a server may leave it out when the body came already."""
    stage.puppet.next(stage.puppet.take, send(b"HTTP/1.1 100 Continue\r\n\r\n" + OK))
    with stage.connect() as client:
        client.send(head(b"POST", lines=EXPECTS) + b"hello")
        assert client.answer().status == 200
    assert stage.taken[0].body == b"hello"


@pytest.mark.parametrize(
    "status", [b"401 Unauthorized", b"413 Content Too Large", b"417 Expectation Failed", b"200 OK"]
)
def test_a_final_answer_in_place_of_100_reaches_the_client(stage, status):
    stage.puppet.next(stage.puppet.read_head, send(b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n\r\nno"), hang)
    with stage.connect() as client:
        client.send(head(b"POST", lines=EXPECTS))
        answer = client.answer()
        assert (answer.status, answer.body) == (int(status[:3]), b"no"), "no 100 may come before it"
        assert answer.get(b"connection") == b"close", "whether the body follows nobody knows (RFC 9110 section 10.1.1)"
        client.send(b"hello")
        assert client.ended()


def test_an_invited_body_may_be_chunked(stage):
    stage.puppet.next(stage.puppet.read_head, send(b"HTTP/1.1 100 Continue\r\n\r\n"), stage.puppet.read_body, send(OK))
    with stage.connect() as client:
        client.send(head(b"POST", lines=b"Expect: 100-Continue\r\n" + CHUNKED))
        assert client.answer().status == 100
        client.send(b"5\r\nhello\r\n0\r\n\r\n")
        assert client.answer().status == 200
    assert stage.taken[0].body == b"hello"


def test_100_is_for_those_who_asked(stage):
    stage.puppet.next(stage.puppet.take, send(b"HTTP/1.1 100 Continue\r\n\r\n" + OK))
    with stage.connect() as client:
        client.send(head())
        assert client.answer().status == 200


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
@pytest.mark.parametrize("lines", [b"Expect: 100-continue\r\n", b"Expect: 100-continue\r\nContent-Length: 0\r\n"])
def test_an_expectation_without_a_body_is_none(stage, version, lines):
    with stage.connect() as client:
        client.send(head(b"POST", version=version, lines=lines))
        assert client.answer().status == 200
    assert stage.taken[0].get(b"expect") is None


def test_an_expectation_of_HTTP_1_0_is_none(stage):
    """RFC 9110 section 10.1.1: it must be ignored."""
    with stage.connect() as client:
        client.send(head(b"POST", version=b"1.0", lines=EXPECTS))
        client.sock.settimeout(1.5)
        with pytest.raises(TimeoutError):
            client.sock.recv(1)
        client.sock.settimeout(5)
        client.send(b"hello")
        assert client.answer().status == 200


EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"


def test_early_hints_come_early(stage):
    """RFC 8297: before the final answer, which is the use of them."""
    go_on = Event()
    stage.puppet.next(stage.puppet.take, send(EARLY), lambda stream, stopped: go_on.wait(5), send(OK))
    with stage.connect() as client:
        client.send(head())
        early = client.answer()
        assert (early.status, early.get(b"link")) == (103, b"</a.css>; rel=preload")
        assert early.names == [b"link"]
        go_on.set()
        assert client.answer().body == b"ok"


def test_several_interim_answers_keep_their_order(stage):
    stage.puppet.replies(
        EARLY + b"HTTP/1.1 102 Processing\r\n\r\n" + EARLY + b"HTTP/1.1 199 Odd\r\nX-A: 1\r\n\r\n" + OK
    )
    with stage.connect() as client:
        client.send(head())
        assert [client.answer().status for _ in range(5)] == [103, 102, 103, 199, 200]
        client.send(head())
        assert client.answer().status == 200


def test_interim_answers_are_not_for_HTTP_1_0(stage):
    """RFC 9110 section 15.2."""
    stage.puppet.replies(EARLY + OK)
    with stage.connect() as client:
        client.send(head(version=b"1.0"))
        assert client.answer().status == 200


def test_interim_answers_without_end_are_a_502(stage):
    stage.puppet.next(stage.puppet.take, lambda stream, stopped: [stream.send(EARLY) for _ in range(5000)])
    with stage.connect() as client:
        client.send(head())
        assert client.final_answer().status == 502


# Early answers

BIG = 64 * 1024 * 1024


@pytest.mark.parametrize("step", [hang, ends, reset], ids=["stays open", "closes", "resets"])
@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_an_early_answer_reaches_a_client_that_is_still_sending(stage, step, framing):
    """RFC 9112 section 9.3: it may read the 413 while it writes, and the end must not destroy it on its way."""
    said = b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 8\r\n\r\ntoo much"
    stage.puppet.next(stage.puppet.read_head, send(said), pause(0.05), step)
    with stage.connect() as client:
        length = framing == "length"
        client.send(head(b"POST", lines=b"Content-Length: %d\r\n" % BIG if length else CHUNKED))
        piece = b"x" * 16384 if length else b"4000\r\n" + b"x" * 16384 + b"\r\n"
        for _ in range(40):
            client.send(piece)
        answer = client.answer()
        assert (answer.status, answer.body, answer.get(b"connection")) == (413, b"too much", b"close")
        for _ in range(20):
            client.send(piece)  # the answer was out, and still nothing breaks off
        assert client.ended()


def test_an_early_answer_is_there_before_the_upload_has_ended(stage):
    """Full duplex: a client that sends slowly has its answer as soon as it is said."""
    stage.puppet.next(stage.puppet.read_head, send(b"HTTP/1.1 200 OK\r\n" + CHUNKED + b"\r\n3\r\nyes\r\n"), hang)
    with stage.connect() as client:
        client.send(head(b"POST", lines=CHUNKED) + b"1\r\nx\r\n")
        answer = client.head()
        assert (answer.status, answer.get(b"connection")) == (200, b"close")
        assert client.exactly(8) == b"3\r\nyes\r\n"


def test_both_directions_flow_at_once(stage):
    """An echo: each chunk of the answer needs the next of the request."""

    def echo(stream, stopped):
        stream.send(b"HTTP/1.1 200 OK\r\n" + CHUNKED + b"\r\n")
        for _ in range(20):
            stream.send(b"4\r\n" + stream.exactly(9)[3:7] + b"\r\n")
        assert stream.exactly(5) == b"0\r\n\r\n"
        stream.send(b"0\r\n\r\n")

    stage.puppet.next(stage.puppet.read_head, echo)
    with stage.connect() as client:
        client.send(head(b"POST", lines=CHUNKED))
        assert client.head().status == 200
        for number in range(20):
            client.send(b"4\r\n%04d\r\n" % number)
            assert client.exactly(9) == b"4\r\n%04d\r\n" % number
        client.send(b"0\r\n\r\n")
        assert client.exactly(5) == b"0\r\n\r\n"
        assert client.ended()
