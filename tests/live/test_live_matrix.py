"""Real clients and real servers get the same from each other through Vestri as without it."""

from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from clients import Ask
from clients.curl import Curl
from clients.sockets import ECHOES
from servers import COOKIES, FILE, GZIP, HELLO, MOVED_TO, digest
from servers.running import ORIGINS
from strict import connect
from twisted.internet.threads import deferToThread

from support import Vestri, wait_until

pytestmark = pytest.mark.live
#: Modules and classes of `clients`.
CLIENTS = [("curl", "Curl"), ("standard", "HttpClient"), ("with_aiohttp", "Aiohttp"), ("with_treq", "Treq")]
CONFIG = """
services: [{{name: web, health: off, replicas: [{{url: "{url}"}}]}}]
access_log: {{format: off}}
"""
MIB = 1024 * 1024
BODIES = {"a byte": b"x", "5 MiB": FILE[: 5 * MIB]}


@pytest.fixture(scope="module", params=ORIGINS, ids=lambda origin: origin.__name__.lower())
def pair(request, tmp_path_factory):
    """A server (`origin`) and a Vestri in front of it."""
    directory = tmp_path_factory.mktemp(request.param.__name__)
    with ExitStack() as running:
        origin = running.enter_context(request.param(directory))
        vestri = running.enter_context(Vestri(directory, CONFIG.format(url=origin.url)))
        yield SimpleNamespace(origin=origin, vestri=vestri)


@pytest.fixture(params=CLIENTS, ids=lambda client: client[1].lower())
def client(request):
    """The class of a client: called with a port it makes a `Session`."""
    module, name = request.param
    return getattr(pytest.importorskip(f"clients.{module}"), name)


@asynccontextmanager
async def session_of(client, port):
    session = client(port)
    try:
        yield session
    finally:
        await session.close()


async def seen(client, port, asks):
    """The answers that a client gets to these requests at a port."""
    async with session_of(client, port) as session:
        return await session.ask(*asks)


async def alike(client, pair, *asks):
    """The answers through Vestri, which are those without it."""
    through, direct = [await seen(client, side.port, asks) for side in (pair.vestri, pair.origin)]
    assert [answer.lasting() for answer in through] == [answer.lasting() for answer in direct]
    return through


def statuses(answers):
    return [answer.status for answer in answers]


# Answers


async def test_an_answer_arrives_with_all_its_fields(client, pair):
    answers = await alike(client, pair, Ask("/hello"), Ask("/hello", fields={"X-Any": "thing"}))
    assert [(answer.status, answer.body) for answer in answers] == [(200, HELLO)] * 2


async def test_HEAD_has_the_fields_and_no_body(client, pair):
    head, after = await alike(client, pair, Ask("/hello", "HEAD"), Ask("/hello"))
    assert (head.status, head.body, after.body) == (200, b"", HELLO)


async def test_204_has_no_body_and_keeps_the_connection_in_step(client, pair):
    empty, after = await alike(client, pair, Ask("/empty"), Ask("/hello"))
    assert (empty.status, empty.body, after.body) == (204, b"", HELLO)


async def test_what_the_client_has_already_is_a_304(client, pair):
    (first,) = await seen(client, pair.vestri.port, [Ask("/hello")])
    (etag,) = first.values("etag")
    unchanged, after = await alike(client, pair, Ask("/hello", fields={"If-None-Match": etag}), Ask("/hello"))
    assert (unchanged.status, unchanged.body, after.body) == (304, b"", HELLO)
    assert unchanged.values("etag") == [etag]


async def test_a_redirect_is_the_client_s_to_follow(client, pair):
    (moved,) = await alike(client, pair, Ask("/moved"))
    assert (moved.status, moved.values("location")) == (302, [MOVED_TO])


async def test_cookies_stay_apart_and_in_order(client, pair):
    (answer,) = await alike(client, pair, Ask("/cookies"))
    assert answer.values("set-cookie") == [*COOKIES]


async def test_compressed_content_arrives_byte_for_byte(client, pair):
    (answer,) = await alike(client, pair, Ask("/gzip", fields={"Accept-Encoding": "gzip"}))
    assert answer.body == (HELLO if client.decodes else GZIP)


async def test_a_range_is_the_range(client, pair):
    part, after = await alike(client, pair, Ask("/file", fields={"Range": "bytes=1000-70999"}), Ask("/hello"))
    assert (part.status, part.body, after.body) == (206, FILE[1000:71000], HELLO)
    assert part.values("content-range") == [f"bytes 1000-70999/{len(FILE)}"]


async def test_a_download_of_10_MiB_is_whole(client, pair):
    (answer,) = await alike(client, pair, Ask("/file"))
    assert digest(answer.body) == digest(FILE)


async def test_an_answer_in_chunks_is_whole(client, pair):
    chunked, after = await alike(client, pair, Ask("/chunked"), Ask("/hello"))
    assert (chunked.body, after.body) == (HELLO, HELLO)
    assert chunked.values("content-length") == []


async def test_an_answer_until_its_connection_closes_is_whole(client, pair):
    pair.origin.requires("until close")
    ended, after = await alike(client, pair, Ask("/until-close"), Ask("/hello"))
    assert (ended.body, after.body) == (HELLO, HELLO)


