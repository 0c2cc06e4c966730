"""Connections to one replica: opened, used for one exchange at a time, and kept on a shelf between."""

from select import POLLIN, poll

from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionRefusedError, DNSLookupError
from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocolFactory, IPushProducer
from zope.interface import implementer

from vestri.errors import RequestError
from vestri.http1 import AnswerReader
from vestri.proxying.sweep import NEVER

#: Interim answers (1xx) to one request beyond which a replica is taken to be broken.
INTERIM_ANSWERS = 32
#: Seconds after which a client that waits for 100 (Continue) is told to send its body all the same.


class Shelf:
    """The idle connections to one replica, and the way to new ones.

    Most recently used first, so that the surplus ages and is closed.  endpoint: an
    IStreamClientEndpoint.  timeouts: model.Timeouts.  sweep: what watches the deadlines.
    """

    __slots__ = ("_endpoint", "_idle", "open", "sweep", "timeouts")

    def __init__(self, endpoint, timeouts, sweep):
        self._endpoint, self.timeouts, self.sweep = endpoint, timeouts, sweep
        self._idle = []
        self.open = set()

    def checkout(self, exchange, *, fresh=False):
        """Give the exchange a connection, now or when one is open.

        Calls `exchange.replica_ready(connection)`, or `exchange.replica_failed(reason, detail)`.
        fresh: do not take an idle one.
        """
        idle = self._idle
        while idle and not fresh:
            connection = idle.pop()
            if exchange.careful and connection.spoiled():
                connection.abort()
                continue
            exchange.replica_ready(connection)
            return
        Connecting(self, self._endpoint, exchange)

    def keep(self, connection):
        """Put a connection that can be used again on the shelf, or close it when there are enough."""
        if len(self._idle) >= self.timeouts.idle_connections or self.timeouts.keep_alive is None:
            connection.close()
            return
        connection.deadline = self.sweep.seconds() + self.timeouts.keep_alive
        self._idle.append(connection)

    def drop(self, connection):
        """Forget a connection that closed or is about to."""
        self.open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)

    def close(self):
        """Close what is idle."""
        for connection in self._idle[:]:
            connection.close()


@implementer(IProtocolFactory)
class Connecting:
    """One attempt to open a connection, on behalf of one exchange."""

    __slots__ = ("_attempt", "_exchange", "_shelf", "deadline")
    noisy = False

    def __init__(self, shelf, endpoint, exchange):
        self._shelf, self._exchange = shelf, exchange
        limits = [each for each in (shelf.timeouts.connect, shelf.timeouts.per_try) if each is not None]
        self.deadline = shelf.sweep.seconds() + min(limits, default=NEVER)
        shelf.sweep.watch(self)
        exchange.connecting = self
        self._attempt = endpoint.connect(self)
        self._attempt.addCallbacks(self._connected, self._failed)

    def buildProtocol(self, address):
        return ReplicaConnection(self._shelf)

    def doStart(self):
        """Part of a factory's interface; nothing to prepare."""

    doStop = doStart

    def cancel(self):
        """Nobody waits for this connection any more."""
        self._exchange = None
        self._attempt.cancel()

    def overdue(self, now):
        self._attempt.cancel()

    def _connected(self, connection):
        self._shelf.sweep.forget(self)
        exchange, self._exchange = self._exchange, None
        if exchange is None:
            self._shelf.keep(connection)
            return
        exchange.connecting = None
        exchange.replica_ready(connection)

    def _failed(self, failure):
        self._shelf.sweep.forget(self)
        exchange, self._exchange = self._exchange, None
        if exchange is None:
            return
        exchange.connecting = None
        if failure.check(CancelledError):
            exchange.replica_failed("connect_timeout", "no connection in time")
        elif failure.check(ConnectionRefusedError):
            exchange.replica_failed("connect_refused", "connection refused")
        elif failure.check(DNSLookupError):
            exchange.replica_failed("connect_refused", "its name has no address")
        else:
            exchange.replica_failed("connect_refused", failure.getErrorMessage())


