"""A balancer without sockets: `Site`, exchanges and shelves as they are, and a `Wire` wherever a socket would be."""

import socket
import weakref
from contextlib import suppress
from random import Random

import attrs
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost, ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.server import Site as StockSite

from vestri.model import Limits, Matcher, Replica, Service, Timeouts, TrustedProxies
from vestri.pool import Pool
from vestri.proxying.destination import Destination
from vestri.proxying.forwarding import Forwarding
from vestri.proxying.resource import BalancingResource, tree
from vestri.proxying.shelf import Shelf
from vestri.proxying.site import Site
from vestri.proxying.sweep import Sweep
from vestri.routing import Routes
from vestri.selection import RoundRobin, Selector

CLIENT = "192.0.2.1"
#: Of a Via field, and of the pseudonym in it.
INSTANCE = "test"
#: Bytes that wait in a transport before it pauses its producer.
HIGH_WATER = 64 * 1024
#: Bytes that go from one transport to another in one turn.
MOST_UNREAD = 1_000_000
#: Seconds between two passes of the sweep.
BEAT = 0.25


class Wire:
    """A transport and, in its verbs of the third person, the peer at its other end.

    The peer takes everything that is written, unless `takes` says how much; what it has of it is in `seen`, and
    `news()` gives what came since the last call. The protocol hears of everything in a later turn of the clock, as it
    would with a reactor; a streaming producer is told once that the wire is full, and once that it has drained. As with
    Twisted's own transports a producer that was told to pause holds up the end.

    closed: None, or how our side ended it: "closed" or "aborted".  ended: our side will write no more.  passed: bytes
    of the peer's that went to another wire unread.
    """

    def __init__(self, clock, protocol, room=float("inf")):
        self._clock, self.protocol = clock, protocol
        self.seen, self._unsent, self._inbox = bytearray(), bytearray(), []
        self._told, self._room = 0, room
        self.passed = 0
        self._producer, self._full, self._shut = None, False, False
        self.reading, self.closed, self.ended, self.lost = True, None, False, False
        self._sockets = None
        protocol.makeConnection(self)

    # What protocols call

    def write(self, data):
        assert type(data) is bytes
        if self.closed or self.ended or self.lost:
            return
        self._unsent += data
        self._flow()
        if self._producer is not None and len(self._unsent) > HIGH_WATER and not self._full:
            self._full = True
            self._producer.pauseProducing()

    def pending(self):
        return len(self._unsent)

    def registerProducer(self, producer, streaming):
        assert streaming
        assert self._producer is None
        self._producer = producer

    def unregisterProducer(self):
        self._producer = None
        self._flow()

    def pauseProducing(self):
        assert not (self.closed or self.lost), "uvloop raises RuntimeError where a closing transport is paused"
        self.reading = False

    def resumeProducing(self):
        self.reading = True
        self._clock.callLater(0, self._deliver)

    def pass_on(self, target, most):
        """As if it had not been read, up to a bound that no message has to do with."""
        passed, most = 0, min(most, MOST_UNREAD)
        if not (target.pending() or target.closed or target.ended or target.lost):
            while passed < most and self._inbox and self._inbox[0] is not None:
                piece = self._inbox.pop(0)
                if len(piece) > most - passed:
                    self._inbox.insert(0, piece[most - passed :])
                target.write(piece[: most - passed])
                passed += min(len(piece), most - passed)
        self.passed += passed
        return passed

    def loseConnection(self):
        if self.closed or self.lost:
            return
        self.closed, self.reading = "closed", False
        self._flow()

    def abortConnection(self):
        if self.closed != "aborted" and not self.lost:
            self.closed, self.reading = "aborted", False
            self._unsent.clear()
            self._lose(ConnectionLost())

    def loseWriteConnection(self):
        self.ended = True
        self._flow()

    def fileno(self):
        """Of a socket whose state is what a look at this wire is to find."""
        assert not (self.closed or self.lost), "it has none any more"
        return self._ends()[0].fileno()

    # What the peer does

    def sends(self, *pieces):
        """The peer sends bytes; they arrive in these pieces."""
        self._inbox += pieces
        self._turn()

    def finishes(self):
        """The peer closes its side, after what it has sent."""
        self._inbox.append(None)
        self._ends()[1].shutdown(socket.SHUT_WR)
        self._turn()

    def resets(self):
        """The peer breaks the connection. A transport that neither reads nor writes does not notice."""
        self._ends()[1].close()
        if self.reading or self._unsent:
            self._lose(ConnectionLost())
        self._clock.advance(0)

    def has_unnoticed(self, data):
        """The peer has sent bytes that nobody has read, or (b"") closed, and no event has told of it as yet."""
        if data:
            self._ends()[1].sendall(data)
        else:
            self._ends()[1].shutdown(socket.SHUT_WR)

    def takes(self, size=float("inf")):
        """From now on the peer takes so many bytes more, or all."""
        self._room = size
        self._flow()
        self._clock.advance(0)

    def news(self):
        """What the peer received since it was last asked."""
        data, self._told = bytes(self.seen[self._told :]), len(self.seen)
        return data

    @property
    def finished(self):
        """Whether the peer has seen the end of what we send."""
        return self.lost or self._shut

    # How bytes get across

    def _turn(self):
        self._clock.callLater(0, self._deliver)
        self._clock.advance(0)

    def _deliver(self):
        while self._inbox and self.reading and not (self.closed or self.lost):
            if self._inbox[0] is None:  # stays: whoever reads on finds the end again
                self.reading = False
                self.protocol.readConnectionLost()
            else:
                self.protocol.dataReceived(self._inbox.pop(0))

    def _flow(self):
        size = min(len(self._unsent), self._room)
        self.seen += self._unsent[:size]
        del self._unsent[:size]
        self._room -= size
        if self._unsent or self.lost:
            return
        if self._full:
            self._full = False
            self._clock.callLater(0, self._drained)
            if self._producer is not None:
                return
        self._shut = self.ended
        if self.closed == "closed":
            self._lose(ConnectionDone())

    def _drained(self):
        if self._producer is not None and not (self._full or self.lost):
            self._producer.resumeProducing()

    def _lose(self, reason):
        if not self.lost:
            self.lost = True
            self._clock.callLater(0, self.protocol.connectionLost, Failure(reason))

    def _ends(self):
        if self._sockets is None:
            self._sockets = socket.socketpair()
            weakref.finalize(self, _close, self._sockets)
        return self._sockets


