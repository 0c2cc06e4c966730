"""The answers that Vestri gives itself: each is whole, says why, and in the way that was asked for."""

import json

import pytest
from stage import HOST

pytestmark = pytest.mark.live
CONFIG = """
limits: {{body_size: 20000, header_size: 8KiB, header_count: 30}}
services:
  - {{name: refused, matcher: /refused, health: off, replicas: [{{url: "http://127.0.0.1:1"}}]}}
  - {{name: empty, matcher: /empty, health: off, replicas: [{{url: "{0}", metadata: {{weight: 0}}}}]}}
  - {{name: web, matcher: /web, health: off, replicas: [{{url: "{0}"}}]}}
access_log: {{format: off}}
"""


def asked(target=b"/web", *lines, method=b"GET", version=b"1.1"):
    return (
        method
        + b" "
        + target
        + b" HTTP/"
        + version
        + b"\r\n"
        + HOST
        + b"".join(line + b"\r\n" for line in lines)
        + b"\r\n"
    )


#: Answers to requests whose heads were read: (reason word, start line, request).
READ = [
    ("no_route", b"404 Not Found", asked(b"/nowhere")),
    ("no_route", b"404 Not Found", asked(b"/")),
    ("bad_request", b"400 Bad Request", asked(b"/web/../..")),
    ("method_refused", b"405 Method Not Allowed", asked(method=b"TRACE")),
    ("method_refused", b"501 Not Implemented", b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n"),
    ("no_replica", b"503 Service Unavailable", asked(b"/empty")),
    ("connect_refused", b"502 Bad Gateway", asked(b"/refused")),
    ("body_too_large", b"413 Content Too Large", asked(b"/web", b"Content-Length: 20001", method=b"POST")),
]
#: And to such as could not be.
UNREAD = [
    ("bad_request", b"400 Bad Request", b"GET / HTTP/1.1\r\n\r\n"),
    ("bad_request", b"417 Expectation Failed", asked(b"/web", b"Expect: a-miracle")),
    ("uri_too_long", b"414 URI Too Long", asked(b"/web/" + b"a" * 9000)),
    ("header_too_large", b"431 Request Header Fields Too Large", asked(b"/web", b"X-A: " + b"a" * 9000)),
    ("header_too_large", b"431 Request Header Fields Too Large", asked(b"/web", *[b"X-%d: 1" % n for n in range(31)])),
]


def each(rows):
    ids = [f"{status.decode()} {number}" for number, (_, status, _) in enumerate(rows)]
    return pytest.mark.parametrize(("reason", "status", "data"), rows, ids=ids)


@each(READ + UNREAD)
def test_an_own_answer_is_whole_and_says_why(stage, reason, status, data):
    answer = stage.ask(data)
    assert answer.start == b"HTTP/1.1 " + status, "with the reason phrase of RFC 9110 section 15"
    assert answer.get(b"vestri-reason") == reason.encode()
    assert answer.get(b"content-type").startswith(b"text/plain")
    assert int(answer.get(b"content-length")) == len(answer.body)
    assert status[:3] in answer.body
    assert reason.encode() in answer.body
    assert answer.get(b"date") is not None
    assert stage.taken == []


@each(READ)
def test_an_own_answer_speaks_JSON_to_those_who_ask_for_it(stage, reason, status, data):
    answer = stage.ask(data.replace(b" HTTP/1.1\r\n", b" HTTP/1.1\r\nAccept: application/json\r\n", 1))
    assert answer.get(b"content-type") == b"application/json"
    said = json.loads(answer.body)
    assert (said["status"], said["reason"]) == (int(status[:3]), reason)
    assert said["request_id"]


@each([row for row in READ if row[2].startswith(b"GET")])
def test_an_own_answer_to_HEAD_has_no_body(stage, reason, status, data):
    """RFC 9110 section 9.3.2."""
    with stage.connect() as client:
        client.send(b"HEAD" + data[3:])
        answer = client.answer(b"HEAD")
        assert answer.start == b"HTTP/1.1 " + status
        assert int(answer.get(b"content-length")) > 0
        if answer.get(b"connection") is None:
            client.send(asked())
            assert client.answer().body == b"ok"
        else:
            assert client.ended()


@each(READ + UNREAD)
def test_a_client_of_HTTP_1_0_understands_an_own_answer(stage, reason, status, data):
    with stage.connect() as client:
        client.send(data.replace(b"HTTP/1.1\r\n", b"HTTP/1.0\r\n", 1))
        answer = client.answer()
        assert answer.get(b"transfer-encoding") is None
        assert answer.get(b"connection") == b"close"
        assert client.ended()


def test_503_says_when_to_come_back(stage):
    """RFC 9110 section 10.2.3."""
    assert int(stage.ask(asked(b"/empty")).get(b"retry-after")) >= 1


def test_405_says_what_is_allowed(stage):
    """RFC 9110 section 15.5.6."""
    assert b"GET" in stage.ask(asked(method=b"TRACE")).get(b"allow")


@pytest.mark.parametrize("target", [b"/nowhere<script>alert(1)</script>", b"/nowhere?\"'><img>", b"/%3Cscript%3E"])
def test_nothing_of_the_client_s_is_in_a_page_of_ours(stage, target):
    """CVE-2022-39348 was of this kind."""
    answer = (
        stage.ask(b"GET " + target + b" HTTP/1.1\r\nHost: <b>.example\r\n\r\n"),
        stage.ask(asked(target, b"X-A: <i>")),
    )
    for each in answer:
        assert not any(mark in each.body + b"".join(each.lines) for mark in (b"<", b"script", b"img"))


@pytest.mark.parametrize("data", [asked(b"/nowhere"), asked(b"/empty"), asked(b"/refused"), asked(method=b"TRACE")])
def test_an_answer_of_ours_to_a_good_request_leaves_the_connection(stage, data):
    with stage.connect() as client:
        for _ in range(3):
            client.send(data)
            assert client.answer().get(b"connection") is None
        client.send(asked())
        assert client.answer().body == b"ok"


@pytest.mark.parametrize("data", [asked(b"/web/../.."), asked(b"/%2e%2e/web")])
def test_a_bad_request_ends_the_connection(stage, data):
    with stage.connect() as client:
        client.send(data + asked(b"/web/after"))
        answer = client.answer()
        assert (answer.status, answer.get(b"connection")) == (400, b"close")
        assert client.ended()
    assert stage.taken == []
