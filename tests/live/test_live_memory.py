"""Bodies of any size pass through little memory, whichever side is slow. VESTRI_FULL=1 for the promised sizes."""

import hashlib
import os
import time
from threading import Event

import pytest
from puppet import OK, ends
from stage import HOST, PLAIN

from support import wait_until

pytestmark = pytest.mark.live
CONFIG = PLAIN.replace("response: 2s, idle: 2s", "response: 60s, idle: 60s")
MIB = 1024 * 1024
FULL = bool(os.environ.get("VESTRI_FULL"))
#: Bytes of a large body; seconds for which a slow side is slow; its bytes a second.
LARGE, SLOW_FOR, SLOW_RATE = (1024 * MIB, 20, MIB) if FULL else (192 * MIB, 1.5, 4 * MIB)
#: What the process may hold at its highest.
MOST = 100 * MIB
GET = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"
PIECE = os.urandom(MIB)


def check_memory(stage):
    held = stage.vestri.peak_memory()
    assert held < MOST, f"{held // MIB} MiB at the highest"


@pytest.mark.parametrize("framing", ["length", "chunks", "until close"])
def test_a_large_download_arrives_whole(stage, framing):
    start, wrap, last = {
        "length": (b"Content-Length: %d\r\n" % LARGE, PIECE, b""),
        "chunks": (b"Transfer-Encoding: chunked\r\n", b"%x\r\n" % MIB + PIECE + b"\r\n", b"0\r\n\r\n"),
        "until close": (b"", PIECE, b""),
    }[framing]

    def flood(stream, stopped):
        stream.send(b"HTTP/1.1 200 OK\r\n" + start + b"\r\n")
        for _ in range(LARGE // MIB):
            stream.send(wrap)
        stream.send(last)

    stage.puppet.next(stage.puppet.take, flood, *((ends,) if framing == "until close" else ()))
    with stage.connect() as client:
        client.send(GET)
        client.head()
        assert digest(payloads(client, framing == "length")) == expected()
    check_memory(stage)


def digest(pieces):
    """(bytes, SHA-256)"""
    size, sha = 0, hashlib.sha256()
    for piece in pieces:
        size += len(piece)
        sha.update(piece)
    return size, sha.hexdigest()


def expected():
    return digest(PIECE for _ in range(LARGE // MIB))


def payloads(stream, by_length):
    """The pieces of a body, none of which is kept."""
    if not by_length:
        yield from stream._chunks()
        assert not list(stream._lines())
        return
    left = LARGE
    while left:
        piece = stream._file.read1(min(left, MIB))
        left -= len(piece)
        yield piece


@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_a_large_upload_arrives_whole(stage, framing):
    received = []

    def swallow(stream, stopped):
        stream.request_head()
        received.append(digest(payloads(stream, framing == "length")))
        stream.send(OK)

    stage.puppet.next(swallow)
    length = framing == "length"
    with stage.connect() as client:
        client.send(
            b"POST / HTTP/1.1\r\n" + HOST
            + (b"Content-Length: %d\r\n\r\n" % LARGE if length else b"Transfer-Encoding: chunked\r\n\r\n")
        )  # fmt: skip
        for _ in range(LARGE // MIB):
            client.send(PIECE if length else b"%x\r\n" % MIB + PIECE + b"\r\n")
        client.send(b"" if length else b"0\r\n\r\n")
        assert client.answer().status == 200
    assert received == [expected()]
    check_memory(stage)


def test_a_slow_reader_slows_its_replica_and_frees_it_when_it_leaves(stage):
    sent, gone = [], Event()

    def flood(stream, stopped):
        stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (1024 * MIB))
        try:
            for _ in range(1024):
                stream.send(PIECE)
                sent.append(MIB)
        except OSError:
            gone.set()
            raise

    stage.puppet.next(stage.puppet.take, flood)
    with stage.connect() as client:
        client.send(GET)
        client.head()
        began, read = time.monotonic(), 0
        while time.monotonic() - began < SLOW_FOR:
            read += len(client._file.read1(SLOW_RATE // 10))
            time.sleep(max(0, read / SLOW_RATE - (time.monotonic() - began)))
        assert sum(sent) < read + 64 * MIB, "what a client does not take stays at its replica"
        assert stage.ask(GET).status == 200, "nobody else is held up"
    assert gone.wait(10), "the replica still sends to nobody"
    check_memory(stage)


def test_a_slow_replica_slows_its_client(stage):
    stage.puppet.next(lambda stream, stopped: stopped.wait(SLOW_FOR), ends)
    with stage.connect() as client:
        client.send(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % (1024 * MIB))
        client.sock.settimeout(SLOW_FOR / 3)
        sent = 0
        with pytest.raises(TimeoutError):
            while True:
                sent += client.sock.send(PIECE)
        assert sent < 64 * MIB
    check_memory(stage)


def test_many_slow_readers_of_large_answers_at_once(stage):
    """Each may hold what is on its way to it, and no more."""
    many = 200 if FULL else 40
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (4 * MIB) + PIECE * 4
    for _ in range(many):
        stage.puppet.next(stage.puppet.take, lambda stream, stopped: stream.send(answer))
    clients = [stage.connect() for _ in range(many)]
    for client in clients:
        client.send(GET)
    wait_until(lambda: len(stage.taken) == many, "all have been asked for")
    time.sleep(SLOW_FOR / 3)
    check_memory(stage)
    for client in clients:
        assert client.answer().body == PIECE * 4
        client.close()
    check_memory(stage)
