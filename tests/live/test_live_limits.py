"""How large and how slow anything may be: each limit and each timeout, with its answer."""

import socket
import time
from contextlib import ExitStack, suppress
from select import POLLRDHUP, poll

import pytest
from puppet import Puppet
from stage import HOST, PLAIN, Stage
from strict import PATIENCE

from wire import LOOPBACK, hang, send

pytestmark = pytest.mark.live
CONFIG = """
limits: {{body_size: 20000, header_size: 8KiB, requests_per_connection: 20}}
timeouts: {{client_header: 400ms, client_body: 400ms, client_idle: 600ms, response: 400ms, idle: 400ms}}
services: [{{name: web, matcher: /web, health: off, replicas: [{replicas}]}}]
access_log: {{format: off}}
"""


def asked(target=b"/web", *lines, method=b"GET", version=b"1.1"):
    return (
        method
        + b" "
        + target
        + b" HTTP/"
        + version
        + b"\r\n"
        + HOST
        + b"".join(line + b"\r\n" for line in lines)
        + b"\r\n"
    )


# Limits


@pytest.mark.parametrize("size", [0, 1, 19999, 20000])
@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_a_body_within_the_limit_passes(stage, size, framing):
    assert stage.ask(post(size, framing)).status == 200
    assert len(stage.taken[0].body) == size


def post(size, framing):
    if framing == "length":
        return asked(b"/web", b"Content-Length: %d" % size, method=b"POST") + b"x" * size
    chunks = b"".join(b"%x\r\n" % len(piece) + piece + b"\r\n" for piece in pieces(b"x" * size, 3000))
    return asked(b"/web", b"Transfer-Encoding: chunked", method=b"POST") + chunks + b"0\r\n\r\n"


def pieces(data, size):
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize("size", [20001, 100_000, 3_000_000])
@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_a_body_beyond_the_limit_is_a_413_that_arrives(stage, size, framing):
    """However much of it is still on its way (RFC 9112 section 9.6)."""
    with stage.connect() as client:
        data = post(size, framing)
        client.send(data)
        answer = client.answer()
        assert (answer.status, answer.get(b"connection")) == (413, b"close")
        assert client.ended()
    assert stage.taken == []


def test_a_long_body_is_refused_before_it_is_sent(stage):
    """The client asked first: nobody needs to send a body that nobody will read (RFC 9110 section 10.1.1)."""
    with stage.connect() as client:
        client.send(asked(b"/web", b"Content-Length: 99999999999", b"Expect: 100-continue", method=b"POST"))
        assert client.answer().status == 413
        assert client.ended()


@pytest.mark.parametrize("size", [8192, 8000])
def test_a_head_up_to_the_limit_is_read(stage, size):
    data = asked(b"/web", b"X-A: ")
    data = data.replace(b"X-A: ", b"X-A: " + b"a" * (size - len(data)))
    assert len(data) == size
    assert stage.ask(data).status == 200


def test_a_head_one_byte_beyond_the_limit_is_refused(stage):
    data = asked(b"/web", b"X-A: ")
    data = data.replace(b"X-A: ", b"X-A: " + b"a" * (8193 - len(data)))
    assert stage.ask(data).status == 431


@pytest.mark.parametrize("endless", [b"GET /" + b"a" * 1000, b"a" * 1000, b"GET /web HTTP/1.1\r\nX: " + b"a" * 1000])
def test_a_head_without_end_is_refused_as_soon_as_it_is_too_long(stage, endless):
    with stage.connect() as client:
        client.send(endless)
        with suppress(ConnectionError):
            for _ in range(8):
                client.send(b"a" * 1000)
        assert client.answer().status in (414, 431, 400)
        assert client.ended()


def test_a_connection_ends_after_so_many_requests(stage):
    with stage.connect() as client:
        for number in range(20):
            client.send(asked())
            answer = client.answer()
            assert answer.get(b"connection") == (b"close" if number == 19 else None)
        assert client.ended()


# Timeouts


def seconds_until_end(client):
    began = time.monotonic()
    received = client.rest()
    return received, time.monotonic() - began


@pytest.mark.parametrize("drip", [b"", b"x"], ids=["silent", "dripping"])
@pytest.mark.parametrize("begun", [b"G", b"GET /web HTTP/1.1\r\n", b"GET /web HTTP/1.1\r\nHost: a.example\r\nX-A: 1"])
def test_a_head_that_does_not_end_is_a_408(stage, begun, drip):
    """Counted from its first byte, so that a byte now and then does not help."""
    with stage.connect() as client:
        began = time.monotonic()
        client.send(begun)
        while drip and time.monotonic() - began < 0.3:
            client.send(drip)
            time.sleep(0.05)
        answer = client.answer()
        assert answer.start == b"HTTP/1.1 408 Request Timeout"
        assert (answer.get(b"vestri-reason"), answer.get(b"connection")) == (b"header_timeout", b"close")
        assert 0.39 < time.monotonic() - began < 3
        assert client.ended()


