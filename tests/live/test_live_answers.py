"""Every answer of the corpus through a running Vestri: a client gets it well-formed, or a 502, or sees it break off."""

from threading import Event

import pytest
from puppet import ends
from stage import HOST, PLAIN
from strict import PATIENCE, deliver

from corpus_rows import answer_rows

pytestmark = pytest.mark.live
CONFIG = PLAIN
#: Switching protocols has tests of its own.
ROWS = [row for row in answer_rows() if row.answer is None or row.answer.status != 101]
NEXT = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext"

pieces = pytest.mark.parametrize("pieces", [1, 2], ids=["whole", "halved"])


def rows(*verdicts):
    return pytest.mark.parametrize("row", [row for row in ROWS if row.verdict in verdicts], ids=str)


def plan(stage, row, pieces=1):
    """The replica says what the row says, and closes the connection where that is part of it.

    One that closes without a word is asked once more, on a fresh connection.
    """
    goes_on = row.verdict == "accept" and row.answer.keep_alive and row.answer.framing != "close"
    said = Event()
    for _ in range(1 if row.data else 2):
        stage.puppet.next(
            stage.puppet.take,
            lambda stream, stopped: deliver(stream, row.data, pieces),
            lambda stream, stopped: said.set(),
            *(() if goes_on else (ends,)),
        )
    return said


def check_usable(stage, client):
    """The next request on this connection has the next answer, not what was left of the last one."""
    stage.puppet.forget()
    stage.puppet.answer = NEXT
    client.send(b"GET /next HTTP/1.1\r\n" + HOST + b"\r\n")
    assert client.answer().body == b"next"


def read(client, method):
    """(status codes of interim answers, the final one)"""
    interims = []
    while (answer := client.answer(method)).status < 200:
        interims.append(answer.status)
    return interims, answer


@rows("accept")
@pieces
def test_a_well_formed_answer_is_told_as_it_was_meant(stage, row, pieces):
    said = plan(stage, row, pieces)
    with stage.connect() as client:
        client.send(row.method + b" / HTTP/1.1\r\n" + HOST + b"\r\n")
        interims, answer = read(client, row.method)
        assert interims == [status for status in row.answer.interims if status != 100], row.why
        assert (answer.status, answer.body) == (row.answer.status, row.answer.body), row.why
        assert b"".join(b"%b\r\n" % line for line in answer.trailers) == row.answer.trailers, row.why
        assert [line for line in answer.lines if line in row.answer.forwarded] == list(row.answer.forwarded), row.why
        assert not {*answer.names}.intersection(row.answer.not_forwarded), row.why
        assert said.wait(PATIENCE)
        stage.turn()
        check_usable(stage, client)


@rows("accept")
def test_a_client_of_the_old_kind_is_told_in_its_own_way(stage, row):
    plan(stage, row)
    with stage.connect() as client:
        client.send(row.method + b" / HTTP/1.0\r\n\r\n")
        interims, answer = read(client, row.method)
        assert interims == [], "interim answers are not for HTTP/1.0 (RFC 9110 section 15.2)"
        assert (answer.status, answer.body) == (row.answer.status, row.answer.body), row.why
        assert answer.get(b"transfer-encoding") is None, "HTTP/1.0 knows no chunks (RFC 9112 section 6.1)"
        assert answer.get(b"connection") == b"close"
        assert client.ended()


@rows("refuse", "truncated", "incomplete")
@pieces
@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_a_broken_answer_is_a_502_or_visibly_cut(stage, row, version, pieces):
    plan(stage, row, pieces)
    with stage.connect() as client:
        client.send(row.method + b" / HTTP/" + version + b"\r\n" + HOST + b"Connection: keep-alive\r\n\r\n")
        try:
            _, answer = read(client, row.method)
        except (EOFError, ConnectionResetError):
            return
        assert answer.status == 502, f"{row.why} RFC {row.rfc}"
        assert answer.get(b"vestri-reason") in (b"bad_response", b"upstream_reset")
        check_usable(stage, client)
