"""Upgrades: after the replica's 101 two sockets are one; before it, and without it, nothing of HTTP is lost."""

import time
from threading import Event

import pytest
from puppet import OK, ends
from stage import HOST, PLAIN

from wire import hang, reset, send

pytestmark = pytest.mark.live
CONFIG = PLAIN.replace("idle: 2s", "idle: 2s, tunnel: 1s")
ASK = (
    b"GET /chat HTTP/1.1\r\n"
    + HOST
    + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n"
)
GET = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"


def asking(*lines, version=b"1.1", method=b"GET"):
    return method + b" /chat HTTP/" + version + b"\r\n" + HOST + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def echo(stream, stopped):
    """A step: say everything again, until the other side has ended."""
    while data := stream._file.read1(65536):
        stream.send(data)


def open_tunnel(stage, *steps):
    stage.puppet.next(stage.puppet.take, send(SWITCH), *steps)
    client = stage.connect()
    client.send(ASK)
    assert client.answer().status == 101
    return client


@pytest.mark.parametrize(
    ("lines", "upgrade"),
    [
        ([b"Connection: Upgrade", b"Upgrade: websocket"], b"websocket"),
        ([b"Connection: keep-alive, Upgrade", b"Upgrade: websocket"], b"websocket"),
        ([b"Connection: keep-alive", b"connection: upgrade", b"upgrade: WebSocket"], b"WebSocket"),
        ([b"Upgrade: chat/2, websocket", b"Connection: upgrade"], b"chat/2, websocket"),
        ([b"Connection: Upgrade", b"Upgrade: h2c, websocket"], b"websocket"),
    ],
)
def test_an_upgrade_is_offered_on(stage, lines, upgrade):
    """RFC 9110 section 7.8."""
    protocol = upgrade.rpartition(b" ")[2]
    stage.puppet.next(
        stage.puppet.take, send(b"HTTP/1.1 101 X\r\nUpgrade: %b\r\nConnection: upgrade\r\n\r\n" % protocol), echo, ends
    )
    with stage.connect() as client:
        client.send(asking(*lines, b"Sec-WebSocket-Version: 13"))
        answer = client.answer()
        assert (answer.status, answer.get(b"upgrade"), answer.get(b"connection")) == (101, protocol, b"Upgrade")
        assert answer.get(b"content-length") is answer.get(b"transfer-encoding") is None
        client.send(b"\x81\x85hello")
        assert client.exactly(7) == b"\x81\x85hello"
    (taken,) = stage.taken
    assert (taken.get(b"upgrade"), taken.get(b"connection")) == (upgrade, b"Upgrade")
    assert taken.get(b"sec-websocket-version") == b"13"


@pytest.mark.parametrize(
    ("why", "data"),
    [
        (
            "h2c alone",
            asking(
                b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA"
            ),
        ),
        ("h2c in capitals", asking(b"Connection: Upgrade", b"Upgrade: H2C")),
        ("h2", asking(b"Connection: Upgrade", b"Upgrade: h2")),
        ("h2c without its settings", asking(b"Connection: Upgrade", b"Upgrade:  h2c ")),
        ("HTTP/1.0", asking(b"Connection: Upgrade", b"Upgrade: websocket", version=b"1.0")),
        ("without Connection", asking(b"Upgrade: websocket")),
        ("without Upgrade", asking(b"Connection: Upgrade")),
    ],
)
def test_what_is_no_upgrade_is_an_ordinary_request(stage, why, data):
    """RFC 9113 section 3.1 withdrew h2c; through a proxy it is a way around it."""
    assert stage.ask(data).status == 200
    (taken,) = stage.taken
    assert not {*taken.names} & {b"upgrade", b"connection", b"http2-settings"}, why


def test_bytes_right_behind_both_heads_arrive(stage):
    """Both sides may speak at once; nothing that came along in the same packet is lost."""
    got = Event()

    def first(stream, stopped):
        assert stream.exactly(5) == b"hello"
        got.set()

    stage.puppet.next(stage.puppet.take, send(SWITCH + b"welcome"), first, ends)
    with stage.connect() as client:
        client.send(ASK + b"hello")
        assert client.answer().status == 101
        assert client.exactly(7) == b"welcome"
        assert got.wait(5)
        assert client.ended()


def test_bytes_that_come_before_the_101_wait_for_it(stage):
    go_on = Event()
    stage.puppet.next(stage.puppet.take, lambda *_: go_on.wait(5), send(SWITCH), echo, ends)
    with stage.connect() as client:
        client.send(ASK)
        client.send(b"early " * 20000)
        stage.turn()
        go_on.set()
        assert client.answer().status == 101
        assert client.exactly(120000) == b"early " * 20000


def test_a_tunnel_carries_all_bytes_at_any_size(stage):
    data = bytes(range(256)) * 16384
    with open_tunnel(stage, echo, ends) as client:
        received = bytearray()
        for at in range(0, len(data), 65536):
            client.send(data[at : at + 65536])
            received += client.exactly(65536)
        assert received == data


def test_the_end_of_the_client_is_passed_on_and_the_other_way_stays_open(stage):
    def until_end(stream, stopped):
        said = stream.rest()
        time.sleep(0.1)
        stream.send(b"you said " + said)

    with open_tunnel(stage, until_end, ends) as client:
        client.send(b"bye")
        client.end()
        assert client.rest() == b"you said bye"


