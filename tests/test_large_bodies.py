"""Of a large body most passes from one transport to the other without being read here."""

import pytest

from support_proxying import SWITCH, UPGRADE, World, body_of, chunked_post, get, message, ok, post
from vestri.model import Timeouts
from vestri.proxying.passing import LARGE
from vestri.proxying.retries import REPLAYED

PIECE = 64 * 1024
PIECES = [bytes([number]) * PIECE for number in range(20)]
BODY = b"".join(PIECES)
AFTER = get(b"/after")
CHUNKED = message(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked")


# Answers


def test_an_answer_arrives_whole_and_the_connection_serves_the_next():
    world = World()
    client = world.asks(get())
    replica = world.replica()

    replica.sends(ok(length=len(BODY)), *PIECES)

    assert body_of(client.news()) == BODY
    assert 0 < replica.passed < len(BODY)
    assert world.log == [(200, "")]
    assert world.observer.last.bytes_out == len(BODY)
    client.sends(AFTER)
    replica.sends(ok(b"next"))
    assert body_of(client.news()) == b"next"
    assert world.opened() == 1


def test_what_comes_behind_an_answer_never_passes_for_a_part_of_it():
    world = World()
    client = world.asks(get())
    replica = world.replica()

    replica.sends(ok(length=len(BODY)), *PIECES[:-1], PIECES[-1] + ok(b"smuggled"))

    assert body_of(client.news()) == BODY
    assert replica.closed


@pytest.mark.parametrize("short", [1, PIECE, 10 * PIECE])
def test_an_answer_that_breaks_off_is_visibly_cut(short):
    world = World()
    client = world.asks(get())
    replica = world.replica()

    replica.sends(ok(length=len(BODY) + short), *PIECES)
    assert replica.passed
    replica.finishes()

    assert client.closed == "aborted"
    assert world.log == [(200, "upstream_reset")]


def test_nothing_passes_while_the_client_takes_nothing():
    world = World()
    client = world.asks(get())
    client.takes(1000)
    replica = world.replica()

    replica.sends(ok(length=len(BODY)), *PIECES)
    assert replica.passed == 0
    assert not replica.reading

    client.takes()
    assert body_of(client.news()) == BODY
    assert world.log == [(200, "")]


def test_while_bytes_pass_the_replica_is_not_silent():
    world = World(timeouts=Timeouts(idle=2))
    client = world.asks(get())
    replica = world.replica()
    replica.sends(ok(length=len(BODY)))
    for piece in PIECES:
        world.wait(1.5)
        replica.sends(piece)

    assert body_of(client.news()) == BODY


@pytest.mark.parametrize("request_", [get(), message(b"GET / HTTP/1.0", b"Host: a")], ids=["1.1", "1.0"])
def test_chunks_are_read(request_):
    world = World()
    client = world.asks(request_)
    replica = world.replica()

    replica.sends(CHUNKED, *[b"%x\r\n%b\r\n" % (PIECE, piece) for piece in PIECES], b"0\r\n\r\n")

    assert replica.passed == 0
    assert client.news().count(PIECES[7]) == 1


# Uploads


def test_an_upload_arrives_whole_and_the_connection_serves_the_next():
    world = World()
    client = world.asks(post(b"", length=len(BODY)))
    replica = world.replica()

    client.sends(*PIECES)

    assert body_of(replica.news()) == BODY
    assert 0 < client.passed < len(BODY)
    replica.sends(ok(b"thanks"))
    assert body_of(client.news()) == b"thanks"
    assert world.observer.last.bytes_in == len(BODY)
    client.sends(AFTER)
    assert replica.news().startswith(b"GET /after ")


def test_a_request_behind_an_upload_never_passes_for_a_part_of_it():
    world = World()
    client = world.asks(post(b"", length=len(BODY)))
    replica = world.replica()

    client.sends(*PIECES[:-1], PIECES[-1] + AFTER)

    assert body_of(replica.news()) == BODY
    replica.sends(ok())
    assert replica.news().startswith(b"GET /after ")


def test_what_may_have_to_be_sent_again_is_read():
    """An idempotent request goes to another replica while little enough of it has come."""
    world = World("a", "b")
    client = world.asks(post(b"", length=len(BODY)).replace(b"POST", b"PUT"))

    client.sends(PIECES[0][:LARGE], PIECES[0][LARGE:], *PIECES[1:])

    assert 0 < client.passed < len(BODY) - REPLAYED
    assert body_of(bytes(world.replica().seen)) == BODY


def test_nothing_passes_before_a_replica_is_there():
    world = World()
    world.listeners["a"].mood = "is silent"
    client = world.asks(post(b"", length=len(BODY)), *PIECES)

    assert client.passed == 0
    assert not client.reading


def test_nothing_passes_while_the_replica_takes_nothing():
    world = World()
    client = world.asks(post(b"", length=len(BODY)))
    replica = world.replica()
    replica.takes(1000)

    client.sends(*PIECES)
    assert client.passed == 0
    assert not client.reading

    replica.takes()
    assert body_of(bytes(replica.seen)) == BODY


def test_an_upload_that_fills_a_new_connection_is_read_no_further():
    """It waited for the connection, and what of it is here already is more than that takes."""
    world = World()
    world.listeners["a"].room = 1000
    client = world.asks(post(PIECES[0] + PIECES[1], length=len(BODY)), *PIECES[2:])

    assert not client.reading
    assert len(world.replica()._unsent) < 3 * PIECE

    world.replica().takes()
    assert body_of(bytes(world.replica().seen)) == BODY


def test_chunks_of_an_upload_are_read():
    world = World()
    client = world.asks(chunked_post())

    client.sends(*[b"%x\r\n%b\r\n" % (PIECE, piece) for piece in PIECES], b"0\r\n\r\n")

    assert client.passed == 0
    assert world.replica().news().count(PIECES[7]) == 1


def test_an_early_answer_is_not_disturbed_by_what_still_passes():
    world = World()
    client = world.asks(post(b"", length=len(BODY)), *PIECES[:5])
    assert client.passed

    world.replica().sends(ok(b"no", status=b"413 Content Too Large"))
    client.sends(*PIECES[5:])

    assert client.news().startswith(b"HTTP/1.1 413 ")
    assert world.log == [(413, "")]


# Tunnels


def test_large_messages_pass_through_a_tunnel_both_ways():
    world = World()
    client = world.asks(UPGRADE)
    replica = world.replica()
    replica.sends(SWITCH)
    client.news(), replica.news()

    client.sends(*PIECES)
    replica.sends(*PIECES)

    assert (client.news(), replica.news()) == (BODY, BODY)
    assert client.passed
    assert replica.passed
    replica.finishes()
    client.finishes()
    exchange = world.observer.last
    assert (exchange.bytes_in, exchange.bytes_out) == (len(BODY), len(BODY))
