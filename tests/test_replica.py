"""A connection to a replica: what is an answer, how it reaches the client, and at whose pace."""

import pytest

from support_proxying import (
    HIGH_WATER,
    World,
    body_of,
    chunked_post,
    get,
    lines_of,
    message,
    ok,
    post,
    service,
    values_of,
)
from vestri.model import Limits, Timeouts

CHUNKED = message(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked")
UNTIL_CLOSE = message(b"HTTP/1.1 200 OK", b"Content-Type: text/plain")
HELLO = b"5\r\nhello\r\n0\r\n\r\n"
BIG = b"x" * (HIGH_WATER + 1)

HTTP_10 = message(b"GET / HTTP/1.0", b"Connection: keep-alive")


# Framing, from the replica's to the client's


@pytest.mark.parametrize(
    ("why", "request_", "answer", "relayed"),
    [
        ("a length stays a length", get(), ok(b"hello"), ok(b"hello")),
        ("also of nothing", get(), ok(), ok()),
        ("chunks stay chunks", get(), CHUNKED + HELLO, CHUNKED + HELLO),
        ("even of nothing", get(), CHUNKED + b"0\r\n\r\n", CHUNKED + b"0\r\n\r\n"),
        ("chunks are written afresh", get(), CHUNKED + b"005;a=b\r\nhello\r\n00\r\n\r\n", CHUNKED + HELLO),
        (
            "HTTP/1.0 knows no chunks",
            HTTP_10,
            CHUNKED + HELLO,
            message(b"HTTP/1.1 200 OK", b"Connection: close") + b"hello",
        ),
        ("nor trailers", HTTP_10, CHUNKED + b"0\r\nX-T: 1\r\n\r\n", message(b"HTTP/1.1 200 OK", b"Connection: close")),
        ("HTTP/1.0 knows lengths", HTTP_10, ok(b"hello"), ok(b"hello", b"Connection: keep-alive")),
    ],
)
def test_an_answer_is_framed_for_its_client(why, request_, answer, relayed):
    world = World()
    client = world.asks(request_)

    world.replica().sends(answer)

    assert client.news() == relayed
    assert world.log == [(200, "")]


@pytest.mark.parametrize("size", [1, 7, 40])
def test_an_answer_is_the_same_in_any_pieces(size):
    answer = CHUNKED + b"5\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 1\r\n\r\n"
    world = World()
    client = world.asks(get())

    world.replica().sends(*(answer[at : at + size] for at in range(0, len(answer), size)))

    head, _, chunks = client.news().partition(b"\r\n\r\n")
    assert head + b"\r\n\r\n" == CHUNKED
    assert chunks.endswith(b"0\r\nX-Sum: 1\r\n\r\n")
    assert world.observer.last.bytes_out == 11


def test_what_is_there_of_an_answer_goes_out_at_once():
    world = World()
    client = world.asks(get())
    replica = world.replica()

    replica.sends(CHUNKED)
    assert client.news() == CHUNKED
    for event in (b"data: 1\n\n", b"data: 2\n\n"):
        replica.sends(b"9\r\n" + event + b"\r\n")
        assert client.news() == b"9\r\n" + event + b"\r\n"


def test_the_end_of_the_connection_may_end_an_answer():
    world = World()
    client = world.asks(get())
    replica = world.replica()
    replica.sends(UNTIL_CLOSE + b"hel", b"lo")

    replica.finishes()
    client.sends(get())

    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert client.news() == head + b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
    assert world.log == [(200, "")]
    assert world.opened() == 2


def test_for_http_1_0_the_end_of_the_connection_is_the_end_of_the_answer_too():
    world = World()
    client = world.asks(HTTP_10)
    replica = world.replica()
    replica.sends(UNTIL_CLOSE + b"hel", b"lo")
    assert not client.finished

    replica.finishes()

    assert body_of(client.news()) == b"hello"
    assert client.finished


def test_a_reset_is_no_end_of_an_answer():
    world = World()
    client = world.asks(get())
    world.replica().sends(UNTIL_CLOSE + b"hel")

    world.replica().resets()

    assert client.closed == "aborted"
    assert not client.seen.endswith(b"0\r\n\r\n")
    assert world.log == [(200, "upstream_reset")]


@pytest.mark.parametrize(
    ("why", "method", "answer"),
    [
        ("the answer to HEAD", b"HEAD", ok(b"", length=5)),
        ("204", b"GET", message(b"HTTP/1.1 204 No Content")),
        ("304 with the length of what there would be", b"GET", ok(b"", length=5, status=b"304 Not Modified")),
    ],
)
def test_an_answer_has_no_body_if_it_is(why, method, answer):
    world = World()
    client = world.asks(get(method=method), get())

    world.replica().sends(answer)
    world.replica().sends(ok(b"next"))

    assert client.news() == answer + ok(b"next")
    assert world.opened() == 1


def test_a_head_s_chunked_coding_promises_no_chunks():
    world = World()
    client = world.asks(get(method=b"HEAD"), get())

    world.replica().sends(CHUNKED)
    world.replica().sends(ok(b"next"))

    assert body_of(client.news()) == ok(b"next")


def test_a_204_never_says_a_length():
    world = World()
    client = world.asks(get())

    world.replica().sends(ok(b"", length=0, status=b"204 No Content"))

    assert client.news() == message(b"HTTP/1.1 204 No Content")


# Fields


def test_fields_keep_their_order_and_their_repetitions():
    lines = [b"Set-Cookie: b=1", b"Server: x", b"set-cookie: a=2", b"Date: today", b"X-Odd: \xe9"]
    world = World()
    client = world.asks(get())

    world.replica().sends(ok(b"", *lines))

    assert lines_of(client.news()) == [*lines, b"Content-Length: 0"]


def test_fields_of_the_replica_s_connection_stay_there():
    hop = [b"Connection: keep-alive, X-Mine", b"X-Mine: 1", b"Keep-Alive: timeout=5", b"Proxy-Authenticate: Basic"]
    world = World()
    client = world.asks(get())

    world.replica().sends(ok(b"", *hop, b"X-Theirs: 2"))

    assert lines_of(client.news()) == [b"X-Theirs: 2", b"Content-Length: 0"]


def test_nothing_is_invented():
    world = World()
    client = world.asks(get())

    world.replica().sends(ok(b"hi"))

    assert lines_of(client.news()) == [b"Content-Length: 2"]


def test_a_replica_cannot_speak_for_us():
    world = World()
    client = world.asks(get())

    world.replica().sends(ok(b"", b"Vestri-Reason: no_route"))

    assert values_of(client.news(), b"vestri-reason") == []


# When the connection is used again


@pytest.mark.parametrize(
    ("why", "answer", "again"),
    [
        ("HTTP/1.1 stays", ok(), True),
        ("the replica closes", ok(b"", b"Connection: close"), False),
        ("HTTP/1.0 closes", ok().replace(b"1.1", b"1.0"), False),
        ("HTTP/1.0 may stay", ok(b"", b"Connection: keep-alive").replace(b"1.1", b"1.0"), True),
        ("bytes behind the answer", ok(b"hi") + b"x", False),
        ("bytes behind an answer without a body", message(b"HTTP/1.1 204 No Content") + b"x", False),
        ("bytes behind the last chunk", CHUNKED + HELLO + b"\r\n", False),
    ],
)
def test_a_connection_is_used_again_when(why, answer, again):
    world = World()
    client = world.asks(get())
    world.replica().sends(answer)

    client.sends(get())

    assert (world.opened() == 1) is again
    assert (world.listeners["a"].connections[0].closed is None) is again


@pytest.mark.parametrize(
    "pieces",
    [
        [ok(b"", length=5), b"hello"],
        [ok(b"he", length=5), b"llo"],
        [CHUNKED, b"5\r\nhello\r\n", b"0\r\n\r\n"],
        [CHUNKED + b"5\r\nhello\r\n0\r\n", b"\r\n"],
    ],
)
def test_a_connection_is_used_again_after_an_answer_in_pieces(pieces):
    world = World()
    client = world.asks(get())
    world.replica().sends(*pieces)

    client.sends(get(b"/next"))

    assert world.opened() == 1
    assert b"GET /next" in world.replica().seen


def test_bytes_behind_an_answer_that_came_in_pieces_are_nobody_s():
    world = World()
    client = world.asks(get())
    world.replica().sends(ok(b"", length=5), b"hello" + ok(b"forged"))

    client.sends(get())

    assert client.news() == ok(b"hello")
    assert world.opened() == 2


def test_bytes_that_nobody_asked_for_end_an_idle_connection():
    world = World()
    client = world.asks(get())
    world.replica().sends(ok())

    world.replica().sends(ok(b"forged"))
    client.sends(get())

    assert client.news() == ok()
    assert world.listeners["a"].connections[0].closed == "aborted"


# Timeouts


def test_an_answer_that_does_not_come_is_504():
    world = World("a", "b", timeouts=Timeouts(response=30))
    client = world.asks(get())

    world.wait(29.75)
    assert client.seen == b""
    world.wait(0.25)

    assert client.news().startswith(b"HTTP/1.1 504 ")
    assert (world.replica("a").closed, world.opened("b")) == ("aborted", 0)
    assert world.log == [(504, "response_timeout")]


def test_half_a_head_is_no_answer():
    world = World(timeouts=Timeouts(response=30))
    client = world.asks(get())
    world.replica().sends(b"HTTP/1.1 200 OK\r\n")

    world.wait(30)

    assert client.news().startswith(b"HTTP/1.1 504 ")


def test_the_answer_is_due_from_the_end_of_the_upload():
    world = World(timeouts=Timeouts(response=30, client_body=100), limits=Limits(min_rate=None))
    client = world.asks(post(b"1", length=2))
    world.wait(50)
    client.sends(b"2")

    world.wait(29.75)
    assert client.seen == b""
    world.wait(0.25)

    assert client.news().startswith(b"HTTP/1.1 504 ")


def test_interim_answers_win_no_time():
    world = World(timeouts=Timeouts(response=10))
    client = world.asks(get())

    for _ in range(5):
        world.wait(2)
        world.replica().sends(message(b"HTTP/1.1 103 Early Hints"))

    assert world.log == [(504, "response_timeout")]
    assert client.news().count(b"103") >= 4


def test_an_answer_that_falls_silent_is_cut():
    world = World(timeouts=Timeouts(idle=60))
    client = world.asks(get())
    world.replica().sends(ok(b"x", length=10))
    world.wait(50)
    world.replica().sends(b"x")

    world.wait(59.75)
    assert client.closed is None
    world.wait(0.25)

    assert (client.closed, world.replica().closed) == ("aborted", "aborted")
    assert (world.log, world.in_flight) == ([(200, "response_timeout")], 0)


def test_an_attempt_may_take_so_long_until_its_head_is_there():
    world = World(timeouts=Timeouts(per_try=5, response=30, connect=10))
    world.listeners["a"].mood = "is silent"
    early = world.asks(get())
    world.wait(5)
    assert early.news().startswith(b"HTTP/1.1 504 ")
    world.listeners["a"].mood = "accepts"
    client = world.asks(get())

    world.wait(4.75)
    assert client.seen == b""
    world.wait(0.25)

    assert client.news().startswith(b"HTTP/1.1 504 ")
    assert world.log == [(504, "connect_timeout"), (504, "response_timeout")]


def test_an_attempt_s_limit_ends_with_the_head():
    world = World(timeouts=Timeouts(per_try=5))
    client = world.asks(get())
    world.wait(4)
    world.replica().sends(ok(b"x", length=2))

    world.wait(20)
    world.replica().sends(b"y")

    assert client.news() == ok(b"xy")


def test_an_attempt_s_limit_ends_with_the_head_though_the_upload_goes_on():
    world = World(timeouts=Timeouts(per_try=5, client_body=100), limits=Limits(min_rate=None))
    client = world.asks(chunked_post() + b"1\r\na\r\n")
    world.replica().sends(CHUNKED + b"1\r\nA\r\n")
    client.sends(b"0\r\n\r\n")

    world.wait(20)
    world.replica().sends(b"0\r\n\r\n")

    assert body_of(client.news()) == b"1\r\nA\r\n0\r\n\r\n"


def test_an_answer_that_had_begun_before_the_upload_ended_may_not_fall_silent_either():
    world = World(timeouts=Timeouts(idle=10, client_body=100))
    client = world.asks(chunked_post() + b"1\r\na\r\n")
    world.replica().sends(CHUNKED + b"1\r\nA\r\n")
    world.wait(5)
    client.sends(b"0\r\n\r\n")

    world.wait(10)

    assert client.closed == "aborted"
    assert world.log == [(200, "response_timeout")]


def test_a_replica_that_takes_no_upload_is_too_slow():
    world = World(timeouts=Timeouts(idle=60))
    client = world.asks(post(b"", length=10_000_000))
    world.replica().takes(0)
    client.sends(BIG)

    world.wait(60)

    assert client.news().startswith(b"HTTP/1.1 504 ")
    assert world.log == [(504, "response_timeout")]


def test_a_replica_that_takes_the_upload_again_in_time_has_all_its_time_again():
    world = World(timeouts=Timeouts(idle=60, client_body=None), limits=Limits(min_rate=None))
    client = world.asks(post(b"", length=10_000_000))
    world.replica().takes(0)
    client.sends(BIG)
    world.wait(50)

    world.replica().takes()
    world.wait(50)

    assert (world.log, client.closed) == ([], None)


@pytest.mark.parametrize("key", ["response", "idle"])
def test_each_timeout_may_be_off(key):
    world = World(timeouts=Timeouts(**{key: None}))
    client = world.asks(get())
    if key == "idle":
        world.replica().sends(ok(b"", length=1))

    world.wait(300)

    assert (client.closed, world.log) == (None, [])


# The pace of the slower side


def test_a_client_that_does_not_read_stops_the_replica():
    world = World()
    client = world.client()
    client.takes(0)
    client.sends(get())
    replica = world.replica()

    replica.sends(ok(b"", length=3 * len(BIG)), BIG, BIG, BIG)

    assert not replica.reading
    assert client.pending() < 2 * len(BIG)


def test_a_client_that_reads_on_gets_the_rest():
    world = World()
    client = world.client()
    client.takes(0)
    client.sends(get())
    replica = world.replica()
    replica.sends(ok(b"", length=3 * len(BIG)), BIG, BIG, BIG)

    client.takes()

    assert len(body_of(client.news())) == 3 * len(BIG)
    assert world.log == [(200, "")]


def test_the_next_exchange_does_not_inherit_a_pause():
    world = World()
    client = world.client()
    client.takes(0)
    client.sends(get(), get())
    replica = world.replica()
    replica.sends(ok(BIG))
    assert client.pending()

    client.takes()
    replica.sends(ok(b"next"))

    assert world.opened() == 1
    assert client.news() == ok(BIG) + ok(b"next")


def test_the_next_request_waits_until_the_client_has_taken_the_answer():
    world = World()
    client = world.client()
    client.takes(0)
    client.sends(get())
    world.replica().sends(ok(BIG))
    world.replica().news()

    client.sends(get())
    assert world.replica().news() == b""
    client.takes()

    assert world.replica().news().startswith(b"GET / ")


def test_silence_is_no_fault_of_a_replica_that_has_to_wait():
    world = World(timeouts=Timeouts(idle=10, client_write=None), limits=Limits(min_rate=None))
    client = world.client()
    client.takes(0)
    client.sends(get())
    world.replica().sends(ok(BIG, length=2 * len(BIG)))

    world.wait(60)
    client.takes()
    world.replica().sends(BIG)

    assert world.log == [(200, "")]


def test_after_its_wait_a_replica_may_not_fall_silent():
    world = World(timeouts=Timeouts(idle=10))
    client = world.client()
    client.takes(0)
    client.sends(get())
    world.replica().sends(ok(BIG, length=2 * len(BIG)))
    world.wait(20)

    client.takes()
    world.wait(10)

    assert world.log == [(200, "response_timeout")]


def test_a_replica_that_does_not_read_stops_the_upload():
    world = World()
    client = world.asks(post(b"", length=3 * len(BIG)))
    replica = world.replica()
    replica.takes(0)

    client.sends(BIG, BIG, BIG)

    assert not client.reading
    assert replica.pending() < 2 * len(BIG)


def test_a_replica_that_reads_on_gets_the_rest():
    world = World()
    client = world.asks(post(b"", length=3 * len(BIG)))
    replica = world.replica()
    replica.takes(0)
    client.sends(BIG, BIG, BIG)

    replica.takes()
    replica.sends(ok(b"thanks"))

    assert len(body_of(replica.news())) == 3 * len(BIG)
    assert client.news() == ok(b"thanks")


def test_a_client_that_sent_too_far_ahead_waits_though_the_replica_reads_on():
    world = World()
    client = world.asks(post(b"", length=len(BIG)))
    replica = world.replica()
    replica.takes(0)
    client.sends(BIG, *[get(b"/" + b"x" * 5000)] * 4)
    client.sends(*[get(b"/" + b"x" * 5000)] * 4)
    assert not client.reading

    replica.takes()

    assert not client.reading


def test_a_paused_upload_that_is_answered_early_leaves_a_client_that_is_read():
    world = World()
    client = world.asks(post(b"", length=3 * len(BIG)))
    replica = world.replica()
    replica.takes(0)
    client.sends(BIG)
    assert not client.reading

    replica.sends(ok(b"enough", status=b"413 Content Too Large"))

    assert client.reading
    assert body_of(client.news()) == b"enough"


def test_a_connection_that_is_not_used_again_is_closed_once_the_replica_has_taken_what_was_written():
    world = World()
    client = world.asks(post(b"", length=3 * len(BIG)))
    replica = world.replica()
    replica.takes(0)
    client.sends(BIG)
    replica.sends(ok(b"enough"))
    assert not replica.finished

    replica.takes()

    assert replica.finished
    assert body_of(replica.news()) == BIG


def test_a_client_may_leave_while_the_replica_waits_for_it():
    world = World()
    client = world.client()
    client.takes(0)
    client.sends(get())
    world.replica().sends(ok(b"", length=3 * len(BIG)), BIG, BIG)

    client.resets()

    assert world.replica().closed == "aborted"
    assert (world.log, world.in_flight) == ([(200, "client_abort")], 0)


def test_two_services_do_not_share_their_timeouts():
    fast = service("fast", "/fast", ["a"], timeouts=Timeouts(response=1))
    slow = service("slow", "/slow", ["b"], timeouts=Timeouts(response=100))
    world = World(services=[fast, slow])
    world.asks(get(b"/slow"))
    world.asks(get(b"/fast"))

    world.wait(5)

    assert [each.service for each in world.observer.exchanges] == ["fast"]
