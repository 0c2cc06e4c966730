"""The answers that Vestri makes itself: what they say, in which form, and what they never say."""

import json

import pytest

from support_proxying import World, body_of, get, lines_of, message, values_of
from vestri.errors import STATUS, RequestError
from vestri.http1 import RequestReader
from vestri.model import Limits
from vestri.proxying.own_answer import own_answer, phrase

SENT = sorted(reason for reason, status in STATUS.items() if status != 499)


def head_of(*lines, method=b"GET"):
    return read(get(b"/", *lines, method=method))


def read(request):
    head, _ = RequestReader(Limits()).receive(request)
    return head


def rendered(error, head=None, *, keep_alive=False):
    return own_answer(error, b"id-1", head).render(head, keep_alive=keep_alive)


@pytest.mark.parametrize("reason", SENT)
def test_every_reason_that_is_sent_has_a_whole_answer(reason):
    answer = rendered(RequestError(reason))

    assert answer.startswith(b"HTTP/1.1 %d " % STATUS[reason])
    assert values_of(answer, b"content-length") == [b"%d" % len(body_of(answer))]
    assert values_of(answer, b"vestri-reason") == [reason.encode()]
    assert values_of(answer, b"cache-control") == [b"no-store"]
    assert len(values_of(answer, b"date")) == 1


def test_in_text_it_says_what_happened_and_by_which_id_to_find_it():
    answer = rendered(RequestError("no_route"))

    assert values_of(answer, b"content-type") == [b"text/plain; charset=utf-8"]
    text = body_of(answer).decode()
    assert text == ("404 Not Found\n\nNo service is configured for this address.\n\nreason: no_route\nrequest: id-1\n")


@pytest.mark.parametrize(
    "accept", [b"application/json", b"text/html, Application/JSON;q=0.9", b"application/problem+json"]
)
def test_in_json_it_says_the_same(accept):
    answer = rendered(RequestError("no_route"), head_of(b"Accept: " + accept))

    assert values_of(answer, b"content-type") == [b"application/json"]
    assert json.loads(body_of(answer)) == {
        "status": 404,
        "reason": "no_route",
        "message": "No service is configured for this address.",
        "request_id": "id-1",
    }


@pytest.mark.parametrize("accept", [b"", b"*/*", b"text/html"])
def test_who_does_not_ask_for_json_gets_text(accept):
    answer = rendered(RequestError("no_route"), head_of(b"Accept: " + accept))

    assert values_of(answer, b"content-type") == [b"text/plain; charset=utf-8"]


def test_an_answer_to_head_has_the_fields_alone():
    whole = rendered(RequestError("no_route"), head_of())
    answer = rendered(RequestError("no_route"), head_of(method=b"HEAD"))

    assert body_of(answer) == b""
    assert values_of(answer, b"content-length") == [b"%d" % len(body_of(whole))]


@pytest.mark.parametrize(
    ("version", "keep_alive", "said"),
    [(b"1.1", True, []), (b"1.1", False, [b"close"]), (b"1.0", True, [b"keep-alive"]), (b"1.0", False, [b"close"])],
)
def test_it_says_what_becomes_of_the_connection(version, keep_alive, said):
    head = read(message(b"GET / HTTP/" + version, b"Host: a"))

    answer = rendered(RequestError("no_route"), head, keep_alive=keep_alive)

    assert values_of(answer, b"connection") == said


def test_when_to_come_back_is_told_in_whole_seconds():
    assert values_of(rendered(RequestError("no_replica", retry_after=3)), b"retry-after") == [b"3"]
    assert values_of(rendered(RequestError("no_replica")), b"retry-after") == []


@pytest.mark.parametrize(("status", "allowed"), [(405, 1), (501, 0)])
def test_a_refused_method_is_told_which_ones_there_are(status, allowed):
    answer = rendered(RequestError("method_refused", status=status))

    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert len(values_of(answer, b"allow")) == allowed


def test_the_detail_is_for_the_log_and_not_for_the_client():
    answer = rendered(RequestError("connect_refused", "10.0.0.5:8081 refused"), head_of(b"Accept: application/json"))

    assert b"10.0.0.5" not in answer


@pytest.mark.parametrize(
    "request_",
    [
        get(b"/<script>x</script>"),
        get(b"/", b"X-A: <script>"),
        get(host=b"<script>"),
        b"<script> / HTTP/1.1\r\n\r\n",
        get(b"/", b"X-Request-ID: <script>", b"Accept: <script>/json"),
        get(b"/", b"Referer: <script>", method=b"TRACE"),
    ],
)
def test_nothing_that_a_client_sent_comes_back(request_):
    world = World()
    world.destinations["web"].pool.set_up("a", False)

    client = world.asks(request_)

    assert client.seen
    assert b"script" not in client.seen


def test_the_id_is_the_one_of_the_log():
    world = World()
    world.destinations["web"].pool.set_up("a", False)

    client = world.asks(get())

    assert body_of(client.news()).endswith(b"request: %b\n" % world.observer.last.request_id)


def test_the_one_who_waits_is_told_in_the_words_of_the_standard():
    assert (phrase(504), phrase(431)) == ("Gateway Timeout", "Request Header Fields Too Large")
    assert lines_of(rendered(RequestError("loop")))[0].startswith(b"Date: ")


def test_the_log_counts_the_bytes_of_its_body():
    world = World("a")
    client = world.asks(get(b"/../x"))

    assert world.observer.last.bytes_out == len(body_of(client.news())) > 0
