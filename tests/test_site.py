"""All connections of clients: how many there may be, who hears of their requests, and how they end."""

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress

from support_proxying import SWITCH, UPGRADE, Observer, World, get, ok, post, values_of
from vestri.model import Limits
from vestri.proxying.site import AT_ONCE


class Port:
    """A listening port that can be told to wait."""

    def __init__(self):
        self.accepting = self.careful = True

    def one_by_one(self, careful):
        self.careful = careful

    def pauseProducing(self):
        self.accepting = False

    def resumeProducing(self):
        self.accepting = True


def drained(world):
    """Begin to drain. Returns what the Deferred has told."""
    told = []
    world.site.drain().addCallback(told.append)
    return told


# Addresses


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (IPv4Address("TCP", "192.0.2.1", 5), "192.0.2.1"),
        (IPv6Address("TCP", "2001:db8::1", 5), "2001:db8::1"),
        (IPv6Address("TCP", "::ffff:192.0.2.1", 5), "192.0.2.1"),
        (IPv6Address("TCP", "fe80::1%eth0", 5), "fe80::1"),
        (UNIXAddress(None), "unknown"),
        (None, "unknown"),
    ],
)
def test_a_client_has_one_address_however_it_comes(address, text):
    assert World().site.address_of(address) == text


def test_a_client_of_a_unix_socket_is_told_on_as_unknown():
    world = World()
    client = world.client(None)

    client.sends(get())

    assert values_of(world.replica().news(), b"x-forwarded-for") == [b"unknown"]


# How many


def test_at_the_limit_the_ports_wait():
    world = World(limits=Limits(connections=2))
    world.site.ports += [Port(), Port()]
    world.client()
    assert [port.accepting for port in world.site.ports] == [True, True]

    world.client()

    assert [port.accepting for port in world.site.ports] == [False, False]


def test_below_the_limit_they_accept_again():
    world = World(limits=Limits(connections=2))
    world.site.ports.append(Port())
    world.client()
    client = world.client()

    client.resets()

    assert world.site.ports[0].accepting


def test_a_port_that_went_over_the_limit_waits_until_it_is_below():
    world = World(limits=Limits(connections=2))
    world.site.ports.append(Port())
    clients = [world.client() for _ in range(3)]

    clients[0].resets()
    assert not world.site.ports[0].accepting
    clients[1].resets()

    assert world.site.ports[0].accepting


def test_from_shortly_before_the_limit_on_they_accept_one_by_one():
    world = World(limits=Limits(connections=AT_ONCE + 3))
    world.site.ports += [Port(), Port()]
    world.site.hasten()
    clients = [world.client() for _ in range(2)]
    assert [port.careful for port in world.site.ports] == [False, False]

    clients.append(world.client())
    assert [port.careful for port in world.site.ports] == [True, True]

    clients.pop().resets()
    assert [port.careful for port in world.site.ports] == [False, False]


@pytest.mark.parametrize("limit", [1, AT_ONCE])
def test_where_the_limit_is_low_they_always_do(limit):
    world = World(limits=Limits(connections=limit))
    world.site.ports.append(Port())
    world.site.hasten()

    world.client().resets()

    assert world.site.ports[0].careful


def test_without_a_limit_they_never_do():
    world = World(limits=Limits(connections=None))
    world.site.ports.append(Port())
    world.site.hasten()

    for _ in range(2 * AT_ONCE):
        world.client()

    assert not world.site.ports[0].careful


def test_a_port_that_is_about_to_go_does_not_accept_again():
    world = World(limits=Limits(connections=1))
    world.site.ports.append(Port())
    world.client()

    world.site.drain()
    world.clock.advance(0)

    assert not world.site.ports[0].accepting


def test_a_client_that_has_left_is_forgotten():
    world = World()
    client = world.client()
    assert world.watched == 1

    client.resets()

    assert world.watched == 0


# Observers


def test_every_observer_hears_of_every_request_once():
    more = Observer()
    world = World(observers=[more])

    world.asks(get(), b"nonsense\r\n\r\n")
    world.replica().sends(ok())

    assert [each.status for each in more.exchanges] == [200, 400]
    assert more.exchanges == world.observer.exchanges


