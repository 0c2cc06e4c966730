"""uvloop's own transports, seen through Twisted's interface: the fastest way for bytes in and out.

Twisted's transports on an asyncio loop ask it about readiness and then call `recv` and `send`
themselves, from Python. Here libuv does both, and hands bytes straight to the protocol's `dataReceived`.
"""

import signal
import socket
import struct
from asyncio import CancelledError as CancelledByLoop
from functools import partial

import uvloop
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost, NoProtocol, getConnectError
from twisted.internet.interfaces import IHalfCloseableProtocol, IListeningPort, ITransport
from twisted.internet.process import reapAllProcesses
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from vestri.transport.descriptors import Budget
from vestri.transport.sockets import address_of
from vestri.transport.splicing import Passing

#: Bytes of one read: at first, and at most, while whoever takes them keeps up.
FIRST_READ, LARGEST_READ = 16 * 1024, 256 * 1024
#: Bytes that wait for a slow peer before its producer is told to pause. uvloop writes more than that at once, less
#: at the end of its turn: a read that filled its memory is written at once.
HIGH_WATER = FIRST_READ - 1
#: Duplicates of a listening socket: libuv accepts one connection for each in a turn of its loop, and what comes in one
#: turn costs less than what comes in several.
DUPLICATES = 4
#: Seconds after which a port that paused for want of descriptors looks again.
EXHAUSTED_PAUSE = 0.25
#: SO_LINGER with no time: close with a reset (socket(7)).
RESET = struct.pack("ii", 1, 0)

DONE, LOST = Failure(ConnectionDone()), Failure(ConnectionLost())

#: All reads go through this memory: it is copied from before the next one begins.
_shared = memoryview(bytearray(LARGEST_READ))
_windows = {size: _shared[:size] for size in (FIRST_READ << step for step in range(5))}

_budget = Budget()

log = Logger()


def install():
    """Make a Twisted reactor that stands on uvloop the global one."""
    from twisted.internet.main import installReactor

    loop = uvloop.new_event_loop()
    loop.set_exception_handler(_tell)
    reactor = AsyncioSelectorReactor(loop)
    installReactor(reactor)
    reactor.callWhenRunning(_reap_children, reactor)


def _tell(loop, context):
    """A fault that nobody caught goes to Twisted's log, not to `logging`, of which nobody sees anything."""
    log.failure("{message}", Failure(context.get("exception") or RuntimeError()), message=context["message"])


def _reap_children(reactor):
    """uvloop takes over the descriptor by which signals wake Twisted, so tell it ourselves when a child ended."""
    signal.signal(signal.SIGCHLD, lambda *caught: reactor.callFromThread(reapAllProcesses))
    reapAllProcesses()  # those that ended before


def loop_of(reactor):
    """The uvloop loop under a reactor, or None where another serves."""
    loop = getattr(reactor, "_asyncioEventloop", None)
    return loop if isinstance(loop, uvloop.Loop) else None


