"""Probes through the client that serves in earnest, to servers on loopback."""

import pytest
from pytest_twisted import blockon
from treq.client import HTTPClient
from twisted.web.client import URI
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from vestri.health.asker import Asker
from vestri.health.client import ReplicaEndpoints, probing_client
from vestri.health.probe import BODY_READ
from vestri.health.question import Outcome, Question
from vestri.model import HealthCheck, Replica
from wire import Replica as Scripted
from wire import hang, request, reset, send

#: Seconds that probes of servers wait which do not answer.
SHORT = 0.2


class Server(Resource):
    """Answers as the path says. requests: what came.  left: paths whose client left before the end."""

    isLeaf = True

    def __init__(self):
        super().__init__()
        self.requests, self.left = [], []

    def render(self, request):
        self.requests.append(request)
        request.notifyFinish().addErrback(lambda _: self.left.append(request.path))
        return getattr(self, request.path.decode().strip("/"))(request)

    def up(self, request):
        request.addCookie("session", "1")
        return b"ready"

    def down(self, request):
        request.setResponseCode(503)
        return b"not today"

    def silent(self, request):
        return NOT_DONE_YET

    def slow(self, request):
        request.write(b"wait for it")
        return NOT_DONE_YET

    def huge(self, request):
        request.write(b"x" * (10 * BODY_READ))
        return NOT_DONE_YET


@pytest.fixture
def server(started_reactor):
    """A `Server` with its port."""
    resource = Server()
    listening = started_reactor.listenTCP(0, Site(resource, timeout=None), interface="127.0.0.1")
    resource.port = listening.getHost().port
    yield resource
    blockon(listening.stopListening())


@pytest.fixture
def ask(started_reactor):
    """ask(port, path) -> Deferred of the Outcome."""
    asker = Asker(lambda: probing_client(HTTPClient, started_reactor), started_reactor)

    def ask(port, path="/health", timeout=10.0):
        replica = Replica("", "a", "http", "127.0.0.1", port)
        return asker(Question.of(replica, HealthCheck(path=path, timeout=timeout)))

    return ask


@pytest.mark.parametrize(
    ("path", "timeout", "outcome"),
    [
        ("/up", 10.0, Outcome(True, "answered 200")),
        ("/down", 10.0, Outcome(False, "answered 503")),
        ("/silent", SHORT, Outcome(False, "no answer within 0.2s")),
        ("/slow", SHORT, Outcome(False, "no answer within 0.2s")),
        ("/huge", 10.0, Outcome(True, "answered 200")),
    ],
)
async def test_what_a_server_answers(server, ask, path, timeout, outcome):
    assert await ask(server.port, path, timeout) == outcome


@pytest.mark.parametrize(
    ("steps", "cause"),
    [
        ([request, send(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")], "its answer is not HTTP"),
        ([request, reset], "connection reset"),
        ([request], "connection closed before the answer was complete"),
        (
            [request, send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")],
            "connection closed before the answer was complete",
        ),
        (
            [request, send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")],
            "connection closed before the answer was complete",
        ),
        ([hang], "no answer within 0.2s"),
    ],
    ids=["not HTTP", "reset", "closed", "half a body", "half a chunked body", "silence"],
)
async def test_what_is_no_answer_at_all(ask, steps, cause):
    with Scripted(*steps) as replica:
        outcome = await ask(replica.port, timeout=SHORT if hang in steps else 10.0)
    assert not outcome.passed
    assert outcome.cause.startswith(cause)


async def test_a_body_that_ends_with_the_connection_is_whole(ask):
    with Scripted(request, send(b"HTTP/1.0 200 OK\r\n\r\nready")) as replica:
        assert await ask(replica.port) == Outcome(True, "answered 200")


async def test_nobody_listens(ask):
    with Scripted() as replica:
        port = replica.port
    assert await ask(port) == Outcome(False, "connection refused")


@pytest.mark.parametrize("path", ["/silent", "/slow", "/huge"])
async def test_a_probe_that_is_over_leaves_no_connection(server, ask, path):
    await ask(server.port, path, SHORT)
    assert await ask(server.port, "/up") == Outcome(True, "answered 200")
    assert server.left == [path.encode()]


async def test_each_probe_has_a_connection_of_its_own_and_brings_no_cookies(server, ask):
    for _ in range(2):
        await ask(server.port, "/up")
    first, second = server.requests
    assert first.getClientAddress().port != second.getClientAddress().port
    assert second.requestHeaders.getRawHeaders("connection") == ["close"]
    assert not second.requestHeaders.hasHeader("cookie")


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        (b"http://10.0.0.1:8081/", "10.0.0.1", 8081),
        (b"http://[::1]:8081/", "::1", 8081),
        (b"http://[::1]/", "::1", 80),
        (b"http://a.test/", "a.test", 80),
    ],
)
def test_where_a_probe_connects(url, host, port):
    endpoint = ReplicaEndpoints(None).endpointForURI(URI.fromBytes(url))
    assert (endpoint.host, endpoint.port) == (host, port)
