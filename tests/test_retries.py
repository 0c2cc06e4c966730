"""Try again? The rule by itself, and what it means for requests, replicas and connections."""

import pytest

from support_proxying import World, body_of, chunked_post, get, message, ok, post, values_of
from vestri.model import Timeouts
from vestri.proxying import retries

BROKEN_OFF = {"reason": "upstream_reset", "answered": False, "repeatable": True}


@pytest.mark.parametrize(
    ("why", "changed", "again"),
    [
        ("the replica broke off before it answered", {}, True),
        ("the replica had begun to answer", {"answered": True}, False),
        ("the request must not be made twice", {"repeatable": False}, False),
        ("silence may be work under way", {"reason": "response_timeout"}, False),
        ("an answer that is not HTTP is an answer", {"reason": "bad_response"}, False),
    ],
)
def test_a_request_can_be_sent_again_without_harm(why, changed, again):
    assert retries.harmless(**BROKEN_OFF | changed) is again


@pytest.mark.parametrize(
    ("again", "reused", "afresh"), [(True, True, True), (True, False, False), (False, True, False)]
)
def test_a_fresh_connection_is_tried_where_an_idle_one_was_stale(again, reused, afresh):
    assert retries.afresh(again=again, reused=reused) is afresh


@pytest.mark.parametrize(
    ("sent", "again", "attempts", "elsewhere"),
    [
        (False, False, 1, True),
        (False, False, 2, True),
        (False, False, 3, False),
        (True, False, 1, False),
        (True, True, 2, True),
        (True, True, 3, False),
    ],
)
def test_another_replica_is_asked_while_that_is_harmless_and_attempts_are_left(sent, again, attempts, elsewhere):
    assert retries.elsewhere(sent=sent, again=again, attempts=attempts) is elsewhere


def status_of(answer):
    return int(answer.split(b" ", 2)[1])


def reused(world):
    """The replica's connection after it has served one request, and a client that is still connected."""
    client = world.asks(get())
    world.replica().sends(ok())
    client.news(), world.replica().news()
    return client, world.replica()


# Connecting, and other replicas


def test_a_refused_connection_is_another_replica_s_turn():
    world = World("a", "b")
    world.listeners["a"].mood = "refuses"

    client = world.asks(get())
    world.replica("b").sends(ok(b"b"))

    assert client.news() == ok(b"b")
    exchange = world.observer.last
    assert (exchange.attempts, exchange.replica, exchange.reason) == (2, "b", "")
    assert world.in_flight == 0


def test_a_second_attempt_says_so():
    world = World("a", "b")
    world.listeners["a"].mood = "refuses"

    world.asks(get(b"/", b"X-Vestri-Attempt: 7"))

    assert values_of(world.replica("b").news(), b"x-vestri-attempt") == [b"2"]


def test_a_first_attempt_says_nothing():
    world = World()

    world.asks(get(b"/", b"X-Vestri-Attempt: 7"))

    assert values_of(world.replica().news(), b"x-vestri-attempt") == []


def test_no_more_than_three_replicas_are_asked():
    world = World("a", "b", "c", "d")
    for listener in world.listeners.values():
        listener.mood = "refuses"

    client = world.asks(get())

    assert status_of(client.news()) == 502
    assert sum(listener.asked for listener in world.listeners.values()) == 3
    assert world.log == [(502, "connect_refused")]
    assert world.in_flight == 0


def test_the_last_failure_is_told_when_nobody_else_is_left():
    world = World("a")
    world.listeners["a"].mood = "refuses"

    client = world.asks(get())

    assert status_of(client.news()) == 502
    assert world.log == [(502, "connect_refused")]


def test_a_replica_that_does_not_take_connections_costs_the_timeout_of_one():
    world = World("a", "b", timeouts=Timeouts(connect=3))
    world.listeners["a"].mood = "is silent"
    client = world.asks(get())

    world.wait(3)
    world.replica("b").sends(ok(b"b"))

    assert client.news() == ok(b"b")
    assert world.listeners["a"].given_up == 1


def test_when_no_replica_takes_connections_it_is_504():
    world = World(timeouts=Timeouts(connect=3))
    world.listeners["a"].mood = "is silent"
    client = world.asks(get())

    world.wait(3)

    assert status_of(client.news()) == 504
    assert world.log == [(504, "connect_timeout")]


@pytest.mark.parametrize("request_", [post(b"hello"), chunked_post() + b"5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n"])
def test_a_body_goes_to_the_next_replica_when_the_first_takes_no_connection(request_):
    world = World("a", "b")
    world.listeners["a"].mood = "refuses"

    client = world.asks(request_)
    world.replica("b").sends(ok(b"b"))

    assert body_of(world.replica("b").news()) == body_of(request_)
    assert client.news() == ok(b"b")


def test_a_client_that_leaves_while_it_waits_stops_the_connecting():
    world = World()
    world.listeners["a"].mood = "is silent"
    client = world.asks(get())

    client.resets()

    assert world.listeners["a"].given_up == 1
    assert (world.log, world.in_flight) == ([(499, "client_abort")], 0)


# Connections that were closed while they lay idle


@pytest.mark.parametrize("method", sorted(retries.IDEMPOTENT - {b"TRACE"}))
def test_a_stale_connection_is_no_fault_that_an_idempotent_request_sees(method):
    world = World()
    client, stale = reused(world)
    client.sends(get(b"/again", method=method))
    assert stale.news()

    stale.finishes()
    world.replica().sends(ok(b"" if method == b"HEAD" else b"fresh", length=5))

    assert client.news().startswith(b"HTTP/1.1 200 OK\r\n")
    assert (world.opened(), world.in_flight) == (2, 0)
    assert world.observer.last.attempts == 2


