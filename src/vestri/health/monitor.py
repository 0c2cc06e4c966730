"""When each replica is asked whether it is up."""

from heapq import heappop, heappush

import attrs
from twisted.application.service import Service
from twisted.internet.defer import maybeDeferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from vestri.health.question import Question

#: Seconds between two looks at what is due; also the shortest interval of a probe.
BEAT = 0.25
#: Probes that start in one beat, so that requests get their turn between: one takes about half a millisecond of CPU.
PER_BEAT = 8
#: Seconds to the next beat when this one left probes that are due: at most 320 start in a second.
CATCHING_UP = 0.025
#: Probes under way at once, each of which holds a descriptor.
PARALLEL = 256
#: Seconds to the next probe of a replica that is in doubt, unless its interval is shorter.
IN_DOUBT = 1.0
#: Part of an interval by which one probe may come earlier or later than another.
JITTER = 0.1

log = Logger()


@attrs.define(eq=False)
class Inquiry:
    """A question that is asked over and over.

    number: its place in the configuration.  recipients: (service, replica) for each that wants the answer.
    spread: whether it has been given its own place within the interval.
    """

    number: int
    question: Question
    recipients: list
    spread: bool = False


def inquiries(checked):
    """An `Inquiry` for each different question.

    checked: (pool, `model.HealthCheck`) for each service that is probed.
    """
    recipients = {}
    for pool, check in checked:
        for member in pool.members:
            asked = recipients.setdefault(Question.of(member.replica, check), [])
            asked.append((pool.service, member.replica.id))
    return [Inquiry(number, *each) for number, each in enumerate(recipients.items())]


class HealthMonitor(Service):
    """Ask every question when it is due, and hand each answer to `record`.

    One beat starts what is due and waits for nothing. All first probes are due at the start; from
    then on they spread over the interval. A question is due again only when it was answered, so a
    probe never overlaps itself.

    checked: (pool, `model.HealthCheck`) for each service that is probed.
    ask: question -> Deferred of an `Outcome`; cancelling that ends the probe.
    record: called with service, replica and outcome; returns whether the replica is in doubt.
    clock: IReactorTime.  random: a `random.Random`.
    """

    name = "health"

    def __init__(self, checked, ask, record, clock, random):
        self._inquiries = inquiries(checked)
        self._ask, self._record, self._clock, self._random = ask, record, clock, random
        self._loop = LoopingCall(self.beat)
        self._loop.clock = clock
        self._waiting, self._under_way = [], {}

    def startService(self):
        super().startService()
        now = self._clock.seconds()
        self._waiting = [(now, inquiry.number, inquiry) for inquiry in self._inquiries]
        self._loop.start(BEAT).addErrback(lambda failure: log.failure("no more probes", failure=failure))

    def stopService(self):
        if self._loop.running:
            self._loop.stop()
        under_way, self._under_way = self._under_way, {}
        for answer in under_way.values():
            answer.cancel()
        return super().stopService()

    def beat(self):
        """Start what is due, up to `PER_BEAT`; come back soon if that was not all."""
        now = self._clock.seconds()
        for _ in range(PER_BEAT):
            if not self._may_start(now):
                break
            _, _, inquiry = heappop(self._waiting)
            self._begin(inquiry, now)
        self._loop.interval = CATCHING_UP if self._may_start(now) else BEAT

    def _may_start(self, now):
        """Whether there is one to start: due at this beat rather than at the next."""
        return self._waiting and self._waiting[0][0] <= now + BEAT / 2 and len(self._under_way) < PARALLEL

    def _begin(self, inquiry, now):
        answer = self._under_way[inquiry] = maybeDeferred(self._ask, inquiry.question)
        answer.addBoth(self._answered, inquiry, now)

    def _answered(self, outcome, inquiry, began):
        if self._under_way.pop(inquiry, None) is None:
            return  # stopped meanwhile
        in_doubt = self._report(outcome, inquiry)
        due = began + max(BEAT, self._until_next(inquiry, in_doubt))
        heappush(self._waiting, (due, inquiry.number, inquiry))

    def _report(self, outcome, inquiry):
        """Whether a recipient is in doubt. A fault of ours says nothing about the replica."""
        if isinstance(outcome, Failure):
            log.failure("a fault in asking {url}", failure=outcome, url=inquiry.question.url)
            return False
        doubts = [self._tell(recipient, outcome) for recipient in inquiry.recipients]
        return any(doubts)

    def _tell(self, recipient, outcome):
        try:
            return self._record(*recipient, outcome)
        except Exception:
            log.failure("a fault in recording {outcome} of {recipient}", outcome=outcome, recipient=recipient)
            return False

    def _until_next(self, inquiry, in_doubt):
        """Seconds from the start of this probe to the start of the next."""
        interval = inquiry.question.interval
        if in_doubt:
            return min(IN_DOUBT, interval)
        if not inquiry.spread:
            inquiry.spread = True
            return interval * self._random.random()
        return interval * self._random.uniform(1 - JITTER, 1 + JITTER)
