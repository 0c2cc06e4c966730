"""After 101: two sockets joined, as long as one side has something to say."""

import pytest

from support_proxying import HIGH_WATER, SWITCH, UPGRADE, World, get, values_of
from vestri.model import Timeouts

SPEECH = b"x" * (HIGH_WATER + 1)


def joined(**timeouts):
    """A world with a tunnel in it, its client and its replica, both with no news."""
    world = World(timeouts=Timeouts(**timeouts))
    client = world.asks(UPGRADE)
    replica = world.replica()
    replica.sends(SWITCH)
    client.news(), replica.news()
    return world, client, replica


# Joining


def test_the_wish_and_the_switch_are_passed_on():
    world = World()
    client = world.asks(UPGRADE)
    head = world.replica().news()
    assert (values_of(head, b"upgrade"), values_of(head, b"connection")) == ([b"websocket"], [b"Upgrade"])

    world.replica().sends(SWITCH)

    assert client.news() == SWITCH


def test_bytes_go_both_ways_as_they_are():
    _, client, replica = joined()

    client.sends(b"GET / HTTP/1.1\r\n\r\n")
    replica.sends(b"\x00\xff", b"HTTP/1.1 200 OK\r\n\r\n")

    assert replica.news() == b"GET / HTTP/1.1\r\n\r\n"
    assert client.news() == b"\x00\xffHTTP/1.1 200 OK\r\n\r\n"


def test_bytes_right_behind_either_head_are_not_lost():
    world = World()
    client = world.asks(UPGRADE + b"early", b" bird")
    assert world.replica().news().endswith(b"\r\n\r\n")

    world.replica().sends(SWITCH + b"worm")

    assert client.news() == SWITCH + b"worm"
    assert world.replica().news() == b"early bird"


def test_many_early_bytes_wait_for_the_switch_unread():
    world = World()
    client = world.asks(UPGRADE, SPEECH, SPEECH)
    replica = world.replica()
    assert not client.reading
    replica.news()

    replica.sends(SWITCH)

    assert replica.news() == SPEECH * 2


# Pace


def test_a_client_that_does_not_read_stops_the_replica():
    _, client, replica = joined()
    client.takes(0)

    replica.sends(SPEECH, SPEECH, SPEECH)
    assert not replica.reading
    client.takes()

    assert client.news() == SPEECH * 3
    assert replica.reading


def test_a_replica_that_does_not_read_stops_the_client():
    _, client, replica = joined()
    replica.takes(0)

    client.sends(SPEECH, SPEECH, SPEECH)
    assert not client.reading
    replica.takes()

    assert replica.news() == SPEECH * 3
    assert client.reading


def test_a_client_that_cannot_take_what_came_with_the_switch_stops_the_replica():
    world = World()
    client = world.client()
    client.takes(0)
    client.sends(UPGRADE)
    replica = world.replica()

    replica.sends(SWITCH + SPEECH, b"more")
    assert not replica.reading
    client.takes()

    assert client.news() == SWITCH + SPEECH + b"more"


def test_a_client_that_has_ended_still_sets_the_pace():
    _, client, replica = joined()
    client.finishes()
    client.takes(0)

    replica.sends(SPEECH, SPEECH, SPEECH)
    assert not replica.reading
    client.takes()

    assert client.news() == SPEECH * 3


# Ends


def test_an_end_of_the_client_is_passed_on_and_the_replica_may_go_on():
    world, client, replica = joined()
    client.sends(b"bye")

    client.finishes()
    assert (replica.news(), replica.ended, replica.closed) == (b"bye", True, None)
    replica.sends(b"so long")

    assert client.news() == b"so long"
    assert world.log == []


def test_an_end_of_the_replica_is_passed_on_and_the_client_may_go_on():
    world, client, replica = joined()

    replica.finishes()
    assert (client.ended, client.closed) == (True, None)
    client.sends(b"so long")

    assert replica.news() == b"so long"
    assert world.log == []


