"""A client's connection when time passes: what it waits for, how long, and what it says when it has waited enough."""

import attrs
import pytest

from support_proxying import HIGH_WATER, World, body_of, chunked_post, get, ok, post, service, values_of
from vestri.model import Limits, Timeouts

NO_RATE = Limits(min_rate=None)
#: The least that a peer moves in a window.
RATE, WINDOW = 240, 30
#: A silence of thirty seconds is looked for every quarter of it.
LATE = 30 / 4


# Between requests, and while a head comes


def test_an_idle_connection_is_closed_without_a_word():
    world = World(timeouts=Timeouts(client_idle=75))
    client = world.client()

    world.wait(74.75)
    assert client.closed is None
    world.wait(0.25)

    assert client.closed == "closed"
    assert (client.seen, world.log) == (b"", [])


def test_a_connection_is_idle_from_the_end_of_its_last_answer():
    world = World(timeouts=Timeouts(client_idle=75))
    client = world.client()
    world.wait(50)
    client.sends(get())
    world.replica().sends(ok())

    world.wait(74.75)
    assert client.closed is None
    world.wait(0.25)

    assert client.closed == "closed"


def test_empty_lines_keep_no_connection_open():
    world = World(timeouts=Timeouts(client_idle=10, client_header=1))
    client = world.client()

    for _ in range(4):
        client.sends(b"\r\n")
        world.wait(2)
    world.wait(1.75)
    assert client.closed is None
    world.wait(0.25)

    assert client.closed == "closed"
    assert world.log == []


@pytest.mark.parametrize("begun", [b"G", b"GET", get()[:-1]])
def test_a_head_that_is_late_is_told_408(begun):
    world = World(timeouts=Timeouts(client_header=10))
    client = world.asks(begun)

    world.wait(9.75)
    assert client.seen == b""
    world.wait(0.25)

    assert client.news().startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert client.ended
    assert world.log == [(408, "header_timeout")]


def test_every_byte_of_a_head_counts_from_the_first():
    world = World(timeouts=Timeouts(client_header=10))
    client = world.client()

    for byte in get()[:21]:
        client.sends(bytes((byte,)))
        world.wait(0.5)

    assert world.log == [(408, "header_timeout")]


def test_the_head_of_a_pipelined_request_is_due_once_it_is_its_turn():
    world = World(timeouts=Timeouts(client_header=10))
    client = world.asks(get() + b"GET /late")
    world.wait(20)
    world.replica().sends(ok())
    client.news()

    world.wait(9.75)
    assert client.seen.count(b"HTTP/1.1") == 1
    world.wait(0.25)

    assert client.news().startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("key", ["client_header", "client_idle", "client_body", "client_write"])
def test_each_timeout_may_be_off(key):
    world = World(timeouts=Timeouts(**{key: None}), limits=NO_RATE)
    client = world.client()
    if key == "client_header":
        client.sends(b"GET")
    elif key == "client_body":
        client.sends(post(b"", length=10))
    elif key == "client_write":
        client.takes(0)
        client.sends(get())
        world.replica().sends(ok(b"x" * 10, length=100_000))

    world.wait(25)
    if key == "client_write":
        world.replica().sends(b"x" * 10)
        world.wait(25)

    assert (client.closed, client.ended) == (None, False)


# An upload


def with_an_idle_connection(world):
    """The world, in which the next upload goes on without waiting for a connection."""
    world.asks(get())
    world.replica().sends(ok())
    world.observer.exchanges.clear()
    return world


@pytest.mark.parametrize("prepared", [lambda world: world, with_an_idle_connection], ids=["new", "idle"])
def test_an_upload_that_falls_silent_is_told_408(prepared):
    world = prepared(World(timeouts=Timeouts(client_body=30, keep_alive=100, client_idle=None)))
    client = world.asks(post(b"some", length=100))
    replica = world.replica()

    world.wait(29.75)
    assert client.seen == b""
    world.wait(0.25 + LATE)

    assert client.news().startswith(b"HTTP/1.1 408 ")
    assert replica.closed == "aborted"
    assert (world.log, world.in_flight) == ([(408, "body_timeout")], 0)


