"""Connections to replicas: by address at once, by name through the reactor's resolver."""

from ipaddress import ip_address

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError, DNSLookupError
from twisted.internet.interfaces import IResolutionReceiver, IStreamClientEndpoint
from zope.interface import implementer

from vestri.transport.handshakes import Reaching
from vestri.transport.kinds import kind_of
from vestri.transport.sockets import tune

#: Seconds for which the addresses of a name are kept. The reactor's resolver tells no TTL, and asks
#: in a thread: connections that open together ask once.
RESOLUTION_KEPT = 5.0


@implementer(IStreamClientEndpoint)
class ClientEndpoint:
    """Where a replica listens.

    host: address or name; the addresses of a name are tried in the resolver's order.  tls: speak TLS, and
    verify that the replica is who it is called.  There is no time limit here: who connects cancels the
    Deferred when it has waited long enough.
    """

    def __init__(self, reactor, host, port, *, tls=False):
        self._reactor, self.host, self.port, self._tls = reactor, host, port, tls
        self._open = kind_of(reactor).connect
        self._addresses, self._kept_until = ([host], float("inf")) if _is_address(host) else ([], 0.0)
        self._waiting = []

    def connect(self, protocolFactory):
        """A Deferred of the connected protocol; fails with ConnectError, DNSLookupError, TLSFailed, CancelledError."""
        if self._reactor.seconds() < self._kept_until:
            return self._try_each(self._addresses, protocolFactory)
        return self._resolved().addCallback(self._try_each, protocolFactory)

    def _resolved(self):
        """A Deferred of the addresses. Whoever asks while the answer is on its way waits for the same one."""
        waiting = Deferred()
        self._waiting.append(waiting)
        if len(self._waiting) == 1:
            resolve(self._reactor, self.host).addCallback(self._keep).addBoth(self._tell)
        return waiting

    def _tell(self, resolved):
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(resolved)

    def _try_each(self, addresses, factory):
        """Try addresses one after the other until one takes the connection."""
        first, *others = addresses
        attempt = self._reach(first, factory)
        if not others:
            return attempt
        return attempt.addErrback(lambda failure: self._try_next(failure, others, factory))

    def _reach(self, address, factory):
        if not self._tls:
            return self._open(self._reactor, address, self.port, factory, tune)
        reaching = Reaching(factory, self.host)
        return reaching.over(self._open(self._reactor, address, self.port, reaching, tune))

    def _try_next(self, failure, others, factory):
        failure.trap(ConnectError)
        return self._try_each(others, factory)

    def _keep(self, addresses):
        self._addresses, self._kept_until = addresses, self._reactor.seconds() + RESOLUTION_KEPT
        return addresses

    def __repr__(self):
        return f"<ClientEndpoint {self.host}:{self.port}>"


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
