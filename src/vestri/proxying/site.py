"""All connections of clients: what they share, how many there may be, and how they end."""

from ipaddress import ip_address

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory
from twisted.logger import Logger
from zope.interface import implementer

from vestri.errors import RequestError
from vestri.proxying.client import ClientConnection

#: What stands for the address of a client that has none: it came through a Unix socket.
UNKNOWN = "unknown"
#: Connections before the limit of them from which they are accepted one by one: what sixteen ports accept in a turn.
AT_ONCE = 64

log = Logger()


@implementer(IProtocolFactory)
class Site:
    """Makes a `ClientConnection` of everything that connects to a listener.

    limits, timeouts: model.Limits and model.Timeouts of the client side.  sweep: meets the deadlines.
    observers: each has `finished(exchange)`.  ports: the listening ports, paused while as many connections
    are open as may be.  draining: no connection outlives its request.
    """

    noisy = False

    def __init__(self, limits, timeouts, forwarding, sweep, observers=()):
        self.limits, self.timeouts, self.forwarding, self.sweep = limits, timeouts, forwarding, sweep
        self.seconds = sweep.seconds
        self.ports = []
        self.draining = False
        self._observers = tuple(observers)
        self._routes = self.root = None
        self._open, self._emptied = set(), None
        self._nearly_full = float("inf") if limits.connections is None else limits.connections - AT_ONCE
        self._body_limit = float("inf") if limits.body_size is None else limits.body_size

    def serve(self, routes, root):
        """From now on requests go where these `Routes` send them.

        Each route is a resource mounted in the tree of `root`, which a stock twisted.web `Site` can serve as well.
        """
        self._routes, self.root = routes, root

    def relay(self, exchange):
        """Send an exchange to where its request belongs. Raises RequestError."""
        head = exchange.head
        if head.fields.via:
            self.forwarding.refuse_loop(head)
        self._routes.decide(head.target).relay(exchange)

    def limit_body(self, size):
        """Raises RequestError (413) for a body of more bytes than are allowed."""
        if size > self._body_limit:
            raise RequestError("body_too_large", f"more than {self._body_limit} bytes")

    def finished(self, exchange):
        """Tell the observers. A fault of theirs is logged and never reaches a request."""
        for observer in self._observers:
            try:
                observer.finished(exchange)
            except Exception:
                log.failure("an observer failed: {observer!r}", observer=observer)

    # Connections

    def buildProtocol(self, address):
        return ClientConnection(self, self.address_of(address))

    def address_of(self, address):
        """The address of a client as text; that of an IPv4 client of an IPv6 socket as the client knows it."""
        host = getattr(address, "host", None)
        if not host:
            return UNKNOWN
        if host.startswith("::ffff:") or "%" in host:
            plain = ip_address(host.partition("%")[0])
            return str(getattr(plain, "ipv4_mapped", None) or plain)
        return host

    def opened(self, connection):
        """A client is there. At the limit the next ones wait, unaccepted, in the kernel's backlog."""
        self._open.add(connection)
        self.sweep.watch(connection)
        if len(self._open) >= self._nearly_full:
            self._approach(len(self._open))

    def closed(self, connection):
        self._open.discard(connection)
        self.sweep.forget(connection)
        if len(self._open) >= self._nearly_full - 1 and not self.draining:
            self._retreat(len(self._open))
        if self._emptied is not None and not self._open:
            emptied, self._emptied = self._emptied, None
            emptied.callback(None)

    def hasten(self):
        """All ports listen: accept as fast as they can, where the limit is not near."""
        if len(self._open) < self._nearly_full:
            for port in self.ports:
                port.one_by_one(False)

    def _approach(self, count):
        """So many are open: accept with care from shortly before the limit on, and nobody at the limit."""
        for port in self.ports:
            if count == self._nearly_full:
                port.one_by_one(True)
            if count == self.limits.connections:
                port.pauseProducing()

    def _retreat(self, count):
        for port in self.ports:
            if count == self.limits.connections - 1:
                port.resumeProducing()
            if count == self._nearly_full - 1:
                port.one_by_one(False)

    def drain(self):
        """Close what is idle, and the rest after its answer. Returns a Deferred that fires when all have gone."""
        self.draining = True
        for connection in [each for each in self._open if each.idle]:
            connection.close()
        self._emptied = emptied = Deferred(self._forget_emptied)
        if not self._open:
            self._emptied = None
            emptied.callback(None)
        return emptied

    def _forget_emptied(self, emptied):
        self._emptied = None

    def abort(self):
        """Break all connections. Returns their number."""
        connections = list(self._open)
        for connection in connections:
            connection.cut_off("shutting_down")
        return len(connections)

    def doStart(self):
        """Part of a factory's interface; nothing to prepare."""

    doStop = doStart

    def __repr__(self):
        return f"<Site: {len(self._open)} connections{', draining' if self.draining else ''}>"