@pytest.mark.parametrize("order", [("client", "replica"), ("replica", "client")])
def test_the_tunnel_ends_when_both_have_ended(order):
    world, client, replica = joined()
    wires = {"client": client, "replica": replica}

    for each in order:
        wires[each].finishes()

    assert (client.closed, replica.closed) == ("closed", "closed")
    assert (world.log, world.in_flight) == ([(101, "")], 0)


def test_an_end_that_has_to_wait_for_the_slower_side_arrives_behind_the_rest():
    _, client, replica = joined()
    client.takes(0)
    replica.sends(SPEECH)
    replica.resumeProducing()
    replica.finishes()
    assert not client.finished

    client.takes()

    assert client.news() == SPEECH
    assert (client.finished, client.closed) == (True, None)


def test_what_is_on_its_way_when_the_replica_ends_still_arrives():
    world, client, replica = joined()
    client.takes(0)
    replica.sends(SPEECH, b"last words")
    assert not replica.reading

    client.takes()
    replica.finishes()
    client.finishes()

    assert client.news() == SPEECH + b"last words"
    assert world.log == [(101, "")]


def test_what_waits_for_the_client_is_not_lost_when_both_end():
    _, client, replica = joined()
    client.takes(0)
    replica.sends(b"last words")
    replica.finishes()
    client.finishes()

    client.takes()

    assert client.news() == b"last words"
    assert client.lost


@pytest.mark.parametrize("who", ["client", "replica"])
def test_a_broken_side_ends_the_tunnel(who):
    world, client, replica = joined()

    {"client": client, "replica": replica}[who].resets()

    assert (client.lost, replica.lost) == (True, True)
    assert (world.log, world.in_flight) == ([(101, "")], 0)


def test_a_client_that_had_ended_before_the_switch_has_ended_for_the_replica():
    world = World()
    client = world.asks(UPGRADE + b"all that I have to say")
    client.finishes()

    world.replica().sends(SWITCH)

    assert world.replica().news().endswith(b"all that I have to say")
    assert world.replica().ended


# Time


def test_a_silent_tunnel_ends_after_its_time():
    world, client, replica = joined(tunnel=60)

    world.wait(59.75)
    assert client.closed is None
    world.wait(0.25)

    assert (client.closed, replica.closed) == ("aborted", "aborted")
    assert (world.log, world.in_flight) == ([(101, "response_timeout")], 0)


@pytest.mark.parametrize("who", ["client", "replica"])
def test_a_byte_either_way_keeps_a_tunnel_open(who):
    world, client, replica = joined(tunnel=60)

    for _ in range(4):
        world.wait(50)
        {"client": client, "replica": replica}[who].sends(b".")

    assert client.closed is None


OTHERS = {"idle": 1, "response": 1, "total": 1, "client_idle": 1, "client_body": 1, "per_try": 1}


@pytest.mark.parametrize("timeouts", [{"tunnel": None}, {"tunnel": 1000, **OTHERS}])
def test_no_other_timeout_is_a_tunnel_s(timeouts):
    world, client, _ = joined(**timeouts)

    world.wait(300)

    assert (client.closed, world.log) == (None, [])


# What it is for others


def test_a_tunnel_counts_as_one_request_until_it_ends():
    world, client, replica = joined()
    client.sends(b"12345")
    replica.sends(b"123")
    assert world.in_flight == 1

    client.resets()

    exchange = world.observer.last
    assert (world.in_flight, exchange.status, exchange.upstream_status) == (0, 101, 101)
    assert (exchange.bytes_in, exchange.bytes_out) == (5, 3)


def test_a_tunnel_s_connection_is_never_used_again():
    world, client, replica = joined()
    replica.finishes()
    client.finishes()

    world.asks(get())

    assert world.opened() == 2


def test_nothing_watches_a_tunnel_that_has_ended():
    world, client, _ = joined(tunnel=60)

    client.resets()

    assert world.watched == 0
