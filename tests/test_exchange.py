"""One request's life: what the replica gets, and what the client is told, whatever either of them does."""

import pytest

from support_proxying import (
    CLIENT,
    SWITCH,
    UPGRADE,
    World,
    body_of,
    chunked_post,
    get,
    lines_of,
    message,
    ok,
    post,
    replica,
    service,
    values_of,
)
from vestri.model import Timeouts


def status_of(answer):
    return int(answer.split(b" ", 2)[1])


def client_s_request_id(world):
    """Of the one request that a client waits for."""
    world.replica().resets()
    return world.observer.last.request_id


# What a replica gets


def test_a_replica_gets_the_request_written_afresh():
    world = World()

    start = b"GET /a%2Fb?x=%zz&y HTTP/1.1"
    world.asks(message(start, b"hOsT:example.org", b"X-Odd:\t  caf\xe9 \t", b"Cookie: a", b"cookie: b"))

    head = world.replica().news()
    assert head.startswith(start + b"\r\n")
    assert lines_of(head)[:4] == [b"Host: example.org", b"X-Odd: caf\xe9", b"Cookie: a", b"cookie: b"]


def test_a_replica_is_told_where_the_request_came_from_whatever_the_client_says():
    world = World()

    forged = b"X-Forwarded-For: 10.1.1.1", b"X_Forwarded_For: 10.1.1.2", b"X-Real-IP: 10.1.1.3", b"Forwarded: for=x"
    world.asks(get(b"/", *forged))

    assert lines_of(world.replica().news()) == [
        b"Host: example.org",
        b"X-Forwarded-For: " + CLIENT.encode(),
        b"X-Real-IP: " + CLIENT.encode(),
        b"X-Forwarded-Proto: http",
        b"X-Forwarded-Host: example.org",
        b"Via: 1.1 vestri-test",
        b"X-Request-ID: " + client_s_request_id(world),
    ]


def test_each_request_has_an_id_of_its_own():
    world = World()
    client = world.asks(get())
    world.replica().sends(ok())
    client.sends(get())
    world.replica().sends(ok())

    ids = values_of(world.replica().seen, b"x-request-id"), [each.request_id for each in world.observer.exchanges]

    assert ids[0] == ids[1][:1]
    assert len(set(ids[1])) == 2


@pytest.mark.parametrize("pieces", [[chunked_post() + b"0\r\n\r\n"], [chunked_post(), b"0\r\n\r\n"]])
def test_an_empty_body_in_chunks_ends_for_the_replica_too(pieces):
    world = World()

    world.asks(*pieces)

    assert body_of(world.replica().news()) == b"0\r\n\r\n"


def test_a_replica_with_a_base_path_gets_the_path_below_it():
    world = World(services=[service(replicas=[replica("a", base_path="/base")])])

    world.asks(get(b"/x/../y%7e?q=/../z"))

    assert world.replica().news().startswith(b"GET /base/y~?q=/../z HTTP/1.1\r\n")


def test_a_client_of_http_1_0_does_not_show():
    world = World()

    world.asks(message(b"GET / HTTP/1.0"))

    head = world.replica().news()
    assert head.startswith(b"GET / HTTP/1.1\r\nHost: a.test\r\n")
    assert values_of(head, b"via") == [b"1.0 vestri-test"]


def test_methods_are_no_concern_of_ours():
    world = World()

    world.asks(get(b"/", method=b"BREW"))

    assert world.replica().news().startswith(b"BREW / HTTP/1.1\r\n")


# What is for us alone


@pytest.mark.parametrize(
    ("status", "request_"),
    [
        (405, get(method=b"TRACE")),
        (501, message(b"CONNECT example.org:443 HTTP/1.1", b"Host: example.org:443")),
    ],
)
def test_methods_for_the_proxy_itself_are_refused(status, request_):
    world = World()

    client = world.asks(request_, get())

    assert status_of(client.news()) == status
    assert client.closed is None
    assert world.log == [(status, "method_refused")]
    assert world.opened() == 1


def test_a_path_of_no_service_is_not_found():
    world = World(services=[service(path="/api")])

    client = world.asks(get(b"/apis"))

    assert status_of(client.news()) == 404
    assert (world.log, world.observer.last.service) == ([(404, "no_route")], None)


def test_a_path_above_the_root_is_a_bad_request():
    world = World()

    client = world.asks(get(b"/a/../../etc"))

    assert status_of(client.news()) == 400
    assert world.opened() == 0


