"""WebSockets with real ends: through Vestri all is as it is without it. VESTRI_FULL=1 takes the largest messages."""

import asyncio
import hashlib
import http.client
import os
import random

import pytest

pytest.importorskip("websockets")

from both_ends import BothEnds, closing, connecting_to, echo, linger, listening, run
from websockets.exceptions import InvalidStatus

from support import Vestri, free_port
from wire import LOOPBACK, PATIENCE

pytestmark = pytest.mark.live
MIB = 1024 * 1024
LARGE = (64 if os.environ.get("VESTRI_FULL") else 4) * MIB
#: Seconds of silence after which a tunnel below /idle is closed.
IDLE = 1.0
CONFIG = """
services:
  - {{name: web, health: off, replicas: [{{url: "http://127.0.0.1:{port}"}}]}}
  - name: idle
    matcher: /idle
    health: off
    timeouts: {{tunnel: {idle}s}}
    replicas: [{{url: "http://127.0.0.1:{port}"}}]
access_log: {{format: off}}
"""
#: Those that an end may send (RFC 6455 section 7.4).
CODES = [1000, 1001, 1002, 1003, *range(1007, 1015), 3000, 3999, 4000, 4999]
TEXTS = ["", "text", "Grüße, 世界 🌍", "x" * 125, "x" * 126, "z" * 200_000]
MESSAGES = [*TEXTS, b"", b"\x00\xff" * 50, b"y" * 65535, b"y" * 65536]


@pytest.fixture(scope="module")
def ends(tmp_path_factory):
    port = free_port()
    with Vestri(tmp_path_factory.mktemp("sockets"), CONFIG.format(port=port, idle=IDLE)) as vestri:
        yield BothEnds(vestri, port)


# Messages


async def say(socket):
    """Say all messages, hear each again, and close."""
    heard = []
    for message in MESSAGES:
        await socket.send(message)
        heard.append(await socket.recv())
    return heard


@pytest.mark.parametrize("compression", ["deflate", None])
def test_messages_of_all_kinds_and_sizes(ends, compression):
    """RFC 6455 section 5.2 has three ways to write a length; RFC 7692 compresses."""
    options = {"compression": compression}
    heard, closed = ends.alike(echo, say, serving=options, connecting=options)
    assert (heard, closed) == (MESSAGES, (1000, ""))


@pytest.mark.parametrize(
    ("offered", "accepted", "agreed"),
    [("deflate", "deflate", True), ("deflate", None, False), (None, "deflate", False)],
)
def test_compression_is_for_the_ends_to_agree_on(ends, offered, accepted, agreed):
    async def extensions(socket):
        return [extension.name for extension in socket.protocol.extensions]

    names, _ = ends.alike(
        extensions, extensions, connecting={"compression": offered}, serving={"compression": accepted}
    )
    assert names == (["permessage-deflate"] if agreed else [])


def test_fragments_stay_as_they_are(ends):
    """An end may begin to read before the other has the rest (RFC 6455 section 5.4)."""
    pieces = ["one", "", "two" * 1000, "ü", "end"]

    async def fragments(socket):
        return [piece async for piece in socket.recv_streaming()]

    _, seen = ends.alike(fragments, lambda socket: socket.send(pieces), **uncompressed())
    assert seen == [*pieces, ""], "the package's last frame is empty"


def uncompressed():
    return {"serving": {"compression": None}, "connecting": {"compression": None}}


@pytest.mark.parametrize("pinging", ["client", "server"])
def test_a_ping_is_answered_with_its_payload(ends, pinging):
    """By the other end: an answer to one that is not the last ping must have its payload (RFC 6455 section 5.5.3)."""

    async def ping(socket):
        for payload in (b"", b"\x00" * 125, b"payload"):
            await asyncio.wait_for(await socket.ping(payload), PATIENCE)
        return "answered"

    roles = {"client": (linger, ping), "server": (ping, linger)}
    assert "answered" in ends.alike(*roles[pinging])


def test_a_large_message_each_way(ends):
    content = random.Random(5).randbytes(LARGE)

    async def digest(socket):
        await socket.send(content)
        return hashlib.sha256(await socket.recv()).hexdigest()

    expected = hashlib.sha256(content).hexdigest()
    assert ends.through(digest, digest, **uncompressed()) == (expected, expected)


# How it begins


def test_the_handshake_arrives_with_its_fields(ends):
    """The answer's, and the request's at the other end, but for what is the connection's and what a proxy adds."""

    async def request_fields(socket):
        own = {"sec-websocket-key", "host", "via", "x-real-ip", "x-request-id"}
        named = ((name.lower(), value) for name, value in socket.request.headers.raw_items())
        return sorted(pair for pair in named if pair[0] not in own and not pair[0].startswith("x-forwarded"))

    async def answer_fields(socket):
        passing = {"date", "sec-websocket-accept"}
        named = ((name.lower(), value) for name, value in socket.response.headers.raw_items())
        lasting = sorted(pair for pair in named if pair[0] not in passing)
        return socket.response.status_code, socket.subprotocol, lasting

    (status, subprotocol, _), asked = ends.alike(
        request_fields,
        answer_fields,
        path="/chat?room=%2F1",
        serving={"subprotocols": ["v2", "v1"]},
        connecting={"subprotocols": ["v1", "v2"], "additional_headers": {"X-Any": "thing"}, "origin": "http://a.b"},
    )
    assert (status, subprotocol) == (101, "v2")
    assert {("sec-websocket-protocol", "v1, v2"), ("x-any", "thing"), ("origin", "http://a.b")} <= {*asked}


