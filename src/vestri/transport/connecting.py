"""Connections to replicas: by address at once, by name through the reactor's resolver."""

from ipaddress import ip_address

from twisted.internet.defer import Deferred
from twisted.internet.error import DNSLookupError
from twisted.internet.interfaces import IResolutionReceiver, IStreamClientEndpoint
from zope.interface import implementer

from vestri.transport import eager

#: Seconds for which the addresses of a name are kept. The reactor's resolver tells no TTL, and asks
#: in a thread: connections that open together ask once.
RESOLUTION_KEPT = 5.0


@implementer(IStreamClientEndpoint)
class ClientEndpoint:
    """Where a replica listens.

    host: address or name; the addresses of a name are tried in the resolver's order.  There is no
    time limit here: who connects cancels the Deferred when it has waited long enough.
    """

    def __init__(self, reactor, host, port):
        self._reactor, self.host, self.port = reactor, host, port
        self._addresses, self._kept_until = ([host], float("inf")) if _is_address(host) else ([], 0.0)

    def connect(self, protocolFactory):
        """A Deferred of the connected protocol; fails with ConnectError, DNSLookupError or CancelledError."""
        if self._reactor.seconds() < self._kept_until:
            return Attempt(self._reactor, self._addresses, self.port, protocolFactory).connected
        resolved = resolve(self._reactor, self.host).addCallback(self._keep)
        return resolved.addCallback(
            lambda addresses: Attempt(self._reactor, addresses, self.port, protocolFactory).connected
        )

    def _keep(self, addresses):
        self._addresses, self._kept_until = addresses, self._reactor.seconds() + RESOLUTION_KEPT
        return addresses

    def __repr__(self):
        return f"<ClientEndpoint {self.host}:{self.port}>"


class Attempt:
    """Tries addresses one after the other until one takes the connection: a Twisted client factory."""

    noisy = False

    def __init__(self, reactor, addresses, port, factory):
        self._reactor, self._port, self._factory = reactor, port, factory
        self._remaining = list(addresses)
        self._cancelled = False
        self.connected = Deferred(self._cancel)
        self._next()

    def _next(self):
        address = self._remaining.pop(0)
        self._connector = eager.Connector(address, self._port, self, None, None, self._reactor)
        self._connector.connect()

    def _cancel(self, connected):
        self._cancelled = True
        self._connector.stopConnecting()

    def buildProtocol(self, address):
        return self._factory.buildProtocol(address)

    def established(self, protocol):
        self.connected.callback(protocol)

    def clientConnectionFailed(self, connector, reason):
        if self._cancelled:
            return
        if self._remaining:
            self._next()
        else:
            self.connected.errback(reason)

    def clientConnectionLost(self, connector, reason):
        """The protocol hears of it itself."""

    def startedConnecting(self, connector):
        """Part of a factory's interface, as are `doStart` and `doStop`; we keep nothing between connections."""

    def doStart(self):
        """See `startedConnecting`."""

    def doStop(self):
        """See `startedConnecting`."""


@implementer(IResolutionReceiver)
class _Addresses:
    """Collects what the resolver finds."""

    def __init__(self, host, found):
        self._host, self._found, self._addresses = host, found, []

    def resolutionBegan(self, resolution):
        """Part of the receiver's interface."""

    def addressResolved(self, address):
        self._addresses.append(address.host)

    def resolutionComplete(self):
        if self._addresses:
            self._found.callback(self._addresses)
        else:
            self._found.errback(DNSLookupError(f"no address found for '{self._host}'"))


def resolve(reactor, host):
    """A Deferred of the addresses of a name, in the resolver's order; fails with DNSLookupError."""
    found = Deferred()
    reactor.nameResolver.resolveHostName(_Addresses(host, found), host)
    return found


def _is_address(host):
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
