"""Replicas that are reached by https, on both kinds of transport, through a real Vestri."""

import ssl
import time
from contextlib import ExitStack, suppress

import pytest
from puppet import OK, Puppet
from stage import head
from strict import Stream, connect

from support import Vestri, wait_until
from wire import LOOPBACK, send

pytestmark = pytest.mark.live
GET = head()
BODY = bytes(range(256)) * (8 << 12)
CONFIG = """
services: [{{name: web, health: {health}, replicas: [{{url: "{url}"}}]}}]
access_log: {{format: off}}
"""


class SecurePuppet(Puppet):
    """A replica that speaks TLS. certificate: whom it says that it is."""

    def __init__(self, certificate):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate.chain_path, certificate.key_path)
        self._context = context
        super().__init__()
        self.url = self.url.replace("http:", "https:")

    def _serve(self, stream):
        with suppress(OSError):  # no handshake, no request
            secured = Stream(self._context.wrap_socket(stream.sock, server_side=True), timeout=None)
            self._streams.append(secured)
            super()._serve(secured)


class OnEpoll(Vestri):
    """On Twisted's own reactor."""

    reactor = "twisted.internet.epollreactor"

    def __init__(self, *args):
        super().__init__(*args)
        self._command.insert(2, "--reactor=epoll")


class OnUvloop(Vestri):
    """On the one that Vestri prefers."""

    reactor = "twisted.internet.asyncioreactor"


@pytest.fixture(params=[OnUvloop, OnEpoll], ids=["uvloop", "epoll"])
def reach(request, tmp_path, authority, monkeypatch):
    """reach(certificate): (a Vestri that trusts the authority, its replica, which shows that certificate)."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.path))
    with ExitStack() as started:

        def reach(certificate, health="off"):
            replica = started.enter_context(SecurePuppet(certificate))
            text = CONFIG.format(health=health, url=replica.url)
            return started.enter_context(request.param(tmp_path, text)), replica

        yield reach


def ask(vestri, data=GET):
    with connect(vestri.port) as client:
        client.send(data)
        return client.answer()


def test_requests_and_answers_arrive_whole_over_one_connection(reach, authority):
    vestri, replica = reach(authority.certify(LOOPBACK))
    replica.answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY

    with connect(vestri.port) as client:
        for _ in range(3):
            client.send(head(b"POST", lines=b"Content-Length: %d\r\n" % len(BODY)) + BODY)
            assert client.answer().body == BODY

    assert [request.body == BODY for request in replica.taken] == [True] * 3
    assert replica.opened == 1
    assert f"reactor class: {vestri.reactor}" in vestri.log.read_text()


def test_a_slow_client_gets_all_of_an_answer_whose_replica_has_closed_long_ago(reach, authority):
    vestri, replica = reach(authority.certify(LOOPBACK))
    answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
    replica.next(replica.take, send(answer), goodbye)

    with connect(vestri.port) as client:
        client.send(GET)
        wait_until(lambda: replica.taken, "the request is there")
        time.sleep(0.3)
        assert client.answer().body == BODY


def goodbye(stream, stopped):
    """A step: close in the words of TLS, and then of TCP."""
    stream.sock.unwrap().close()


def test_a_body_ends_with_its_connection_only_where_that_is_announced(reach, authority):
    """RFC 9112 section 9.8: another end may be somebody else's doing."""
    vestri, replica = reach(authority.certify(LOOPBACK))
    replica.next(replica.take, send(b"HTTP/1.1 200 OK\r\n\r\nall of it"), goodbye)
    replica.next(replica.take, send(b"HTTP/1.1 200 OK\r\n\r\nhalf of"), lambda stream, stopped: stream.close())

    assert ask(vestri).body == b"all of it"
    with pytest.raises((EOFError, ConnectionResetError)):
        ask(vestri)


def other_name(authority):
    return authority.certify("other.test")


def yesterday_s(authority):
    return authority.certify(LOOPBACK, expired=True)


@pytest.mark.parametrize(
    ("certify", "words"),
    [(other_name, "certificate is not valid for '127.0.0.1'"), (yesterday_s, "certificate has expired")],
)
def test_a_replica_with_a_certificate_that_is_no_good_is_a_502_that_says_so(reach, authority, certify, words):
    vestri, replica = reach(certify(authority))

    answer = ask(vestri)

    assert (answer.status, answer.get(b"vestri-reason")) == (502, b"tls_failure")
    assert replica.taken == []
    assert words in vestri.log.read_text()
    assert "Traceback" not in vestri.log.read_text()


def test_a_replica_that_speaks_no_tls_is_one_too(tmp_path):
    with Puppet() as plain:
        text = CONFIG.format(health="off", url=plain.url.replace("http:", "https:"))
        plain.next(send(OK))
        with Vestri(tmp_path, text) as vestri:
            answer = ask(vestri)

    assert (answer.status, answer.get(b"vestri-reason")) == (502, b"tls_failure")
    assert "what it speaks is not TLS" in vestri.log.read_text()


def test_probes_go_by_https_as_well(reach, authority):
    vestri, _ = reach(authority.certify(LOOPBACK), "{path: /health}")

    wait_until(lambda: " is up" in vestri.log.read_text(), "it is up")

    assert ask(vestri).status == 200