def test_nothing_is_said_on_a_connection_that_was_never_used(stage):
    """A 408 there would be read as the answer to a request that is just on its way (SEMANTICS 3)."""
    with stage.connect() as client:
        received, seconds = seconds_until_end(client)
        assert received == b""
        assert 0.5 < seconds < 4


def test_nothing_is_said_on_an_idle_connection(stage):
    with stage.connect() as client:
        client.send(asked())
        assert client.answer().status == 200
        received, seconds = seconds_until_end(client)
        assert received == b""
        assert 0.5 < seconds < 4


def test_empty_lines_do_not_keep_a_connection(stage):
    with stage.connect() as client:
        began = time.monotonic()
        while time.monotonic() - began < PATIENCE and not hung_up(client.sock):
            with suppress(ConnectionError):
                client.send(b"\r\n")
            time.sleep(0.05)
        assert time.monotonic() - began < 4


def hung_up(sock):
    """Whether the other side sends no more."""
    look = poll()
    look.register(sock, POLLRDHUP)
    return bool(look.poll(0))


def test_a_body_that_stalls_is_a_408(stage):
    with stage.connect() as client:
        client.send(asked(b"/web", b"Content-Length: 10", method=b"POST") + b"12345")
        answer = client.answer()
        assert (answer.status, answer.get(b"vestri-reason")) == (408, b"body_timeout")
        assert answer.start == b"HTTP/1.1 408 Request Timeout"
        assert answer.get(b"connection") == b"close"
        assert client.ended()
    assert stage.ask(asked(b"/web/after")).status == 200
    assert [each.target for each in stage.taken] == [b"/web/after"]


def test_a_body_that_moves_may_take_its_time(stage):
    """Timers of uploads look at progress, never at the whole (traefik #10654)."""
    with stage.connect() as client:
        client.send(asked(b"/web", b"Content-Length: 5", method=b"POST"))
        for byte in b"12345":
            time.sleep(0.2)
            client.send(bytes([byte]))
        assert client.answer().status == 200


@pytest.mark.parametrize("method", [b"GET", b"POST"])
def test_a_replica_that_says_nothing_is_a_504(stage, method):
    stage.puppet.next(stage.puppet.take, hang)
    with stage.connect() as client:
        began = time.monotonic()
        client.send(asked(b"/web", b"Content-Length: 2", method=method) + b"hi")
        answer = client.answer()
        assert answer.start == b"HTTP/1.1 504 Gateway Timeout"
        assert answer.get(b"vestri-reason") == b"response_timeout"
        assert 0.39 < time.monotonic() - began < 3
        client.send(asked())
        assert client.answer().body == b"ok"


def test_a_replica_whose_head_drips_is_a_504(stage):
    def drip(stream, stopped):
        for byte in b"HTTP/1.1 200 OK\r\nX-A: ":
            stream.send(bytes([byte]))
            time.sleep(0.03)

    stage.puppet.next(stage.puppet.take, drip)
    assert stage.ask(asked()).status == 504


def test_a_replica_that_stalls_in_its_answer_is_visibly_cut(stage):
    stage.puppet.next(stage.puppet.take, send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345"), hang)
    with stage.connect() as client:
        client.send(asked())
        with pytest.raises((EOFError, ConnectionResetError)):
            client.answer()


def test_an_interim_answer_is_no_answer_for_the_timeout(stage):
    stage.puppet.next(stage.puppet.take, send(b"HTTP/1.1 103 X\r\n\r\n"), hang)
    assert stage.ask(asked()).status == 504


@pytest.fixture
def full():
    """The port of a listener whose backlog is full, so that no connection to it is ever made."""
    with socket.create_server((LOOPBACK, 0), backlog=0) as listening, ExitStack() as opened:
        port = listening.getsockname()[1]
        for _ in range(4):
            filler = opened.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex((LOOPBACK, port))
        yield port


def test_a_replica_that_does_not_accept_is_a_504(tmp_path, full):
    config = f"services: [{{{{name: web, health: off, replicas: [{{{{url: 'http://{LOOPBACK}:{full}'}}}}]}}}}]\n"
    quick = "timeouts: {{connect: 300ms}}\naccess_log: {{format: off}}\n"
    with Stage(tmp_path, config + quick, []) as stage:
        answer = stage.ask(asked())
        assert (answer.status, answer.get(b"vestri-reason")) == (504, b"connect_timeout")


def test_the_whole_request_has_a_time_too_where_it_is_given(tmp_path):
    with Puppet() as puppet, Stage(tmp_path, PLAIN.replace("idle: 2s", "idle: 2s, total: 300ms"), [puppet]) as stage:
        puppet.next(puppet.take, hang)
        answer = stage.ask(asked())
        assert (answer.status, answer.get(b"vestri-reason")) == (504, b"total_timeout")
