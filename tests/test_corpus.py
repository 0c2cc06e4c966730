"""Every row of the corpus, in one piece and in others: the verdict never depends on how the bytes arrive."""

import os
import random

import pytest

from corpus_rows import answer_rows, request_rows
from pieces import bytewise, read_answer, read_requests, split

REQUESTS, ANSWERS = request_rows(), answer_rows()
#: What a row says about a message, besides its fields.
OF_A_REQUEST = ("method", "target", "version", "body", "trailers", "keep_alive", "upgrade", "expects_continue")
OF_AN_ANSWER = ("status", "framing", "version", "body", "trailers", "keep_alive", "upgrade", "interims")
#: Rows up to this size are split at each position, longer ones at so many. With VESTRI_FULL, that is: tox sets it for
#: one of the Pythons, and elsewhere fewer positions have to do.
FULL = bool(os.environ.get("VESTRI_FULL"))
SPLIT_EVERYWHERE, SPLITS = (300, 64) if FULL else (8, 8)


def facts(message, names):
    return {name: getattr(message, name) for name in names}


def check_fields(expected, written):
    """The head that is passed on has the lines that the row wants, and none that it does not."""
    lines = written.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    assert [line for line in lines if line in expected.forwarded] == list(expected.forwarded)
    names = {line.partition(b":")[0].lower().decode("ascii") for line in lines}
    assert not names.intersection(name.decode("ascii") for name in expected.not_forwarded)


def other_pieces(data):
    """The bytes cut in two, at every position or at many, and byte by byte."""
    cuts = range(1, len(data))
    if len(data) > SPLIT_EVERYWHERE:
        cuts = random.Random(data).sample(cuts, SPLITS)
    yield from (split(data, [cut]) for cut in cuts)
    yield bytewise(data)


@pytest.mark.parametrize("row", REQUESTS, ids=str)
def test_a_client_s_bytes_are_read_as_the_corpus_says(row):
    reading = read_requests([row.data], row.limits)
    assert (reading.verdict, reading.status, len(reading.messages)) == (row.verdict, row.status, len(row.messages)), row
    for request, expected in zip(reading.messages, row.messages, strict=True):
        assert facts(request, OF_A_REQUEST) == facts(expected, OF_A_REQUEST), row
        assert request.host.lower() == expected.host.lower(), row
        check_fields(expected, request.written)


@pytest.mark.parametrize("row", [row for row in REQUESTS if row.messages], ids=str)
def test_only_what_follows_an_upgrade_is_left_unread(row):
    assert read_requests([row.data], row.limits).rest == row.messages[-1].rest


@pytest.mark.parametrize("row", ANSWERS, ids=str)
def test_a_replica_s_bytes_are_read_as_the_corpus_says(row):
    reading = read_answer([row.data], row.method)
    assert reading.verdict == row.verdict, row
    for answer in reading.messages:
        assert facts(answer, OF_AN_ANSWER) == facts(row.answer, OF_AN_ANSWER), row
        assert reading.rest == row.answer.rest, row
        check_fields(row.answer, answer.written)


@pytest.mark.parametrize("row", REQUESTS, ids=str)
def test_the_pieces_in_which_a_client_s_bytes_come_change_nothing(row):
    whole = read_requests([row.data], row.limits)
    for pieces in other_pieces(row.data):
        assert read_requests(pieces, row.limits) == whole, (row, pieces[0])


@pytest.mark.parametrize("row", ANSWERS, ids=str)
def test_the_pieces_in_which_a_replica_s_bytes_come_change_nothing(row):
    whole = read_answer([row.data], row.method)
    for pieces in other_pieces(row.data):
        assert read_answer(pieces, row.method) == whole, (row, pieces[0])


@pytest.mark.parametrize("rows", [REQUESTS, ANSWERS], ids=["requests", "answers"])
def test_the_corpus_says_everything_once(rows):
    seen = {}
    for row in rows:
        assert row.why.endswith("."), f"{row}: a sentence says why"
        first = seen.setdefault((row.data, row.method, row.limits), row)
        assert first is row, f"{row} repeats {first}"
