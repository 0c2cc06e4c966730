"""Asking one replica one question, once, and never failing."""

from twisted.internet import error
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss

from vestri.health.question import Outcome

#: Bytes of an answer's body that are read; what comes after them is of no interest.
BODY_READ = 64 * 1024

#: Kind of failure -> what it is called. The first kind that fits counts.
CAUSES = (
    (error.ConnectionRefusedError, "connection refused"),
    (error.DNSLookupError, "its name has no address"),
    (error.NoRouteError, "no route to it"),
    ((error.TimeoutError, error.TCPTimedOutError), "connection timed out"),
    (error.ConnectionDone, "connection closed before the answer was complete"),
    (error.ConnectionLost, "connection reset"),
)


def probe(client, question, clock):
    """Ask one replica once.

    Returns a Deferred of an `Outcome`. It never fails; cancelling it closes the connection.
    """
    answer = maybeDeferred(
        client.request,
        question.method,
        question.url,
        headers=dict(question.headers),
        allow_redirects=False,
        unbuffered=True,
        reactor=clock,
    )
    answer.addCallback(_read_and_judge, question)
    answer.addErrback(lambda failure: Outcome(False, cause_of(failure.value)))
    late = Outcome(False, f"no answer within {question.timeout:g}s")
    return answer.addTimeout(question.timeout, clock, lambda *_: late)


def _read_and_judge(response, question):
    beginning = Beginning()
    response.deliverBody(beginning)
    return beginning.read.addCallback(lambda body: question.judge(response.code, body))


class Beginning(Protocol):
    """Reads the beginning of a body, up to `BODY_READ` bytes, and closes the connection if there is more.

    read: a Deferred of it; fails as the answer did when it breaks off.
    """

    def __init__(self):
        self._body = bytearray()
        self.read = Deferred(lambda _: self.transport.loseConnection())

    def dataReceived(self, data):
        self._body += data
        if len(self._body) >= BODY_READ:
            self._end(bytes(self._body[:BODY_READ]))
            self.transport.loseConnection()

    def connectionLost(self, reason=connectionDone):
        complete = reason.check(ResponseDone, PotentialDataLoss)
        self._end(bytes(self._body) if complete else reason)

    def _end(self, result):
        if self.read.called:
            return
        if isinstance(result, Failure):
            self.read.errback(result)
        else:
            self.read.callback(result)


def cause_of(problem):
    """Why there was no answer, in words."""
    first = _first_reason(problem)
    for kind, words in CAUSES:
        if isinstance(first, kind):
            return words
    said = str(first) or type(first).__name__
    return said if first is problem else f"its answer is not HTTP: {said}"


def _first_reason(problem):
    """What lies behind the failures of twisted.web, which carry their reasons along."""
    reasons = getattr(problem, "reasons", None)
    return _first_reason(reasons[0].value) if reasons else problem
