"""The demo replica itself: says who it is, and tells what it received, one line a request."""

import random
import sys
from contextlib import suppress

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IPullProducer
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site
from zope.interface import implementer

from vestri.operations.access_lines import escaped

PADDING = b"." * 64 * 1024
#: Field -> the word for it in a request's line.
TOLD = {b"host": "host", b"x-forwarded-for": "for", b"x-request-id": "id", b"x-vestri-attempt": "attempt"}


def serve(reactor, args):
    """Listen as the arguments of `vestri replica` say. Returns a Deferred that never fires."""
    replica = Replica(reactor, delay=args.delay, fail_rate=args.fail_rate, size=args.size)
    try:
        port = reactor.listenTCP(args.port, ReplicaSite(replica, reactor=reactor), interface=args.host)
    except CannotListenError as error:
        why = error.socketError.strerror
        print(f"vestri replica: cannot listen on {args.host}:{args.port}: {why}", file=sys.stderr)
        raise SystemExit(1) from None
    replica.port = port.getHost().port
    tell(f"{replica.port} listens on {args.host}")
    return Deferred()


class Replica(Resource):
    """Answers every request alike.

    delay: seconds before each answer.  fail_rate: share (0..1) that is answered with 503.  size: bytes to
    which an answer is padded.  port: what it calls itself by.
    """

    isLeaf = True
    port = 0

    def __init__(self, clock, *, delay=0.0, fail_rate=0.0, size=0, chance=random.random):
        super().__init__()
        self._clock, self._delay, self._fail_rate, self._size, self._chance = clock, delay, fail_rate, size, chance

    def render(self, request):
        answer = self._clock.callLater(self._delay, self._answer, request)
        request.notifyFinish().addErrback(lambda _: answer.active() and answer.cancel())
        return NOT_DONE_YET

    def _answer(self, request):
        failed = self._chance() < self._fail_rate
        text = b"%b port %d" % (b"Failed on purpose at" if failed else b"Received Response from", self.port)
        size = max(len(text), 0 if failed else self._size)
        request.setResponseCode(503 if failed else 200)
        request.setHeader(b"Content-Type", b"text/plain; charset=utf-8")
        request.setHeader(b"Content-Length", b"%d" % size)
        request.write(text)
        if size == len(text) or request.method == b"HEAD":
            request.finish()
        else:
            request.registerProducer(Padding(request, size - len(text)), False)


@implementer(IPullProducer)
class Padding:
    """The rest of an answer, in pieces, as the client takes them. size: bytes."""

    def __init__(self, request, size):
        self._request, self._left = request, size

    def resumeProducing(self):
        piece = PADDING[: self._left]
        self._left -= len(piece)
        self._request.write(piece)
        if not self._left:
            self._request.unregisterProducer()
            self._request.finish()

    def stopProducing(self):
        """The client is gone; nothing is held."""


class ReplicaSite(Site):
    """Tells of each request that was answered."""

    def log(self, request):
        fields = {word: request.requestHeaders.getRawHeaders(name) for name, word in TOLD.items()}
        said = [f"{word}={escaped(b','.join(values))}" for word, values in fields.items() if values]
        asked = f"{escaped(request.method)} {escaped(request.uri)}"
        tell(" ".join([f"{request.host.port} {asked} {request.code} {request.sentLength} bytes", *said]))


def tell(line):
    """Print a line, unless nobody reads any more."""
    with suppress(BrokenPipeError):
        print(line, flush=True)
