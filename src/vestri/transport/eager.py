"""Twisted's stock TCP and Unix transports, with writes that do not wait for the next poll.

Twisted's `FileDescriptor.write` queues, and lets the reactor send when the socket is next found
writable: an `epoll_ctl` pair and an `epoll_wait` for each answer. Nearly always the socket takes
the bytes at once; these transports try that first and queue only the rest.
"""

import errno
import socket

from twisted.internet import tcp, unix
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.error import NoProtocol
from twisted.logger import Logger

from vestri.transport.splicing import Passing

#: Connections accepted in one turn of the reactor; the rest waits in the kernel's backlog.
ACCEPTS_PER_TURN = 64
#: Seconds without accepting after the process or the machine ran out of descriptors or memory.
EXHAUSTED_PAUSE = 0.25
EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

log = Logger()


class EagerWrites(Passing):
    """Mixed into a Twisted socket transport: send now what the socket takes now.

    A failed send is not reported from inside `write`: the bytes are queued as the stock transport
    would, and the reactor finds the failure, so that a protocol is never torn down while it writes.
    """

    _read_ended = False

    def write(self, data):
        if self.disconnecting or self._aborting or self._writeDisconnected or self._writeDisconnecting:
            return
        if self._tempDataBuffer or self.dataBuffer or not self.connected:
            super().write(data)
            return
        sent = self.writeSomeData(data)
        if sent.__class__ is not int:
            super().write(data)
        elif sent < len(data):
            super().write(bytes(memoryview(data)[sent:]))

    def writeSequence(self, pieces):
        self.write(b"".join(pieces))

    def pending(self):
        """Bytes written to this transport that the kernel has not taken yet."""
        return len(self.dataBuffer) - self.offset + self._tempDataLen

    def loseWriteConnection(self):
        if self.connected and not self.disconnecting:
            super().loseWriteConnection()

    def readConnectionLost(self, reason):
        self._read_ended = True
        super().readConnectionLost(reason)

    def resumeProducing(self):
        if not self._read_ended:
            super().resumeProducing()

    def connectionLost(self, reason):
        """What is still pending never goes out."""
        self.dataBuffer, self.offset, self._tempDataBuffer, self._tempDataLen = b"", 0, [], 0
        super().connectionLost(reason)


class TCPServer(EagerWrites, tcp.Server):
    """An accepted TCP connection."""


class UnixServer(EagerWrites, unix.Server):
    """An accepted connection on a Unix socket."""


class TCPClient(EagerWrites, tcp.Client):
    """A TCP connection that we opened."""

    def createInternetSocket(self):
        sock = super().createInternetSocket()
        self.connector.factory.tune(sock)
        return sock

    def _connectDone(self):
        super()._connectDone()
        self.connector.factory.established()


class Connector(tcp.Connector):
    """Twisted's connector, making `TCPClient` transports; tells its factory when the protocol is connected."""

    def _makeTransport(self):
        return TCPClient(self.host, self.port, self.bindAddress, self, self.reactor)


class Accepting:
    """Mixed into a Twisted port: accept a bounded number a turn, and pause when descriptors run out.

    Twisted's own loop answers EMFILE by accepting and closing, which loses clients. A paused port
    leaves them in the kernel's backlog until there is room again.
    """

    paused = False
    on_stop = _retry = None

    def pauseProducing(self):
        """Accept nobody until `resumeProducing`; who connects waits in the kernel's backlog."""
        self.paused = True
        super().pauseProducing()

    def resumeProducing(self):
        self.paused = False
        super().resumeProducing()

    def one_by_one(self, careful):
        """It is always seen in time that it is paused."""

    def doRead(self):
        for _ in range(ACCEPTS_PER_TURN):
            if self.paused or self.disconnecting or not self.connected:
                return
            try:
                sock, address = self.socket.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno not in EXHAUSTED:
                    continue  # this one client is gone again: ECONNABORTED and its kin
                log.error("not accepting for a moment: {error}", error=error)
                self.stopReading()
                self._retry = self.reactor.callLater(EXHAUSTED_PAUSE, self._try_again)
                return
            self._accepted(sock, address)

    def connectionLost(self, reason):
        super().connectionLost(reason)
        if self._retry is not None:
            self._retry.cancel()
        if self.on_stop is not None:
            self.on_stop()

    def _try_again(self):
        self._retry = None
        if not self.paused:
            self.resumeProducing()

    def _accepted(self, sock, address):
        try:
            protocol = self.factory.buildProtocol(self._buildAddr(address))
        except Exception:
            log.failure("a fault before a connection began")
            protocol = None
        if protocol is None:
            sock.close()
            return
        sock.setblocking(False)
        self.sessionno += 1
        self._begin(protocol, self.transport(sock, protocol, address, self, self.sessionno, self.reactor))

    def _begin(self, protocol, transport):
        try:
            protocol.makeConnection(transport)
        except Exception:
            log.failure("a fault at the beginning of a connection")
            transport.abortConnection()


class Port(Accepting, tcp.Port):
    """A listening TCP socket."""

    transport = TCPServer


class UnixPort(Accepting, tcp.Port):
    """A listening Unix socket. Its file is not ours: whoever bound it gave it its permissions, and removes it."""

    transport = UnixServer

    def _buildAddr(self, name):
        return UNIXAddress(name or None)

    def getHost(self):
        return self._buildAddr(self.socket.getsockname())


def listen(reactor, sock, factory, backlog, on_stop=None):
    """Accept from a socket that listens already. Returns an IListeningPort. on_stop: called when that has stopped."""
    kind = UnixPort if sock.family == socket.AF_UNIX else Port
    port = kind._fromListeningDescriptor(reactor, sock.fileno(), sock.family, factory)
    port.on_stop = on_stop
    sock.close()
    port.startListening()
    return port


def connect(reactor, host, port, factory, tune):
    """A Deferred of the protocol that is connected to an address; fails with ConnectError or CancelledError.

    It fires while the connection is made, before anything can come. tune: called with the socket before it connects.
    """
    return Attempt(reactor, host, port, factory, tune).connected


class Attempt:
    """One attempt to connect: a Twisted client factory around the protocol's own."""

    noisy = False

    def __init__(self, reactor, host, port, factory, tune):
        self._factory, self.tune = factory, tune
        self._cancelled = False
        self.connected = Deferred(self._cancel)
        self._connector = Connector(host, port, self, None, None, reactor)
        self._connector.connect()

    def _cancel(self, connected):
        self._cancelled = True
        self._connector.stopConnecting()

    def buildProtocol(self, address):
        self._protocol = self._factory.buildProtocol(address)
        return self._protocol

    def established(self):
        if self._protocol is not None:
            self.connected.callback(self._protocol)

    def clientConnectionFailed(self, connector, reason):
        if not self._cancelled:
            self.connected.errback(reason)

    def clientConnectionLost(self, connector, reason):
        """The protocol hears of it itself, where there is one."""
        if not self.connected.called:
            self.connected.errback(NoProtocol())

    def startedConnecting(self, connector):
        """Part of a factory's interface, as are `doStart` and `doStop`; we keep nothing between connections."""

    def doStart(self):
        """See `startedConnecting`."""

    def doStop(self):
        """See `startedConnecting`."""