def _close(sockets):
    for each in sockets:
        with suppress(OSError):
            each.close()


class Listener:
    """Where a replica listens: an IStreamClientEndpoint.

    mood: "accepts", "refuses" or "is silent".  connections: a `Wire` for each that was opened.
    asked: how often somebody tried.  room: bytes that a replica takes at first.
    """

    def __init__(self, clock):
        self._clock, self.mood, self.room = clock, "accepts", float("inf")
        self.connections, self.asked, self.given_up = [], 0, 0

    def connect(self, factory):
        self.asked += 1
        connecting = Deferred(self._give_up)
        self._clock.callLater(0, self._settle, connecting, factory)
        return connecting

    def _give_up(self, connecting):
        self.given_up += 1

    def _settle(self, connecting, factory):
        if connecting.called or self.mood == "is silent":
            return
        if self.mood == "refuses":
            connecting.errback(Failure(ConnectionRefusedError()))
            return
        protocol = factory.buildProtocol(None)
        self.connections.append(Wire(self._clock, protocol, self.room))
        connecting.callback(protocol)


class Observer:
    """Keeps the exchanges that have finished."""

    def __init__(self):
        self.exchanges = []

    def finished(self, exchange):
        self.exchanges.append(exchange)

    @property
    def last(self):
        return self.exchanges[-1]


def replica(name, **facts):
    return Replica(f"http://{name}.test", id=name, scheme="http", host=f"{name}.test", **{"port": 80, **facts})


def service(name="web", path="/", replicas=("a",), **facts):
    """A service whose replicas are named, or made by `replica`. They count as up."""
    made = tuple(replica(each) if isinstance(each, str) else each for each in replicas)
    return Service(name, made, Matcher(path), health=facts.pop("health", None), **facts)