def test_an_observer_s_fault_is_logged_and_nobody_else_s_matter(failures):
    class Faulty:
        def finished(self, exchange):
            raise ValueError("a fault of this observer")

    world = World(observers=[Faulty()])
    client = world.asks(get())

    world.replica().sends(ok(b"fine"))

    assert client.news() == ok(b"fine")
    assert (world.log, world.in_flight) == ([(200, "")], 0)
    assert [event["log_failure"].type for event in failures] == [ValueError]
    failures.clear()


# Draining


def test_draining_closes_what_is_idle_at_once():
    world = World()
    used, fresh = world.asks(get()), world.client()
    world.replica().sends(ok())

    told = drained(world)
    world.clock.advance(0)

    assert (used.closed, fresh.closed) == ("closed", "closed")
    assert told == [None]


def test_draining_finishes_what_is_under_way_and_says_so():
    world = World()
    client = world.asks(get())
    told = drained(world)
    world.wait(5)
    assert (client.closed, told) == (None, [])

    world.replica().sends(ok(b"last"))
    client.finishes()

    assert client.news() == ok(b"last", b"Connection: close")
    assert told == [None]


def test_draining_waits_for_the_last_of_them():
    world = World()
    first, last = world.asks(get()), world.asks(get())
    told = drained(world)

    first.resets()
    assert told == []
    last.resets()

    assert told == [None]


def test_draining_waits_for_a_head_that_has_begun():
    world = World()
    client = world.asks(get()[:10])

    told = drained(world)
    client.sends(get()[10:])
    world.replica().sends(ok(b"last"))

    assert client.news() == ok(b"last", b"Connection: close")
    assert told == []


def test_draining_waits_for_an_upload():
    world = World()
    client = world.asks(post(b"1", length=2))
    drained(world)

    client.sends(b"2")
    world.replica().sends(ok(b"last"))

    assert client.news() == ok(b"last", b"Connection: close")


def test_with_nobody_there_draining_is_over_at_once():
    assert drained(World()) == [None]


def test_who_waits_for_the_drain_may_give_up():
    world = World()
    client = world.asks(get())
    waiting, told = world.site.drain(), []
    waiting.addErrback(lambda failure: told.append(failure.type.__name__))

    waiting.cancel()
    client.resets()

    assert told == ["CancelledError"]


# Aborting


def test_aborting_breaks_every_connection_and_counts_them():
    world = World()
    clients = [world.client(), world.asks(get()), world.asks(get()[:10])]

    assert world.site.abort() == 3

    assert [client.closed for client in clients] == ["aborted"] * 3


@pytest.mark.parametrize(
    ("why", "answer", "logged"),
    [
        ("a request that waits", b"", (499, "shutting_down")),
        ("an answer under way", ok(b"x", length=2), (200, "shutting_down")),
    ],
)
def test_aborting_ends_the_exchange_of(why, answer, logged):
    world = World()
    world.asks(get())
    world.replica().sends(answer)

    world.site.abort()
    world.clock.advance(0)

    assert (world.log, world.in_flight) == ([logged], 0)
    assert world.replica().closed == "aborted"


def test_aborting_ends_a_tunnel_on_both_sides():
    world = World()
    client = world.asks(UPGRADE)
    world.replica().sends(SWITCH)

    world.site.abort()
    world.clock.advance(0)

    assert (client.closed, world.replica().closed) == ("aborted", "aborted")
    assert (world.log, world.in_flight) == ([(101, "shutting_down")], 0)


def test_aborting_ends_a_drain():
    world = World()
    world.asks(get())
    told = drained(world)

    world.site.abort()
    world.clock.advance(0)

    assert told == [None]


def test_a_site_says_what_it_has():
    world = World()
    world.asks(get())
    assert repr(world.site) == "<Site: 1 connections>"

    world.site.drain()

    assert repr(world.site) == "<Site: 1 connections, draining>"
