"""Every request of the corpus to a running Vestri: one message reaches one replica, or none and the connection ends."""

import pytest
from stage import PLAIN
from strict import deliver

from corpus_rows import request_rows
from vestri.errors import RequestError
from vestri.model import Limits
from vestri.routing import normalised

pytestmark = pytest.mark.live
CONFIG = PLAIN
#: Follows everything that must be refused, and must never be served.
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n"
#: Bytes that frame every refusal as one of ours.
OWN_STATUS = {b"CONNECT": 501, b"TRACE": 405}
ROWS = [row for row in request_rows() if row.limits == Limits()]


def own_status(message):
    """What Vestri says to a well-formed request that no replica gets, or None."""
    try:
        normalised(message.target)
    except RequestError as error:
        return error.status
    return OWN_STATUS.get(message.method)


def check_answers(client, row):
    """The answers to the whole requests of a row. Returns whether the connection stays."""
    for message in row.messages:
        expected = own_status(message) or 200
        assert client.final_answer(message.method).status == expected, row.why
    return not row.messages or row.messages[-1].keep_alive and own_status(row.messages[-1]) != 400


def check_taken(stage, row):
    """What the replica got is what the row says, and nothing else."""
    stage.settle()
    expected = [message for message in row.messages if own_status(message) is None]
    assert [each.start for each in stage.taken] == [
        b"%b %b HTTP/1.1" % (message.method, message.target) for message in expected
    ], row.why
    for taken, message in zip(stage.taken, expected, strict=True):
        assert (taken.body, b"".join(b"%b\r\n" % line for line in taken.trailers)) == (message.body, message.trailers)
        assert (taken.get(b"host") or b"").lower() == (message.host.lower() or taken.get(b"host")), row.why
        assert [line for line in taken.lines if line in message.forwarded] == list(message.forwarded), row.why
        assert not {*taken.names}.intersection(message.not_forwarded), row.why
        check_framing(taken)


def check_framing(taken):
    """One way of telling the end at most, and fields of the connection only where something is asked of it."""
    assert len(taken.values(b"host")) == 1
    assert len(taken.values(b"content-length") + taken.values(b"transfer-encoding")) <= 1
    named = {each.strip().lower() for value in taken.values(b"connection") for each in value.split(b",")}
    assert named <= {b"upgrade", b"te"}
    assert named == {*taken.names} & {b"upgrade", b"te"}


def rows(*verdicts):
    return pytest.mark.parametrize("row", [row for row in ROWS if row.verdict in verdicts], ids=str)


pieces = pytest.mark.parametrize("pieces", [1, 2], ids=["whole", "halved"])


@pieces
@rows("accept")
def test_a_well_formed_request_reaches_one_replica_as_it_was_meant(stage, row, pieces):
    with stage.connect() as client:
        deliver(client, row.data, pieces)
        stays = check_answers(client, row)
        if not stays:
            assert client.ended(), f"{row.why} The connection does not end."
        elif not (row.messages and row.messages[-1].rest):
            client.send(b"GET /settle HTTP/1.1\r\nHost: a.example\r\n\r\n")
            assert client.answer().status == 200, f"{row.why} The connection is of no more use."
    check_taken(stage, row)


@pieces
@rows("refuse")
def test_anything_else_is_refused_and_ends_the_connection(stage, row, pieces):
    with stage.connect() as client:
        deliver(client, row.data + SMUGGLED, pieces)
        check_answers(client, row)
        refusal = client.answer()
        assert refusal.status == row.status, f"{row.why} RFC {row.rfc}"
        assert refusal.get(b"connection") == b"close", row.why
        assert client.ended(), f"{row.why} Something follows the refusal."
    check_taken(stage, row)


@rows("incomplete")
def test_a_request_that_does_not_end_reaches_no_replica_as_a_whole(stage, row):
    with stage.connect() as client:
        client.send(row.data)
        client.end()
        check_answers(client, row)
        assert b"HTTP/1.1 2" not in client.rest(), row.why
    check_taken(stage, row)
