"""Connections that end: idle ones of replicas, and those of clients in the middle of a request."""

import time
from threading import Event

import pytest
from puppet import ends
from stage import HOST, PLAIN

from wire import pause, reset, send

pytestmark = pytest.mark.live
CONFIG = PLAIN.replace("response: 2s, idle: 2s", "response: 500ms, idle: 500ms, connect: 500ms")
GET = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"
POST = b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nhello"
CHUNKED_POST = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"

requests = pytest.mark.parametrize("data", [GET, POST, CHUNKED_POST], ids=["GET", "POST", "chunked POST"])
ways = pytest.mark.parametrize("way", [ends, reset], ids=["closed", "reset"])
LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"

# Connections that the replica closed while they were idle


def let_a_connection_rest(stage):
    """See to it that there is an idle one. Returns how many were opened so far."""
    stage.settle()
    return stage.puppet.opened


@requests
def test_an_idle_connection_that_the_replica_closed_is_nobody_s_fault(stage, data):
    """RFC 9112 section 9.3.1: the end is there already; another connection takes the request, whatever its method."""
    stage.puppet.next(stage.puppet.usual, ends)
    assert stage.ask(GET).status == 200
    time.sleep(0.05)
    assert stage.ask(data).status == 200


@ways
def test_a_request_that_may_be_repeated_survives_a_connection_that_closes_under_it(stage, way):
    """It was closed just as we used it, and nothing of an answer came."""
    opened = let_a_connection_rest(stage)
    stage.puppet.next(stage.puppet.take, way)
    assert stage.ask(GET).status == 200
    assert stage.puppet.opened == opened + 1


@ways
@pytest.mark.parametrize("data", [POST, CHUNKED_POST, POST.replace(b"POST", b"PATCH")], ids=["POST", "chunks", "PATCH"])
def test_one_that_may_not_is_sent_once(stage, way, data):
    """RFC 9110 section 9.2.2: it may have been acted on."""
    let_a_connection_rest(stage)
    stage.puppet.next(stage.puppet.take, way)
    assert stage.ask(data).status == 502
    stage.settle()
    assert len(stage.taken) == 1


@pytest.mark.parametrize("method", [b"PUT", b"DELETE", b"OPTIONS", b"HEAD"])
def test_methods_that_may_be_repeated(stage, method):
    let_a_connection_rest(stage)
    stage.puppet.next(stage.puppet.take, ends)
    with stage.connect() as client:
        client.send(POST.replace(b"POST", method))
        assert client.answer(method).status == 200
    assert [each.body for each in stage.taken] == [b"hello", b"hello"]


def test_a_replica_that_closes_every_connection_is_not_asked_for_ever(stage):
    let_a_connection_rest(stage)
    for _ in range(20):
        stage.puppet.next(stage.puppet.take, ends)
    assert stage.ask(GET).status == 502
    assert len(stage.taken) == 2


def test_what_comes_on_an_idle_connection_is_no_answer(stage):
    """Nobody asked. It must not become the answer to the next request (RFC 9112 section 11.1)."""
    said = Event()
    stage.puppet.next(
        stage.puppet.usual,
        pause(0.05),
        send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"),
        lambda *_: said.set(),
    )
    with stage.connect() as client:
        client.send(GET)
        assert client.answer().body == b"ok"
        assert said.wait(5)
        stage.turn()
        client.send(GET)
        assert client.answer().body == b"ok"


def test_an_answer_before_its_request_is_not_believed_blindly(stage):
    """A replica that speaks first: its words may become the answer, but never that to a later request."""
    stage.puppet.next(ends)
    stage.ask(GET)
    stage.puppet.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nright"
    with stage.connect() as client:
        for _ in range(3):
            client.send(GET)
            assert client.answer().body == b"right"


# Clients that fail


@pytest.mark.parametrize("when", ["before the head", "in the body"])
@pytest.mark.parametrize("way", ["close", "reset"])
def test_a_client_that_leaves_frees_the_replica(stage, way, when):
    gone = Event()
    said = send(b"") if when == "before the head" else send(LENGTH.replace(b"10", b"1000000000") + b"x" * 100_000)
    stage.puppet.next(stage.puppet.take, said, lambda stream, stopped: (stream.rest(), gone.set()), ends)
    client = stage.connect()
    client.send(GET)
    while not stage.taken:
        time.sleep(0.005)
    getattr(client, way)()
    assert gone.wait(5), "the replica still works for nobody"


def test_a_client_that_leaves_in_its_upload_frees_the_replica(stage):
    gone = Event()
    stage.puppet.next(lambda stream, stopped: (stream.rest(), gone.set()), ends)
    client = stage.connect()
    client.send(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 100\r\n\r\n" + b"x" * 50)
    time.sleep(0.05)
    client.close()
    assert gone.wait(5)


def test_a_client_that_leaves_costs_the_next_one_nothing(stage):
    for _ in range(30):
        client = stage.connect()
        client.send(GET)
        client.reset()
    assert stage.ask(GET).body == b"ok"