def test_an_upload_may_take_as_long_as_it_moves():
    world = World(timeouts=Timeouts(client_body=5, response=None))
    client = world.asks(post(b"", length=300 * 400))

    for _ in range(300):
        client.sends(b"x" * 400)
        world.wait(1)

    world.replica().sends(ok(b"done"))
    assert client.news() == ok(b"done")


def test_an_upload_that_dribbles_is_told_408():
    world = World(timeouts=Timeouts(client_body=30), limits=Limits(min_rate=RATE))
    client = world.asks(chunked_post())

    for _ in range(2 * WINDOW):
        client.sends(b"1\r\nx\r\n")
        world.wait(1)

    assert client.news().startswith(b"HTTP/1.1 408 ")
    assert world.log == [(408, "body_timeout")]


def test_a_dribbling_upload_whose_answer_has_begun_is_cut_off():
    world = World(timeouts=Timeouts(client_body=30))
    client = world.asks(post(b"some", length=100))
    world.replica().sends(ok(b"begun", length=10))

    world.wait(30 + LATE)

    assert client.closed == "aborted"
    assert b"408" not in client.seen
    assert world.log == [(200, "body_timeout")]


def test_an_upload_that_the_replica_does_not_take_is_not_the_client_s_fault():
    world = World(timeouts=Timeouts(client_body=5, idle=None, response=None))
    client = world.asks(post(b"", length=1_000_000))
    world.replica().takes(0)
    client.sends(*[b"x" * 10_000] * 10)
    assert not client.reading

    world.wait(40)

    assert client.closed is None
    assert world.log == []


# Clients that wait for 100


@pytest.mark.parametrize("prepared", [lambda world: world, with_an_idle_connection], ids=["new", "idle"])
def test_a_client_that_waits_for_100_is_told_so_when_the_replica_says_nothing(prepared):
    world = prepared(World())
    client = world.asks(post(b"", b"Expect: 100-continue", length=5))
    world.wait(0.75)
    assert client.seen == b""

    world.wait(0.25)

    assert client.news() == b"HTTP/1.1 100 Continue\r\n\r\n"


def test_nobody_is_invited_before_a_replica_is_connected():
    world = World(timeouts=Timeouts(connect=10))
    world.listeners["a"].mood = "is silent"

    client = world.asks(post(b"", b"Expect: 100-continue", length=5))
    world.wait(5)

    assert client.seen == b""
    assert not client.reading


@pytest.mark.parametrize(("why", "begun"), [("it did not ask", 0), ("it does not wait", 2)])
def test_a_client_is_not_invited_when(why, begun):
    world = World()
    lines = [b"Expect: 100-continue"] if begun else []
    client = world.asks(post(b"x" * begun, *lines, length=5))

    world.wait(5)

    assert client.seen == b""


# An answer that the client does not take


def reading_nothing(world, size=HIGH_WATER + 1000):
    """A client that has stopped reading an answer of unknown length, and its replica."""
    client = world.client()
    client.takes(0)
    client.sends(get())
    replica = world.replica()
    replica.sends(ok(b"", length=10_000_000), b"x" * size)
    return client, replica


def test_a_client_that_reads_nothing_is_cut_off():
    world = World(timeouts=Timeouts(client_write=30))
    client, replica = reading_nothing(world)

    world.wait(29.75)
    assert client.closed is None
    world.wait(0.25 + LATE)

    assert client.closed == "aborted"
    assert replica.closed == "aborted"
    assert (world.log, world.in_flight) == ([(200, "client_too_slow")], 0)


def test_a_client_that_reads_slowly_but_steadily_is_served():
    world = World(timeouts=Timeouts(client_write=30, idle=None))
    client, _ = reading_nothing(world, size=HIGH_WATER + 100_000)

    for _ in range(400):
        client.takes(300)
        world.wait(1)

    assert client.closed is None
    assert world.log == []


def test_a_client_that_dribbles_is_cut_off():
    world = World(timeouts=Timeouts(client_write=30, idle=None), limits=Limits(min_rate=RATE))
    client, _ = reading_nothing(world)

    for _ in range(2 * WINDOW):
        client.takes(10)
        world.wait(1)

    assert client.closed == "aborted"
    assert world.log == [(200, "client_too_slow")]


