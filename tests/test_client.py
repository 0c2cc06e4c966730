"""A client's connection: which bytes are a request, and when the next one is taken up."""

import pytest

from support_proxying import World, body_of, chunked_post, get, lines_of, message, ok, post, values_of
from vestri.model import Limits

ONE, TWO, THREE = (get(target) for target in (b"/1", b"/2", b"/3"))


def target_of(request):
    return request.split(b" ", 2)[1]


# Connections that stay


def test_one_connection_carries_request_after_request():
    world = World()
    client = world.asks(ONE)
    world.replica().sends(ok(b"one"))

    client.sends(TWO)
    world.replica().sends(ok(b"two"))

    assert client.news() == ok(b"one") + ok(b"two")
    assert client.closed is None
    assert world.opened() == 1


@pytest.mark.parametrize(
    ("why", "request_", "stays"),
    [
        ("HTTP/1.1 stays by itself", get(), True),
        ("the client asks to close", get(b"/", b"Connection: close"), False),
        ("in any case and company", get(b"/", b"Connection: foo, CLOSE"), False),
        ("HTTP/1.0 closes by itself", message(b"GET / HTTP/1.0"), False),
        ("HTTP/1.0 may ask to stay", message(b"GET / HTTP/1.0", b"Connection: keep-alive"), True),
        ("close outranks keep-alive", message(b"GET / HTTP/1.0", b"Connection: keep-alive, close"), False),
    ],
)
def test_the_client_says_whether_its_connection_stays(why, request_, stays):
    world = World()
    client = world.asks(request_)

    world.replica().sends(ok(b"hi"))

    assert body_of(client.news()) == b"hi"
    assert client.closed == (None if stays else "closed")


@pytest.mark.parametrize(
    ("version", "keep_alive", "said"),
    [
        (b"HTTP/1.1", b"keep-alive", []),
        (b"HTTP/1.1", b"close", [b"close"]),
        (b"HTTP/1.0", b"keep-alive", [b"keep-alive"]),
        (b"HTTP/1.0", b"close", [b"close"]),
    ],
)
def test_an_answer_says_whether_the_connection_stays_unless_that_is_understood(version, keep_alive, said):
    world = World()
    client = world.asks(message(b"GET / " + version, b"Host: a", b"Connection: " + keep_alive))

    world.replica().sends(ok(b"hi"))

    assert values_of(client.news(), b"connection") == said


def test_the_replica_s_connection_outlives_the_client_s():
    world = World()
    world.asks(get(b"/", b"Connection: close"))
    world.replica().sends(ok())

    world.asks(get())

    assert world.opened() == 1


def test_the_last_request_that_a_connection_may_carry_is_told_so():
    world = World(limits=Limits(requests_per_connection=2))
    client = world.asks(ONE)
    world.replica().sends(ok())
    assert values_of(client.news(), b"connection") == []

    client.sends(TWO)
    world.replica().sends(ok())

    assert values_of(client.news(), b"connection") == [b"close"]
    assert client.finished


def test_a_request_behind_the_last_one_is_never_served():
    world = World(limits=Limits(requests_per_connection=1))
    client = world.asks(ONE + TWO)

    world.replica().sends(ok(b"one"))

    assert body_of(client.news()) == b"one"
    assert client.finished
    assert b"/2" not in world.replica().seen


# Requests in a row


def test_pipelined_requests_are_answered_one_by_one_in_their_order():
    world = World("a", "b")
    client = world.asks(ONE + TWO + THREE)
    assert target_of(world.replica("a").news()) == b"/1"
    assert world.opened("b") == 0

    world.replica("a").sends(ok(b"one"))
    assert target_of(world.replica("b").news()) == b"/2"
    world.replica("b").sends(ok(b"two"))
    world.replica("a").sends(ok(b"three"))

    assert client.news() == ok(b"one") + ok(b"two") + ok(b"three")


def test_a_request_that_comes_in_single_bytes_is_one_request():
    world = World()
    client = world.client()

    client.sends(*(bytes((byte,)) for byte in ONE))

    assert target_of(world.replica().news()) == b"/1"


def test_a_request_that_begins_behind_another_may_end_later():
    world = World()
    client = world.asks(ONE + TWO[:10])
    world.replica().sends(ok(b"one"))

    world.replica().news()
    client.sends(TWO[10:])

    assert target_of(world.replica().news()) == b"/2"


def test_a_body_is_not_taken_for_the_next_request():
    world = World()
    client = world.asks(post(TWO))
    assert body_of(world.replica().news()) == TWO

    world.replica().sends(ok(b"one"))

    assert client.news() == ok(b"one")
    assert len(world.log) == 1


def test_what_comes_with_the_last_of_a_body_is_the_next_request():
    world = World()
    client = world.asks(post(b"he", length=5))
    client.sends(b"llo" + ONE)

    world.replica().sends(ok(b"zero"))
    world.replica().sends(ok(b"one"))

    assert client.news() == ok(b"zero") + ok(b"one")