def test_the_end_of_the_replica_is_passed_on_and_the_other_way_stays_open(stage):
    got = []

    def half_close(stream, stopped):
        stream.send(b"that is all")
        stream.end()
        got.append(stream.rest())

    with open_tunnel(stage, half_close, ends) as client:
        assert client.rest() == b"that is all"
        client.send(b"so what")
        client.end()
        deadline = time.monotonic() + 5
        while not got and time.monotonic() < deadline:
            time.sleep(0.01)
    assert got == [b"so what"]


def test_what_was_said_before_the_end_arrives_whole(stage):
    data = b"x" * 3_000_000
    with open_tunnel(stage, send(data), ends) as client:
        time.sleep(0.2)
        assert len(client.rest()) == len(data)


@pytest.mark.parametrize("step", [ends, reset], ids=["close", "reset"])
def test_a_replica_that_goes_takes_the_client_along(stage, step):
    with open_tunnel(stage, step) as client:
        client.rest()


def test_a_client_that_goes_takes_the_replica_along(stage):
    gone = Event()
    client = open_tunnel(stage, lambda stream, stopped: (stream.rest(), gone.set()), ends)
    client.reset()
    assert gone.wait(5)


def test_a_slow_client_slows_the_replica(stage):
    """Back-pressure: a replica that sends into a tunnel that nobody reads is held up, not buffered."""
    sent = []

    def flood(stream, stopped):
        stream.sock.settimeout(0.3)
        try:
            while len(sent) < 4000:
                stream.send(b"x" * 65536)
                sent.append(1)
        except TimeoutError:
            pass

    before = stage.vestri.peak_memory()
    with open_tunnel(stage, flood, ends) as client:
        time.sleep(0.6)
        assert len(sent) < 1000
        assert client.exactly(65536 * len(sent))
    assert stage.vestri.peak_memory() - before < 32 * 1024 * 1024


def test_a_silent_tunnel_ends_at_its_timeout(stage):
    with open_tunnel(stage, hang) as client:
        began = time.monotonic()
        client.send(b"x")
        client.rest()
        assert 0.9 < time.monotonic() - began < 4


def test_a_tunnel_that_is_used_now_and_then_stays(stage):
    with open_tunnel(stage, echo, ends) as client:
        for _ in range(4):
            time.sleep(0.5)
            client.send(b"x")
            assert client.exactly(1) == b"x"


REFUSALS = [
    b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno",
    b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\nno",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
    b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 2\r\n\r\nno",
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal[9:12].decode())
def test_a_refused_upgrade_does_not_cost_the_connection(stage, refusal):
    stage.puppet.replies(refusal)
    with stage.connect() as client:
        client.send(ASK)
        answer = client.answer()
        assert (answer.status, answer.body) == (int(refusal[9:12]), b"no")
        client.send(GET)
        assert client.answer().body == b"ok"


@pytest.mark.parametrize(
    ("why", "said"),
    [
        ("without Connection", b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\n\r\n"),
        ("without Upgrade", b"HTTP/1.1 101 X\r\nConnection: upgrade\r\n\r\n"),
        ("to what nobody offered", b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n"),
        ("to HTTP/2", b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"),
    ],
)
def test_a_101_that_says_nothing_right_is_a_502(stage, why, said):
    """RFC 9110 sections 7.8 and 15.2.2: a server must not switch to a protocol that was not offered."""
    stage.puppet.next(stage.puppet.take, send(said), hang)
    with stage.connect() as client:
        client.send(ASK)
        assert client.answer().status == 502, why
        client.send(GET)
        assert client.answer().body == b"ok"


@pytest.mark.parametrize("data", [GET, b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\n\r\nhi"])
def test_a_101_that_nobody_asked_for_is_a_502(stage, data):
    stage.puppet.next(stage.puppet.take, send(SWITCH + b"secret"), hang)
    with stage.connect() as client:
        client.send(data)
        answer = client.answer()
        assert (answer.status, answer.get(b"vestri-reason")) == (502, b"bad_response")
        assert b"secret" not in answer.body


def test_a_request_behind_an_upgrade_is_part_of_the_tunnel(stage):
    """Once switched, bytes that look like a request are none (smuggling by upgrade)."""
    got = []
    stage.puppet.next(stage.puppet.take, send(SWITCH), lambda stream, stopped: got.append(stream.rest()), ends)
    with stage.connect() as client:
        client.send(ASK + GET)
        assert client.answer().status == 101
        client.end()
        assert client.rest() == b""
    assert got == [GET]


def test_a_replica_that_switches_is_not_asked_anything_else_there(stage):
    with open_tunnel(stage, echo, ends) as client:
        assert stage.ask(GET).body == b"ok"
        client.send(b"still here")
        assert client.exactly(10) == b"still here"
    assert stage.ask(GET).body == b"ok"


def test_interim_answers_may_come_before_the_switch(stage):
    stage.puppet.next(stage.puppet.take, send(b"HTTP/1.1 103 X\r\nLink: <a>\r\n\r\n" + SWITCH + b"hi"), ends)
    with stage.connect() as client:
        client.send(ASK)
        assert [client.answer().status for _ in range(2)] == [103, 101]
        assert client.rest() == b"hi"


@pytest.mark.parametrize("step", [ends, reset, lambda stream, stopped: stream.send(OK)])
def test_an_upgrade_without_an_answer_is_an_ordinary_failure(stage, step):
    stage.puppet.next(stage.puppet.take, step)
    with stage.connect() as client:
        client.send(ASK)
        assert client.answer().status in (200, 502)
        client.send(GET)
        assert client.answer().body == b"ok"