def test_a_client_that_does_not_take_the_end_of_its_answer_is_cut_off():
    world = World(timeouts=Timeouts(client_write=30, client_idle=75))
    client = world.client()
    client.takes(0)
    client.sends(get())
    world.replica().sends(ok(b"x" * (HIGH_WATER + 1000)))
    assert world.log == [(200, "")]

    world.wait(40)

    assert client.closed == "aborted"


def test_a_connection_is_idle_from_when_its_last_answer_is_out():
    world = World(timeouts=Timeouts(client_write=30, client_idle=75))
    client = world.client()
    client.takes(0)
    client.sends(get())
    world.replica().sends(ok(b"x" * (HIGH_WATER + 1000)))
    world.wait(20)
    client.takes()

    world.wait(74.75)
    assert client.closed is None
    world.wait(0.25)

    assert client.closed == "closed"


def test_a_client_reads_one_answer_after_the_other_as_slowly_as_it_may():
    world = World(timeouts=Timeouts(client_write=30, client_idle=75))
    client = world.client()
    client.takes(0)
    client.sends(*[get()] * 3)
    for _ in range(3):
        world.replica().sends(ok(b"x" * (HIGH_WATER - 1000)))

    for _ in range(3 * HIGH_WATER // 1000):
        client.takes(1000)
        world.wait(1)

    assert client.closed is None


def test_an_answer_of_our_own_that_nobody_takes_is_dropped():
    world = World(timeouts=Timeouts(client_write=30))
    client = world.client()
    client.takes(0)
    client.sends(b"nonsense\r\n\r\n")
    assert client.pending()

    world.wait(40)

    assert client.closed == "aborted"


def test_the_last_answer_that_nobody_takes_is_dropped():
    world = World(timeouts=Timeouts(client_write=30))
    client = world.client()
    client.takes(0)
    client.sends(get(b"/", b"Connection: close"))
    world.replica().sends(ok(b"hi"))

    world.wait(29.75)
    assert (client.closed, client.pending() > 0) == ("closed", True)
    world.wait(0.25 + LATE)

    assert client.closed == "aborted"


@pytest.mark.parametrize("request_", [get(), get(b"/", b"Connection: close")])
def test_the_last_answer_is_followed_by_the_end_however_slowly_it_is_taken(request_):
    world = World(limits=Limits(requests_per_connection=1))
    client = world.client()
    client.takes(0)
    client.sends(request_)
    world.replica().sends(ok(b"x" * (HIGH_WATER + 1000)))
    assert not client.finished

    client.takes()

    assert client.finished
    assert len(body_of(client.seen)) == HIGH_WATER + 1000


# The whole request


def test_a_request_may_take_so_long_in_all():
    world = World(timeouts=Timeouts(total=20))
    client = world.asks(get())
    replica = world.replica()

    world.wait(19.75)
    assert client.seen == b""
    world.wait(0.25)

    assert client.news().startswith(b"HTTP/1.1 504 ")
    assert replica.closed == "aborted"
    assert client.closed is None
    assert world.log == [(504, "total_timeout")]


def test_an_answer_that_is_not_whole_when_the_time_is_over_is_cut_off():
    world = World(timeouts=Timeouts(total=20))
    client = world.asks(get())
    world.replica().sends(ok(b"begun", length=10))

    world.wait(20)

    assert client.closed == "aborted"
    assert body_of(client.seen) == b"begun"
    assert world.log == [(200, "total_timeout")]


def test_the_total_counts_for_each_request_alone():
    world = World(timeouts=Timeouts(total=20))
    client = world.client()

    for _ in range(5):
        client.sends(get())
        world.wait(15)
        world.replica().sends(ok(b"hi"))

    assert client.news() == ok(b"hi") * 5


def test_a_service_has_a_total_of_its_own():
    timeouts = Timeouts()
    slow = service("slow", "/slow", ["b"], timeouts=timeouts)
    quick = service("quick", "/quick", ["a"], timeouts=attrs.evolve(timeouts, total=2))
    world = World(services=[slow, quick])
    world.asks(get(b"/slow"))
    world.asks(get(b"/quick"))

    world.wait(10)

    assert [(each.service, each.reason) for each in world.observer.exchanges] == [("quick", "total_timeout")]


# A client that has left


def test_a_client_that_breaks_off_is_noticed_at_once():
    world = World()
    client = world.asks(get())

    client.resets()

    assert world.replica().closed == "aborted"
    assert (world.log, world.in_flight) == ([(499, "client_abort")], 0)


def test_a_client_that_closed_its_side_has_left_when_no_answer_comes_for_a_while():
    world = World()
    client = world.asks(get())
    client.finishes()
    assert world.log == []

    world.wait(1.25)

    assert (client.closed, world.replica().closed) == ("aborted", "aborted")
    assert world.log == [(499, "client_abort")]


def test_that_holds_for_each_of_its_requests():
    world = World()
    client = world.asks(get() * 2)
    client.finishes()
    world.replica().sends(ok(b"one"))
    assert world.log == [(200, "")]

    world.wait(1.25)

    assert world.log == [(200, ""), (499, "client_abort")]


def test_a_client_that_closed_its_side_gets_its_answer_as_long_as_that_moves():
    world = World()
    client = world.asks(get())
    client.finishes()
    world.replica().sends(ok(b"", length=20))

    for _ in range(20):
        world.wait(0.75)
        world.replica().sends(b"x")

    assert body_of(client.seen) == b"x" * 20
    assert world.log == [(200, "")]


def test_a_client_that_closed_its_side_has_left_once_its_answer_does_not_move():
    world = World()
    client = world.asks(get())
    client.finishes()
    for _ in range(3):
        world.replica().sends(ok(b"", length=20) if not client.seen else b"x")
        world.wait(1)

    world.wait(1.25)

    assert world.log == [(200, "client_abort")]


@pytest.mark.parametrize("waited", [0, 5])
def test_a_client_that_leaves_while_nobody_reads_is_noticed_within_a_second(waited):
    world = World(timeouts=Timeouts(connect=10))
    world.listeners["a"].mood = "is silent"
    client = world.asks(post(b"", length=10))
    assert not client.reading
    world.wait(waited)

    client.resets()
    world.wait(1.25)

    assert world.log == [(499, "client_abort")]
    assert world.listeners["a"].given_up == 1


def test_a_client_that_closes_its_side_within_an_upload_that_waits_is_still_served():
    world = World(timeouts=Timeouts(connect=10))
    listener = world.listeners["a"]
    listener.mood = "is silent"
    client = world.asks(post(b"", length=5))
    client.sends(b"hello")

    client.finishes()
    world.wait(3)

    assert (client.closed, world.log) == (None, [])


def test_a_client_that_leaves_with_requests_ahead_is_noticed_within_a_second():
    world = World()
    client = world.asks(get(), *[get(b"/" + b"x" * 5000)] * 4)
    assert not client.reading

    client.resets()
    world.wait(1.25)

    assert world.replica().closed == "aborted"
    assert world.log == [(499, "client_abort")]


# After the last answer


def refused(world):
    """A client whose upload was refused, and which sends on."""
    client = world.asks(post(b"x", length=1_000_000))
    assert client.ended
    client.news()
    return client


def small(**timeouts):
    return World(limits=Limits(body_size=10), timeouts=Timeouts(**timeouts))


def test_a_refused_client_that_has_said_all_is_gone_soon():
    world = small()
    client = refused(world)

    world.wait(2)

    assert client.lost


def test_a_refused_client_that_closes_is_gone_at_once_and_without_a_reset():
    world = small()
    client = refused(world)

    client.finishes()

    assert client.closed == "closed"


@pytest.mark.parametrize("pause", [0.5, 1.5])
def test_a_refused_client_that_sends_on_is_heard_so_long_and_no_longer(pause):
    world = small()
    client = refused(world)

    for _ in range(round(12 / pause)):
        client.sends(b"x")
        world.wait(pause)

    assert client.lost


def test_a_client_that_reads_its_last_answer_slowly_gets_the_whole_of_it():
    world = World(limits=Limits(requests_per_connection=1))
    client = world.client()
    client.takes(0)
    client.sends(get())
    world.replica().sends(ok(b"x" * 60_000))
    assert values_of(bytes(client._unsent), b"connection") == [b"close"]

    for _ in range(61):
        client.takes(1000)
        world.wait(1)

    assert len(body_of(client.seen)) == 60_000