def test_the_body_of_an_idempotent_request_is_sent_again_on_a_fresh_connection():
    world = World()
    client, stale = reused(world)
    client.sends(message(b"PUT / HTTP/1.1", b"Host: a", b"Content-Length: 10") + b"01234")
    client.sends(b"56789")

    stale.resets()
    world.replica().sends(ok(b"fresh"))

    assert body_of(world.replica().news()) == b"0123456789"
    assert client.news() == ok(b"fresh")


@pytest.mark.parametrize("begun", [[b"012", b"34"], [b"", b"01234"]])
def test_what_is_still_to_come_of_a_body_follows_on_the_fresh_connection(begun):
    world = World()
    client, stale = reused(world)
    first, more = begun
    client.sends(message(b"PUT / HTTP/1.1", b"Host: a", b"Content-Length: 10") + first, more)
    stale.resets()

    client.sends(b"56789")

    assert body_of(world.replica().news()) == b"0123456789"


@pytest.mark.parametrize("at_once", [0, 1, retries.REPLAYED + 1])
def test_a_body_that_is_too_large_to_keep_is_not_sent_again(at_once):
    world = World()
    client, stale = reused(world)
    body = b"x" * (retries.REPLAYED + 1)
    head = message(b"PUT / HTTP/1.1", b"Host: a", b"Content-Length: %d" % len(body))
    client.sends(head + body[:at_once], body[at_once:])

    stale.resets()

    assert status_of(client.news()) == 502
    assert (world.opened(), world.log[-1]) == (1, (502, "upstream_reset"))


@pytest.mark.parametrize("at_once", [0, retries.REPLAYED])
def test_a_body_that_is_as_large_as_may_be_is_sent_again(at_once):
    world = World()
    client, stale = reused(world)
    body = b"x" * retries.REPLAYED
    head = message(b"PUT / HTTP/1.1", b"Host: a", b"Content-Length: %d" % len(body))
    client.sends(head + body[:at_once], body[at_once:])

    stale.resets()

    assert body_of(world.replica().news()) == body


def test_a_post_is_never_sent_twice():
    world = World()
    client, stale = reused(world)
    client.sends(post(b"hello"))
    assert body_of(stale.news()) == b"hello"

    stale.finishes()

    assert status_of(client.news()) == 502
    assert (world.opened(), world.log[-1]) == (1, (502, "upstream_reset"))


@pytest.mark.parametrize(("why", "unnoticed"), [("closed", b""), ("spoke unasked", b"HTTP/1.1 408 Too Late\r\n\r\n")])
def test_a_post_goes_out_on_a_fresh_connection_when_the_idle_one(why, unnoticed):
    world = World()
    client, stale = reused(world)
    stale.has_unnoticed(unnoticed)

    client.sends(post(b"hello"))

    assert (stale.news(), stale.closed) == (b"", "aborted")
    assert body_of(world.replica().news()) == b"hello"


def test_a_post_goes_out_on_an_idle_connection_that_is_well():
    world = World()
    client, idle = reused(world)

    client.sends(post(b"hello"))

    assert body_of(idle.news()) == b"hello"
    assert world.opened() == 1


def test_a_replica_that_breaks_off_gives_an_idempotent_request_to_another():
    world = World("a", "b")
    client = world.asks(get())

    world.replica("a").finishes()
    world.replica("b").sends(ok(b"b"))

    assert client.news() == ok(b"b")
    assert (world.log, world.in_flight) == ([(200, "")], 0)


def test_a_replica_that_breaks_off_gives_a_post_to_nobody():
    world = World("a", "b")
    client = world.asks(post(b"hello"))

    world.replica("a").finishes()

    assert status_of(client.news()) == 502
    assert (world.opened("b"), world.log) == (0, [(502, "upstream_reset")])


def test_when_all_replicas_break_off_it_is_502():
    world = World("a", "b")
    client = world.asks(get())

    world.replica("a").finishes()
    world.replica("b").finishes()

    assert status_of(client.news()) == 502
    assert (world.log, world.in_flight) == ([(502, "upstream_reset")], 0)


def test_a_stale_connection_is_replaced_once():
    world = World()
    client, stale = reused(world)
    client.sends(get())

    stale.finishes()
    world.replica().finishes()

    assert status_of(client.news()) == 502
    assert world.opened() == 2


@pytest.mark.parametrize("begun", [b"H", b"HTTP/1.1 200 OK\r\nContent-"])
def test_a_connection_that_broke_off_within_an_answer_was_not_stale(begun):
    world = World()
    client, stale = reused(world)
    client.sends(get())

    stale.sends(begun)
    stale.finishes()

    assert status_of(client.news()) == 502
    assert world.opened() == 1


def test_nothing_is_sent_again_once_the_client_got_an_interim_answer():
    world = World()
    client, stale = reused(world)
    client.sends(get())
    stale.sends(message(b"HTTP/1.1 103 Early Hints", b"Link: </a.css>"))

    stale.finishes()

    assert client.news().startswith(b"HTTP/1.1 103 Early Hints\r\n")
    assert world.log[-1] == (502, "upstream_reset")
    assert world.opened() == 1
