"""The tools of the live tests, on loopback: what is read is what was sent."""

import pytest

from wire import Replica, connect, hang, request, reset, send, talk

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"

ANSWERS = [
    ("counted", OK, 200, b"ok"),
    ("chunked", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=1\r\nok\r\n0\r\nT: 1\r\n\r\n", 200, b"ok"),
    ("until the end", b"HTTP/1.0 200 OK\r\n\r\nok", 200, b"ok"),
    ("without a body", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n", 304, b""),
    ("after a hint", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK, 200, b"ok"),
]


@pytest.mark.parametrize(("data", "status", "body"), [row[1:] for row in ANSWERS], ids=[row[0] for row in ANSWERS])
def test_an_answer_is_read_to_its_end(data, status, body):
    with Replica(request, send(data)) as replica:
        (answer,) = talk(replica.port, GET)
    assert (answer.status, answer.body) == (status, body)


def test_a_replica_keeps_what_it_received():
    sent = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    with Replica(request, send(OK), forever=True) as replica:
        talk(replica.port, sent + GET, b"POST", b"GET")
    assert bytes(replica.connections[0].received) == sent + GET


def test_an_answer_to_head_has_no_body():
    with Replica(request, send(OK.removesuffix(b"ok")), forever=True) as replica:
        answers = talk(replica.port, b"HEAD / HTTP/1.1\r\n\r\n" * 2, b"HEAD", b"HEAD")
    assert [(answer.get(b"content-length"), answer.body) for answer in answers] == [(b"2", b"")] * 2


def test_a_torn_answer_is_no_answer():
    with Replica(request, send(OK[:-1])) as replica, pytest.raises(EOFError, match="1 of 2"):
        talk(replica.port, GET)


def test_a_replica_can_reset():
    with Replica(request, reset) as replica, pytest.raises(ConnectionResetError):
        talk(replica.port, GET)


def test_a_replica_that_hangs_ends_with_its_context():
    with Replica(send(OK), hang) as replica:
        client = connect(replica.port)
        client.answer()
    assert client.rest() == b""
    client.close()
