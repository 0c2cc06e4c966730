"""Twisted's stock TCP and Unix transports, with writes that do not wait for the next poll.

Twisted's `FileDescriptor.write` queues, and lets the reactor send when the socket is next found
writable: an `epoll_ctl` pair and an `epoll_wait` for each answer. Nearly always the socket takes
the bytes at once; these transports try that first and queue only the rest.
"""

import errno
import socket

from twisted.internet import tcp, unix
from twisted.internet.defer import Deferred
from twisted.logger import Logger

#: Connections accepted in one turn of the reactor; the rest waits in the kernel's backlog.
ACCEPTS_PER_TURN = 64
#: Seconds without accepting after the process or the machine ran out of descriptors or memory.
EXHAUSTED_PAUSE = 0.25
EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

log = Logger()


class EagerWrites:
    """Mixed into a Twisted socket transport: send now what the socket takes now.

    A failed send is not reported from inside `write`: the bytes are queued as the stock transport
    would, and the reactor finds the failure, so that a protocol is never torn down while it writes.
    """

    def write(self, data):
        if self._tempDataBuffer or self.dataBuffer or not self.connected or self.disconnecting:
            super().write(data)
            return
        if self._writeDisconnected or self._writeDisconnecting:
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
        self.connector.factory.established(self.protocol)


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
    on_stop = None

    def pauseProducing(self):
        """Accept nobody until `resumeProducing`; who connects waits in the kernel's backlog."""
        self.paused = True
        super().pauseProducing()

    def resumeProducing(self):
        self.paused = False
        super().resumeProducing()

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
                self.reactor.callLater(EXHAUSTED_PAUSE, self._try_again)
                return
            self.accepted(sock, address)

    def connectionLost(self, reason):
        super().connectionLost(reason)
        if self.on_stop is not None:
            self.on_stop()

    def _try_again(self):
        if not self.paused:
            self.resumeProducing()

    def accepted(self, sock, address):
        protocol = self.factory.buildProtocol(self._buildAddr(address))
        if protocol is None:
            sock.close()
            return
        sock.setblocking(False)
        self.sessionno += 1
        protocol.makeConnection(self.transport(sock, protocol, address, self, self.sessionno, self.reactor))


class Port(Accepting, tcp.Port):
    """A listening TCP socket."""

    transport = TCPServer


class UnixPort(Accepting, unix.Port):
    """A listening Unix socket."""

    transport = UnixServer


def listen(reactor, sock, factory, backlog, on_stop=None):
    """Accept from a socket that listens already. Returns an IListeningPort. on_stop: called when that has stopped."""
    kind = UnixPort if sock.family == socket.AF_UNIX else Port
    port = kind._fromListeningDescriptor(reactor, sock.fileno(), *_family_of(sock), factory)
    port.on_stop = on_stop
    sock.close()
    port.startListening()
    return port


def _family_of(sock):
    """`twisted.internet.unix` knows its family itself."""
    return () if sock.family == socket.AF_UNIX else (sock.family,)


def connect(reactor, host, port, factory, tune, server_name=None):
    """A Deferred of the protocol that is connected to an address; fails with ConnectError, TLSFailed or CancelledError.

    tune: called with the socket before it connects.  server_name: connect over TLS, to whom the system's
    authorities know by this name.
    """
    if server_name is None:
        return Attempt(reactor, host, port, factory, tune).connected
    from vestri.transport.eager_tls import Securing  # pyOpenSSL takes a while to import

    securing = Securing(factory, server_name)
    return securing.over(Attempt(reactor, host, port, securing.factory, tune).connected)


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
        return self._factory.buildProtocol(address)

    def established(self, protocol):
        self.connected.callback(protocol)

    def clientConnectionFailed(self, connector, reason):
        if not self._cancelled:
            self.connected.errback(reason)

    def clientConnectionLost(self, connector, reason):
        """The protocol hears of it itself."""

    def startedConnecting(self, connector):
        """Part of a factory's interface, as are `doStart` and `doStop`; we keep nothing between connections."""

    def doStart(self):
        """See `startedConnecting`."""

    def doStop(self):
        """See `startedConnecting`."""
