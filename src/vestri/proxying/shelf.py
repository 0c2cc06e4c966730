"""The connections to one replica: opened for an exchange, and kept between exchanges."""

import errno

from twisted.internet.defer import CancelledError, maybeDeferred
from twisted.internet.error import ConnectionRefusedError, DNSLookupError, TCPTimedOutError
from twisted.internet.interfaces import IProtocolFactory
from twisted.logger import Logger
from zope.interface import implementer

from vestri.errors import TLSFailed
from vestri.proxying.replica import ReplicaConnection
from vestri.proxying.sweep import NEVER

#: Seconds for which an idle connection is kept beyond the number of them that is kept for longer.
SURPLUS = 1.0
#: Errors of a machine or a process that has no more descriptors; seconds until one may have become free.
EXHAUSTED, EXHAUSTED_PAUSE = frozenset({errno.EMFILE, errno.ENFILE}), 0.25
#: Seconds between two lines of the event log about faults of one replica; the access log has every one.
QUIET = 1.0

log = Logger()


class Shelf:
    """The idle connections to one replica, and the way to new ones.

    Most recently used first, so that the surplus ages and is closed.  endpoint: an
    IStreamClientEndpoint.  timeouts: model.Timeouts.  sweep: what watches the deadlines.
    """

    __slots__ = ("_endpoint", "_idle", "_open", "_quiet_until", "forget", "seconds", "timeouts", "waiting", "watch")

    def __init__(self, endpoint, timeouts, sweep):
        self._endpoint, self.timeouts = endpoint, timeouts
        self.seconds, self.watch, self.forget = sweep.seconds, sweep.watch, sweep.forget
        self._idle = []
        self._open, self.waiting = set(), set()
        self._quiet_until = 0.0

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

    def opened(self, connection):
        """A connection is there; from now on the sweep looks at it."""
        self._open.add(connection)
        self.watch(connection)

    def holds(self, connection):
        """Whether a connection is open still."""
        return connection in self._open

    def keep(self, connection):
        """Put a connection that can be used again on the shelf; beyond the number that is kept, for a moment only.

        Under load connections come and go here all the time: what is closed at once is opened again at once.
        """
        timeouts = self.timeouts
        if self.waiting:
            self.waiting.pop().served(connection)
            return
        if not timeouts.idle_connections or timeouts.keep_alive is None:
            connection.close()
            return
        kept = timeouts.keep_alive if len(self._idle) < timeouts.idle_connections else min(SURPLUS, timeouts.keep_alive)
        connection.deadline = self.seconds() + kept
        self._idle.append(connection)

    def drop(self, connection):
        """Forget a connection that closed or is about to."""
        self._open.discard(connection)
        self.forget(connection)
        if connection in self._idle:
            self._idle.remove(connection)

    def complain(self, exchange, reason, detail):
        """Log what went wrong, in words; not each time, since a replica that is down fails every request."""
        now = self.seconds()
        if now >= self._quiet_until:
            self._quiet_until = now + QUIET
            log.info(
                "service '{service}': replica '{replica}': {detail} ({reason}, request {request_id})",
                service=exchange.service, replica=exchange.replica, detail=detail, reason=reason,
                request_id=exchange.request_id.decode("latin-1"),
            )  # fmt: skip

    def close(self):
        """Close what is idle."""
        for connection in self._idle[:]:
            connection.close()

    def __repr__(self):
        return f"<Shelf {self._endpoint!r}: {len(self._idle)} idle of {len(self._open)} open>"


@implementer(IProtocolFactory)
class Connecting:
    """The opening of a connection, on behalf of one exchange.

    Where there is no descriptor for it, it waits among the shelf's `waiting` for a connection that becomes idle, and
    tries again now and then: clients that were let in are to be served.
    """

    __slots__ = ("_attempt", "_ends", "_endpoint", "_exchange", "_shelf", "deadline")
    noisy = False

    def __init__(self, shelf, endpoint, exchange):
        self._shelf, self._endpoint, self._exchange = shelf, endpoint, exchange
        limits = [each for each in (shelf.timeouts.connect, shelf.timeouts.per_try) if each is not None]
        self._ends = shelf.seconds() + min(limits, default=NEVER)
        shelf.watch(self)
        exchange.connecting = self
        self._try()

    def _try(self):
        self.deadline = self._ends
        self._attempt = maybeDeferred(self._endpoint.connect, self)
        self._attempt.addCallbacks(self._connected, self._failed)

    def buildProtocol(self, address):
        return ReplicaConnection(self._shelf)

    def doStart(self):
        """Part of a factory's interface; nothing to prepare."""

    doStop = doStart

    def cancel(self):
        """Nobody waits for this connection any more."""
        self._take_exchange()
        self._attempt.cancel()

    def overdue(self, now):
        if self not in self._shelf.waiting:
            self._attempt.cancel()
            return
        self._shelf.waiting.discard(self)
        if now < self._ends:
            self._try()
        else:
            self._take_exchange().replica_failed("connect_timeout", "no descriptor for a connection in time")

    def served(self, connection):
        """A connection to the same replica has become free."""
        self._take_exchange().replica_ready(connection)

    def _connected(self, connection):
        """It may be gone again, or have been given up, before we hear here that it was made."""
        exchange, usable = self._take_exchange(), self._shelf.holds(connection)
        if exchange is not None and usable:
            exchange.replica_ready(connection)
        elif exchange is not None:
            exchange.replica_failed("upstream_reset", "the connection did not last until the request")
        elif usable:
            self._shelf.keep(connection)

    def _failed(self, failure):
        if self._exchange is not None and getattr(failure.value, "osError", None) in EXHAUSTED:
            self._shelf.waiting.add(self)
            self.deadline = min(self._ends, self._shelf.seconds() + EXHAUSTED_PAUSE)
            return
        exchange = self._take_exchange()
        if exchange is None:
            return
        if failure.check(CancelledError, TCPTimedOutError):
            exchange.replica_failed("connect_timeout", "no connection in time")
        elif failure.check(ConnectionRefusedError):
            exchange.replica_failed("connect_refused", "connection refused")
        elif failure.check(TLSFailed):
            exchange.replica_failed("tls_failure", failure.getErrorMessage())
        elif failure.check(DNSLookupError):
            exchange.replica_failed("connect_refused", "its name has no address")
        else:
            exchange.replica_failed("connect_refused", failure.getErrorMessage())

    def _take_exchange(self):
        """The exchange that still waits for this connection, told that the wait is over, or None."""
        self._shelf.forget(self)
        self._shelf.waiting.discard(self)
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.connecting = None
        return exchange
