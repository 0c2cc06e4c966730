"""A request that a stock twisted.web site has read ends as if it had come to a listener of ours."""

import pytest

from support_proxying import Stock, World, body_of, get, lines_of, message, ok, post, service, values_of
from vestri.model import Limits, Timeouts

CHUNKED = message(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked")


def comparable(head):
    """What of a head is the same on both ways: its lines, in any order and case, but for those that always differ."""
    differing = {b"date", b"connection", b"x-request-id"}
    pairs = [line.split(b": ", 1) for line in lines_of(head)]
    return sorted([name.lower(), value] for name, value in pairs if name.lower() not in differing)


def both(request, answer, **world):
    """(request as the replica saw it, answer as the client saw it) on our way, and through a stock site."""
    seen = []
    for client_of in (lambda world: world.client(), Stock):
        one = World(**world)
        client = client_of(one)
        client.sends(request)
        for connection in one.listeners["a"].connections:
            connection.sends(answer)
        requests = [bytes(connection.seen) for connection in one.listeners["a"].connections]
        seen.append((requests, client.news(), one.log))
    return seen


@pytest.mark.parametrize(
    ("why", "request_", "answer"),
    [
        ("a page", get(b"/a%2Fb?x=1&y"), ok(b"hello", b"Content-Type: text/plain", b"X-A: 1", b"X-A: 2")),
        ("cookies, in order", get(b"/", b"Cookie: a=1", b"Cookie: b=2"), ok(b"", b"Set-Cookie: b", b"Set-Cookie: a")),
        ("an upload", post(b"hello"), ok(b"thanks", status=b"201 Created")),
        ("a form", post(b"a=1&b=2", b"Content-Type: application/x-www-form-urlencoded"), ok(b"thanks")),
        ("chunks", get(), CHUNKED + b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"),
        ("a phrase of its own", get(), ok(b"", status=b"299 Mostly Fine")),
        ("HEAD", get(method=b"HEAD"), ok(b"", length=5)),
        ("204", get(), message(b"HTTP/1.1 204 No Content", b"X-A: 1")),
        ("304", get(), message(b"HTTP/1.1 304 Not Modified", b"ETag: x")),
        ("Server and Date of the replica", get(), ok(b"", b"Server: nginx", b"Date: then")),
        (
            "hop-by-hop fields",
            get(b"/", b"Connection: x-a", b"X-A: 1"),
            ok(b"", b"Keep-Alive: 5", b"Connection: x-b", b"X-B: 1"),
        ),
        ("an unknown method", get(method=b"PROPFIND"), ok(b"found", status=b"207 Multi-Status")),
        ("a replica that talks nonsense", get(), b"nonsense\r\n"),
        ("a path above the root", get(b"/../x"), b""),
        ("a loop", get(b"/", b"Via: 1.1 vestri-test"), b""),
        ("TRACE", get(method=b"TRACE"), b""),
        ("forged origins", get(b"/", b"X-Forwarded-For: 10.0.0.1"), ok()),
    ],
)
def test_both_ways_are_one(why, request_, answer):
    (ours, direct, our_log), (stock, through, stock_log) = both(request_, answer)

    assert [comparable(each) for each in stock] == [comparable(each) for each in ours]
    assert [each.split(b"\r\n")[0] for each in stock] == [each.split(b"\r\n")[0] for each in ours]
    assert through.split(b"\r\n")[0] == direct.split(b"\r\n")[0]
    assert comparable(through) == comparable(direct)
    assert b"request: " in body_of(direct) or body_of(through) == body_of(direct)
    assert stock_log == our_log


@pytest.mark.parametrize("size", [5, 11])
def test_the_limit_of_bodies_holds_on_both_ways(size):
    limits = Limits(body_size=10)

    ours, stock = both(post(b"x" * size), ok(b"fine"), limits=limits)

    assert stock[2] == ours[2]
    assert stock[1].split(b"\r\n")[0] == ours[1].split(b"\r\n")[0]


def test_http_1_0_without_a_host_is_served_on_both_ways():
    ours, stock = both(message(b"GET / HTTP/1.0"), ok(b"fine"))

    assert [comparable(each) for each in stock[0]] == [comparable(each) for each in ours[0]]
    assert stock[2] == ours[2] == [(200, "")]


def test_a_path_of_nobody_is_404_on_both_ways():
    ours, stock = both(get(b"/else"), b"", services=[service(path="/api/v1")])

    assert stock[2] == ours[2] == [(404, "no_route")]
    assert values_of(stock[1], b"vestri-reason") == [b"no_route"]


def test_an_answer_streams_as_it_comes():
    world = World()
    client = Stock(world)
    client.sends(get())
    replica = world.replica()

    replica.sends(CHUNKED + b"1\r\na\r\n")
    assert body_of(client.news()) == b"1\r\na\r\n"
    replica.sends(b"1\r\nb\r\n")
    assert client.news() == b"1\r\nb\r\n"
    replica.sends(b"0\r\n\r\n")

    assert client.news() == b"0\r\n\r\n"
    assert world.log == [(200, "")]


def test_a_large_answer_arrives_whole():
    """Of which Vestri's own connections let most pass unread."""
    pieces = [bytes([number]) * 64 * 1024 for number in range(20)]
    world = World()
    client = Stock(world)
    client.sends(get())

    world.replica().sends(ok(length=sum(map(len, pieces))), *pieces)

    assert body_of(client.news()) == b"".join(pieces)
    assert world.log == [(200, "")]


def test_one_connection_carries_request_after_request():
    world = World()
    client = Stock(world)

    for _ in range(3):
        client.sends(get())
        world.replica().sends(ok(b"hi"))
        assert body_of(client.news()) == b"hi"

    assert world.opened() == 1


def test_a_client_that_does_not_read_stops_the_replica():
    world = World()
    client = Stock(world)
    client.sends(get())
    replica = world.replica()
    replica.sends(ok(b"", length=10))

    client.transport.producer.pauseProducing()
    assert not replica.reading
    client.transport.producer.resumeProducing()

    assert replica.reading


def test_a_client_that_leaves_stops_the_replica_s_work():
    world = World()
    client = Stock(world)
    client.sends(get())

    client.resets()

    assert world.replica().closed == "aborted"
    assert (world.log, world.in_flight) == ([(499, "client_abort")], 0)


def test_an_answer_that_breaks_off_is_cut_for_the_client_too():
    world = World()
    client = Stock(world)
    client.sends(get())
    world.replica().sends(ok(b"hal", length=10))

    world.replica().finishes()

    assert client.transport.disconnecting
    assert world.log == [(200, "upstream_reset")]


def test_interim_answers_are_left_out():
    world = World()
    client = Stock(world)
    client.sends(get())

    world.replica().sends(message(b"HTTP/1.1 103 Early Hints"), ok(b"done"))

    assert client.news().startswith(b"HTTP/1.1 200 OK\r\n")


def test_the_whole_request_may_take_so_long_on_this_way_too():
    world = World(timeouts=Timeouts(total=20))
    client = Stock(world)
    client.sends(get())

    world.wait(20)

    assert client.news().startswith(b"HTTP/1.1 504 ")
    assert world.log == [(504, "total_timeout")]


def test_a_request_that_nobody_takes_is_watched_no_more():
    world = World(timeouts=Timeouts(total=20))
    world.destinations["web"].pool.set_up("a", False)
    client = Stock(world)
    client.sends(get())
    client.news()

    world.wait(40)

    assert (client.news(), world.log) == (b"", [(503, "no_replica")])


def test_a_malformed_head_is_refused_as_everywhere():
    world = World()
    client = Stock(world)

    client.sends(b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n")

    answer = client.news()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert values_of(answer, b"vestri-reason") == [b"bad_request"]
    assert world.log == [(400, "bad_request")]
