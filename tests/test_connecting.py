"""Where a replica listens: by address at once, by name through the reactor's resolver."""

import socket

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectError, DNSLookupError
from twisted.internet.interfaces import IHostnameResolver
from zope.interface import implementer

from support_transport import KINDS, running
from vestri.transport import ClientEndpoint
from vestri.transport.connecting import RESOLUTION_KEPT
from wire import LOOPBACK


@pytest.fixture(params=KINDS)
def kind(request):
    with running(request.param) as kind:
        yield kind


@implementer(IHostnameResolver)
class Names:
    """A resolver. found: its addresses.  asked: the names that it was asked for.  slow: it answers when told."""

    def __init__(self, kind, *found, slow=False):
        self.found, self._slow = found, slow
        self.asked, self._waiting = [], []
        kind.reactor.installNameResolver(self)

    def resolveHostName(self, receiver, name, port=0, types=None, semantics="TCP"):
        self.asked.append(name)
        receiver.resolutionBegan(None)
        self._waiting.append(receiver)
        if not self._slow:
            self.answer()

    def answer(self):
        waiting, self._waiting = self._waiting, []
        for receiver in waiting:
            for host in self.found:
                receiver.addressResolved(IPv4Address("TCP", host, 0))
            receiver.resolutionComplete()


def server(kind, host=LOOPBACK):
    """The port of a server that listens at one address alone."""
    return kind.keep(socket.create_server((host, 0), backlog=16)).getsockname()[1]


def connected(kind, endpoint, factory=None):
    """A connection, at once."""
    return kind.result(endpoint.connect(factory or kind.recorders()))


def test_an_address_is_connected_to_without_asking(kind):
    names = Names(kind)
    factory = kind.recorders()

    protocol = connected(kind, ClientEndpoint(kind.reactor, LOOPBACK, server(kind)), factory)

    assert factory.made == [protocol]
    assert names.asked == []


def test_a_name_is_resolved(kind):
    names = Names(kind, LOOPBACK)
    port = server(kind)

    protocol = connected(kind, ClientEndpoint(kind.reactor, "replica.test", port))

    assert names.asked == ["replica.test"]
    assert protocol.transport.getPeer() == IPv4Address("TCP", LOOPBACK, port)


def test_the_addresses_of_a_name_are_tried_one_after_the_other(kind):
    Names(kind, "127.0.0.2", "127.0.0.3", LOOPBACK)

    protocol = connected(kind, ClientEndpoint(kind.reactor, "replica.test", server(kind)))

    assert protocol.transport.getPeer().host == LOOPBACK


def test_when_all_addresses_refuse_it_is_the_last_one_s_error(kind):
    Names(kind, "127.0.0.2", "127.0.0.3")

    with pytest.raises(ConnectError):
        connected(kind, ClientEndpoint(kind.reactor, "replica.test", server(kind)))


def test_a_name_without_addresses_is_an_error(kind):
    Names(kind)

    with pytest.raises(DNSLookupError, match="no address found for 'replica.test'"):
        connected(kind, ClientEndpoint(kind.reactor, "replica.test", 80))


def test_addresses_are_kept_for_a_while(kind, monkeypatch):
    names, now = Names(kind, LOOPBACK), [0.0]
    monkeypatch.setattr(kind.reactor, "seconds", lambda: now[0])
    endpoint = ClientEndpoint(kind.reactor, "replica.test", server(kind))
    connected(kind, endpoint)

    now[0] = RESOLUTION_KEPT - 0.1
    connected(kind, endpoint)
    assert len(names.asked) == 1
    now[0] = RESOLUTION_KEPT
    connected(kind, endpoint)

    assert len(names.asked) == 2


def test_connections_that_open_together_ask_once(kind):
    names = Names(kind, LOOPBACK, slow=True)
    endpoint = ClientEndpoint(kind.reactor, "replica.test", server(kind))

    opening = [endpoint.connect(kind.recorders()) for _ in range(3)]
    names.answer()
    for each in opening:
        kind.result(each)

    assert names.asked == ["replica.test"]


def test_a_name_that_has_no_addresses_fails_all_who_wait_and_is_asked_again(kind):
    names = Names(kind, slow=True)
    endpoint = ClientEndpoint(kind.reactor, "replica.test", server(kind))
    failing = [endpoint.connect(kind.recorders()) for _ in range(2)]
    names.answer()
    for each in failing:
        with pytest.raises(DNSLookupError):
            kind.result(each)

    names.found = (LOOPBACK,)
    opening = endpoint.connect(kind.recorders())
    names.answer()

    assert kind.result(opening)


@pytest.mark.parametrize("answers", [True, False])
def test_who_has_waited_long_enough_for_a_name_may_cancel(kind, answers):
    names = Names(kind, LOOPBACK, slow=True)
    factory = kind.recorders()
    connecting = ClientEndpoint(kind.reactor, "replica.test", server(kind)).connect(factory)

    connecting.cancel()
    if answers:
        names.answer()

    with pytest.raises(CancelledError):
        kind.result(connecting)
    kind.wait()
    assert factory.made == []


def test_an_endpoint_says_where_it_is(kind):
    assert repr(ClientEndpoint(kind.reactor, "replica.test", 81)) == "<ClientEndpoint replica.test:81>"
