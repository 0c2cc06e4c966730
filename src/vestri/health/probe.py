"""One question to one replica, and what its answer means."""

import attrs
from twisted.internet import error
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss

#: Bytes of an answer's body that are read; what comes after them is of no interest.
BODY_READ = 64 * 1024
#: Any answer will do, where the configuration does not say what to ask for.
ANY_STATUS = ((0, 999),)
#: What the log of a replica says about who asks.
USER_AGENT = "Vestri health probe"

#: Kind of failure -> what it is called. The first kind that fits counts.
CAUSES = (
    (error.ConnectionRefusedError, "connection refused"),
    (error.DNSLookupError, "its name has no address"),
    (error.NoRouteError, "no route to it"),
    ((error.TimeoutError, error.TCPTimedOutError), "connection timed out"),
    (error.ConnectionDone, "connection closed before the answer was complete"),
    (error.ConnectionLost, "connection reset"),
)


@attrs.frozen
class Outcome:
    """What a probe found. cause: why it passed or failed, in words, such as `answered 503`."""

    passed: bool
    cause: str


@attrs.frozen
class Question:
    """What is asked, how often, and which answer passes. Equal questions have equal answers.

    expect: inclusive (low, high) ranges of status codes.  body: bytes that the answer's must contain, or None.
    timeout: seconds for connecting, head and body together.  interval: seconds from one probe to the next.
    """

    url: str
    method: str
    headers: tuple[tuple[str, str], ...]
    expect: tuple[tuple[int, int], ...]
    body: bytes | None
    timeout: float
    interval: float

    @classmethod
    def of(cls, replica, check):
        """The question that a `model.HealthCheck` means for a `model.Replica`."""
        authority = attrs.evolve(replica, port=check.port or replica.port).authority
        named = {name.lower() for name, _ in check.headers}
        return cls(
            url=f"{replica.scheme}://{authority}{replica.base_path}{check.path or '/'}",
            method=check.method,
            headers=check.headers + (() if "user-agent" in named else (("User-Agent", USER_AGENT),)),
            expect=ANY_STATUS if check.path is None else check.expect,
            body=None if check.body is None else check.body.encode(),
            timeout=check.timeout,
            interval=check.interval,
        )

    def judge(self, status, body):
        """The `Outcome` of an answer. body: its first `BODY_READ` bytes."""
        if not any(low <= status <= high for low, high in self.expect):
            return Outcome(False, f"answered {status}")
        if self.body is not None and self.body not in body:
            return Outcome(False, f"answered {status} without {self.body.decode()!r} in its body")
        return Outcome(True, f"answered {status}")


class Asker:
    """Asks questions with a client that it makes when there is the first.

    make_client: returns a client with treq's `request`; importing treq takes a while, and is to
    come after listening.  clock: IReactorTime that measures the timeouts.
    """

    def __init__(self, make_client, clock):
        self._make_client, self._clock = make_client, clock
        self._client = None

    def __call__(self, question):
        """As `probe`."""
        if self._client is None:
            self._client = self._make_client()
        return probe(self._client, question, self._clock)


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