@pytest.mark.parametrize("status", [403, 426, 503])
def test_a_refusal_is_the_server_s_and_leaves_the_connection_usable(ends, status):
    async def refuse(connection, request):
        return connection.respond(status, "no") if request.path == "/refused" else connection.respond(200, "yes")

    async def ask():
        async with listening(echo, ends.port, process_request=refuse):
            with pytest.raises(InvalidStatus) as refusal:
                await connecting_to(ends.vestri.port, "/refused")
            assert (refusal.value.response.status_code, refusal.value.response.body) == (status, b"no")
            return await asyncio.to_thread(ask_on_one_connection, ends.vestri.port)

    assert run(ask()) == [(status, b"no"), (200, b"yes"), (status, b"no")]


def ask_on_one_connection(port):
    """The answers to an upgrade that is refused, an upgrade that is answered, and the first again."""
    upgrade = {
        "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }  # fmt: skip
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=PATIENCE)
    connection.connect()
    sock, answers = connection.sock, []
    for target in ("/refused", "/plain", "/refused"):
        connection.request("GET", target, headers=upgrade)
        answer = connection.getresponse()
        answers.append((answer.status, answer.read()))
        assert connection.sock is sock, "it did not stay open"
    connection.close()
    return answers


# How it ends


@pytest.mark.parametrize("closer", ["client", "server"])
@pytest.mark.parametrize("code", CODES)
def test_a_close_arrives_with_its_code_and_reason(ends, code, closer):
    async def close(socket):
        await socket.close(code, f"because {code}")
        return await closing(socket)

    roles = {"client": (linger, close), "server": (close, linger)}
    assert ends.alike(*roles[closer]) == ((code, f"because {code}"),) * 2


@pytest.mark.parametrize("closer", ["client", "server"])
def test_a_close_without_a_code_has_none(ends, closer):
    async def close(socket):
        async with socket.send_context():
            socket.protocol.send_close()
        return await closing(socket)

    roles = {"client": (linger, close), "server": (close, linger)}
    assert ends.alike(*roles[closer]) == ((1005, ""),) * 2


@pytest.mark.parametrize("dropper", ["client", "server"])
def test_an_end_that_is_gone_takes_the_other_along(ends, dropper):
    """Without a word: 1006 (RFC 6455 section 7.1.5)."""

    async def drop(socket):
        socket.transport.abort()
        return await closing(socket)

    roles = {"client": (linger, drop), "server": (drop, linger)}
    assert ends.alike(*roles[dropper]) == ((1006, ""),) * 2


def test_what_was_said_right_before_the_end_arrives(ends):
    content = random.Random(6).randbytes(MIB)

    async def leave(socket):
        await socket.send(content)

    async def hear(socket):
        return [message async for message in socket]

    heard, _ = ends.alike(leave, hear, **uncompressed())
    assert heard == [content]


def test_a_silent_tunnel_ends_on_both_sides(ends):
    assert ends.through(linger, linger, path="/idle") == ((1006, ""),) * 2


def test_pings_keep_a_tunnel_open(ends):
    async def ping(socket):
        for _ in range(8):
            await asyncio.wait_for(await socket.ping(), PATIENCE)
            await asyncio.sleep(IDLE / 4)
        await socket.close()
        return await closing(socket)

    assert ends.through(linger, ping, path="/idle") == ((1000, ""),) * 2


# Many, and slow ones


def test_many_at_once_each_hear_their_own(ends):
    async def client(number):
        async with connecting_to(ends.vestri.port, f"/{number}") as socket:
            heard = []
            for turn in range(10):
                await socket.send(f"{number}: {turn}")
                await asyncio.sleep(0)
                heard.append(await socket.recv())
            return heard

    async def all_of_them():
        async with listening(echo, ends.port):
            return await asyncio.gather(*map(client, range(200)))

    assert run(all_of_them()) == [[f"{number}: {turn}" for turn in range(10)] for number in range(200)]


PIECE, PIECES = random.Random(7).randbytes(256 * 1024), 256


class Flood:
    """Sends more than any buffers hold. sent: pieces so far."""

    def __init__(self):
        self.sent = 0

    async def send(self, socket):
        for _ in range(PIECES):
            await socket.send(PIECE)
            self.sent += 1

    async def stuck(self):
        """Return once nothing has moved for a while."""
        before = -1
        while before != self.sent or not self.sent:
            before = self.sent
            await asyncio.sleep(0.4)


@pytest.mark.parametrize("reader", ["client", "server"])
def test_an_end_that_does_not_read_holds_up_the_other(ends, reader):
    """What is on its way stays where it comes from, and not in Vestri; then all of it arrives."""
    flood = Flood()

    async def read_late(socket):
        await flood.stuck()
        stuck_at, held = flood.sent, ends.vestri.peak_memory()
        pieces = [await socket.recv() == PIECE for _ in range(PIECES)]
        return stuck_at, held, pieces

    before = ends.vestri.peak_memory()
    bounded = {"serving": {"compression": None, "max_queue": 1}, "connecting": {"compression": None, "max_queue": 1}}
    roles = {"client": (flood.send, read_late), "server": (read_late, flood.send)}
    seen = ends.through(*roles[reader], **bounded)
    stuck_at, held, pieces = next(each for each in seen if each)
    assert stuck_at < PIECES / 2
    assert held - before < 16 * MIB
    assert pieces == [True] * PIECES
