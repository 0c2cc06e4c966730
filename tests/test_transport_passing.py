"""Bytes that pass between connections unread, on the reactor of this process; `test_kinds` runs it on uvloop's."""

import errno
import os

import pytest

from ends import LINKS, HalfClosing
from vestri.transport import splicing

MIB = 1 << 20
ANY = 2**30
#: More than any socket's buffers take.
MUCH = bytes(range(256)) * (32 * MIB // 256)
#: The other connection's link, and whether something can pass there unread.
TARGETS = {"connected over TCP": True, "accepted over a Unix socket": True, "connected over TLS": False}

links = pytest.mark.parametrize("link", LINKS)
plain_links = pytest.mark.parametrize("link", [link for link in LINKS if "TLS" not in link])
spliced = pytest.mark.skipif(not hasattr(os, "splice"), reason="splice(2) is Linux's")


class Relay:
    """Two connections, where what comes on one goes out of the other: a piece read, and then as much as passes unread.

    read, passed: bytes so far.  pending: the most that waited to go out.
    """

    def __init__(self, source, target, most):
        self.source, self.target, self._most = source, target, most
        self.read = self.passed = self.pending = 0
        source.take = self.take
        target.transport.registerProducer(self, True)

    def take(self, data):
        self.read += len(data)
        self.target.transport.write(data)
        self.passed += self.source.transport.pass_on(self.target.transport, self._most)
        self.pending = max(self.pending, self.target.transport.pending())

    def pauseProducing(self):
        self.source.transport.pauseProducing()

    def resumeProducing(self):
        self.source.transport.resumeProducing()

    def stopProducing(self):
        """The target is going."""


async def relay(bench, link, to="connected over TCP", most=ANY, protocol=HalfClosing):
    """(Relay, the far end of its source, the far end of its target)."""
    source, giver = await bench.connection(link, protocol)
    target, taker = await bench.connection(to, HalfClosing)
    return Relay(source, target, most), giver, taker


def paths():
    """Every two links that can be there at once."""
    return [(link, to) for link in LINKS for to in TARGETS if not (link == to and "Unix" in link)]


@pytest.mark.parametrize(("link", "to"), paths())
async def test_all_arrives_in_its_order_and_little_of_it_waits(bench, link, to):
    relaying, giver, taker = await relay(bench, link, to)

    sent = giver.sends(MUCH)
    await bench.turns()  # until nobody takes any more
    assert await taker.reads(len(MUCH)) == MUCH

    await sent
    assert relaying.read + relaying.passed == len(MUCH)
    assert relaying.pending <= MIB // 2
    if hasattr(os, "splice"):
        assert (relaying.passed > 0) == (TARGETS[to] and "TLS" not in link)


@plain_links
async def test_no_more_passes_than_may(bench, link):
    relaying, giver, taker = await relay(bench, link, most=0)

    sent = giver.sends(MUCH)
    assert await taker.reads(len(MUCH)) == MUCH

    await sent
    assert relaying.passed == 0


@plain_links
async def test_nothing_passes_a_piece_that_still_waits(bench, link):
    relaying, giver, taker = await relay(bench, link)
    relaying.target.transport.unregisterProducer()
    relaying.target.transport.write(MUCH)
    assert relaying.target.transport.pending()

    await giver.sends(b"behind")
    await bench.until(lambda: relaying.read)

    assert relaying.passed == 0
    assert await taker.reads(len(MUCH) + 6) == MUCH + b"behind"


@plain_links
async def test_the_end_of_the_source_is_heard_of_once_all_has_passed(bench, link):
    relaying, giver, taker = await relay(bench, link)

    sent = giver.sends(MUCH)
    assert await taker.reads(len(MUCH)) == MUCH
    await sent
    giver.says_goodbye()

    await bench.until(lambda: relaying.source.ended)
    assert relaying.source.lost == []


@spliced
@pytest.mark.parametrize("link", ["accepted over TCP", "connected over TCP"])
async def test_a_source_that_was_reset_is_lost(bench, link):
    """The kernel tells it once: were it told in passing alone, the source would seem to have ended in order."""
    relaying, giver, taker = await relay(bench, link)
    relaying.source.transport.pauseProducing()
    await giver.sends(b"x")
    giver.resets()
    await bench.turns()

    while relaying.source.transport.pass_on(relaying.target.transport, ANY):
        pass

    await bench.until(lambda: relaying.source.lost)
    assert relaying.source.ended == 0


@spliced
@plain_links
async def test_a_target_that_was_reset_is_lost_and_others_get_nothing_of_its_bytes(bench, link):
    relaying, giver, taker = await relay(bench, link)
    relaying.source.transport.pauseProducing()
    relaying.target.transport.pauseProducing()
    await giver.sends(b"x" * 1000)
    taker.resets()
    await bench.turns()

    assert relaying.source.transport.pass_on(relaying.target.transport, ANY) == 1000
    await bench.until(lambda: relaying.target.lost)

    other, other_taker = await bench.connection("connected over TCP", HalfClosing)
    await giver.sends(b"mine")
    await bench.turns()
    assert relaying.source.transport.pass_on(other.transport, ANY) == 4
    assert await other_taker.reads(4) == b"mine"


@plain_links
async def test_nothing_passes_to_a_target_that_is_closing(bench, link):
    relaying, giver, taker = await relay(bench, link)
    relaying.source.transport.pauseProducing()
    await giver.sends(b"x" * 1000)
    await bench.turns()
    relaying.target.transport.loseConnection()

    assert relaying.source.transport.pass_on(relaying.target.transport, ANY) == 0


@spliced
@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOSYS, errno.EPERM])
@pytest.mark.parametrize("into", [True, False], ids=["into", "out of"])
async def test_where_the_kernel_knows_no_splice_all_is_read(bench, monkeypatch, code, into):
    """As in a sandbox. into: it already refuses to splice into the pipe."""
    pipe = splicing.Pipe()
    splice, calls = os.splice, []

    def refuse(source, target, count, **how):
        calls.append(count)
        if into or len(calls) == 2:
            raise OSError(code, os.strerror(code))
        return splice(source, target, count, **how)

    monkeypatch.setattr(splicing, "_pipe", pipe)
    monkeypatch.setattr(os, "splice", refuse)
    relaying, giver, taker = await relay(bench, "accepted over TCP")

    sent = giver.sends(MUCH)
    assert await taker.reads(len(MUCH)) == MUCH

    await sent
    assert len(calls) == (1 if into else 2)


@spliced
async def test_without_descriptors_for_the_pipe_all_is_read(bench, monkeypatch):
    def refuse(flags):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(splicing, "_pipe", splicing.Pipe())
    monkeypatch.setattr(os, "pipe2", refuse)
    relaying, giver, taker = await relay(bench, "accepted over TCP")

    sent = giver.sends(MUCH)
    assert await taker.reads(len(MUCH)) == MUCH

    await sent
    assert relaying.passed == 0


def test_where_the_kernel_does_not_tell_what_a_socket_has_room_for_nothing_passes(monkeypatch):
    class Unknowing:
        asked = 0

        @property
        def socket(self):
            self.asked += 1
            raise OSError(errno.ENOPROTOOPT, os.strerror(errno.ENOPROTOOPT))

    pipe, target = splicing.Pipe(), Unknowing()

    assert [pipe.pass_on(None, target, ANY) for _ in range(3)] == [0, 0, 0]
    assert target.asked <= 1