@pytest.mark.parametrize("cut", [0, 1, 20, len(ONE), len(ONE) + 40])
def test_what_follows_a_body_is_the_next_request_wherever_the_pieces_are_cut(cut):
    world = World()
    upload, rest = chunked_post() + b"5\r\nhello\r\n0\r\n\r\n", ONE + TWO
    client = world.asks(upload + rest[:cut], rest[cut:])

    for answer in (b"zero", b"one", b"two"):
        world.replica().sends(ok(answer))

    assert client.news() == ok(b"zero") + ok(b"one") + ok(b"two")


def test_requests_are_read_ahead_only_so_far():
    world = World()
    client = world.asks(ONE)
    more = get(b"/" + b"x" * 5000)

    client.sends(*[more] * 8)

    assert not client.reading
    for _ in range(9):
        world.replica().sends(ok())
    assert client.reading
    assert client.news() == ok() * 9


def test_any_number_of_requests_may_come_at_once():
    world = World()

    client = world.asks(get(method=b"TRACE") * 1000)

    assert client.news().count(b"HTTP/1.1 405 ") == 1000
    assert (client.closed, len(world.log)) == (None, 1000)


def test_requests_wait_while_the_client_does_not_take_its_answers():
    world = World()
    client = world.client()
    client.takes(0)
    client.sends(ONE + TWO)
    client.finishes()
    world.replica().sends(ok(b"x" * 100_000))
    assert b"/2" not in world.replica().seen

    client.takes()
    world.replica().sends(ok(b"two"))

    assert client.news().endswith(b"two")


def test_bytes_that_were_on_their_way_when_reading_was_paused_stop_nothing():
    world = World()
    client = world.asks(post(b"", length=100_005))
    replica = world.replica()
    replica.takes(0)
    client.sends(b"x" * 100_000)
    assert not client.reading

    client.protocol.dataReceived(b"hello")
    replica.takes()
    replica.sends(ok(b"zero"))
    client.sends(ONE)
    replica.sends(ok(b"one"))

    assert client.news() == ok(b"zero") + ok(b"one")


def test_a_pipelined_upload_is_not_read_before_it_has_a_replica():
    world = World()
    client = world.asks(ONE + post(b"begun", length=100_000))
    world.listeners["a"].mood = "is silent"
    world.replica().sends(ok(b"one", b"Connection: close"))
    assert world.listeners["a"].asked == 2

    client.sends(b"x" * 10_000)

    assert not client.reading


def test_a_pipelined_upload_is_read_once_it_has_a_replica():
    world = World()
    client = world.asks(ONE + post(b"", length=50_000) + b"x" * 20_000)
    assert not client.reading
    world.replica().sends(ok(b"one"))

    client.sends(b"x" * 30_000)
    world.replica().sends(ok(b"two"))

    assert client.news() == ok(b"one") + ok(b"two")
    assert len(body_of(body_of(world.replica().news()))) == 50_000


def test_an_answer_of_our_own_keeps_the_order_too():
    world = World()
    client = world.asks(ONE + get(method=b"TRACE") + TWO)

    world.replica().sends(ok(b"one"))
    world.replica().sends(ok(b"two"))

    seen = client.news()
    assert seen.startswith(ok(b"one") + b"HTTP/1.1 405 ")
    assert seen.endswith(ok(b"two"))


# Requests that cannot be served


def test_a_malformed_request_is_answered_400_and_nothing_behind_it_is_read():
    world = World()

    client = world.asks(b"GET / HTTP/1.1\r\nHost: a\r\nNo colon\r\n\r\n" + ONE)

    seen = client.news()
    assert seen.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert values_of(seen, b"connection") == [b"close"]
    assert client.ended
    assert world.opened() == 0
    assert world.log == [(400, "bad_request")]


def test_a_malformed_request_waits_for_the_answers_before_it():
    world = World()
    client = world.asks(ONE + b"GET\r\n\r\n")
    assert client.news() == b""

    world.replica().sends(ok(b"one"))

    seen = client.news()
    assert seen.startswith(ok(b"one") + b"HTTP/1.1 400 ")


def test_a_malformed_chunk_ends_everything_on_its_connection():
    world = World()
    client = world.asks(chunked_post())
    replica = world.replica()

    client.sends(b"5\r\nhello\r\nzz\r\n" + ONE)

    assert client.news().startswith(b"HTTP/1.1 400 ")
    assert client.ended
    assert replica.closed == "aborted"
    assert b"0\r\n\r\n" not in replica.seen
    assert (world.opened(), world.log) == (1, [(400, "bad_request")])


@pytest.mark.parametrize(
    ("reason", "status", "request_"),
    [
        ("uri_too_long", 414, b"GET /" + b"x" * 3000),
        ("header_too_large", 431, get(b"/", b"X-A: " + b"x" * 3000)),
        ("header_too_large", 431, get(b"/", *[b"X-A: b"] * 20)),
    ],
)
def test_a_head_has_limits(reason, status, request_):
    world = World(limits=Limits(header_size=2048, header_count=20))

    client = world.asks(request_)

    assert client.news().startswith(b"HTTP/1.1 %d " % status)
    assert client.ended
    assert world.log == [(status, reason)]


