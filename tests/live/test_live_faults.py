"""Replicas that fail, at every stage and in every way: an honest 502 or 504, or a visibly cut answer."""

import time
from contextlib import suppress

import pytest
from puppet import OK, ends
from stage import HOST, PLAIN

from wire import hang, pause, reset, send

pytestmark = pytest.mark.live
CONFIG = PLAIN.replace("response: 2s, idle: 2s", "response: 500ms, idle: 500ms, connect: 500ms")
GET = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"
POST = b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nhello"
CHUNKED_POST = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

#: (stage, what the replica said before it went)
BEFORE_THE_HEAD = [
    ("before a word", b""),
    ("in the version", b"HTT"),
    ("in the status line", b"HTTP/1.1 20"),
    ("behind the status line", b"HTTP/1.1 200 OK\r\n"),
    ("in a field", b"HTTP/1.1 200 OK\r\nContent-Le"),
    ("before the empty line", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n"),
    ("behind a 100", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ("behind a 103", b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n"),
]
IN_THE_BODY = [
    ("behind the head", LENGTH),
    ("in a body of a length", LENGTH + b"12345"),
    ("one byte before its end", LENGTH + b"123456789"),
    ("before the first chunk", CHUNKS),
    ("in a chunk size", CHUNKS + b"1"),
    ("behind a chunk size", CHUNKS + b"5\r\n"),
    ("in a chunk", CHUNKS + b"5\r\n123"),
    ("behind a chunk's data", CHUNKS + b"5\r\n12345"),
    ("behind a chunk", CHUNKS + b"5\r\n12345\r\n"),
    ("in the last chunk", CHUNKS + b"5\r\n12345\r\n0\r\n"),
    ("in the trailers", CHUNKS + b"5\r\n12345\r\n0\r\nX-A: 1\r\n"),
]
ways = pytest.mark.parametrize("way", [ends, reset], ids=["closed", "reset"])
requests = pytest.mark.parametrize("data", [GET, POST, CHUNKED_POST], ids=["GET", "POST", "chunked POST"])


def stages(table):
    return pytest.mark.parametrize(("why", "said"), table, ids=[why for why, _ in table])


def usable(client, stage):
    stage.forget()
    client.send(GET)
    return client.answer().body == b"ok"


@ways
@requests
@stages(BEFORE_THE_HEAD)
def test_a_replica_that_goes_before_its_head_is_a_502(stage, why, said, way, data):
    """The client's connection stays: nothing of an answer had been promised on it."""
    for _ in range(2):  # over a connection used before, a request that may be repeated is repeated once
        stage.puppet.next(stage.puppet.take, send(said), way)
    with stage.connect() as client:
        client.send(data)
        answer = client.final_answer()
        assert (answer.start, answer.get(b"vestri-reason")) == (b"HTTP/1.1 502 Bad Gateway", b"upstream_reset")
        assert usable(client, stage)


@ways
@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
@stages(IN_THE_BODY)
def test_a_replica_that_goes_in_its_body_cuts_the_answer_visibly(stage, why, said, way, version):
    """RFC 9112 section 8: an end that looks like one would make half an answer a whole one."""
    stage.puppet.next(stage.puppet.take, send(said), pause(0.02), way)
    with stage.connect() as client:
        client.send(GET.replace(b"HTTP/1.1", b"HTTP/" + version))
        with pytest.raises((EOFError, ConnectionResetError)):
            client.final_answer()
    stage.settle()
    assert [each.target for each in stage.taken] == [b"/"], "an answer that has begun is not asked for again"


@ways
@stages(IN_THE_BODY)
def test_the_same_in_one_breath(stage, why, said, way):
    """The head and the break come together; a 502 is as honest as a cut answer then."""
    stage.puppet.next(stage.puppet.take, send(said), way)
    with stage.connect() as client:
        client.send(GET)
        with suppress(EOFError, ConnectionResetError):
            assert client.final_answer().status == 502


def test_the_end_of_a_body_that_only_its_connection_ends_is_no_fault(stage):
    stage.puppet.next(stage.puppet.take, send(b"HTTP/1.1 200 OK\r\n\r\nall of it"), ends)
    with stage.connect() as client:
        client.send(GET)
        assert client.answer().body == b"all of it"
        assert usable(client, stage)


def test_a_reset_in_a_body_that_only_its_connection_ends_is_one(stage):
    """RFC 9112 section 8: whether it was whole nobody knows."""
    stage.puppet.next(stage.puppet.take, send(b"HTTP/1.1 200 OK\r\n\r\nhalf of"), pause(0.05), reset)
    with stage.connect() as client:
        client.send(GET)
        with pytest.raises((EOFError, ConnectionResetError)):
            client.answer()


@requests
def test_a_replica_that_says_nothing_is_a_504(stage, data):
    stage.puppet.next(stage.puppet.take, hang)
    with stage.connect() as client:
        client.send(data)
        answer = client.answer()
        assert (answer.start, answer.get(b"vestri-reason")) == (b"HTTP/1.1 504 Gateway Timeout", b"response_timeout")
        assert usable(client, stage)
    assert [each.method for each in stage.taken] == [b"GET"], "it is not asked again: nobody knows what it did"


def test_a_replica_that_reads_nothing_is_a_504_or_408(stage):
    """The upload does not move, and it is not the client's fault; at some time it ends."""
    stage.puppet.next(hang)
    with stage.connect() as client:
        client.send(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 100\r\n\r\n" + b"x" * 100)
        assert client.answer().status == 504


def test_a_slow_replica_that_is_in_time_is_none(stage):
    def drip(stream, stopped):
        for byte in LENGTH + b"0123456789":
            stream.send(bytes([byte]))
            time.sleep(0.004)

    stage.puppet.next(stage.puppet.take, drip)
    assert stage.ask(GET).body == b"0123456789"


def test_a_body_that_pauses_within_its_timeout_is_whole(stage):
    stage.puppet.next(stage.puppet.take, send(LENGTH + b"01234"), pause(0.3), send(b"56"), pause(0.3), send(b"789"))
    assert stage.ask(GET).body == b"0123456789"


# Early answers from replicas that go at once


def test_an_early_answer_survives_the_replica_s_going(stage):
    """It closes with bytes of the upload unread, so that its kernel resets the connection behind the answer."""
    said = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 8\r\n\r\ntoo much"
    outcomes = []
    for _ in range(10):
        stage.puppet.next(lambda stream, stopped: stream.exactly(20_000), send(said), pause(0.005), ends)
        with stage.connect() as client:
            client.send(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 50000000\r\n\r\n")
            for _ in range(60):
                client.send(b"x" * 65536)
            outcomes.append(client.answer().status)
    assert outcomes == [413] * 10


def test_an_answer_that_comes_before_the_upload_has_begun_ends_it(stage):
    stage.puppet.next(stage.puppet.read_head, send(OK), ends)
    with stage.connect() as client:
        client.send(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 50000000\r\n\r\n")
        answer = client.answer()
        assert (answer.status, answer.get(b"connection")) == (200, b"close")
        assert client.ended()
