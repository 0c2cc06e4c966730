"""Header fields on their way: what passes untouched, what ends here, and what is added."""

import re

import pytest
from stage import HOST, PLAIN

pytestmark = pytest.mark.live
CONFIG = PLAIN
#: Fields that Vestri adds to every request of a client that it does not trust.
ADDED = [b"x-forwarded-for", b"x-real-ip", b"x-forwarded-proto", b"x-forwarded-host", b"via", b"x-request-id"]


def asked(*lines, version=b"1.1", method=b"GET"):
    return method + b" / HTTP/" + version + b"\r\n" + HOST + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def passed(message, *ours):
    """The lines of a message but for those that Vestri adds, and those named."""
    return [line for line, name in zip(message.lines, message.names, strict=True) if name not in (*ADDED, *ours)]


# Requests

UNTOUCHED = [
    ("spelling is the client's", [b"x-lower: 1", b"X-UPPER: 2", b"x-MiXed: 3"]),
    ("repeated fields and their order stay", [b"X-A: 1", b"X-B: 2", b"X-A: 3", b"x-a: 4", b"X-B: 5"]),
    ("cookies stay apart", [b"Cookie: a=1", b"Cookie: b=2; c=3"]),
    ("bytes above 0x7f stay", [b"X-A: caf\xe9 \xff\x80\xa0", b"X-B: \xe4\xbd\xa0"]),
    ("inner white space stays", [b"X-A: a  b\tc"]),
    ("underscores stay, and stay apart", [b"X_A: 1", b"X-A: 2"]),
    ("an empty value stays", [b"X-A: "]),
    ("a long value stays", [b"X-A: " + b"a" * 8000]),
    ("credentials for the origin are not ours", [b"Authorization: Basic Zm9vOmJhcg=="]),
    ("what the browser says", [b"Accept: */*", b"User-Agent: x (y; z)", b"Referer: http://b.example/?a"]),
    ("ranges and conditions", [b"Range: bytes=0-1", b'If-Range: W/"x"', b"If-Match: *", b'If-None-Match: "a", "b"']),
    ("caching", [b"Cache-Control: no-cache", b"Pragma: no-cache"]),
    ("tracing", [b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", b"tracestate: a=b"]),
    ("odd names that are tokens", [b"!#$%&'*+.^`|~9: 1"]),
    ("Content-Type without a body", [b"Content-Type: text/plain"]),
    ("Max-Forwards with another method", [b"Max-Forwards: 0"]),
    ("Early-Data and Sec- fields", [b"Early-Data: 1", b"Sec-Fetch-Mode: cors"]),
]  # fmt: skip


@pytest.mark.parametrize(("why", "lines"), UNTOUCHED, ids=[why for why, _ in UNTOUCHED])
def test_fields_for_the_origin_pass_untouched(stage, why, lines):
    assert stage.ask(asked(*lines)).status == 200
    assert passed(stage.taken[0], b"host") == lines


HOP_BY_HOP = [
    ("Connection itself", [b"Connection: keep-alive"], []),
    ("Keep-Alive", [b"Keep-Alive: timeout=5"], []),
    ("Proxy-Connection", [b"Proxy-Connection: keep-alive"], []),
    ("credentials for a proxy", [b"Proxy-Authorization: Basic eA=="], []),
    ("TE, but for trailers", [b"TE: gzip", b"Connection: TE"], []),
    ("Upgrade without Connection", [b"Upgrade: websocket"], []),
    ("Connection: upgrade without Upgrade", [b"Connection: upgrade"], []),
    ("HTTP2-Settings", [b"HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA", b"Connection: HTTP2-Settings"], []),
    ("what Connection names", [b"Connection: X-A, close", b"X-A: 1", b"X-B: 2"], [b"X-B: 2"]),
    ("in another case", [b"connection: x-a", b"X-A: 1", b"X-B: 2"], [b"X-B: 2"]),
    ("before it is named", [b"X-A: 1", b"Connection: X-A", b"X-B: 2"], [b"X-B: 2"]),
    ("named in one of several", [b"Connection: X-A", b"X-A: 1", b"Connection: keep-alive, X-B", b"X-B: 2"], []),
    ("each of several values", [b"Connection: X-A", b"X-A: 1", b"X-A: 2", b"X-C: 3"], [b"X-C: 3"]),
    ("with empty members", [b"Connection: ,, X-A ,", b"X-A: 1"], []),
    ("Cookie, if somebody names it", [b"Connection: cookie", b"Cookie: a=b"], []),
]  # fmt: skip


@pytest.mark.parametrize(("why", "lines", "left"), HOP_BY_HOP, ids=[why for why, _, _ in HOP_BY_HOP])
def test_fields_of_one_connection_end_here(stage, why, lines, left):
    """RFC 9110 section 7.6.1."""
    assert stage.ask(asked(*lines)).status == 200
    assert passed(stage.taken[0], b"host") == left


NAMED = [b"Host", b"Content-Length", b"Transfer-Encoding", b"X-Forwarded-For", b"X-Request-ID", b"Via", b"X-Real-IP",
         b"X-Forwarded-Proto", b"X-Forwarded-Host"]  # fmt: skip


@pytest.mark.parametrize("name", NAMED)
def test_no_client_can_remove_a_field_that_is_ours_by_naming_it(stage, name):
    """Strip first, add after: otherwise `Connection: X-Forwarded-For` would hide an address, and worse."""
    body = b"Transfer-Encoding: chunked" if name == b"Transfer-Encoding" else b"Content-Length: 5"
    data = b"5\r\nhello\r\n0\r\n\r\n" if name == b"Transfer-Encoding" else b"hello"
    assert stage.ask(asked(b"Connection: close, " + name, body, method=b"POST") + data).status == 200
    (taken,) = stage.taken
    assert len(taken.values(name.lower())) == 1
    assert taken.body == b"hello"


def test_where_a_request_came_from_is_said_once(stage):
    assert stage.ask(asked()).status == 200
    (taken,) = stage.taken
    assert taken.names == [b"host", *ADDED]
    assert taken.get(b"x-forwarded-for") == taken.get(b"x-real-ip") == b"127.0.0.1"
    assert taken.get(b"x-forwarded-proto") == b"http"
    assert taken.get(b"x-forwarded-host") == b"a.example"
    assert re.fullmatch(rb"1\.1 vestri-[0-9a-f]+", taken.get(b"via"))
    assert re.fullmatch(rb"[!-~]{8,}", taken.get(b"x-request-id"))


def test_every_request_has_an_id_of_its_own(stage):
    with stage.connect() as client:
        for _ in range(20):
            client.send(asked())
            client.answer()
    assert len({each.get(b"x-request-id") for each in stage.taken}) == 20


FORGED = [
    b"X-Forwarded-For: 1.2.3.4", b"x-forwarded-for: 1.2.3.4", b"X_Forwarded_For: 1.2.3.4", b"X-Forwarded_For: 1.2.3.4",
    b"X-Real-IP: 1.2.3.4", b"X_Real_IP: 1.2.3.4", b"X-Forwarded-Proto: https", b"X-Forwarded-Host: evil.example",
    b"X-Forwarded-Port: 443", b"X-Forwarded-Server: evil.example", b"X-Forwarded-Prefix: /evil", b"X-Forwarded-Ssl: on",
    b"Forwarded: for=1.2.3.4;proto=https", b"X-Request-ID: mine", b"X_Request_ID: mine", b"X-Vestri-Attempt: 7",
]  # fmt: skip


@pytest.mark.parametrize("line", FORGED, ids=lambda line: line.decode())
def test_a_stranger_is_not_believed_about_itself(stage, line):
    assert stage.ask(asked(line)).status == 200
    (taken,) = stage.taken
    value = line.partition(b": ")[2]
    assert taken.names == [b"host", *ADDED], "forged fields are replaced, or go"
    assert not [each for each in taken.lines if each.endswith(b": " + value)]


@pytest.mark.parametrize(
    "line", [b"Content_Length: 5", b"Transfer_Encoding: chunked", b"Host_: b", b"Content-length_: 5"]
)
def test_a_name_with_an_underscore_frames_nothing(stage, line):
    """Servers that make variables of names (CGI, WSGI) would take them for the real ones."""
    with stage.connect() as client:
        client.send(asked(line) + asked(b"X-Second: 1"))
        assert [client.answer().status for _ in range(2)] == [200, 200]
    assert [each.body for each in stage.taken] == [b"", b""]
    assert not {*stage.taken[0].names} & {b"content_length", b"transfer_encoding"}


def test_via_grows_by_one(stage):
    """RFC 9110 section 7.6.3: what was there stays."""
    assert stage.ask(asked(b"Via: 1.0 fred, 1.1 p.example.net (Apache/1.1)")).status == 200
    assert stage.ask(asked(version=b"1.0")).status == 200
    first, second = stage.taken
    assert first.values(b"via")[0] == b"1.0 fred, 1.1 p.example.net (Apache/1.1)"
    assert re.fullmatch(rb"1\.1 vestri-\w+", first.values(b"via")[1])
    assert re.fullmatch(rb"1\.0 vestri-\w+", second.get(b"via"))


def test_a_request_that_comes_round_again_is_a_loop(stage):
    assert stage.ask(asked()).status == 200
    (taken,) = stage.taken
    answer = stage.ask(asked(b"Via: " + taken.get(b"via")))
    assert (answer.status, answer.get(b"vestri-reason")) == (508, b"loop")
    stage.settle()
    assert len(stage.taken) == 1


@pytest.mark.parametrize(
    "host", [b"a.example", b"A.EXAMPLE:8080", b"127.0.0.1", b"[::1]:80", b"x_y.example", b"a", b"a.example."]
)
def test_Host_passes_as_it_came(stage, host):
    assert stage.ask(b"GET / HTTP/1.1\r\nHost:  %b \r\n\r\n" % host).status == 200
    assert stage.taken[0].get(b"host") == stage.taken[0].get(b"x-forwarded-host") == host


def test_a_request_without_Host_gets_the_replica_s(stage):
    """RFC 9112 section 3.2: what we send is HTTP/1.1, which has one."""
    assert stage.ask(b"GET / HTTP/1.0\r\n\r\n").status == 200
    (taken,) = stage.taken
    assert taken.get(b"host") == b"127.0.0.1:%d" % stage.puppet.port
    assert taken.get(b"x-forwarded-host") is None


# Answers

ANSWERS = [
    ("spelling is the replica's", [b"x-lower: 1", b"X-UPPER: 2"], None),
    ("repeated fields and their order stay", [b"X-A: 1", b"X-B: 2", b"X-A: 3"], None),
    ("cookies keep their order", [b"Set-Cookie: b=1; Path=/", b"X-A: 1", b"Set-Cookie: a=2", b"set-cookie: b=3"], None),
    ("bytes above 0x7f stay", [b"X-A: caf\xe9 \xff\x80"], None),
    ("Date and Server are the replica's", [b"Date: Tue, 15 Nov 1994 08:12:31 GMT", b"Server: x/1 (y)"], None),
    ("even odd ones", [b"Date: whenever", b"Server: "], None),
    ("none is invented", [], None),
    ("types", [b"Content-Type: text/html; charset=utf-8", b"Content-Language: de, en", b"Content-Encoding: br"], None),
    ("no type for a body without one", [b"X-Content-Type-Options: nosniff"], None),
    ("redirects", [b"Location: http://127.0.0.1:8081/x?y#z"], None),
    ("caching", [b'ETag: W/"a"', b"Last-Modified: x", b"Cache-Control: private", b"Age: 1", b"Vary: *"], None),
    ("challenges of the origin", [b"WWW-Authenticate: Basic realm=\"x\"", b"WWW-Authenticate: Bearer"], None),
    ("Retry-After and Allow", [b"Retry-After: 120", b"Allow: GET"], None),
    ("Via of those behind", [b"Via: 1.1 inner"], None),
    ("HSTS and CORS", [b"Strict-Transport-Security: max-age=1", b"Access-Control-Allow-Origin: *"], None),
    ("a hundred fields", [b"X-%d: %d" % (number, number) for number in range(100)], None),
    ("underscores stay", [b"X_A: 1", b"X-A: 2"], None),
    ("Connection ends here", [b"Connection: keep-alive", b"Keep-Alive: timeout=5", b"Proxy-Connection: close"], []),
    ("what Connection names", [b"Connection: X-A", b"X-A: 1", b"X-B: 2"], [b"X-B: 2"]),
    ("in another case, before", [b"x-a: 1", b"connection: X-A, keep-alive"], []),
    ("Upgrade that was not asked for", [b"Upgrade: h2c", b"Connection: Upgrade"], []),
    ("Proxy-Authenticate", [b"Proxy-Authenticate: Basic realm=x"], []),
    ("TE", [b"TE: trailers"], []),
    ("the reason is ours alone", [b"Vestri-Reason: no_route", b"X-A: 1"], [b"X-A: 1"]),
]  # fmt: skip


@pytest.mark.parametrize("framing", [b"Content-Length: 2", b"Transfer-Encoding: chunked"])
@pytest.mark.parametrize(("why", "lines", "left"), ANSWERS, ids=[why for why, _, _ in ANSWERS])
def test_fields_of_an_answer(stage, why, lines, left, framing):
    """Those for the client pass untouched, those of one connection end here, and none is invented."""
    body = b"ok" if framing.startswith(b"C") else b"2\r\nok\r\n0\r\n\r\n"
    stage.puppet.replies(b"\r\n".join([b"HTTP/1.1 200 OK", *lines, framing, b"", body]))
    answer = stage.ask(asked())
    assert answer.body == b"ok"
    assert [line for line in answer.lines if line != framing] == (lines if left is None else left)
    assert framing in answer.lines


@pytest.mark.parametrize("name", [b"Content-Length", b"Transfer-Encoding", b"Content-length"])
def test_no_replica_can_unframe_its_answer_by_naming_a_field(stage, name):
    framing, body = (
        (b"Transfer-Encoding: chunked", b"2\r\nok\r\n0\r\n\r\n") if b"T" in name[:1] else (b"Content-Length: 2", b"ok")
    )
    stage.puppet.replies(b"HTTP/1.1 200 OK\r\nConnection: " + name + b"\r\n" + framing + b"\r\n\r\n" + body)
    with stage.connect() as client:
        client.send(asked())
        assert client.answer().body == b"ok"
        client.send(asked())
        assert client.answer().body == b"ok"


@pytest.mark.parametrize("phrase", [b"OK", b"", b"All fine", b"C'est \xe9t\xe9", b"Not Found", b"\tx"])
@pytest.mark.parametrize("status", [200, 299, 404, 418, 451, 500, 511, 599])
def test_a_status_line_passes_as_it_is(stage, status, phrase):
    stage.puppet.replies(b"HTTP/1.1 %d %b\r\nContent-Length: 0\r\n\r\n" % (status, phrase))
    assert stage.ask(asked()).start == b"HTTP/1.1 %d %b" % (status, phrase)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429, 408])
def test_a_replica_s_own_error_is_told_apart_from_ours(stage, status):
    stage.puppet.replies(b"HTTP/1.1 %d X\r\nContent-Length: 4\r\n\r\nmine" % status)
    answer = stage.ask(asked())
    assert (answer.status, answer.body, answer.get(b"vestri-reason")) == (status, b"mine", None)
