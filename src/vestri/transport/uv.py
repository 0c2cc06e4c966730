"""uvloop's own transports, seen through Twisted's interface: the fastest way for bytes in and out.

Twisted's transports on an asyncio loop ask it about readiness and then call `recv` and `send`
themselves, from Python. Here libuv does both, and hands bytes straight to the protocol's `dataReceived`.
"""

import asyncio
import os
import resource
import signal
import socket
import ssl
import struct
from functools import cache

import uvloop
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError, ConnectionDone, ConnectionLost, getConnectError
from twisted.internet.interfaces import IHalfCloseableProtocol, IListeningPort, ITransport
from twisted.internet.process import reapAllProcesses
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from vestri.errors import TLSFailed

#: Bytes that wait for a slow peer before its producer is told to pause.
HIGH_WATER = 16 * 1024
#: Bytes of one read: at first, and at most, while whoever takes them keeps up.
FIRST_READ, LARGEST_READ = 16 * 1024, 256 * 1024
#: Descriptors kept free: at EMFILE libuv accepts and closes, which loses clients, so accepting pauses before.
RESERVED = 64
#: Seconds after which a port that paused for want of descriptors looks again.
EXHAUSTED_PAUSE = 0.25
#: SO_LINGER with no time: close with a reset (socket(7)).
RESET = struct.pack("ii", 1, 0)

DONE, LOST = Failure(ConnectionDone()), Failure(ConnectionLost())

#: All reads go through this memory: it is copied from before the next one begins.
_shared = memoryview(bytearray(LARGEST_READ))
_windows = {size: _shared[:size] for size in (FIRST_READ << step for step in range(5))}

log = Logger()


def install():
    """Make a Twisted reactor that stands on uvloop the global one."""
    from twisted.internet.main import installReactor

    reactor = AsyncioSelectorReactor(uvloop.new_event_loop())
    installReactor(reactor)
    reactor.callWhenRunning(_reap_children, reactor)


def _reap_children(reactor):
    """uvloop takes over the descriptor by which signals wake Twisted, so tell it ourselves when a child ended."""
    signal.signal(signal.SIGCHLD, lambda *caught: reactor.callFromThread(reapAllProcesses))


def loop_of(reactor):
    """The uvloop loop under a reactor, or None where another serves."""
    loop = getattr(reactor, "_asyncioEventloop", None)
    return loop if isinstance(loop, uvloop.Loop) else None


@implementer(ITransport)
class Connection:
    """A uvloop transport with Twisted's methods; to uvloop it is the (buffered) protocol.

    factory: makes the Twisted protocol, given the peer's address.  connected: called with it, then.
    Reads are small at first and grow while they fill and the other side takes what they bring, so that
    a slow peer costs little memory and a fast one few calls.
    """

    __slots__ = (
        "_connected", "_factory", "_producer", "_received", "_size", "_uv", "connected", "disconnecting", "protocol", "write",
    )  # fmt: skip

    def __init__(self, factory, connected=None):
        self._factory, self._connected = factory, connected
        self._producer = self.protocol = None
        self._size = FIRST_READ
        self.connected, self.disconnecting = False, False

    # What uvloop tells

    def connection_made(self, uv):
        self._uv, self.write = uv, uv.write
        uv.set_write_buffer_limits(HIGH_WATER)
        protocol = self.protocol = self._factory.buildProtocol(self.getPeer())
        if protocol is None:
            uv.abort()
            return
        self.connected = True
        self._received = protocol.dataReceived
        protocol.makeConnection(self)
        if self._connected is not None:
            self._connected(protocol)

    def get_buffer(self, hint):
        return _windows[self._size]

    def buffer_updated(self, count):
        size = self._size
        if count == size and size < LARGEST_READ:
            self._size = size * 2
        self._received(bytes(_shared[:count]))

    def eof_received(self):
        """Twisted's half-closeable protocols decide themselves when to close."""
        if IHalfCloseableProtocol.providedBy(self.protocol):
            self.protocol.readConnectionLost()
            return True
        return False

    def connection_lost(self, error):
        self.write = _nowhere
        self._producer = None
        if self.connected:
            self.connected = False
            self.protocol.connectionLost(DONE if error is None else LOST)

    def pause_writing(self):
        if self._producer is not None:
            self._producer.pauseProducing()

    def resume_writing(self):
        if self._producer is not None:
            self._producer.resumeProducing()

    # What the Twisted protocol asks for; `write` is uvloop's own

    def writeSequence(self, pieces):
        self.write(b"".join(pieces))

    def loseConnection(self):
        self.write, self.disconnecting = _nowhere, True
        self._uv.close()

    def abortConnection(self):
        """Close at once, with a reset: the peer is to see that what it has is not whole."""
        self.write, self.disconnecting = _nowhere, True
        if not self._uv.is_closing() or self.pending():
            self._reset_on_close()
            self._uv.abort()

    def _reset_on_close(self):
        sock = self._uv.get_extra_info("socket")
        if sock is not None and sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    def loseWriteConnection(self):
        """Say that no more follows. TLS has no such word that peers understand: there it is the end of both ways."""
        if not self.connected or self.disconnecting:
            return
        self.write = _nowhere
        if self._uv.can_write_eof():
            self._uv.write_eof()
        else:
            self.loseConnection()

    def pauseProducing(self):
        self._size = FIRST_READ
        self._uv.pause_reading()

    def resumeProducing(self):
        self._uv.resume_reading()

    def stopProducing(self):
        self.loseConnection()

    def registerProducer(self, producer, streaming):
        """streaming: push producers only; they are what relays bytes."""
        self._producer = producer

    def unregisterProducer(self):
        self._producer = None

    def pending(self):
        """Bytes written to this transport that the kernel has not taken yet."""
        return self._uv.get_write_buffer_size()

    def fileno(self):
        return self._uv.get_extra_info("socket").fileno()

    def getPeer(self):
        return _address(self._uv.get_extra_info("peername"))

    def getHost(self):
        return _address(self._uv.get_extra_info("sockname"))

    def __repr__(self):
        return f"<Connection of {self.protocol!r}>"