@implementer(IHalfCloseableProtocol, IPushProducer)
class ReplicaConnection:
    """A connection to a replica. Idle while `exchange` is None; then it reads one answer.

    As producer of its own transport it hears when the replica does not take what we write.
    """

    __slots__ = (
        "_body",
        "_interims",
        "_reader",
        "_shelf",
        "deadline",
        "exchange",
        "reused",
        "transport",
        "tunnel",
        "upload_deadline",
    )

    def __init__(self, shelf):
        self._shelf = shelf
        self._reader = AnswerReader()
        self._body = self.exchange = self.tunnel = None
        self._interims = 0
        self.reused = False
        self.deadline = NEVER

    def makeConnection(self, transport):
        self.transport = transport
        self._shelf.open.add(self)
        self._shelf.sweep.watch(self)
        transport.registerProducer(self, True)

    # What the exchange does with it

    def send(self, exchange, data):
        """Begin an exchange: write the head, with whatever of the body is at hand."""
        self.exchange = exchange
        self._interims = 0
        self.transport.write(data)
        self.await_answer()

    def await_answer(self):
        """From now on the answer's head is due, if the request has been sent whole."""
        timeouts = self.exchange.timeouts
        if self.exchange.uploaded and timeouts.response is not None:
            self.deadline = self._shelf.sweep.seconds() + timeouts.response
        else:
            self.deadline = NEVER

    def pause(self):
        """The client takes no more for now: neither do we."""
        self.deadline = NEVER
        self.transport.pauseProducing()

    def resume(self):
        self._await_data()
        self.transport.resumeProducing()

    def spoiled(self):
        """Whether the replica has closed this idle connection, or written to it, unnoticed as yet."""
        look = poll()
        look.register(self.transport.fileno(), POLLIN)
        return bool(look.poll(0))

    def close(self):
        """Close politely; what was written still goes out."""
        self._leave()
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def abort(self):
        """Close at once: whatever the replica is doing, nobody waits for it."""
        self._leave()
        self.transport.abortConnection()

    # What its transport tells

    def dataReceived(self, data):
        if self.exchange is None:
            self._unasked(data)
        elif self._body is None:
            self._read_head(data)
        else:
            self._read_body(data)

    def readConnectionLost(self):
        if self.tunnel is not None:
            self.tunnel.replica_ended()
        else:
            self._ended()

    def writeConnectionLost(self):
        """We half-closed; nothing more to do."""

    def connectionLost(self, reason):
        if self.tunnel is not None:
            self.tunnel.replica_lost()
        exchange = self.exchange
        self._leave()
        if exchange is not None:
            exchange.replica_failed("upstream_reset", "connection reset")

    def pauseProducing(self):
        if self.tunnel is not None:
            self.tunnel.replica_full()
        elif self.exchange is not None:
            self.exchange.replica_full()

    def resumeProducing(self):
        if self.tunnel is not None:
            self.tunnel.replica_drained()
        elif self.exchange is not None:
            self.exchange.replica_drained()

    def stopProducing(self):
        """The transport is going; `connectionLost` follows."""

    def overdue(self, now):
        """The sweep found the deadline passed."""
        exchange = self.exchange
        if exchange is None:
            self.close()
            return
        self.abort()
        late = "no answer in time" if self._body is None else "it fell silent within its answer"
        exchange.replica_failed("response_timeout", late)

    # Reading an answer

    def _read_head(self, data):
        exchange = self.exchange
        try:
            head = self._reader.receive(data, exchange.head.method)
            while head is not None and head.interim:
                self._pass_interim(head)
                head = self._reader.receive(self._reader.take_rest(), exchange.head.method)
            if head is None:
                return
            self._begin_answer(exchange, head, self._reader.take_rest())
        except RequestError as error:
            self.abort()
            exchange.replica_failed(error.reason, error.detail)

    def _pass_interim(self, head):
        self._interims += 1
        if self._interims > INTERIM_ANSWERS:
            raise RequestError("bad_response", f"more than {INTERIM_ANSWERS} interim answers to one request")
        self.exchange.interim(head)

    def _begin_answer(self, exchange, head, rest):
        if head.status == 101:
            exchange.upgraded(head, rest)
            return
        body = head.body()
        if body is None:
            self._release(reusable=head.keep_alive and not rest)
            exchange.answer(head, b"", True, b"")
            return
        payload = body.feed(rest)
        if body.done:
            self._release(reusable=head.keep_alive and not body.rest)
            exchange.answer(head, payload, True, body.trailers)
            return
        self._body = body
        self._await_data()
        exchange.answer(head, payload, False, b"")

    def _read_body(self, data):
        exchange, body = self.exchange, self._body
        try:
            payload = body.feed(data)
        except RequestError as error:
            self.abort()
            exchange.replica_failed(error.reason, error.detail)
            return
        if not body.done:
            self._await_data()
            exchange.answer_body(payload)
            return
        self._release(reusable=exchange.reusable and not body.rest)
        if payload:
            exchange.answer_body(payload)
        exchange.answer_end(body.trailers)

    def _await_data(self):
        idle = self.exchange.timeouts.idle
        self.deadline = NEVER if idle is None else self._shelf.sweep.seconds() + idle

    def _ended(self):
        """The replica closed its side: the end of a close-delimited answer, or a fault."""
        exchange, body = self.exchange, self._body
        try:
            if body is not None:
                body.eof()
        except RequestError:
            body = None
        self.close()
        if exchange is None:
            return
        if body is None:
            exchange.replica_failed("upstream_reset", "the replica closed the connection")
        else:
            exchange.answer_end(b"")

    def _unasked(self, data):
        if self.tunnel is not None:
            self.tunnel.from_replica(data)
        else:
            self.abort()  # nobody asked: whatever this is, it must not become the next answer

    def _release(self, *, reusable):
        """The answer is complete: hand the connection back before the exchange goes on."""
        uploaded = self.exchange.uploaded
        self.exchange = self._body = None
        self.reused = True
        if reusable and uploaded:
            self._shelf.keep(self)
        else:
            self.close()

    def _leave(self):
        self.exchange = self._body = None
        self.deadline = NEVER
        self._shelf.sweep.forget(self)
        self._shelf.drop(self)