class World:
    """A site, its services and a clock.

    replicas: their names, for one service called `web`; or `services` whole.  Other arguments as in `model`, timeouts
    are both sides'.  observers: besides `observer`.  listeners: of the replicas by id.
    """

    def __init__(self, *replicas, services=None, limits=None, timeouts=None, trusted=None, observers=()):
        timeouts = timeouts or Timeouts()
        services = services or [service(replicas=replicas or ("a",), timeouts=timeouts)]
        self.clock, self.observer = Clock(), Observer()
        self.clock.advance(1000)
        self.sweep = Sweep(self.clock, self.clock.seconds, BEAT)
        forwarding = Forwarding(trusted or TrustedProxies(), INSTANCE)
        self.site = Site(limits or Limits(), timeouts, forwarding, self.sweep, [*observers, self.observer])
        self.listeners = {}
        self.destinations = {each.name: self._destination(each) for each in services}
        mounted = {}
        for each in self.destinations.values():
            mounted.setdefault(each.service.matcher.path, BalancingResource(each, self.site))
        self.site.serve(Routes(mounted.items()), tree(mounted, self.site))
        self.sweep.startService()

    def _destination(self, service):
        pool = Pool.of(service)
        for member in pool.members:
            listener = self.listeners[member.replica.id] = Listener(self.clock)
            member.connections = Shelf(listener, service.timeouts, self.sweep)
        return Destination(service, pool, Selector(pool, RoundRobin(random=Random(0))))

    def client(self, address=CLIENT):
        """A client connects. Returns its `Wire`."""
        return Wire(self.clock, self.site.buildProtocol(Address(address)))

    def asks(self, *pieces):
        """A client connects and sends. Returns its `Wire`."""
        client = self.client()
        client.sends(*pieces)
        return client

    def replica(self, name="a", nth=-1):
        """The `Wire` of the last, or nth, connection to a replica."""
        return self.listeners[name].connections[nth]

    def member(self, name="a"):
        return next(
            member for each in self.destinations.values() for member in each.members if member.replica.id == name
        )

    def opened(self, name="a"):
        """How many connections to a replica there have been."""
        return len(self.listeners[name].connections)

    def wait(self, seconds):
        """Time passes, beat by beat."""
        self.clock.pump([BEAT] * round(seconds / BEAT))

    @property
    def log(self):
        """(status, reason) of each exchange that has finished."""
        return [(each.status, each.reason) for each in self.observer.exchanges]

    @property
    def watched(self):
        """How many have a deadline that the sweep must meet."""
        return len(self.sweep._watched)

    @property
    def in_flight(self):
        return sum(member.in_flight for each in self.destinations.values() for member in each.members)


class Stock:
    """A client of a stock `twisted.web.server.Site` that serves a world's resource tree."""

    def __init__(self, world):
        self._world = world
        self.transport = StringTransport(peerAddress=IPv4Address("TCP", CLIENT, 1000))
        self.protocol = StockSite(world.site.root, reactor=world.clock, timeout=None).buildProtocol(None)
        self.protocol.makeConnection(self.transport)

    def sends(self, data):
        self.protocol.dataReceived(data)
        self._world.clock.advance(0)

    def resets(self):
        self.protocol.connectionLost(Failure(ConnectionLost()))
        self._world.clock.advance(0)

    def news(self):
        data = self.transport.value()
        self.transport.clear()
        return data


@attrs.frozen
class Address:
    """Of a client, as a listener gives it."""

    host: str


def get(target=b"/", *lines, host=b"example.org", method=b"GET"):
    """A request without a body."""
    return message(b"%b %b HTTP/1.1" % (method, target), b"Host: " + host, *lines)


def post(body, *lines, target=b"/", length=None):
    """A POST with Content-Length, `length` of which `body` is the beginning."""
    size = b"Content-Length: %d" % (len(body) if length is None else length)
    return message(b"POST %b HTTP/1.1" % target, b"Host: example.org", size, *lines) + body


def chunked_post(*lines, target=b"/"):
    """The head of a chunked POST."""
    start = b"POST %b HTTP/1.1" % target
    return message(start, b"Host: example.org", b"Transfer-Encoding: chunked", *lines)


def ok(body=b"", *lines, status=b"200 OK", length=None):
    """An answer with Content-Length, `length` of which `body` is the beginning."""
    size = b"Content-Length: %d" % (len(body) if length is None else length)
    return message(b"HTTP/1.1 " + status, size, *lines) + body


def message(*lines):
    """Lines as a head."""
    return b"\r\n".join(lines) + b"\r\n\r\n"


def lines_of(head):
    """The field lines of a head in bytes; what follows it is left out."""
    return head.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]


def values_of(head, name):
    """The values of every field of that lower-case name."""
    pairs = [line.split(b":", 1) for line in lines_of(head)]
    return [value.strip() for field, value in pairs if field.lower() == name]


def body_of(data):
    """What follows the first head."""
    return data.partition(b"\r\n\r\n")[2]


#: The wish to switch protocols, and its fulfilment.
UPGRADE = get(b"/chat", b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Key: x")
SWITCH = message(
    b"HTTP/1.1 101 Switching Protocols", b"Sec-WebSocket-Accept: y", b"Connection: Upgrade", b"Upgrade: websocket"
)
