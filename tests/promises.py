"""What `vestri.http1` promises of any bytes at all; each check raises AssertionError where it is not kept."""

from other_parsers import seen_answer, seen_request
from pieces import read_answer, read_requests
from vestri.model import Limits

SWITCHING_PROTOCOLS = 101
#: Short bytes meet these limits of a head, where they do not meet the default ones.
NARROW = Limits(header_size=200, header_count=6)


def check_requests(data, *, pieces, limits=None):
    """A client's bytes mean the same in those pieces as in one, and what travels on is what everyone sees."""
    reading = read_requests([data], limits)
    assert read_requests(pieces, limits) == reading
    for request in reading.messages:
        check_request(request)


def check_answers(data, method, *, pieces):
    """The same of a replica's bytes."""
    reading = read_answer([data], method)
    assert read_answer(pieces, method) == reading
    for answer in reading.messages:
        check_answer(answer, method)


def check_request(request):
    """The request that travels on is one message, and the same one, to every parser. Returns what they see."""
    seen = seen_request(request.written)
    assert seen.start == (request.method, request.target)
    assert (seen.body, seen.trailers) == (request.body, pairs(request.trailers))
    assert [name for name, _ in seen.fields].count(b"host") == 1
    return seen


def check_answer(answer, method):
    """So is the answer, whichever version of HTTP the client speaks."""
    if answer.status == SWITCHING_PROTOCOLS:
        return
    new = seen_answer(answer.written, method, ended=False)
    old = seen_answer(answer.written_10, method, ended=True)
    assert (new.start[0], new.body, new.trailers) == (answer.status, answer.body, pairs(answer.trailers))
    assert (old.start[0], old.body) == (answer.status, answer.body)


def pairs(section):
    """(lower-case name, value) of each line of a trailer section."""
    lines = [line.partition(b": ") for line in section.split(b"\r\n")[:-1]]
    return tuple((name.lower(), value) for name, _, value in lines)
