"""What every connection promises, on the reactor of this process; `test_kinds` runs it on uvloop's."""

import select
import socket
from functools import partial

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectError, ConnectionDone, ConnectionLost, DNSLookupError, NoProtocol
from twisted.internet.interfaces import IHostnameResolver
from twisted.internet.threads import deferToThread
from zope.interface import implementer

from ends import LINKS, HalfClosing
from vestri.transport import ClientEndpoint
from wire import LOOPBACK

MIB = 1 << 20
#: More than any socket's buffers take.
MUCH = bytes(range(256)) * (16 * MIB // 256)
LARGE = bytes(range(256)) * (64 * MIB // 256)
#: Bytes that may be pending where the producer heeds `pauseProducing`: the largest read, and what waits already.
BOUND = 1 * MIB

SECURE = [link for link in LINKS if "TLS" in link]
TCP = [link for link in LINKS if "Unix" not in link]

links = pytest.mark.parametrize("link", LINKS)
secure_links = pytest.mark.parametrize("link", SECURE)
tcp_links = pytest.mark.parametrize("link", TCP)


# Bytes


@links
async def test_what_is_written_goes_out_in_its_order(bench, link):
    near, far = await bench.connection(link)

    near.transport.write(b"a")
    near.transport.writeSequence([b"b", b"", b"c"])
    near.transport.write(b"")
    near.transport.write(bytearray(b"d"))
    near.transport.write(memoryview(b"e"))

    assert await far.reads(5) == b"abcde"
    assert near.transport.pending() == 0


@links
async def test_64_mib_arrive_whole_both_ways_at_once(bench, link):
    near, far = await bench.connection(link)
    near.most, near.take = 0, partial(echo, near)
    near.transport.registerProducer(Throttle(near.transport), True)

    assert await far.echoed(LARGE) == LARGE

    assert near.most <= BOUND


class Throttle:
    """A producer that is the far end itself: what it sends comes back."""

    def __init__(self, transport):
        self.pauseProducing, self.resumeProducing = transport.pauseProducing, transport.resumeProducing

    def stopProducing(self):
        """The transport is going."""


def echo(near, data):
    near.transport.write(data)
    near.most = max(near.most, near.transport.pending())


@links
async def test_what_the_far_end_does_not_take_is_pending(bench, link):
    near, far = await bench.connection(link)

    near.transport.write(MUCH)
    await bench.turns()

    assert 0 < near.transport.pending() < len(MUCH)
    assert await far.reads(len(MUCH)) == MUCH
    await bench.until(lambda: near.transport.pending() == 0)


@links
async def test_a_producer_is_paused_above_high_water_and_resumed_below(bench, link):
    near, far = await bench.connection(link)
    near.transport.registerProducer(near, True)

    near.transport.write(MUCH)
    await bench.turns()
    assert set(near.told) == {"pause"}
    near.told.clear()

    await far.reads(len(MUCH))
    await bench.until(lambda: near.told == ["resume"])


@links
async def test_a_producer_that_comes_late_is_paused_by_its_first_bytes(bench, link):
    near, far = await bench.connection(link)
    near.transport.write(MUCH)
    near.transport.registerProducer(near, True)

    near.transport.write(b"more")

    await bench.until(lambda: "pause" in near.told)
    assert await far.reads(len(MUCH) + 4) == MUCH + b"more"
    await bench.until(lambda: near.told[-1] == "resume")


@links
async def test_who_is_no_producer_any_more_is_told_nothing(bench, link):
    near, far = await bench.connection(link)
    near.transport.registerProducer(near, True)
    near.transport.unregisterProducer()

    near.transport.write(MUCH)
    await far.reads(len(MUCH))

    assert near.told == []


@links
async def test_while_paused_nothing_is_read(bench, link):
    near, far = await bench.connection(link)
    near.transport.pauseProducing()
    near.transport.pauseProducing()

    await far.sends(b"hello")
    await bench.turns()
    assert near.received == b""

    near.transport.resumeProducing()
    near.transport.resumeProducing()
    await bench.until(lambda: near.received == b"hello")


@links
async def test_pausing_within_dataReceived_holds_back_what_follows(bench, link):
    near, far = await bench.connection(link)
    taken = bytearray()

    def take_and_pause(data):
        near.transport.pauseProducing()
        taken.extend(data)

    near.take = take_and_pause
    sent = far.sends(MUCH[:MIB])
    while len(taken) < MIB:
        more = len(taken) + 1
        near.transport.resumeProducing()
        await bench.until(lambda more=more: len(taken) >= more)
        so_far = len(taken)
        await bench.turns(0.003)
        assert len(taken) == so_far

    await sent
    assert taken == MUCH[:MIB]


@links
async def test_a_peer_that_ends_while_paused_is_noticed_once_its_bytes_are_read(bench, link):
    near, far = await bench.connection(link)
    near.transport.pauseProducing()
    await far.sends(b"bye")
    far.says_goodbye()
    await bench.turns()
    assert (near.received, near.lost) == (b"", [])

    near.transport.resumeProducing()

    await bench.until(lambda: near.lost)
    assert near.received == b"bye"
    assert near.lost == [ConnectionDone]


# Ends


@links
async def test_the_far_end_closes_in_order(bench, link):
    near, far = await bench.connection(link)
    await far.sends(b"bye")
    far.says_goodbye()

    await bench.until(lambda: near.lost)
    await bench.turns()

    assert near.received == b"bye"
    assert near.lost == [ConnectionDone]


@tcp_links
async def test_the_far_end_resets(bench, link):
    near, far = await bench.connection(link)
    far.resets()

    await bench.until(lambda: near.lost)
    await bench.turns()

    assert len(near.lost) == 1
    assert issubclass(near.lost[0], ConnectionLost)


@links
async def test_a_protocol_that_half_closes_hears_once_that_nothing_follows(bench, link):
    near, far = await bench.connection(link, HalfClosing)
    far.says_goodbye()

    await bench.until(lambda: near.ended)
    near.transport.pauseProducing()
    near.transport.resumeProducing()
    await bench.turns()

    assert near.ended == 1


@links
async def test_what_is_written_after_the_far_end_ended_still_arrives(bench, link):
    near, far = await bench.connection(link, HalfClosing)
    far.says_goodbye()
    await bench.until(lambda: near.ended)

    near.transport.write(b"so long")
    near.transport.loseConnection()

    assert await far.ending() == b"so long"
    await bench.until(lambda: near.lost)
    assert near.lost == [ConnectionDone]


@links
async def test_our_end_may_end_and_go_on_reading(bench, link):
    near, far = await bench.connection(link, HalfClosing)
    near.transport.write(MUCH)
    near.transport.loseWriteConnection()
    near.transport.loseWriteConnection()
    near.transport.write(b"too late")

    assert await far.ending() == MUCH
    await far.sends(b"so long")
    far.says_goodbye()

    await bench.until(lambda: near.ended)
    assert near.received == b"so long"
    assert near.lost == []
    near.transport.loseConnection()
    await bench.until(lambda: near.lost)
    assert near.lost == [ConnectionDone]


@secure_links
async def test_over_tls_an_end_that_was_not_announced_is_a_loss(bench, link):
    """RFC 9112 section 9.8: it may be somebody in between who cut the rest off."""
    near, far = await bench.connection(link, HalfClosing)
    await far.sends(b"half of")
    far.cuts_off()

    await bench.until(lambda: near.lost)

    assert near.received == b"half of"
    assert near.ended == 0
    assert issubclass(near.lost[0], ConnectionLost)


@links
async def test_closing_lets_out_what_was_written(bench, link):
    near, far = await bench.connection(link)
    await far.sends(b"hello")
    await bench.until(lambda: near.received == b"hello")
    near.transport.write(MUCH)
    near.transport.loseConnection()
    near.transport.write(b"too late")

    assert await far.ending() == MUCH
    far.says_goodbye()
    await bench.until(lambda: near.lost)
    assert near.lost == [ConnectionDone]


@links
async def test_closing_reads_no_more(bench, link):
    near, far = await bench.connection(link)
    near.transport.write(MUCH)
    near.transport.loseConnection()
    await far.sends(b"too late")
    await far.reads(len(MUCH) // 16)
    await bench.turns()

    assert near.lost == []
    assert near.received == b""


@tcp_links
async def test_aborting_is_a_reset_for_the_far_end(bench, link):
    near, far = await bench.connection(link)
    near.transport.write(MUCH)
    near.transport.abortConnection()
    assert near.lost == [], "not from within the call"

    await far.reset()
    await bench.until(lambda: near.lost)
    assert len(near.lost) == 1


@links
async def test_aborting_what_is_closing_ends_it_at_once(bench, link):
    near, far = await bench.connection(link)
    near.transport.write(MUCH)
    near.transport.loseConnection()
    near.transport.abortConnection()

    await bench.until(lambda: near.lost)

    assert len(near.lost) == 1
    assert near.transport.pending() == 0


@links
@pytest.mark.parametrize("way", ["loseConnection", "abortConnection"])
async def test_what_is_asked_of_a_connection_that_is_gone_does_nothing(bench, link, way):
    near, far = await bench.connection(link)
    transport = near.transport
    getattr(transport, way)()
    far.says_goodbye()
    await bench.until(lambda: near.lost)

    for verb in ("loseWriteConnection", "loseConnection", "abortConnection", "unregisterProducer", "pauseProducing"):
        getattr(transport, verb)()
    transport.write(b"too late")
    transport.writeSequence([b"far too ", b"late"])
    await bench.turns()

    assert len(near.lost) == 1
    assert transport.pending() == 0


@links
@pytest.mark.parametrize("fault", [ValueError("a bug"), OSError("a bug")], ids=["ValueError", "OSError"])
async def test_a_fault_in_a_protocol_is_logged_and_ends_its_connection_alone(bench, link, fault, failures):
    near, far = await bench.connection(link)
    other, other_far = await bench.connection("accepted over TCP")
    near.take = partial(raises, fault)

    await far.sends(b"x")
    await bench.until(lambda: near.lost)
    await other_far.sends(b"hello")
    await bench.until(lambda: other.received == b"hello")

    assert [(event.get("log_failure") or event["failure"]).value for event in failures] == [fault]
    assert len(near.lost) == 1
    failures.clear()


def raises(fault, data):
    raise fault


# Questions


@tcp_links
async def test_both_addresses_of_a_tcp_connection(bench, link):
    near, far = await bench.connection(link)

    assert near.transport.getPeer() == IPv4Address("TCP", *far.sock.getsockname())
    assert near.transport.getHost() == IPv4Address("TCP", *far.sock.getpeername())


async def test_both_addresses_of_a_unix_connection(bench):
    near, far = await bench.connection("accepted over a Unix socket")

    assert near.transport.getPeer() == UNIXAddress(None)
    assert near.transport.getHost() == UNIXAddress(far.sock.getpeername())


@pytest.mark.parametrize(("host", "seen"), [("::1", "::1"), (LOOPBACK, "::ffff:127.0.0.1")])
async def test_the_addresses_at_a_port_of_both_families(bench, host, seen):
    port, factory = await bench.listen("tcp6:0")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    far = await bench.far((host, port.getHost().port), family)
    near = await bench.until(lambda: factory.made and factory.made[0])

    assert factory.peers == [near.transport.getPeer()] == [IPv6Address("TCP", seen, far.sock.getsockname()[1])]
    assert near.transport.getHost() == IPv6Address("TCP", seen, port.getHost().port)


@links
async def test_a_connection_is_open_to_poll(bench, link):
    near, far = await bench.connection(link)
    near.transport.pauseProducing()
    await bench.turns()
    look = select.poll()
    look.register(near.transport.fileno(), select.POLLIN)

    await far.sends(b"x")

    assert [event for _, event in look.poll(1000)] in ([select.POLLIN], [])
    assert await deferToThread(far.sock.getpeername) is not None


# Connecting


async def test_a_replica_that_is_there(bench):
    server = bench.server()
    factory = bench.nears()

    near = await ClientEndpoint(bench.reactor, *server.getsockname()).connect(factory)

    assert factory.made == [near]
    assert factory.peers == [IPv4Address("TCP", *server.getsockname())]


async def test_a_replica_that_closes_at_once_is_told_of_while_it_is_still_there(bench):
    """Whoever waits for the connection must be its owner before its end is told."""
    server, states = bench.server(), []
    connecting = ClientEndpoint(bench.reactor, *server.getsockname()).connect(bench.nears())
    connecting.addCallback(lambda near: states.append(list(near.lost)))
    closed = deferToThread(lambda: server.accept()[0].close())

    await connecting

    assert states == [[]]
    await closed


async def test_nobody_listens(bench):
    server = bench.server()
    address = server.getsockname()
    server.close()

    with pytest.raises(ConnectError):
        await ClientEndpoint(bench.reactor, *address).connect(bench.nears())


async def test_a_factory_that_makes_nothing(bench):
    server, factory = bench.server(), bench.nears()
    factory.buildProtocol = lambda address: None

    with pytest.raises(NoProtocol):
        await ClientEndpoint(bench.reactor, *server.getsockname()).connect(factory)


@pytest.mark.parametrize("turns", range(12))
async def test_giving_up_at_any_moment_leaves_nothing(bench, turns):
    server, factory = bench.server(), bench.nears()
    answers = []
    connecting = ClientEndpoint(bench.reactor, *server.getsockname()).connect(factory)
    connecting.addBoth(answers.append)
    for _ in range(turns):
        await bench.turns(0)

    connecting.cancel()
    await bench.turns()

    assert len(answers) == 1
    if answers[0] in factory.made:
        return
    assert answers[0].check(CancelledError)
    assert all(near.lost for near in factory.made)


async def test_the_kernel_does_not_answer_and_we_give_up(bench):
    full = bench.keep(socket.create_server((LOOPBACK, 0), backlog=0))
    for _ in range(4):
        waiting = bench.keep(socket.socket())
        waiting.setblocking(False)
        waiting.connect_ex(full.getsockname())
    connecting = ClientEndpoint(bench.reactor, *full.getsockname()).connect(bench.nears())
    await bench.turns()

    connecting.cancel()

    with pytest.raises(CancelledError):
        await connecting


@implementer(IHostnameResolver)
class Names:
    """Knows the addresses of some names. addresses: name -> list."""

    def __init__(self, addresses):
        self.addresses = addresses

    def resolveHostName(self, receiver, name, *_):
        receiver.resolutionBegan(self)
        for address in self.addresses.get(name, ()):
            receiver.addressResolved(IPv4Address("TCP", address, 0))
        receiver.resolutionComplete()


@pytest.fixture
def names(started_reactor):
    names = Names({"twice.test": ["127.0.0.9", LOOPBACK]})
    before = started_reactor.installNameResolver(names)
    yield
    started_reactor.installNameResolver(before)


async def test_a_name_that_nobody_knows(bench, names):
    with pytest.raises(DNSLookupError):
        await ClientEndpoint(bench.reactor, "unknown.test", 80).connect(bench.nears())


async def test_where_the_first_address_refuses_the_second_is_tried(bench, names):
    _, port = bench.server().getsockname()

    near = await ClientEndpoint(bench.reactor, "twice.test", port).connect(bench.nears())

    assert near.transport.getPeer().host == LOOPBACK