@pytest.mark.parametrize(
    ("status", "via"), [(508, b"1.1 other, 1.1 vestri-test"), (508, b"1.0 vestri-test (x)"), (200, b"1.1 vestri-other")]
)
def test_a_request_that_has_been_here_is_a_loop(status, via):
    world = World()

    client = world.asks(get(b"/", b"Via: " + via))
    for connection in world.listeners["a"].connections:
        connection.sends(ok())

    assert status_of(client.news()) == status


def test_without_a_replica_that_is_up_it_is_503_at_once():
    world = World("a", "b")
    for name in ("a", "b"):
        world.destinations["web"].pool.set_up(name, False)

    client = world.asks(get())

    answer = client.news()
    assert status_of(answer) == 503
    assert values_of(answer, b"retry-after") == [b"1"]
    assert client.closed is None
    assert world.log == [(503, "no_replica")]


def test_a_fault_of_ours_is_500_and_logged(failures):
    world = World()
    world.destinations["web"].selector.acquire = None

    client = world.asks(get())

    assert status_of(client.news()) == 500
    assert world.log == [(500, "internal_error")]
    assert [event["log_failure"].type for event in failures] == [TypeError]
    failures.clear()


# Replicas that break off


@pytest.mark.parametrize(
    "begun",
    [
        ok(b"hello", length=10),
        message(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked") + b"5\r\nhello\r\n",
        message(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked") + b"a\r\nhello",
    ],
)
@pytest.mark.parametrize("how", ["finishes", "resets"])
def test_an_answer_that_breaks_off_is_cut_for_the_client_too(begun, how):
    world = World()
    client = world.asks(get())
    world.replica().sends(begun)

    getattr(world.replica(), how)()

    assert client.closed == "aborted"
    assert not client.seen.endswith(b"0\r\n\r\n")
    assert (world.log, world.in_flight) == ([(200, "upstream_reset")], 0)


@pytest.mark.parametrize(
    ("why", "answer"),
    [
        ("not HTTP", b"SSH-2.0-OpenSSH\r\n"),
        ("a bad status", b"HTTP/1.1 20 OK\r\n\r\n"),
        ("two lengths", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx"),
        ("a bad first chunk", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello"),
    ],
)
def test_an_answer_that_is_not_http_is_502(why, answer):
    world = World()
    client = world.asks(get())

    world.replica().sends(answer)

    assert status_of(client.news()) == 502
    assert (world.log, world.replica().closed) == ([(502, "bad_response")], "aborted")


def test_a_fault_within_an_answer_cuts_it():
    world = World()
    client = world.asks(get())
    world.replica().sends(message(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked") + b"5\r\nhello\r\n")

    world.replica().sends(b"zz\r\n")

    assert client.closed == "aborted"
    assert world.log == [(200, "bad_response")]


# Clients that leave


@pytest.mark.parametrize(
    ("why", "request_", "answer", "logged"),
    [
        ("before the answer", get(), b"", (499, "client_abort")),
        ("within its upload", post(b"x", length=10), b"", (499, "client_abort")),
        ("within the answer", get(), ok(b"x", length=10), (200, "client_abort")),
    ],
)
def test_a_client_that_leaves_stops_the_replica_s_work(why, request_, answer, logged):
    world = World()
    client = world.asks(request_)
    world.replica().sends(answer)

    client.resets()

    assert world.replica().closed == "aborted"
    assert (world.log, world.in_flight) == ([logged], 0)


# Answers before the end of the request


@pytest.mark.parametrize("status", [b"413 Content Too Large", b"401 Unauthorized"])
def test_an_early_final_answer_reaches_the_client_and_ends_the_connection_cleanly(status):
    world = World()
    client = world.asks(post(b"x" * 10, length=1000))

    world.replica().sends(ok(b"no", status=status))
    client.sends(b"x" * 500)

    assert client.news() == ok(b"no", b"Connection: close", status=status)
    assert (client.ended, client.lost) == (True, False)
    assert world.replica().closed
    assert world.log == [(int(status[:3]), "")]


def test_a_connection_whose_request_was_not_taken_whole_is_not_used_again():
    world = World()
    world.asks(post(b"x" * 10, length=1000))
    world.replica().sends(ok())

    world.asks(get())

    assert world.opened() == 2


def test_an_answer_may_begin_while_the_upload_goes_on():
    world = World()
    client = world.asks(chunked_post() + b"1\r\na\r\n")
    replica = world.replica()
    replica.sends(message(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked") + b"1\r\nA\r\n")
    assert body_of(client.news()) == b"1\r\nA\r\n"

    client.sends(b"1\r\nb\r\n")
    replica.sends(b"1\r\nB\r\n")
    client.sends(b"0\r\n\r\n")
    replica.sends(b"0\r\n\r\n")

    assert body_of(replica.news()) == b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n"
    assert client.news() == b"1\r\nB\r\n0\r\n\r\n"
    assert world.log == [(200, "")]


# 100 (Continue) and its kin

WAITING = post(b"", b"Expect: 100-continue", length=5)
INVITATION = b"HTTP/1.1 100 Continue\r\n\r\n"


def test_the_replica_s_100_is_passed_to_a_client_that_waits_for_it():
    world = World()
    client = world.asks(WAITING)
    assert values_of(world.replica().news(), b"expect") == [b"100-continue"]

    world.replica().sends(INVITATION)
    client.sends(b"hello")
    world.replica().sends(ok(b"done"))

    assert client.news() == INVITATION + ok(b"done")
    assert world.replica().news() == b"hello"


def test_a_client_is_told_100_once():
    world = World()
    client = world.asks(WAITING)

    world.replica().sends(INVITATION * 2)
    world.wait(3)

    assert client.news() == INVITATION


@pytest.mark.parametrize(("why", "request_"), [("did not ask", get()), ("has begun to send", WAITING + b"he")])
def test_a_100_is_not_for_a_client_that(why, request_):
    world = World()
    client = world.asks(request_)

    world.replica().sends(INVITATION)

    assert client.news() == b""


def test_a_final_status_in_place_of_100_is_the_answer():
    world = World()
    client = world.asks(WAITING)

    world.replica().sends(ok(b"no", status=b"417 Expectation Failed"))

    assert client.news() == ok(b"no", b"Connection: close", status=b"417 Expectation Failed")
    assert client.ended


@pytest.mark.parametrize("who", ["the replica", "we"])
def test_hints_are_no_invitation(who):
    hints = message(b"HTTP/1.1 103 Early Hints")
    world = World()
    client = world.asks(WAITING)
    world.replica().sends(hints)
    assert client.news() == hints

    if who == "the replica":
        world.replica().sends(INVITATION)
    else:
        world.wait(2)

    assert client.news() == INVITATION


def test_nobody_is_invited_in_the_middle_of_an_answer():
    world = World()
    client = world.asks(WAITING)
    begun = message(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked") + b"1\r\na\r\n"
    world.replica().sends(begun)
    assert body_of(client.news()) == b"1\r\na\r\n"

    world.wait(5)

    assert client.news() == b""


def test_interim_answers_are_passed_on_before_the_final_one():
    hints = message(b"HTTP/1.1 103 Early Hints", b"Link: </a.css>; rel=preload", b"Link: </b.js>")
    world = World()
    client = world.asks(get())

    world.replica().sends(hints + hints + ok(b"done"))

    assert client.news() == hints + hints + ok(b"done")
    assert [each.status for each in world.observer.exchanges] == [200]


def test_interim_answers_are_nothing_for_http_1_0():
    world = World()
    client = world.asks(message(b"GET / HTTP/1.0", b"Connection: keep-alive"))

    world.replica().sends(message(b"HTTP/1.1 103 Early Hints") + ok(b"done"))

    assert client.news() == ok(b"done", b"Connection: keep-alive")


def test_interim_answers_without_end_are_a_fault():
    world = World()
    client = world.asks(get())

    world.replica().sends(message(b"HTTP/1.1 102 Processing") * 33)

    assert client.news().endswith(b"bad_response\nrequest: %b\n" % world.observer.last.request_id)
    assert world.replica().closed == "aborted"


# Switches of protocol that nobody wants


@pytest.mark.parametrize(
    ("why", "request_"),
    [
        ("nobody asked", get()),
        ("Connection did not name it", get(b"/", b"Upgrade: websocket")),
        ("h2c is not for us", get(b"/", b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c")),
        ("HTTP/1.0 has no upgrade", message(b"GET / HTTP/1.0", b"Connection: Upgrade", b"Upgrade: websocket")),
        ("the request is not over", post(b"", b"Connection: Upgrade", b"Upgrade: websocket", length=5)),
    ],
)
def test_a_101_is_a_fault_when(why, request_):
    world = World()
    client = world.asks(request_)

    world.replica().sends(SWITCH)

    assert status_of(client.news()) == 502
    assert (world.log, world.replica().closed) == ([(502, "bad_response")], "aborted")


def test_a_101_that_names_no_protocol_is_a_fault():
    world = World()
    client = world.asks(UPGRADE)

    world.replica().sends(message(b"HTTP/1.1 101 Switching Protocols"))

    assert status_of(client.news()) == 502


def test_a_refused_upgrade_leaves_the_connection_usable():
    world = World()
    client = world.asks(UPGRADE)
    assert values_of(world.replica().news(), b"upgrade") == [b"websocket"]

    world.replica().sends(ok(b"no", status=b"403 Forbidden"))
    client.sends(get())
    world.replica().sends(ok(b"yes"))

    assert client.news() == ok(b"no", status=b"403 Forbidden") + ok(b"yes")
    assert world.opened() == 1


# The record of it all


def test_the_record_says_who_asked_what_and_who_answered():
    web = service("web", "/w", ["a"])
    world = World(services=[web])
    world.asks(post(b"12345", target=b"/w/x"))
    world.replica().sends(ok(b"123", status=b"201 Created"))

    exchange = world.observer.last

    assert (exchange.peer, exchange.client_ip) == (CLIENT, CLIENT)
    assert (exchange.service, exchange.matcher, exchange.strategy, exchange.replica) == ("web", "/w", "RoundRobin", "a")
    assert (exchange.status, exchange.upstream_status, exchange.reason) == (201, 201, "")
    assert (exchange.bytes_in, exchange.bytes_out, exchange.attempts) == (5, 3, 1)
    assert (exchange.head.method, exchange.head.target) == (b"POST", b"/w/x")


def test_the_record_has_a_time_for_each_phase():
    world = World(timeouts=Timeouts(connect=10))
    world.listeners["a"].mood = "is silent"
    client = world.asks(b"GET ")
    begun = world.clock.seconds()
    world.wait(1)
    client.sends(get()[4:])
    world.wait(2)
    world.listeners["a"].mood = "accepts"
    world.wait(8)
    client.sends(get())
    world.wait(1)
    world.replica().sends(ok(b"x", length=2))
    world.wait(1)
    world.replica().sends(b"y")

    late, whole = world.observer.exchanges
    assert [late.started - begun, late.t_head - begun, late.t_granted - begun, late.ended - begun] == [0, 1, 1, 11]
    assert (late.t_sent, late.t_first_byte) == (None, None)
    times = [whole.started, whole.t_head, whole.t_granted, whole.t_sent, whole.t_first_byte, whole.ended]
    assert [each - begun for each in times] == [11, 11, 11, 11, 12, 13]


def test_the_record_of_a_request_that_could_not_be_read_has_no_head():
    world = World()

    world.asks(b"nonsense\r\n\r\n")

    exchange = world.observer.last
    assert (exchange.head, exchange.service, exchange.replica, exchange.strategy) == (None, None, None, None)
    assert (exchange.client_ip, exchange.bytes_in) == (CLIENT, 0)


def test_the_bytes_of_a_chunked_body_are_those_of_its_content():
    world = World()
    client = world.asks(chunked_post() + b"3\r\nabc\r\n", b"2\r\nde\r\n0\r\n\r\n")
    begun = message(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked") + b"1\r\nx\r\n"
    world.replica().sends(begun, b"1\r\ny\r\n0\r\n\r\n")

    exchange = world.observer.last

    assert client.news()
    assert (exchange.bytes_in, exchange.bytes_out) == (5, 2)


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
def test_the_bytes_of_an_answer_of_our_own_count_as_well(method):
    world = World()
    world.destinations["web"].pool.set_up("a", False)

    client = world.asks(get(method=method))

    assert world.observer.last.bytes_out == len(body_of(client.news()))


def test_a_lease_is_released_with_the_outcome_of_its_attempt():
    told = []
    world = World("a", "b")
    world.destinations["web"].pool.listen(lambda member, outcome, seconds: told.append((member.replica.id, outcome)))
    world.listeners["a"].mood = "refuses"
    client = world.asks(get())
    world.replica("b").sends(ok())

    client.sends(get())
    client.resets()

    assert told == [("a", "connect_refused"), ("b", "answered"), ("a", "connect_refused"), ("b", "client_abort")]


def test_an_exchange_shows_itself_to_a_person_who_debugs():
    world = World()
    world.asks(get())
    world.replica().sends(ok())

    exchange = world.observer.last

    assert repr(exchange) == f"<Exchange {exchange.request_id} b'GET' status=200>"