@implementer(ITransport)
class Connection(Passing):
    """A uvloop transport with Twisted's methods; to uvloop it is the (buffered) protocol.

    factory: makes the Twisted protocol, given the peer's address.  connected: called with it, then.
    Reads are small at first and grow while they fill and the other side takes what they bring, so that
    a slow peer costs little memory and a fast one few calls.
    """

    __slots__ = (
        "_connected", "_factory", "_producer", "_received", "_size", "_uv", "connected", "disconnecting",
        "protocol", "write",
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
        try:
            self._begin()
        except Exception:
            log.failure("a fault at the beginning of a connection")
            self.abortConnection()
        self._connected = self._factory = None

    def _begin(self):
        protocol = self.protocol = self._factory.buildProtocol(self.getPeer())
        if protocol is None:
            self._uv.abort()
            return
        self.connected = True
        _budget.taken += 1
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
        try:
            self._received(_shared[:count].tobytes())
        except Exception:
            log.failure("a fault in {protocol!r}", protocol=self.protocol)
            self.abortConnection()

    def eof_received(self):
        """Twisted's half-closeable protocols decide themselves when to close, and are told once."""
        if IHalfCloseableProtocol.providedBy(self.protocol):
            received, self._received = self._received, None
            if received is not None:
                self.protocol.readConnectionLost()
            return True
        return False

    def connection_lost(self, error):
        """The end. Protocol and transport let go of each other, so that no garbage collector is needed to free them."""
        protocol, self.protocol = self.protocol, None
        self.write = _nowhere
        self._producer = self._received = None
        if self.connected:
            self.connected = False
            _budget.taken -= 1
            protocol.connectionLost(DONE if error is None else LOST)

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
        sock = self.socket
        if sock is not None and sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    def loseWriteConnection(self):
        if self.connected and not self.disconnecting:
            self.write = _nowhere
            self._uv.write_eof()

    def pauseProducing(self):
        """Read no more. uvloop begins to read when `makeConnection` has returned: a pause before that is forgotten."""
        self._size = FIRST_READ
        self._uv.pause_reading()

    def resumeProducing(self):
        self._uv.resume_reading()

    def stopProducing(self):
        self.loseConnection()

    def pass_on(self, target, most):
        """See `Passing`. What goes unread needs no large reads."""
        passed = super().pass_on(target, most)
        if passed:
            self._size = FIRST_READ
        return passed

    def registerProducer(self, producer, streaming):
        """streaming: push producers only; they are what relays bytes. One that comes late may have to wait at once."""
        self._producer = producer
        if self.pending() > HIGH_WATER:
            producer.pauseProducing()

    def unregisterProducer(self):
        self._producer = None

    def pending(self):
        """Bytes written to this transport that the kernel has not taken yet."""
        return self._uv.get_write_buffer_size() if self.connected else 0

    @property
    def socket(self):
        """What there is of a socket: its options and its descriptor. libuv reads and writes."""
        return self._uv.get_extra_info("socket")

    def fileno(self):
        return self.socket.fileno()

    def getPeer(self):
        return address_of(self._uv.get_extra_info("peername"))

    def getHost(self):
        return address_of(self._uv.get_extra_info("sockname"))

    def __repr__(self):
        return f"<Connection of {self.protocol!r}>"


def _nowhere(data):
    """Where writes to a closed connection go, as with every Twisted transport."""


@implementer(IListeningPort)
class Port:
    """A listening socket, bound already, that uvloop accepts from.

    uvloop gets duplicates of the socket. To pause, they are closed; the original stays, so that who connects
    meanwhile waits in the kernel's backlog.
    """

    def __init__(self, reactor, sock, factory, backlog, on_stop=None):
        self._reactor, self._loop, self._socket = reactor, loop_of(reactor), sock
        self._address = address_of(sock.getsockname())
        self._factory, self._backlog, self._on_stop = factory, backlog, on_stop
        self._servers, self._serving, self._looking = [], None, None
        self._wanted = self._exhausted = False
        self._careful = True

    def startListening(self):
        """Accept from now on, or from when the reactor runs."""
        self._factory.doStart()
        _budget.measure()
        self.resumeProducing()

    def pauseProducing(self):
        """Accept nobody until `resumeProducing`; who connects waits in the kernel's backlog."""
        self._wanted = False
        self._settle()

    def resumeProducing(self):
        self._wanted = True
        self._settle()

    def one_by_one(self, careful):
        """Whether to accept one connection in a turn, lest `pauseProducing` be too late, or several."""
        self._careful = careful
        self._settle()

    def stopListening(self):
        self._wanted = False
        self._settle()
        if self._looking is not None:
            self._looking.cancel()
        self._socket.close()
        if self._on_stop is not None:
            self._on_stop()
        return self._factory.doStop()

    def _settle(self):
        """Have as many servers as there should be."""
        count = 0 if self._exhausted or not self._wanted else 1 if self._careful else DUPLICATES
        while len(self._servers) > count:
            self._servers.pop().close()
        if len(self._servers) < count and self._serving is None:  # else it calls back when it is there
            self._serving = self._loop.create_task(self._serve())
            self._serving.add_done_callback(self._served)

    async def _serve(self):
        if not self._wanted:
            return None  # it was stopped before this had its turn
        sock = self._socket.dup()
        sock.setblocking(False)
        if sock.family == socket.AF_UNIX:
            make = partial(self._loop.create_unix_server, cleanup_socket=False)  # a pause leaves the file where it is
        else:
            make = self._loop.create_server
        return await make(self._accept, sock=sock, backlog=self._backlog)

    def _served(self, task):
        self._serving = None
        try:
            server = task.result()
        except Exception:
            log.failure("cannot accept at {address}; trying again", address=self.getHost())
            self._pause_for_descriptors()
            return
        if server is not None:
            self._servers.append(server)
        self._settle()

    def _accept(self):
        return Connection(self)

    def buildProtocol(self, address):
        """Who is gone already, before being accepted, has no address."""
        if _budget.spent() and not self._exhausted:
            log.error("not accepting for a moment: nearly all file descriptors are in use")
            self._pause_for_descriptors()
        return None if address is None else self._factory.buildProtocol(address)

    def _pause_for_descriptors(self):
        self._exhausted = True
        self._settle()
        self._looking = self._reactor.callLater(EXHAUSTED_PAUSE, self._look_again)

    def _look_again(self):
        self._looking = None
        if _budget.spent():
            self._pause_for_descriptors()
            return
        self._exhausted = False
        self._settle()

    def getHost(self):
        return self._address

    def __repr__(self):
        return f"<Port {self.getHost()}>"


def listen(reactor, sock, factory, backlog, on_stop=None):
    """Accept from a socket that listens already. Returns an IListeningPort. on_stop: called when that has stopped."""
    port = Port(reactor, sock, factory, backlog, on_stop)
    port.startListening()
    return port


def connect(reactor, host, port, factory, tune):
    """A Deferred of the protocol that is connected to an address; fails with ConnectError or CancelledError.

    It fires while the connection is made, before anything can come. tune: called with the socket, once it is connected.
    """
    return Attempt(loop_of(reactor), host, port, factory, tune).connected


class Attempt:
    """One attempt to connect."""

    def __init__(self, loop, host, port, factory, tune):
        self.connected, self._tune = Deferred(self._cancel), tune
        _budget.taken += 1
        self._connection = Connection(factory, self._made)
        self._task = loop.create_task(self._connect(loop, host, port))
        self._task.add_done_callback(self._ended)

    async def _connect(self, loop, host, port):
        try:
            await loop.create_connection(lambda: self._connection, host, port)
        except OSError as error:
            raise getConnectError(error) from error
        except CancelledByLoop:
            if self._connection.connected:  # in this very moment, and uvloop tells of no end
                self._connection.connection_lost(None)
            raise

    def _cancel(self, connected):
        self._task.cancel()

    def _made(self, protocol):
        self._tune(self._connection.socket)
        if self.connected.called:  # nobody waits for it any more
            self._connection.abortConnection()
        else:
            self.connected.callback(protocol)

    def _ended(self, task):
        _budget.taken -= 1
        error = CancelledError() if task.cancelled() else task.exception()
        if not self.connected.called:
            self.connected.errback(error or NoProtocol())