# The size of bodies


@pytest.mark.parametrize(
    ("why", "request_"),
    [
        ("its length is told", post(b"", length=11)),
        ("its length is told, and it is there", post(b"x" * 11)),
        ("it came with its head", chunked_post() + b"b\r\n" + b"x" * 11 + b"\r\n0\r\n\r\n"),
    ],
)
def test_a_body_over_the_limit_is_refused_before_a_replica_is_chosen(why, request_):
    world = World(limits=Limits(body_size=10))

    client = world.asks(request_)

    assert client.news().startswith(b"HTTP/1.1 413 ")
    assert world.listeners["a"].asked == 0
    assert world.log == [(413, "body_too_large")]


def test_a_chunked_body_is_refused_once_it_is_over_the_limit():
    world = World(limits=Limits(body_size=10))
    client = world.asks(chunked_post() + b"8\r\n12345678\r\n")
    replica = world.replica()
    assert client.news() == b""

    client.sends(b"3\r\n9ab\r\n")

    assert client.news().startswith(b"HTTP/1.1 413 ")
    assert replica.closed == "aborted"
    assert world.log == [(413, "body_too_large")]


@pytest.mark.parametrize("request_", [post(b"x" * 10), chunked_post() + b"a\r\n" + b"x" * 10 + b"\r\n0\r\n\r\n"])
def test_a_body_may_be_as_large_as_the_limit(request_):
    world = World(limits=Limits(body_size=10))

    client = world.asks(request_)
    world.replica().sends(ok(b"fine"))

    assert client.news() == ok(b"fine")


# The end of a connection


def test_a_client_that_closes_its_side_gets_the_answers_to_what_it_asked():
    world = World()
    client = world.asks(ONE + TWO)
    client.finishes()

    world.replica().sends(ok(b"one"))
    world.replica().sends(ok(b"two"))

    seen = client.news()
    assert body_of(seen).startswith(b"oneHTTP/1.1 200 OK")
    assert seen.endswith(b"two")
    assert client.finished


def test_the_last_answer_to_a_client_that_closed_its_side_says_close():
    world = World()
    client = world.asks(ONE)
    client.finishes()

    world.replica().sends(ok(b"one"))

    assert values_of(client.news(), b"connection") == [b"close"]
    assert client.closed == "closed"


@pytest.mark.parametrize(("why", "sent"), [("nothing", b""), ("an empty line", b"\r\n"), ("half a head", ONE[:20])])
def test_a_client_that_ends_without_a_request_is_left_without_a_word(why, sent):
    world = World()
    client = world.asks(sent)

    client.finishes()

    assert client.seen == b""
    assert client.lost
    assert world.log == []


def test_a_client_that_ends_within_its_upload_has_left():
    world = World()
    client = world.asks(post(b"half", length=100))
    replica = world.replica()

    client.finishes()

    assert client.closed == "aborted"
    assert replica.closed == "aborted"
    assert (world.log, world.in_flight) == ([(499, "client_abort")], 0)


def test_a_client_that_ended_behind_a_pipelined_upload_gets_its_answer():
    world = World()
    client = world.asks(ONE + post(b"whole"))
    client.finishes()

    world.replica().sends(ok(b"one"))
    world.replica().sends(ok(b"two"))

    assert client.news().endswith(b"two")
    assert world.log == [(200, ""), (200, "")]


def test_a_client_that_ended_within_a_pipelined_upload_has_left_when_it_is_that_one_s_turn():
    world = World()
    client = world.asks(ONE + post(b"half", length=100))
    client.finishes()

    world.replica().sends(ok(b"one"))

    assert client.news() == ok(b"one")
    assert client.closed == "aborted"
    assert world.log == [(200, ""), (499, "client_abort")]
    assert b"POST" not in world.replica().seen


def test_what_a_refused_client_still_sends_is_thrown_away():
    world = World(limits=Limits(body_size=10))
    client = world.asks(post(b"x" * 5, length=1_000_000))
    client.news()

    client.sends(b"x" * 60_000, ONE)

    assert client.reading
    assert (client.news(), len(world.log)) == (b"", 1)


def test_the_lines_that_are_for_us_are_not_the_replica_s():
    world = World()

    world.asks(get(b"/", b"Connection: x-mine", b"X-Mine: 1", b"Keep-Alive: timeout=5", b"X-Other: 2", b"X-Other: 3"))

    lines = lines_of(world.replica().news())
    assert lines[:3] == [b"Host: example.org", b"X-Other: 2", b"X-Other: 3"]
    assert not [line for line in lines if line.lower().startswith((b"connection", b"x-mine", b"keep-alive"))]
