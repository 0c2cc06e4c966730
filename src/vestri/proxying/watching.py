"""How long a client's connection waits, and for what: all its deadlines, met by one look of the sweep."""

from select import POLLERR, POLLHUP, poll

from vestri.errors import RequestError
from vestri.proxying.pace import Pace
from vestri.proxying.sweep import NEVER

try:
    from select import POLLRDHUP
except ImportError:  # not Linux: a full close is noticed, a half-close only once we read again
    POLLRDHUP = 0

#: Seconds for which an unfinished answer goes on after the client has closed its side. It may have
#: left, or only have said that no further request follows; TCP does not tell which.
GRACE = 1.0
#: Seconds after which a client that waits for 100 (Continue) is told so by us.
INVITATION = 1.0
#: Seconds for which what a client still sends is read and thrown away after our last answer. Closing
#: a socket with unread bytes resets it, which can take the answer along (RFC 9112 section 9.6).
LINGER, LINGER_SILENCE = 10.0, 2.0


class WatchedConnection:
    """What a client's connection does when time passes; `ClientConnection` is what it does when bytes come.

    deadline: when the sweep is to call `overdue`, which looks what is due then and sets the next.
    """

    __slots__ = (
        "_body", "_closing", "_ended", "_exchange", "_full", "_held", "_linger_ends", "_pace_in", "_pace_out",
        "_paused", "_reader", "_seen", "_site", "_started", "deadline", "finished", "peer", "seconds", "transport",
        "tunnel",
    )  # fmt: skip

    def overdue(self, now):
        """The sweep found the deadline passed: one of several things is due."""
        exchange, self.deadline = self._exchange, NEVER
        if self._closing:
            self._look_at_closing(now)
        elif exchange is None:
            self._look_between(now)
        elif self.tunnel is None:
            self._look(now, exchange)

    def _look_between(self, now):
        """No request is under way: its head is late, or none came, or the last answer is still not out."""
        if self._reader.partial:
            self._refuse_unread(RequestError("header_timeout"))
        elif not self.transport.pending():
            self.close()
        elif self._writes_too_slowly(now, 0):
            self.abort()

    def _look_at_closing(self, now):
        """What was written goes out as long as the client takes it; then there is nothing more to wait for."""
        if not self.transport.pending():
            self.transport.loseConnection()
        elif self._writes_too_slowly(now, 0):
            self.abort()

    def _look(self, now, exchange):
        """See whether the client still moves, while its request is under way."""
        if now >= exchange.ends:
            exchange.fail(RequestError("total_timeout"))
            return
        if self._has_left(exchange):
            self._left(exchange)
            return
        self.deadline = exchange.ends
        if self._ended or self._paused:
            self._look_within(GRACE)
        if self._writes_too_slowly(now, exchange.bytes_out):
            self._left(exchange, "client_too_slow")
        elif self._pace_in is not None:
            self._look_at_upload(now, exchange)

    def _look_at_upload(self, now, exchange):
        if exchange.connection is not None:
            exchange.invite_upload()
        if self._pace_in.too_slow(now, exchange.bytes_in):
            exchange.fail(RequestError("body_timeout"))
        else:
            self._look_within(self._pace_in.interval)

    def _has_left(self, exchange):
        """Whether the client went away, as far as can be seen on a socket that is not being read."""
        if self._ended:
            seen, self._seen = self._seen, exchange.bytes_out
            return seen == exchange.bytes_out and not self._full
        return self._paused and _hung_up(self.transport, half=exchange.uploaded)

    def _left(self, exchange, reason="client_abort"):
        self._exchange = None
        exchange.client_left(reason)
        self.abort()

    def _writes_too_slowly(self, now, written):
        """Whether the client takes too little of what we have for it; looks again in time if not.

        written: bytes given to the transport so far, counted from anywhere.
        """
        pending = self.transport.pending()
        if not pending:
            self._pace_out = None
            return False
        if self._pace_out is None:
            self._watch_writing(now, written)
        if self._pace_out.too_slow(now, written - pending):
            return True
        self._look_within(self._pace_out.interval)
        return False

    def _watch_writing(self, now, written):
        taken = written - self.transport.pending()
        self._pace_out = Pace(now, taken, self._site.timeouts.client_write, self._site.limits.min_rate)
        self._look_within(self._pace_out.interval)

    def _watch_reading(self, now, exchange):
        self._pace_in = Pace(now, exchange.bytes_in, self._site.timeouts.client_body, self._site.limits.min_rate)
        self._look_within(self._pace_in.interval)
        if exchange.head.expects_continue:
            self._look_within(INVITATION)

    def _look_within(self, seconds):
        self.deadline = min(self.deadline, self.seconds() + seconds)

    def _rest(self, now):
        """Nothing is under way: wait for a request."""
        self._started = None
        idle = self._site.timeouts.client_idle
        self.deadline = NEVER if idle is None else now + idle

    def _pause(self):
        """Read no more for now. What a paused socket hides, a look every while finds out."""
        if not self._paused:
            self._paused = True
            self.transport.pauseProducing()
            self._look_within(GRACE)

    def _resume(self):
        if self._paused and not self._ended:
            self._paused = False
            self.transport.resumeProducing()

    def abort(self):
        """Break the connection, so that the client sees that its answer is not whole."""
        self._drop()
        self.deadline = NEVER
        self.transport.abortConnection()

    def cut_off(self, reason):
        """Break the connection whatever is under way. reason: a word of `errors.STATUS` for the request it ends."""
        if self._exchange is None:
            self.abort()
        else:
            self._left(self._exchange, reason)

    def close(self):
        """Close when what was written is out."""
        self._drop()
        if self.transport.pending():
            self._watch_writing(self.seconds(), 0)
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def _linger(self):
        """Say that no more answers follow, and read what still comes for a while, into nothing."""
        self._drop()
        now = self.seconds()
        self._linger_ends, self.deadline = now + LINGER, now + LINGER_SILENCE
        self.transport.unregisterProducer()
        self.transport.loseWriteConnection()
        self._resume()

    def _drop(self):
        self._closing = True
        self._exchange = self._body = self._held = self._pace_in = self._pace_out = None
        self.deadline = NEVER


def _hung_up(transport, *, half):
    """Whether the peer reset the connection, or (half) said that it sends no more, unread as yet."""
    look = poll()
    look.register(transport.fileno(), POLLRDHUP)
    gone = POLLERR | POLLHUP | (POLLRDHUP if half else 0)
    return any(event & gone for _, event in look.poll(0))