async def test_what_is_not_there_is_the_server_s_404(client, pair):
    (answer,) = await alike(client, pair, Ask("/nowhere"))
    assert (answer.status, answer.values("vestri-reason")) == (404, [])


# Requests


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunks"])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_an_upload_arrives_whole(client, pair, body, chunked):
    ask = Ask("/upload/sent", pair.origin.upload, body=body, chunked=chunked)
    answer, after = await seen(client, pair.vestri.port, [ask, Ask("/hello")])
    assert (answer.status, after.body) in [(200, HELLO), (201, HELLO), (204, HELLO)]
    assert pair.origin.digest_of(answer, "sent") == digest(body)


async def test_a_client_that_waits_for_100_is_invited(pair):
    ask = Ask("/upload/waited", pair.origin.upload, {"Expect": "100-continue"}, BODIES["5 MiB"])
    answer, after = await seen(Curl, pair.vestri.port, [ask, Ask("/hello")])
    assert (answer.interim, after.body) == ((100,), HELLO)
    assert pair.origin.digest_of(answer, "waited") == digest(BODIES["5 MiB"])


ODD = [
    "/echo/a/", "/echo//b///c", "/echo/%2F%2f", "/echo/a;p=1;q", "/echo/%41+b%20c", "/echo/'()*!$,:@~", "/echo/%C3%A9",
    "/echo/a??", "/echo/a?b=1&b=2&&=", "/echo/a?q=http://b.example/?x=1", "/echo/a?%zz%", "/echo/a?a;b;c",
    "/echo/a?[]={}|", "/echo/%252e%252e/a", "/echo/...", "/echo/.a/..b",
    "/echo/" + "x" * 4000, "/echo/a?" + "q=1&" * 1000,
]  # fmt: skip


async def test_odd_targets_arrive_byte_for_byte(client, pair):
    answers = await alike(client, pair, *map(Ask, ODD))
    assert statuses(answers) == [200] * len(ODD)
    if client.verbatim:
        assert [answer.body.decode() for answer in answers] == ODD


# Connections


async def test_connections_stay_open_on_both_sides(client, pair):
    ports = client_ports(pair.vestri.port)
    answers = await seen(client, pair.vestri.port, [Ask("/port")] * 6)
    assert len({answer.body for answer in answers}) == 1, "towards the server"
    assert len(client_ports(pair.vestri.port) - ports) == 1, "towards the client"


def client_ports(port):
    """The other ends of all connections to a port, those included that closed in the last minute (proc(5), net/tcp)."""
    rows = [line.split()[1:3] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ends = [{int(address.partition(":")[2], 16) for address in row} for row in rows]
    return {other for pair in ends if port in pair for other in pair} - {0, port}


def test_pipelined_requests_are_answered_in_their_order(pair):
    targets = [b"/echo/%d" % number for number in range(12)]
    with connect(pair.vestri.port) as stream:
        stream.send(b"".join(b"GET %b HTTP/1.1\r\nHost: a.example\r\n\r\n" % target for target in targets))
        assert [stream.answer().body for _ in targets] == targets
        upload = pair.origin.upload.encode()
        head = upload + b" /upload/piped HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\n"
        stream.send((head + b"hello" + b"GET /echo/behind HTTP/1.1\r\nHost: a.example\r\n\r\n") * 3)
        for _ in range(3):
            assert stream.answer(upload).status in (200, 201, 204)
            assert stream.answer().body == b"/echo/behind"


async def test_events_arrive_one_by_one(client, pair):
    pair.origin.requires("events")
    async with session_of(client, pair.vestri.port) as session:
        events = await session.open("/events")
        for number in (1, 2, 3):
            assert (await event(events)).startswith(b"id: %d\n" % number)
            if number < 3:
                pair.origin.ask("/next")
        await events.cancel()


async def event(download):
    """The next server-sent event. The server sends no other before it is told that this one came."""
    received = b""
    while not received.endswith(b"\n\n"):
        piece = await download.more()
        assert piece, "the stream ended early"
        received += piece
    return received


async def test_a_download_that_is_given_up_frees_its_replica(client, pair):
    async with session_of(client, pair.vestri.port) as session:
        download = await session.open("/endless")
        assert {*await download.more()} == {0}
        assert pair.origin.sending() == 1
        await download.cancel()
        await deferToThread(wait_until, lambda: pair.origin.sending() == 0, "the server has stopped sending")
    assert statuses(await seen(client, pair.vestri.port, [Ask("/hello")])) == [200]


# WebSockets


@pytest.mark.parametrize("package", ["websockets", "aiohttp"])
def test_a_websocket_echoes(pair, package):
    """uvicorn speaks WebSocket with the help of the package `websockets`."""
    pair.origin.requires("websockets")
    for needed in ("websockets", package):
        pytest.importorskip(needed)
    echoed = ECHOES[package]
    messages = ["", "text", b"", b"bytes", "ü" * 1000, bytes(200_000)]
    through, direct = (echoed(f"ws://127.0.0.1:{side.port}/ws", messages) for side in (pair.vestri, pair.origin))
    assert through == direct == ("second", messages)
