"""Transports on real sockets: a reactor of our own for each kind, and plain blocking sockets as its peers."""

import asyncio
import socket
import time
from contextlib import contextmanager

from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory
from zope.interface import implementer

from vestri.transport import eager
from wire import LOOPBACK, PATIENCE

try:
    import uvloop

    from vestri.transport import uv
except ImportError:
    uv = None

KINDS = ["eager"] if uv is None else ["eager", "uv"]


@contextmanager
def running(name):
    """A `Kind` with its reactor, which leaves nothing behind."""
    loop = asyncio.new_event_loop() if name == "eager" else uvloop.new_event_loop()
    reactor = AsyncioSelectorReactor(loop)
    before = {*reactor.getReaders()}
    kind = Kind(eager if name == "eager" else uv, reactor, loop)
    yield kind
    kind.close()
    left = {*reactor.getDelayedCalls(), *reactor.getWriters()} | {*reactor.getReaders()} - before
    reactor.removeAll()
    loop.close()
    assert not left, f"left in the reactor: {left}"


class Kind:
    """One kind of transport. module: of it.  reactor: that runs while something is waited for."""

    def __init__(self, module, reactor, loop):
        self.module, self.reactor, self._loop = module, reactor, loop
        self._ports, self._sockets, self._factories = [], [], []

    def wait(self, seconds=0.02):
        """Let the reactor run for a while."""
        self._loop.run_until_complete(asyncio.sleep(seconds))

    def until(self, happened, seconds=PATIENCE):
        """Let the reactor run until `happened` says something true, and return that."""
        deadline = time.monotonic() + seconds
        while not (answer := happened()):
            assert time.monotonic() < deadline, "it did not happen"
            self.wait(0.002)
        return answer

    def result(self, deferred):
        """What a Deferred fires with, or raises."""
        return self._loop.run_until_complete(deferred.asFuture(self._loop))

    def recorders(self):
        """A factory whose connections are closed when the test ends."""
        self._factories.append(Recorders())
        return self._factories[-1]

    def listen(self, factory, sock=None, **arguments):
        """Accept from a socket, or one on a free port. Returns the port."""
        sock = sock or socket.create_server((LOOPBACK, 0), backlog=128)
        sock.setblocking(False)
        port = self.module.listen(self.reactor, sock, factory, 128, **arguments)
        self._ports.append(port)
        return port

    def serving(self):
        """(the `Recorder` of an accepted connection, the peer's blocking socket)."""
        factory = self.recorders()
        port = self.listen(factory)
        peer = self.peer(port)
        return self.until(lambda: factory.made and factory.made[-1]), peer

    def peer(self, port):
        """A blocking socket that is connected to a port."""
        return self.keep(socket.create_connection((LOOPBACK, port.getHost().port), PATIENCE))

    def keep(self, sock):
        """Close a socket when the test ends."""
        self._sockets.append(sock)
        return sock

    def close(self):
        for port in self._ports:
            stopped = port.stopListening()
            if isinstance(stopped, Deferred):
                self.result(stopped)
        made = [each for factory in self._factories for each in factory.made]
        for each in made:
            each.transport.abortConnection()
        self.until(lambda: all(each.lost for each in made))
        for sock in self._sockets:
            sock.close()
        self._ports.clear()


@implementer(IHalfCloseableProtocol)
class Recorder:
    """A protocol that keeps what it is told.

    data: that came.  ended: the peer has closed its side.  lost: why the connection is gone, or None.
    told: what it heard as a producer, in order.
    """

    def __init__(self):
        self.data, self.ended, self.lost, self.told = b"", False, None, []

    def makeConnection(self, transport):
        self.transport = transport

    def dataReceived(self, data):
        self.data += data

    def readConnectionLost(self):
        self.ended = True

    def writeConnectionLost(self):
        """We half-closed."""

    def connectionLost(self, reason):
        self.lost = reason.type

    def pauseProducing(self):
        self.told.append("pause")

    def resumeProducing(self):
        self.told.append("resume")

    def stopProducing(self):
        self.told.append("stop")


class Recorders(Factory):
    """Makes a `Recorder` for each connection. peers: the addresses that it was told."""

    noisy = False

    def __init__(self):
        self.made, self.peers = [], []

    def buildProtocol(self, address):
        self.peers.append(address)
        self.made.append(Recorder())
        return self.made[-1]


def read(peer, size):
    """So many bytes from a blocking socket."""
    data = b""
    while len(data) < size:
        piece = peer.recv(size - len(data))
        assert piece, f"ended after {len(data)} of {size} bytes"
        data += piece
    return data
