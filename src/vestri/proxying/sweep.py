"""The one look at every connection that serves all their deadlines."""

from twisted.application.service import Service
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

NEVER = float("inf")
log = Logger()


class Sweep(Service):
    """Tell each watched connection when its deadline has passed.

    A timer for each request would cost more than relaying it; here a deadline is one attribute, and
    one pass over all connections reads them. What is watched has a `deadline`, seconds of
    `seconds()`, and a method `overdue(now)`, which moves the deadline or ends the connection.

    clock: IReactorTime that runs the passes.  interval: seconds between them; a deadline is met at
    most that much late.
    """

    name = "sweep"

    def __init__(self, clock, seconds, interval):
        self.seconds = seconds
        self._watched = set()
        self.watch, self.forget = self._watched.add, self._watched.discard
        self._interval = interval
        self._loop = LoopingCall(self.look)
        self._loop.clock = clock

    def look(self):
        """End or remind whatever is overdue; one connection's fault stops nobody else's sweep."""
        now = self.seconds()
        for connection in [each for each in self._watched if each.deadline <= now]:
            try:
                connection.overdue(now)
            except Exception:
                log.failure("a connection failed at its deadline: {connection!r}", connection=connection)
                self.forget(connection)

    def startService(self):
        super().startService()
        self._loop.start(self._interval, now=False)

    def stopService(self):
        if self._loop.running:
            self._loop.stop()
        return super().stopService()


def interval_for(timeouts, *, shortest=0.05, longest=1.0):
    """Seconds between two passes such that no timeout is met more than a quarter of itself late.

    timeouts: seconds, or None for those that are off.
    """
    return min(longest, max(shortest, min((each / 4 for each in timeouts if each), default=longest)))
