"""Many requests on a connection: kept, pipelined, and ended by one side or the other."""

import time
from threading import Event

import pytest
from puppet import OK
from stage import CHUNKED, PLAIN, head

from wire import pause, send

pytestmark = pytest.mark.live
CONFIG = PLAIN


# Keep-alive and pipelining


def test_many_requests_share_one_connection_on_either_side(stage):
    stage.settle()
    opened = stage.puppet.opened
    with stage.connect() as client:
        for number in range(50):
            client.send(head(target=b"/%d" % number))
            assert client.answer().status == 200
    assert stage.puppet.opened == opened


def test_a_client_that_asks_for_the_end_gets_it_told_and_done(stage):
    with stage.connect() as client:
        client.send(head(lines=b"Connection: close\r\n"))
        answer = client.answer()
        assert (answer.body, answer.get(b"connection")) == (b"ok", b"close")
        assert client.ended()
    assert stage.taken[0].get(b"connection") is None


def test_pipelined_requests_are_answered_in_their_order(stage):
    """RFC 9112 section 9.3.2. (CVE-2023-46137, CVE-2024-41671 were of this kind.)"""
    count = 40
    for number in range(count):
        stage.puppet.next(
            stage.puppet.take,
            pause(0.05 if number % 7 == 0 else 0),
            send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n%03d" % number),
        )
    with stage.connect() as client:
        client.send(b"".join(head(b"POST", b"/%d" % n, lines=b"Content-Length: 1\r\n") + b"x" for n in range(count)))
        assert [client.answer().body for _ in range(count)] == [b"%03d" % number for number in range(count)]
    assert [each.target for each in stage.taken] == [b"/%d" % number for number in range(count)]


def test_pipelined_requests_of_all_kinds_keep_apart(stage):
    stage.puppet.replies(OK)
    stage.puppet.replies(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")  # to HEAD
    stage.puppet.replies(b"HTTP/1.1 204 No Content\r\n\r\n")
    stage.puppet.replies(b"HTTP/1.1 200 OK\r\n" + CHUNKED + b"\r\n0\r\n\r\n")
    stage.puppet.replies(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n")
    with stage.connect() as client:
        client.send(
            head(b"PUT", lines=CHUNKED) + b"1\r\nx\r\n0\r\n\r\n" + head(b"HEAD") + head(b"DELETE") + head(b"TRACE")
            + head(lines=b"Content-Length: 2\r\n") + b"\r\n" + b"\r\n" + head() + head(lines=b"Connection: close\r\n")
            + head(target=b"/never")
        )  # fmt: skip
        methods = [b"PUT", b"HEAD", b"DELETE", b"TRACE", b"GET", b"GET", b"GET"]
        assert [client.answer(method).status for method in methods] == [200, 200, 204, 405, 200, 304, 200]
        assert client.ended()
    assert b"/never" not in [each.target for each in stage.taken]


def test_nothing_follows_a_malformed_request_among_pipelined_ones(stage):
    with stage.connect() as client:
        client.send(head(target=b"/1") + b"GET /2 HTTP/1.1\r\nHost : a\r\n\r\n" + head(target=b"/3"))
        assert [client.answer().status for _ in range(2)] == [200, 400]
        assert client.ended()
    stage.settle()
    assert [each.target for each in stage.taken] == [b"/1"]


def test_a_pipelined_request_is_not_begun_before_the_answer_to_the_first_is_out(stage):
    """So that one cannot disturb the other, and no replica works for an answer that may never be read."""
    asked = Event()
    stage.puppet.next(stage.puppet.take, lambda stream, stopped: asked.wait(5), send(OK))
    with stage.connect() as client:
        client.send(head(target=b"/1") + head(target=b"/2"))
        stage.turn()
        assert [each.target for each in stage.taken] in ([b"/1"], [])
        asked.set()
        assert [client.answer().status for _ in range(2)] == [200, 200]


# Clients that half-close


def test_a_client_that_says_it_has_done_still_gets_its_answer(stage):
    """Scripts with netcat do this: TCP's half-close means no more requests, not no more interest."""
    stage.puppet.next(stage.puppet.take, pause(0.3), send(OK))
    with stage.connect() as client:
        client.send(head())
        client.end()
        assert client.answer().body == b"ok"
        assert client.ended()


def test_half_a_request_ends_at_once_with_its_client(stage):
    with stage.connect() as client:
        client.send(head(b"POST", lines=b"Content-Length: 5\r\n") + b"he")
        client.end()
        assert b"HTTP/1.1 2" not in client.rest()
    stage.settle()
    assert stage.taken == []


@pytest.mark.parametrize("half", [b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe", b"GET /ne"])
def test_half_a_request_behind_a_whole_one_ends_at_once_too(stage, half):
    with stage.connect() as client:
        client.send(head() + half)
        client.end()
        assert client.answer().status == 200
        client.sock.settimeout(2)
        assert b"HTTP/1.1 2" not in client.rest()


def test_whole_requests_before_a_half_close_are_all_answered(stage):
    with stage.connect() as client:
        client.send(head() * 5)
        client.end()
        assert [client.answer().body for _ in range(5)] == [b"ok"] * 5
        assert client.ended()


def test_a_client_that_leaves_takes_its_request_along(stage):
    """The replica works for nobody: its connection is closed."""
    gone = Event()

    def until_gone(stream, stopped):
        stream.rest()
        gone.set()

    stage.puppet.next(stage.puppet.take, until_gone)
    client = stage.connect()
    client.send(head())
    deadline = time.monotonic() + 5
    while not stage.taken and time.monotonic() < deadline:
        time.sleep(0.01)
    client.reset()
    assert gone.wait(5)


def test_nothing_of_ours_is_written_into_an_answer_under_way(stage):
    """The next request is no request; its refusal comes behind the answer, not into it."""
    go_on = Event()
    stage.puppet.next(
        stage.puppet.take,
        send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\none"),
        lambda *_: go_on.wait(5),
        send(b"two"),
    )
    with stage.connect() as client:
        client.send(head())
        assert client.head().status == 200
        client.send(b"no request at all\r\n\r\n")
        stage.turn()
        go_on.set()
        assert client.exactly(6) == b"onetwo"
        assert client.answer().status == 400
        assert client.ended()


def test_a_body_that_goes_wrong_under_an_answer_cuts_both(stage):
    """A 400 has no place in an answer that has begun, and a whole answer to half a request would be a lie."""
    cut = Event()
    stage.puppet.next(
        stage.puppet.read_head,
        send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n"),
        lambda stream, stopped: (stream.rest(), cut.set()),
    )
    with stage.connect() as client:
        client.send(head(b"POST", lines=CHUNKED) + b"1\r\nx\r\n")
        assert client.head().status == 200
        client.send(b"zz\r\n")
        assert b"HTTP/1.1" not in client.rest()
    assert cut.wait(5), "the replica waits for the rest of a body that will not come"


def test_a_client_that_asks_and_never_reads_is_not_served_on(stage):
    """Answers of ours and of replicas alike: what one client does not take is not made for it without end."""
    stage.puppet.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000
    before = stage.vestri.peak_memory()
    with stage.connect() as client:
        client.sock.settimeout(0.5)
        with pytest.raises(TimeoutError):
            while True:
                client.sock.sendall((head() + head(b"TRACE")) * 500)
        asked = len(stage.taken)
        time.sleep(0.2)
        assert len(stage.taken) <= asked + 1
    assert stage.vestri.peak_memory() - before < 32 * 1024 * 1024
