"""A connection to a replica: one exchange at a time, then back to the shelf that it came from."""

from select import POLLIN, poll

from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from zope.interface import implementer

from vestri.errors import RequestError
from vestri.http1 import LENGTH, AnswerReader
from vestri.proxying.passing import worth_passing
from vestri.proxying.sweep import NEVER

#: Interim answers (1xx) to one request beyond which a replica is taken to be broken.
INTERIM_ANSWERS = 32
#: Seconds that a replica has to take what was written to it, once its connection is to be closed.
FLUSH = 10.0


@implementer(IHalfCloseableProtocol, IPushProducer)
class ReplicaConnection:
    """A connection to a replica. Idle while `exchange` is None; then it reads one answer.

    As producer of its own transport it hears when the replica does not take what we write.
    reused: it has served an exchange before.  spoke: bytes of an answer came, for this exchange.
    """

    __slots__ = (
        "_body", "_closing", "_interims", "_reader", "_shelf", "_try_ends", "deadline", "exchange", "reused", "spoke",
        "transport", "tunnel",
    )  # fmt: skip

    def __init__(self, shelf):
        self._shelf = shelf
        self._reader = AnswerReader()
        self._body = self.exchange = self.tunnel = None
        self._interims = 0
        self._closing = self.reused = self.spoke = False
        self._try_ends = self.deadline = NEVER

    def makeConnection(self, transport):
        self.transport = transport
        self._shelf.opened(self)
        transport.registerProducer(self, True)

    # What the exchange does with it

    def send(self, exchange, data, now):
        """Begin an exchange: write the head, with whatever of the body is at hand."""
        self.exchange = exchange
        self._interims = 0
        self.spoke = False
        per_try = exchange.timeouts.per_try
        self._try_ends = NEVER if per_try is None else exchange.t_granted + per_try
        self.transport.write(data)
        self._await_answer(now)

    def send_more(self, data, done):
        """Write more of the request's body. done: it is the last."""
        self.transport.write(data)
        if done and self.exchange is not None:
            self._await_answer(self._shelf.seconds())

    def _await_answer(self, now):
        """From now on the answer's head is due, if the request has been sent whole."""
        exchange = self.exchange
        if self._body is not None:
            return  # it came before the upload ended, and its body has a limit of its own
        ends, response = self._try_ends, exchange.timeouts.response
        if exchange.uploaded and response is not None and now + response < ends:
            ends = now + response
        self.deadline = ends

    def pause(self):
        """The client takes no more for now: neither do we."""
        self.deadline = NEVER
        self.transport.pauseProducing()

    def resume(self):
        self._await_data()
        self.transport.resumeProducing()

    def join(self, tunnel):
        """From now on what comes is the tunnel's."""
        self.tunnel, self.exchange, self.deadline = tunnel, None, NEVER

    def spoiled(self):
        """Whether the replica has closed this idle connection, or written to it, unnoticed as yet."""
        look = poll()
        look.register(self.transport.fileno(), POLLIN)
        return bool(look.poll(0))

    def close(self):
        """Close politely; what was written still goes out, if the replica takes it."""
        self._leave()
        self.transport.unregisterProducer()
        self.transport.loseConnection()
        if self.transport.pending():
            self._closing = True
            self.deadline = self._shelf.seconds() + FLUSH
            self._shelf.watch(self)

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
        exchange, tunnel = self.exchange, self.tunnel
        self._leave()
        if tunnel is not None:
            tunnel.lost()
        elif exchange is not None:
            exchange.replica_failed("upstream_reset", "connection reset")

    def pauseProducing(self):
        if self.tunnel is not None:
            self.tunnel.replica_full()
        elif self.exchange is not None:
            if self._body is None:
                self._await_data()
            self.exchange.replica_full()

    def resumeProducing(self):
        if self.tunnel is not None:
            self.tunnel.replica_drained()
        elif self.exchange is not None:
            self._await_answer(self._shelf.seconds())
            self.exchange.replica_drained()

    def stopProducing(self):
        """The transport is going; `connectionLost` follows."""

    def overdue(self, now):
        """The sweep found the deadline passed."""
        exchange = self.exchange
        if self._closing:
            self.abort()
        elif exchange is None:
            self.close()
        else:
            late = "no answer in time" if self._body is None else "it fell silent within its answer"
            self.abort()
            exchange.replica_failed("response_timeout", late)

    # Reading an answer

    def _read_head(self, data):
        exchange = self.exchange
        self.spoke = True
        try:
            read = self._reader.receive(data, exchange.head.method)
            if read is None:
                return
            head, rest = read
            while head.interim:
                self._pass_interim(head)
                read = self._reader.receive(rest, exchange.head.method)
                if read is None:
                    return
                head, rest = read
            body, payload, left = _begun(head, rest)
        except RequestError as error:
            self._broken(exchange, error)
            return
        self._begin_answer(exchange, head, body, payload, left)

    def _pass_interim(self, head):
        self._interims += 1
        if self._interims > INTERIM_ANSWERS:
            raise RequestError("bad_response", f"more than {INTERIM_ANSWERS} interim answers to one request")
        self.exchange.interim(head)

    def _begin_answer(self, exchange, head, body, payload, left):
        if head.status == 101:
            exchange.upgraded(head, left)
        elif body is None or body.done:
            self._release(reusable=head.keep_alive and not left)
            exchange.answer(head, payload, True, b"" if body is None else body.trailers)
        else:
            self._body = body
            self._await_data()
            exchange.answer(head, payload, False, b"")

    def _read_body(self, data):
        exchange, body = self.exchange, self._body
        try:
            payload = body.feed(data)
        except RequestError as error:
            self._broken(exchange, error)
            return
        if not body.done:
            self._await_data()
            exchange.answer_body(payload)
            if worth_passing(data, body):
                body.passed(exchange.answer_straight(self.transport, body.unread))
            return
        self._release(reusable=exchange.reusable and not body.rest)
        if payload:
            exchange.answer_body(payload)
        exchange.answer_end(body.trailers)

    def _broken(self, exchange, error):
        self.abort()
        exchange.replica_failed("bad_response", error.detail)

    def _await_data(self):
        idle = self.exchange.timeouts.idle
        self.deadline = NEVER if idle is None else self._shelf.seconds() + idle

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
        elif not self._closing:
            self.abort()  # nobody asked: whatever this is, it must not become the next answer

    def _release(self, *, reusable):
        """The answer is complete: hand the connection back before the exchange goes on."""
        uploaded = self.exchange.uploaded
        self.exchange.connection = None
        self.exchange = self._body = None
        self.reused = True
        if reusable and uploaded:
            self._shelf.keep(self)
        else:
            self.close()

    def _leave(self):
        self.exchange = self._body = self.tunnel = None
        self.deadline = NEVER
        self._shelf.drop(self)


def _begun(head, rest):
    """(what reads the rest of the body or None, what of it is here, what came behind it).

    rest: what came behind the head.
    """
    if head.framing == LENGTH and head.length == len(rest):  # all of it came at once, as most answers do
        return None, rest, b""
    body = head.body()
    if body is None:
        return None, b"", rest
    payload = body.feed(rest)
    return body, payload, body.rest