def _nowhere(data):
    """Where writes to a closed connection go, as with every Twisted transport."""


def _address(name):
    if isinstance(name, tuple):
        kind = IPv6Address if len(name) == 4 else IPv4Address
        return kind("TCP", *name[:2])
    return UNIXAddress(name or None)


class _Accepted(Connection):
    """A connection that a port accepted."""

    __slots__ = ()

    def connection_made(self, uv):
        super().connection_made(uv)
        self._connected = self._factory = None


@implementer(IListeningPort)
class Port:
    """A listening socket, bound already, that uvloop accepts from.

    uvloop gets a duplicate of the socket. To pause, the duplicate is closed; the original stays, so that
    who connects meanwhile waits in the kernel's backlog.
    """

    def __init__(self, reactor, sock, factory, backlog, on_stop=None):
        self._reactor, self._loop, self._socket = reactor, loop_of(reactor), sock
        self._factory, self._backlog, self._on_stop = factory, backlog, on_stop
        self._server = self._serving = None
        self._wanted = self._exhausted = False

    def startListening(self):
        """Accept from now on, or from when the reactor runs."""
        self._factory.doStart()
        self.resumeProducing()

    def pauseProducing(self):
        """Accept nobody until `resumeProducing`; who connects waits in the kernel's backlog."""
        self._wanted = False
        self._settle()

    def resumeProducing(self):
        self._wanted = True
        self._settle()

    def stopListening(self):
        self._wanted = False
        self._settle()
        self._socket.close()
        if self._on_stop is not None:
            self._on_stop()
        return self._factory.doStop()

    def _settle(self):
        """Make the server what it should be: there, or gone."""
        if self._serving is not None:
            return  # it calls back when it is there
        if self._wanted and not self._exhausted and self._server is None:
            self._serving = self._loop.create_task(self._serve())
            self._serving.add_done_callback(self._served)
        elif self._server is not None and (self._exhausted or not self._wanted):
            self._server.close()
            self._server = None

    async def _serve(self):
        sock = self._socket.dup()
        sock.setblocking(False)
        make = self._loop.create_unix_server if sock.family == socket.AF_UNIX else self._loop.create_server
        return await make(self._accept, sock=sock, backlog=self._backlog)

    def _served(self, task):
        self._serving = None
        try:
            self._server = task.result()
        except Exception:
            log.failure("cannot accept at {address}; trying again", address=self.getHost())
            self._pause_for_descriptors()
            return
        self._settle()

    def _accept(self):
        return _Accepted(self._factory, self._look_at_descriptors)

    def _look_at_descriptors(self, protocol):
        if protocol.transport.fileno() >= _last_descriptor():
            log.error("not accepting for a moment: nearly all file descriptors are in use")
            self._pause_for_descriptors()

    def _pause_for_descriptors(self):
        self._exhausted = True
        self._settle()
        self._reactor.callLater(EXHAUSTED_PAUSE, self._look_again)

    def _look_again(self):
        lowest = _lowest_free_descriptor()
        if lowest is None or lowest >= _last_descriptor():
            self._reactor.callLater(EXHAUSTED_PAUSE, self._look_again)
            return
        self._exhausted = False
        self._settle()

    def getHost(self):
        return _address(self._socket.getsockname())

    def __repr__(self):
        return f"<Port {self.getHost()}>"


def listen(reactor, sock, factory, backlog, on_stop=None):
    """Accept from a socket that listens already. Returns an IListeningPort. on_stop: called when that has stopped."""
    port = Port(reactor, sock, factory, backlog, on_stop)
    port.startListening()
    return port


def _last_descriptor():
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return float("inf") if soft == resource.RLIM_INFINITY else soft - RESERVED


def _lowest_free_descriptor():
    try:
        descriptor = os.dup(0)
    except OSError:
        return None
    os.close(descriptor)
    return descriptor


def connect(reactor, host, port, factory, tune, server_name=None):
    """A Deferred of the protocol that is connected to an address; fails with ConnectError, TLSFailed or CancelledError.

    tune: called with the socket before it connects.  server_name: connect over TLS, to whom the system's
    authorities know by this name.
    """
    loop = loop_of(reactor)
    attempt = loop.create_task(_connect(loop, host, port, factory, tune, server_name))
    return Deferred.fromFuture(attempt).addErrback(_cancelled)


def _cancelled(failure):
    """asyncio's word for it in Twisted's."""
    if failure.check(asyncio.CancelledError):
        raise CancelledError()
    return failure


async def _connect(loop, host, port, factory, tune, server_name):
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    secure = {} if server_name is None else {"ssl": client_context(), "server_hostname": server_name}
    try:
        tune(sock)
        await loop.sock_connect(sock, (host, port))
        _, connection = await loop.create_connection(lambda: Connection(factory), sock=sock, **secure)
    except ssl.SSLError as error:
        sock.close()
        raise TLSFailed(getattr(error, "verify_message", None) or error.reason or str(error)) from error
    except OSError as error:
        sock.close()
        raise getConnectError(error) from error
    except asyncio.CancelledError:
        sock.close()
        raise
    return connection.protocol


@cache
def client_context():
    """How replicas are spoken to over TLS: certificates are verified, and only HTTP/1.1 is offered."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
