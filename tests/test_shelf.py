"""The connections to one replica: when a new one is opened, and how long an idle one stays."""

import errno

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectError, ConnectionRefusedError, DNSLookupError, TCPTimedOutError
from twisted.internet.task import Clock
from twisted.logger import formatEvent, globalLogPublisher

from support_proxying import BEAT, Wire, World, get, ok, post
from vestri.errors import TLSFailed
from vestri.model import Timeouts
from vestri.proxying.shelf import Shelf
from vestri.proxying.sweep import Sweep


class Asker:
    """Has what a shelf asks of an exchange, and keeps what it was told."""

    def __init__(self, *, careful=False):
        self.careful, self.told, self.connecting = careful, [], None

    def replica_ready(self, connection):
        self.told.append(connection)

    def replica_failed(self, reason, detail):
        self.told.append((reason, detail))


class Fixed:
    """An endpoint whose attempts all end in the same way."""

    def __init__(self, connecting):
        self._connecting = connecting

    def connect(self, factory):
        return self._connecting


class Unstoppable:
    """An endpoint whose connection is made when somebody gives up waiting for it."""

    def __init__(self, clock):
        self._clock = clock

    def connect(self, factory):
        return Deferred(lambda connecting: connecting.callback(Wire(self._clock, factory.buildProtocol(None)).protocol))


class Fleeting:
    """An endpoint whose connections are gone as soon as they are made."""

    def __init__(self, clock):
        self._clock = clock

    def connect(self, factory):
        wire = Wire(self._clock, factory.buildProtocol(None))
        wire.resets()
        return succeed(wire.protocol)


@pytest.fixture
def told():
    """The lines of the event log about replicas."""
    lines = []

    def observe(event):
        if event["log_namespace"] == "vestri.proxying.shelf":
            lines.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    yield lines
    globalLogPublisher.removeObserver(observe)


def shelf_at(endpoint, clock=None, **timeouts):
    clock = clock or Clock()
    sweep = Sweep(clock, clock.seconds, BEAT)
    return Shelf(endpoint, Timeouts(**timeouts), sweep), sweep


def busy(world, count):
    """Clients whose requests are all under way at once, each on a connection of its own."""
    return [world.asks(get()) for _ in range(count)]


def served(world, count):
    """Leaves so many idle connections to the replica."""
    busy(world, count)
    for connection in list(world.listeners["a"].connections):
        connection.sends(ok())


# Which connection


def test_requests_at_once_have_connections_of_their_own():
    world = World()

    busy(world, 3)

    assert world.opened() == 3


def test_the_connection_used_last_is_used_first():
    world = World()
    served(world, 3)

    world.asks(get(b"/next"))

    connections = world.listeners["a"].connections
    assert [b"/next" in connection.seen for connection in connections] == [False, False, True]


def test_a_connection_that_closed_while_it_lay_idle_is_forgotten():
    world = World()
    served(world, 2)

    watched = world.watched
    world.replica(nth=1).finishes()
    assert world.watched == watched - 1
    world.asks(get(b"/next"))

    assert b"/next" in world.replica(nth=0).seen
    assert world.opened() == 2


def test_who_may_ask_again_does_not_look_first():
    world = World()
    served(world, 1)
    world.replica().has_unnoticed(b"")

    world.asks(get(b"/next"))

    assert b"/next" in world.replica(nth=0).seen


def test_a_careful_exchange_passes_over_all_that_are_spoiled():
    world = World()
    served(world, 3)
    for nth in (1, 2):
        world.replica(nth=nth).has_unnoticed(b"")

    world.asks(post(b"x", target=b"/next"))

    assert b"/next" in world.replica(nth=0).seen
    assert [world.replica(nth=nth).closed for nth in range(3)] == [None, "aborted", "aborted"]


# How many, and how long


def test_the_surplus_of_a_busy_moment_is_closed_a_second_later():
    world = World(timeouts=Timeouts(idle_connections=2))
    served(world, 3)

    world.wait(0.75)
    assert [connection.closed for connection in world.listeners["a"].connections] == [None, None, None]
    world.wait(0.25)

    assert [connection.closed for connection in world.listeners["a"].connections] == [None, None, "closed"]


def test_a_connection_that_is_gone_before_it_is_handed_over_is_the_replica_s_failure():
    clock = Clock()
    shelf, _ = shelf_at(Fleeting(clock), clock)
    asker = Asker()

    shelf.checkout(asker)

    assert asker.told == [("upstream_reset", "the connection did not last until the request")]


def test_faults_of_a_replica_are_told_once_a_second(told):
    world = World(timeouts=Timeouts())
    world.listeners["a"].mood = "refuses"

    for _ in range(8):
        world.asks(get())
        world.wait(0.25)

    assert len(world.log) == 8
    assert len(told) == 2
    assert "replica 'a': connection refused (connect_refused, request " in told[0]


@pytest.mark.parametrize("timeouts", [Timeouts(idle_connections=0), Timeouts(keep_alive=None)])
def test_none_is_kept_when_none_may_be(timeouts):
    world = World(timeouts=timeouts)

    served(world, 1)

    assert world.replica().closed == "closed"


def test_an_idle_connection_is_closed_after_its_time():
    world = World(timeouts=Timeouts(keep_alive=30))
    served(world, 1)

    world.wait(29.75)
    assert world.replica().closed is None
    world.wait(0.25)

    assert world.replica().closed == "closed"
    assert not world.replica().seen.endswith(b"close")


def test_each_use_begins_the_time_anew():
    world = World(timeouts=Timeouts(keep_alive=30))
    client = world.client()

    for _ in range(4):
        client.sends(get())
        world.replica().sends(ok())
        world.wait(20)

    assert (world.opened(), world.replica().closed) == (1, None)


