"""A client's connection: bytes in, requests out, answers back in their order."""

from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from zope.interface import implementer

from vestri.errors import RequestError
from vestri.http1 import CHUNKED, RequestReader, answer_head, chunk, last_chunk
from vestri.http1.framing import NONE
from vestri.proxying.exchange import Exchange
from vestri.proxying.passing import worth_passing
from vestri.proxying.sweep import NEVER
from vestri.proxying.watching import GRACE, LINGER_SILENCE, WatchedConnection

#: Bytes of further requests that are read ahead while one is answered.
READ_AHEAD = 16 * 1024
INVITATION_LINE = b"HTTP/1.1 100 Continue\r\n\r\n"


@implementer(IHalfCloseableProtocol, IPushProducer)
class ClientConnection(WatchedConnection):
    """Reads one request at a time; the next one waits, unread, until the answer to it is out.

    `_exchange` is the request under way, `_body` what reads the rest of its body.  As producer of its
    own transport the connection hears when the client does not take what we write.

    site: the `Site` that it belongs to.  peer: the address that it comes from, as text.
    """

    __slots__ = ("_advancing", "_chunked", "_keep", "_requests", "_standing", "_standing_for", "_trusted")

    scheme = b"http"

    def __init__(self, site, peer):
        self._site, self.peer, self.seconds, self.finished = site, peer, site.seconds, site.finished
        self._reader = RequestReader(site.limits)
        self._trusted = site.forwarding.trusts(peer)
        self._exchange = self._body = self._held = self._started = self.tunnel = None
        self._pace_in = self._pace_out = self._standing_for = self._standing = None
        self._advancing = self._closing = self._ended = self._full = self._paused = self._chunked = False
        self._keep = True
        self._requests = self._seen = 0
        self.deadline = self._linger_ends = NEVER

    sweep = property(lambda self: self._site.sweep)

    @property
    def idle(self):
        """Whether nothing is under way, and nothing of a request has come."""
        return self._exchange is None and not self._reader.partial and not self._closing

    def makeConnection(self, transport):
        self.transport = transport
        transport.registerProducer(self, True)
        self._rest(self.seconds())
        self._site.opened(self)

    # What the transport tells

    def dataReceived(self, data):
        if self._body is not None:
            self._read_body(data)
        elif self._exchange is not None or (self._full and not self._closing):
            self._hold(data)
        else:
            self._read_head(data)

    def readConnectionLost(self):
        """The client sends no more: it has left, or it waits for its answer all the same."""
        self._ended = True
        exchange = self._exchange
        if self.tunnel is not None:
            self.tunnel.client_ended()
        elif self._closing:
            self.transport.loseConnection()
        elif exchange is None:
            self._advance()
        elif not exchange.uploaded:
            self._left(exchange)
        else:
            self._seen = exchange.bytes_out
            self._look_within(GRACE)

    def writeConnectionLost(self):
        """We half-closed; nothing more to do."""

    def connectionLost(self, reason):
        exchange, tunnel = self._exchange, self.tunnel
        self._drop()
        self._site.closed(self)
        if tunnel is not None:
            tunnel.lost()
        elif exchange is not None:
            exchange.client_left()

    def pauseProducing(self):
        self._full = True
        if self.tunnel is not None:
            self.tunnel.client_full()
        elif self._exchange is not None:
            self._watch_writing(self.seconds(), self._exchange.bytes_out)
            self._exchange.client_full()

    def resumeProducing(self):
        self._full, self._pace_out = False, None
        if self.tunnel is not None:
            self.tunnel.client_drained()
        elif self._exchange is not None:
            self._exchange.client_drained()
        elif not self._closing:
            self._rest(self.seconds())
            self._advance()

    def stopProducing(self):
        """The transport is going; `connectionLost` follows."""

    # Reading requests

    def _read_head(self, data):
        if self._closing:
            self.deadline = min(self._linger_ends, self.seconds() + LINGER_SILENCE)
            return
        try:
            read = self._reader.receive(data)
        except RequestError as error:
            self._refuse_unread(error)
            return
        if read is not None:
            head, rest = read
            self._begin(head, rest)
        elif self._started is None and self._reader.partial:
            self._started = now = self.seconds()
            limit = self._site.timeouts.client_header
            self.deadline = NEVER if limit is None else now + limit

    def _begin(self, head, rest):
        now = self.seconds()
        exchange = self._exchange = Exchange(self, head, now if self._started is None else self._started, now)
        self._requests += 1
        self._identify(exchange, head)
        body = None if head.framing == NONE else head.body()
        if body is None:
            if rest:
                self._hold(rest)
            exchange.begin(self._site.relay, b"", True)
        else:
            self._begin_with_body(exchange, body, rest)
        if self._exchange is exchange:
            self.deadline = exchange.ends
            if self._paused or self._ended:
                self._look_within(GRACE)
            elif self._body is not None:
                self._watch_reading(now, exchange)

    def _begin_with_body(self, exchange, body, rest):
        try:
            self._site.limit_body(exchange.head.length or 0)
            payload = body.feed(rest)
            self._site.limit_body(len(payload))
        except RequestError as error:
            exchange.refuse(error)
            return
        if self._ended and not body.done:
            self._left(exchange)
            return
        if not body.done:
            self._body = body
        elif body.rest:
            self._hold(body.rest)
        exchange.begin(self._site.relay, payload, body.done, body.trailers)

    def _identify(self, exchange, head):
        """Give the exchange its id, and the lines that tell the replica where it came from."""
        forwarding = self._site.forwarding
        if self._trusted:
            origin = forwarding.believed(head, self.peer, self.scheme)
            exchange.client_ip, exchange.request_id = origin.client_ip, origin.request_id
            exchange.origin_lines = origin.lines
            return
        if head.host != self._standing_for or head.version == 10:
            self._standing = forwarding.standing_lines(self.peer, self.scheme, head.version, head.host)
            self._standing_for = head.host if head.version == 11 else None
        exchange.client_ip = self.peer
        exchange.request_id = request_id = forwarding.new_id()
        exchange.origin_lines = b"%bX-Request-ID: %b\r\n" % (self._standing, request_id)

    def _read_body(self, data):
        exchange, body = self._exchange, self._body
        try:
            payload = body.feed(data)
            self._site.limit_body(exchange.bytes_in + len(payload))
        except RequestError as error:
            exchange.fail(error)
            return
        if not body.done:
            if payload:
                exchange.upload(payload, False, b"")
                if worth_passing(data, body):
                    body.passed(exchange.upload_straight(self.transport, body.unread))
            return
        self._body = self._pace_in = None
        if body.rest:
            self._hold(body.rest)
        exchange.upload(payload, True, body.trailers)

    def _hold(self, data):
        """Keep what follows a request that is still being answered."""
        if self.tunnel is not None:
            self.tunnel.from_client(data)
            return
        if self._held is None:
            self._held = bytearray()
        self._held += data
        if len(self._held) > READ_AHEAD:
            self._pause()

    def _refuse_unread(self, error):
        """Answer a request that has no head that could be read."""
        now = self.seconds()
        self._exchange = Exchange(self, None, now if self._started is None else self._started, now)
        self._exchange.client_ip, self._exchange.request_id = self.peer, self._site.forwarding.new_id()
        self._exchange.refuse(error)

    # What the exchange asks for

    def answer(self, exchange, head, payload, done, trailers):
        """Write the head of an answer and what of its body is there."""
        version = exchange.head.version
        self._keep = exchange.uploaded and exchange.head.keep_alive and self._may_keep()
        self._chunked = False
        if head.framing >= CHUNKED:  # or delimited by the end of the replica's connection
            self._chunked = version == 11
            self._keep = self._keep and self._chunked
        data = answer_head(head, version, self._keep)
        if payload:
            data += chunk(payload) if self._chunked else payload
        if done and self._chunked:
            data += last_chunk(trailers)
        self.transport.write(data)
        if done:
            self._complete(exchange)

    def answer_body(self, payload):
        if payload:
            self.transport.write(chunk(payload) if self._chunked else payload)

    def answer_straight(self, source, most):
        """See `Exchange.answer_straight`: of a body with a length, which needs no chunks of ours around it."""
        return source.pass_on(self.transport, most)

    def answer_end(self, exchange, trailers):
        if self._chunked:
            self.transport.write(last_chunk(trailers))
        self._complete(exchange)

    def interim(self, head):
        self.transport.write(answer_head(head, 11, True))

    def invite_upload(self):
        self.transport.write(INVITATION_LINE)

    def upgraded(self, head, rest):
        """Pass on the replica's 101; what the client sent behind its request goes to the replica."""
        self.deadline = NEVER
        self.transport.write(answer_head(head, 11, True) + rest)
        held, self._held = self._held, None
        if held:
            self.tunnel.from_client(bytes(held))
        if self._ended:
            self.tunnel.client_ended()
        self._resume()

    def refuse(self, exchange, answer):
        """Write an `OwnAnswer`."""
        self._body = None
        sound = exchange.uploaded and answer.error.reason != "bad_request"
        self._keep = sound and exchange.head.keep_alive and self._may_keep()
        self.transport.write(answer.render(exchange.head, keep_alive=self._keep))
        self._complete(exchange)

    def pause_upload(self):
        self._pace_in = None
        self._pause()

    def resume_upload(self):
        if self._body is not None:
            self._watch_reading(self.seconds(), self._exchange)
        self._resume()

    # Between requests

    def _may_keep(self):
        site = self._site
        if site.draining or (self._ended and not self._held):
            return False
        limit = site.limits.requests_per_connection
        return limit is None or self._requests < limit

    def _complete(self, exchange):
        """The answer is out; the next request may have come already."""
        if self._closing:
            return
        self._exchange = None
        if not self._keep:
            self._end(exchange)
            return
        self._rest(exchange.ended)
        self._pace_out = None
        if self._full:
            self._watch_writing(exchange.ended, 0)
        if self._held is not None or self._paused:
            self._advance()

    def _end(self, exchange):
        """Close, and throw away what the client still sends unless it asked for the close itself."""
        asked = exchange.uploaded and not exchange.head.keep_alive
        if self._ended or (asked and self._held is None):
            self.close()
        else:
            self._linger()

    def _advance(self):
        """Go through the requests that were read ahead, one answer at a time."""
        if self._advancing or self._closing:
            return
        self._advancing = True
        while self._held and self._exchange is None and not (self._full or self._closing):
            data, self._held = bytes(self._held), None
            self._resume()  # first, for whoever reads on may pause again
            self._read_head(data)
        self._advancing = False
        if self._held or self._exchange or self._closing:
            return
        if self._ended:
            self.close()
        else:
            self._resume()
