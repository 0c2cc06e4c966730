"""The demo replica: what it answers, and what it tells of it."""

import re
import socket
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection

import pytest
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure

from vestri.commands.replica.server import Padding, Replica, ReplicaSite

GET = b"GET /a?b=1 HTTP/1.1\r\nHost: www.example.org\r\n\r\n"


@contextmanager
def connected(**settings):
    """A client's connection to a replica on port 8081: (its protocol, its transport, the clock)."""
    clock = MemoryReactorClock()
    replica = Replica(clock, **settings)
    replica.port = 8081
    protocol, transport = ReplicaSite(replica, reactor=clock).buildProtocol(None), StringTransport()
    protocol.callLater = clock.callLater
    protocol.makeConnection(transport)
    yield protocol, transport, clock


def answer_to(request, **settings):
    with connected(**settings) as (protocol, transport, clock):
        protocol.dataReceived(request)
        clock.pump([0.01] * 10)
        head, _, body = transport.value().partition(b"\r\n\r\n")
        return head, body


def test_it_says_which_port_received_the_request():
    head, body = answer_to(GET)
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nContent-Length: 32" in head
    assert body == b"Received Response from port 8081"


@pytest.mark.parametrize("method", [b"POST", b"DELETE", b"OPTIONS", b"BREW"])
def test_it_answers_every_method_alike(method):
    head, body = answer_to(GET.replace(b"GET", method))
    assert (head[:15], body) == (b"HTTP/1.1 200 OK", b"Received Response from port 8081")


def test_head_has_the_head_of_get_and_no_body():
    without_date = re.compile(rb"Date: [^\r]*")
    (head, body), (get, _) = answer_to(GET.replace(b"GET", b"HEAD"), size=100), answer_to(GET, size=100)
    assert body == b""
    assert without_date.sub(b"", head) == without_date.sub(b"", get)


def test_a_connection_goes_on_after_a_head():
    with connected(size=100) as (protocol, transport, clock):
        for _ in range(2):
            protocol.dataReceived(GET.replace(b"GET", b"HEAD"))
            clock.advance(0.01)
        assert transport.value().count(b"HTTP/1.1 200 OK") == 2


def test_a_connection_serves_one_request_after_the_other():
    with connected() as (protocol, transport, clock):
        for _ in range(3):
            protocol.dataReceived(GET)
            clock.advance(0.01)
        assert transport.value().count(b"Received Response from port 8081") == 3
        assert not transport.disconnecting


def test_it_reads_a_body_and_answers_once_it_is_there():
    with connected() as (protocol, transport, clock):
        protocol.dataReceived(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc")
        clock.advance(1)
        assert transport.value() == b""
        protocol.dataReceived(b"def")
        clock.advance(0.01)
        assert transport.value().endswith(b"port 8081")


class Request:
    """What padding needs of a request."""

    def __init__(self):
        self.written, self.ends = [], []

    def write(self, data):
        self.written.append(data)

    def unregisterProducer(self):
        self.ends.append("unregistered")

    def finish(self):
        self.ends.append("finished")


@pytest.mark.parametrize("size", [1, 64 * 1024, 64 * 1024 + 1, 200_000])
def test_an_answer_is_padded_in_pieces_as_they_are_asked_for(size):
    request = Request()
    padding = Padding(request, size)
    while not request.ends:
        padding.resumeProducing()
    assert len(b"".join(request.written)) == size
    assert max(map(len, request.written)) <= 64 * 1024
    assert request.ends == ["unregistered", "finished"]


def test_an_answer_is_never_cut_to_a_size():
    assert answer_to(GET, size=5)[1] == b"Received Response from port 8081"


def test_an_answer_waits():
    with connected(delay=2.0) as (protocol, transport, clock):
        protocol.dataReceived(GET)
        clock.advance(1.9)
        assert transport.value() == b""
        clock.advance(0.1)
        assert transport.value().endswith(b"port 8081")


def test_a_client_that_leaves_early_is_not_answered(capsys):
    with connected(delay=2.0) as (protocol, transport, clock):
        protocol.dataReceived(GET)
        protocol.connectionLost(Failure(ConnectionDone()))
        assert clock.getDelayedCalls() == []
    assert capsys.readouterr().out == ""


def test_a_share_of_the_requests_fails():
    chances = iter([0.29, 0.3, 0.1])
    with connected(fail_rate=0.3, chance=lambda: next(chances)) as (protocol, transport, clock):
        for _ in range(3):
            protocol.dataReceived(GET)
            clock.advance(0.01)
        said = re.findall(rb"HTTP/1.1 (\d+)|(Failed on purpose|Received Response)", transport.value())
    assert [one or other for one, other in said] == [
        b"503", b"Failed on purpose", b"200", b"Received Response", b"503", b"Failed on purpose",
    ]  # fmt: skip


def test_a_failed_answer_is_not_padded():
    head, body = answer_to(GET, fail_rate=1.0, size=1000)
    assert body == b"Failed on purpose at port 8081"
    assert b"Content-Length: 30" in head


def test_nothing_fails_unless_asked_to():
    assert answer_to(GET, chance=lambda: 0.0)[0].startswith(b"HTTP/1.1 200")


def test_each_request_is_told_in_a_line(capsys):
    answer_to(
        b"GET /a?b=1 HTTP/1.1\r\nHost: www.example.org\r\n"
        b"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 192.0.2.2\r\nX-Request-ID: 5f0c\r\n\r\n"
    )
    assert capsys.readouterr().out.partition(" ")[2] == (
        "GET /a?b=1 200 32 bytes host=www.example.org for=192.0.2.1,192.0.2.2 id=5f0c\n"
    )


def test_what_was_received_cannot_break_its_line(capsys):
    answer_to(b'GET /" HTTP/1.1\r\nHost: a"\x1b[2J\xff\r\n\r\n')
    line = capsys.readouterr().out
    assert line.partition(" ")[2] == r"GET /\x22 200 32 bytes host=a\x22\x1b[2J\xff" + "\n"


def test_a_port_that_is_taken_is_one_line_and_status_1():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        command = [sys.executable, "-m", "vestri", "replica", "--port", str(port)]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == f"vestri replica: cannot listen on 127.0.0.1:{port}: Address already in use\n"


@pytest.fixture
def replica():
    """start(*options): the port of a `vestri replica` that runs until the test ends, and its process."""
    with ExitStack() as started:

        def start(*options):
            command = [sys.executable, "-m", "vestri", "replica", "--port", "0", *options]
            process = started.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
            started.callback(process.kill)
            return int(process.stdout.readline().split()[0]), process

        yield start


@pytest.mark.live
def test_a_real_one_keeps_connections_and_tells_of_requests(replica):
    port, process = replica("--size", "300KiB")
    client = HTTPConnection("127.0.0.1", port, timeout=10)
    for path in ("/one", "/two"):
        client.request("GET", path)
        answer = client.getresponse()
        assert answer.read() == f"Received Response from port {port}".encode().ljust(300 * 1024, b".")
        assert not answer.will_close
    client.close()
    process.terminate()
    assert process.wait(10) == 0
    told = process.stdout.read()
    assert [line.split()[:4] for line in told.splitlines()] == [
        [str(port), "GET", "/one", "200"],
        [str(port), "GET", "/two", "200"],
    ]