def test_a_connection_that_is_to_be_closed_is_broken_off_when_the_replica_takes_nothing():
    world = World()
    client = world.asks(post(b"", length=1_000_000))
    replica = world.replica()
    replica.takes(0)
    client.sends(b"x" * 1000)
    replica.sends(ok(b"enough"))

    world.wait(9.75)
    assert (replica.closed, replica.pending()) == ("closed", 1000)
    world.wait(0.25)

    assert replica.closed == "aborted"


def test_a_closed_shelf_keeps_what_is_in_use():
    world = World()
    served(world, 1)
    client = world.asks(get())
    world.asks(get())
    world.replica(nth=1).sends(ok())

    world.member().connections.close()
    world.replica(nth=0).sends(ok(b"done"))

    assert world.replica(nth=1).closed == "closed"
    assert client.news() == ok(b"done")


def test_a_shelf_says_what_it_holds():
    world = World()
    served(world, 2)
    world.asks(get())

    assert repr(world.member().connections).endswith(": 1 idle of 2 open>")


def test_an_answer_that_broke_off_is_told_too(told):
    world = World()
    world.asks(get())
    world.replica().sends(ok(b"x", length=10))

    world.replica().finishes()

    assert "replica 'a': the replica closed the connection (upstream_reset, request " in told[0]


# Connecting


@pytest.mark.parametrize(
    ("error", "reason", "detail"),
    [
        (ConnectionRefusedError(), "connect_refused", "connection refused"),
        (ConnectError(113, "No route to host"), "connect_refused", "An error occurred while connecting: 113: No route"),
        (DNSLookupError("no address found"), "connect_refused", "its name has no address"),
        (TCPTimedOutError(110, "timed out"), "connect_timeout", "no connection in time"),
        (TLSFailed("its certificate is out of date"), "tls_failure", "its certificate is out of date"),
        (OSError(24, "Too many open files"), "connect_refused", "[Errno 24] Too many open files"),
    ],
)
def test_why_no_connection_came_about_has_a_word(error, reason, detail):
    shelf, _ = shelf_at(Fixed(fail(error)))
    asker = Asker()

    shelf.checkout(asker)

    assert [(said[0], said[1][: len(detail)]) for said in asker.told] == [(reason, detail)]
    assert asker.connecting is None


@pytest.mark.parametrize(
    ("timeouts", "seconds"),
    [({"connect": 3.0}, 3), ({"connect": 3.0, "per_try": 1.0}, 1), ({"connect": None, "per_try": 2.0}, 2)],
)
def test_connecting_ends_at_the_shorter_of_its_limits(timeouts, seconds):
    clock = Clock()
    shelf, sweep = shelf_at(Fixed(Deferred()), clock, **timeouts)
    sweep.startService()
    asker = Asker()
    shelf.checkout(asker)

    clock.pump([BEAT] * round((seconds - BEAT) / BEAT))
    assert asker.told == []
    clock.advance(BEAT)

    assert asker.told == [("connect_timeout", "no connection in time")]


def test_connecting_may_have_no_limit():
    clock = Clock()
    shelf, sweep = shelf_at(Fixed(Deferred()), clock, connect=None)
    sweep.startService()
    asker = Asker()
    shelf.checkout(asker)

    clock.pump([10] * 100)

    assert asker.told == []


def test_who_has_connected_is_watched_for_that_no_more():
    world = World()
    client = world.asks(get())

    assert world.watched == len([client, world.replica()])


def test_who_cancels_hears_no_more():
    connecting = Deferred()
    shelf, _ = shelf_at(Fixed(connecting))
    asker = Asker()
    shelf.checkout(asker)

    asker.connecting.cancel()

    assert asker.told == []
    assert connecting.called


def test_a_connection_that_is_made_all_the_same_is_kept_for_the_next():
    clock = Clock()
    shelf, _ = shelf_at(Unstoppable(clock), clock)
    first, second = Asker(), Asker()
    shelf.checkout(first)

    first.connecting.cancel()
    shelf.checkout(second)

    assert (first.told, len(second.told)) == ([], 1)


# Descriptors running out


def exhausted(world, name="a"):
    """From now on a connection to a replica finds no descriptor. Returns a function that ends that."""
    listener = world.listeners[name]
    connect, listener.connect = listener.connect, lambda factory: fail(ConnectError(errno.EMFILE, "no more files"))

    def recover():
        listener.connect = connect

    return recover


def test_without_a_descriptor_a_request_waits_for_a_connection_that_becomes_idle():
    world = World()
    first = world.asks(get(b"/1"))
    exhausted(world)
    second = world.asks(get(b"/2"))

    world.replica().sends(ok(b"1"))
    world.replica().sends(ok(b"2"))

    assert (first.news(), second.news()) == (ok(b"1"), ok(b"2"))
    assert world.opened() == 1


def test_without_a_descriptor_a_request_waits_until_there_is_one():
    world = World()
    recover = exhausted(world)
    client = world.asks(get())

    recover()
    world.wait(0.5)
    world.replica().sends(ok(b"late"))

    assert client.news() == ok(b"late")


def test_without_a_descriptor_for_too_long_it_is_504():
    world = World(timeouts=Timeouts(connect=3))
    exhausted(world)
    client = world.asks(get())

    world.wait(4)

    assert client.news().startswith(b"HTTP/1.1 504 ")
    assert (world.log, world.in_flight) == ([(504, "connect_timeout")], 0)


def test_a_client_that_leaves_waits_for_no_descriptor():
    world = World()
    recover = exhausted(world)
    client = world.asks(get())

    client.resets()
    recover()
    world.wait(1)

    assert (world.opened(), world.in_flight, world.member().connections.waiting) == (0, 0, set())
