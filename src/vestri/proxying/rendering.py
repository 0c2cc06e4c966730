"""A request that a stock twisted.web `Site` has read, as the client of an exchange."""

from twisted.internet.interfaces import IPushProducer
from twisted.web.http import NO_CONTENT
from zope.interface import implementer

from vestri.errors import RequestError
from vestri.http1 import RequestReader
from vestri.proxying.exchange import Exchange
from vestri.proxying.own_answer import phrase
from vestri.proxying.sweep import NEVER

#: Fields of a request that say how its body came to the `Site`, which has read it whole, or ask for what it has not.
DROPPED = frozenset({b"content-length", b"transfer-encoding", b"upgrade", b"expect", b"te"})


@implementer(IPushProducer)
class WebClient:
    """Has the methods that an `Exchange` calls on its client, and answers through a twisted.web request.

    The head is read by the same reader as any other, so that nothing is accepted here that is not there.
    deadline: of the whole request, met by the sweep.
    """

    tunnel = None
    deadline = NEVER

    def __init__(self, request, site):
        self._request, self._site = request, site
        self.peer = site.address_of(request.getClientAddress())
        self.seconds, self.sweep = site.seconds, site.sweep
        self._exchange = None

    def begin(self):
        """Relay the request."""
        self._request.notifyFinish().addErrback(self._left)
        body = self._request.content.read()
        try:
            head = self._head(len(body))
        except RequestError as error:
            self._start(None).refuse(error)
            return
        exchange = self._start(head)
        origin = self._site.forwarding.origin(head, self.peer, self._scheme())
        exchange.client_ip, exchange.request_id, exchange.origin_lines = (
            origin.client_ip,
            origin.request_id,
            origin.lines,
        )
        exchange.begin(self._relay, body, True)

    def _relay(self, exchange):
        self._site.limit_body(exchange.bytes_in)
        self.sweep.watch(self)
        self._site.relay(exchange)
        self.deadline = exchange.ends

    def overdue(self, now):
        """The sweep found that the request takes too long."""
        self._exchange.fail(RequestError("total_timeout"))

    def finished(self, exchange):
        self.sweep.forget(self)
        self._site.finished(exchange)

    def _start(self, head):
        now = self.seconds()
        self._exchange = exchange = Exchange(self, head, now, now)
        exchange.client_ip, exchange.request_id = self.peer, self._site.forwarding.new_id()
        return exchange

    def _head(self, length):
        request = self._request
        version = b"HTTP/1.0" if request.clientproto == b"HTTP/1.0" else b"HTTP/1.1"
        lines = [b"%b %b %b" % (request.method, request.uri, version)]
        lines += [
            b"%b: %b" % (name, value)
            for name, values in request.requestHeaders.getAllRawHeaders()
            for value in values
            if name.lower() not in DROPPED
        ]
        if length:
            lines.append(b"Content-Length: %d" % length)
        read = RequestReader(self._site.limits).receive(b"\r\n".join(lines) + b"\r\n\r\n")
        if read is None:
            raise RequestError("bad_request", "a head that does not end")
        head, _ = read
        return head

    def _scheme(self):
        return b"https" if self._request.isSecure() else b"http"

    def _left(self, reason):
        self._exchange.client_left()

    # What the exchange asks for

    def answer(self, exchange, head, payload, done, trailers):
        request = self._request
        self._set_status(head.status, head.status_line.split(b" ", 2)[2].rstrip(b"\r\n"))
        for line in head.relayed.split(b"\r\n")[:-1]:
            request.responseHeaders.addRawHeader(*line.split(b": ", 1))
        if head.length is not None and head.status != NO_CONTENT:
            request.responseHeaders.setRawHeaders(b"content-length", [b"%d" % head.length])
        request.registerProducer(self, True)
        self.answer_body(payload)
        if done:
            self.answer_end(exchange, trailers)

    def answer_body(self, payload):
        self._request.write(payload)

    def answer_straight(self, source, most):
        """Nothing goes unread: twisted.web writes the answer."""
        return 0

    def answer_end(self, exchange, trailers):
        self._request.unregisterProducer()
        self._request.finish()

    def refuse(self, exchange, answer):
        """Write an `OwnAnswer`."""
        status = answer.error.status
        self._set_status(status, phrase(status).encode("ascii"))
        for name, value in answer.fields():
            self._request.responseHeaders.setRawHeaders(name, [value])
        self._request.write(answer.content)
        self._request.finish()

    def _set_status(self, status, phrase):
        """twisted.web invents a Server, a Date and a Content-Type: those are the replica's, or nobody's."""
        self._request.defaultContentType = None
        self._request.setResponseCode(status, phrase)
        self._request.responseHeaders.removeHeader(b"server")
        self._request.responseHeaders.removeHeader(b"date")

    def abort(self):
        """Break the connection, so that the client sees that its answer is not whole."""
        self._request.loseConnection()

    def interim(self, head):
        """twisted.web has no way to send an interim answer."""

    invite_upload = pause_upload = resume_upload = lambda self: None

    # What twisted.web tells, as to a producer

    def pauseProducing(self):
        self._exchange.client_full()

    def resumeProducing(self):
        self._exchange.client_drained()

    def stopProducing(self):
        """The connection is going; `notifyFinish` tells."""
