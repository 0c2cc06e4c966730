"""What is fuzzed: each target takes any bytes, and raises AssertionError where a promise is not kept."""

import random
from zlib import crc32

from corpus_rows import answer_rows, request_rows
from pieces import bytewise, split
from promises import NARROW, check_answers, check_requests
from wild_http import wild_answers, wild_chunks, wild_requests

CHUNKED_HEAD = b"POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n"
#: Input up to this size is read byte by byte too.
SMALL = 512


def requests(data):
    """data: all that a client sends on a connection."""
    for pieces in _cuts(data):
        check_requests(data, pieces=pieces)
        check_requests(data, pieces=pieces, limits=NARROW)


def chunked_bodies(data):
    """data: what a client sends behind a head that announces a chunked body."""
    requests(CHUNKED_HEAD + data)


def answers(data):
    """data: all that a replica sends on a connection."""
    for pieces in _cuts(data):
        check_answers(data, b"GET", pieces=pieces)
        check_answers(data, b"HEAD", pieces=pieces)


def _cuts(data):
    """Ways to cut the bytes in pieces; the same bytes are always cut in the same ways."""
    draw = random.Random(crc32(data))
    yield split(data, sorted(draw.randint(0, len(data)) for _ in range(4)))
    if len(data) <= SMALL:
        yield bytewise(data)


def _chunk_seeds():
    return [row.data[len(CHUNKED_HEAD) :] for row in request_rows() if row.data.startswith(CHUNKED_HEAD)]


#: name -> (target, what makes the bytes to begin with, a strategy for bytes where no coverage guides the search).
TARGETS = {
    "requests": (requests, lambda: [row.data for row in request_rows()], wild_requests),
    "chunked_bodies": (chunked_bodies, _chunk_seeds, wild_chunks),
    "answers": (answers, lambda: [row.data for row in answer_rows()], wild_answers),
}
