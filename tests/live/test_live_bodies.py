"""Bodies flow as they come, both ways, as they are, with their trailers."""

import time
from threading import Event

import pytest
from puppet import OK, ends
from stage import CHUNKED, PLAIN, head

from wire import send

pytestmark = pytest.mark.live
CONFIG = PLAIN


# Bodies


def test_an_upload_begins_before_it_has_ended(stage):
    seen = Event()

    def first_bytes(stream, stopped):
        assert stream.exactly(3) == b"one"
        seen.set()
        stage.puppet.taken.append(stream.begun._replace(body=stream.exactly(3)))

    stage.puppet.next(stage.puppet.read_head, first_bytes, send(OK))
    with stage.connect() as client:
        client.send(head(b"POST", lines=b"Content-Length: 6\r\n") + b"one")
        assert seen.wait(5), "nothing of the body has reached the replica"
        client.send(b"two")
        assert client.answer().status == 200


def test_an_answer_begins_before_it_has_ended(stage):
    go_on = Event()
    begin = send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\none")
    stage.puppet.next(stage.puppet.take, begin, lambda *_: go_on.wait(5), send(b"two"))
    with stage.connect() as client:
        client.send(head())
        assert client.head().status == 200
        assert client.exactly(3) == b"one"
        go_on.set()
        assert client.exactly(3) == b"two"


def test_events_come_one_by_one(stage):
    """Server-sent events, and what else trickles: nothing is gathered."""
    turns = [Event() for _ in range(5)]

    def events(stream, stopped):
        stream.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" + CHUNKED + b"\r\n")
        for number, turn in enumerate(turns):
            assert turn.wait(5)
            stream.send(b"9\r\ndata: %d\n\n\r\n" % number)
        stream.send(b"0\r\n\r\n")

    stage.puppet.next(stage.puppet.take, events)
    with stage.connect() as client:
        client.send(head(lines=b"Accept: text/event-stream\r\n"))
        assert client.head().get(b"content-type") == b"text/event-stream"
        for number, turn in enumerate(turns):
            turn.set()
            assert client.exactly(14) == b"9\r\ndata: %d\n\n\r\n" % number
        assert client.exactly(5) == b"0\r\n\r\n"


def test_events_until_the_end_of_the_connection_come_one_by_one(stage):
    turns = [Event() for _ in range(3)]

    def events(stream, stopped):
        stream.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        for number, turn in enumerate(turns):
            assert turn.wait(5)
            stream.send(b"data: %d\n\n" % number)

    stage.puppet.next(stage.puppet.take, events, ends)
    with stage.connect() as client:
        client.send(head())
        assert client.head().get(b"transfer-encoding") == b"chunked"
        for number, turn in enumerate(turns):
            turn.set()
            assert client.exactly(14) == b"9\r\ndata: %d\n\n\r\n" % number
        assert client.exactly(5) == b"0\r\n\r\n"


def test_a_long_poll_is_answered_when_something_happens(stage):
    happened = Event()
    stage.puppet.next(stage.puppet.take, lambda *_: happened.wait(5), send(OK))
    with stage.connect() as client:
        client.send(head())
        client.sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.sock.recv(1)
        client.sock.settimeout(5)
        happened.set()
        began = time.monotonic()
        assert client.answer().status == 200
        assert time.monotonic() - began < 1


GZIP = bytes.fromhex("1f8b080000000000000303000000000000000000")


def test_a_compressed_body_stays_as_it_is(stage):
    stage.puppet.replies(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(GZIP) + GZIP)
    answer = stage.ask(head(lines=b"Accept-Encoding: gzip, br;q=0\r\n"))
    assert (answer.body, answer.get(b"content-encoding")) == (GZIP, b"gzip")
    assert stage.taken[0].get(b"accept-encoding") == b"gzip, br;q=0"


# Trailers


def test_trailers_of_a_request_pass(stage):
    lines = b"Trailer: X-Sum\r\nTE: trailers\r\n" + CHUNKED + b"Connection: TE\r\n"
    assert stage.ask(head(b"POST", lines=lines) + b"1\r\nx\r\n0\r\nX-Sum: 1\r\nX-B: \xff\r\n\r\n").status == 200
    (taken,) = stage.taken
    assert taken.trailers == (b"X-Sum: 1", b"X-B: \xff")
    assert (taken.get(b"te"), taken.get(b"connection"), taken.get(b"trailer")) == (b"trailers", b"TE", b"X-Sum")


def test_trailers_of_an_answer_pass(stage):
    stage.puppet.replies(
        b"HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\n" + CHUNKED + b"\r\n1\r\nx\r\n0\r\nX-Sum: 1\r\nX-B: 2\r\n\r\n"
    )
    answer = stage.ask(head(lines=b"TE: trailers\r\nConnection: TE\r\n"))
    assert (answer.get(b"trailer"), answer.trailers) == (b"X-Sum", (b"X-Sum: 1", b"X-B: 2"))
