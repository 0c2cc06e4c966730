"""The life of one serving process: it listens before it sheds privileges, and drains before it stops."""

import gc
import signal

from twisted.application.service import MultiService
from twisted.internet.defer import TimeoutError, inlineCallbacks
from twisted.internet.error import CannotListenError
from twisted.internet.task import deferLater
from twisted.logger import Logger

from vestri.errors import CannotServe
from vestri.operations.counters import in_words

#: Objects made, and collections of the younger generation, after which each generation is collected (gc.set_threshold).
COLLECTIONS = (10_000, 20, 100)

log = Logger()


class Balancer(MultiService):
    """Everything that serves, as a Twisted service; its children run as long as it does.

    site: takes the connections.  endpoints: IStreamServerEndpoints.  shelves: the connections to all replicas.
    shutdown: `model.Shutdown`.  reactor: IReactorTime.  counters: `Counters` of what was served.
    on_reopen: called at SIGUSR1, when logs were moved.
    """

    def __init__(self, site, endpoints, shelves, shutdown, reactor, counters, on_reopen=None):
        super().__init__()
        self.site, self._endpoints, self._shelves, self._counters = site, endpoints, shelves, counters
        self._shutdown, self._reactor, self._on_reopen = shutdown, reactor, on_reopen
        self._signals = {}

    def privilegedStartService(self):
        """Bind, as whoever started us. Raises CannotServe, having logged why, where that cannot be."""
        failures = []
        for endpoint in self._endpoints:
            endpoint.listen(self.site).addCallbacks(self.site.ports.append, failures.append)
            if failures:
                failures[0].trap(CannotListenError)
                raise refused(endpoint, failures[0].value)
            log.info("listening at {endpoint}", endpoint=endpoint.description)
        super().privilegedStartService()

    def startService(self):
        for number, action in ((signal.SIGUSR1, self.reopen_logs), (signal.SIGHUP, self._ignore_hangup)):
            self._handle(number, action)
        super().startService()
        self.site.hasten()
        settle_memory()

    @inlineCallbacks
    def stopService(self):
        """Take what still comes for `pre_stop`, finish what is under way for `grace`, and end."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self._handle(number, self._hurry)
        if self._shutdown.pre_stop:
            yield deferLater(self._reactor, self._shutdown.pre_stop)
        for port in self.site.ports:
            yield port.stopListening()
        try:
            yield self.site.drain().addTimeout(self._shutdown.grace, self._reactor)
        except TimeoutError:
            log.warn("stopping with {count} connections still busy", count=self.site.abort())
            yield deferLater(self._reactor, 0)
        for shelf in self._shelves:
            shelf.close()
        yield super().stopService()
        self._restore_signals()
        log.info("{served}", served=in_words(self._counters.snapshot()))

    def reopen_logs(self):
        """Log files were moved: open them anew."""
        if self._on_reopen is not None:
            self._on_reopen()

    def _ignore_hangup(self):
        log.warn("SIGHUP: the configuration cannot be reloaded yet; restart Vestri to change it")

    def _hurry(self):
        log.warn("stopping at once: {count} connections are cut off", count=self.site.abort())

    def _handle(self, number, action):
        """Do this at a signal, and after it what was done before, unless that would end the process."""
        previous = signal.getsignal(number)

        def handle(*caught):
            self._reactor.callFromThread(action)
            if callable(previous) and number == signal.SIGUSR1:
                previous(*caught)

        self._signals.setdefault(number, previous)
        signal.signal(number, handle)

    def _restore_signals(self):
        for number, previous in self._signals.items():
            signal.signal(number, previous)
        self._signals.clear()

    def __repr__(self):
        return f"<Balancer: {self.site!r}>"


def settle_memory():
    """Keep the garbage collector from going through all that was built at the start, over and over, while we serve.

    What requests and connections leave behind is freed at once; few objects need the collector at all.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTIONS)


def refused(endpoint, error):
    """A `CannotServe` for an endpoint that cannot be listened at, logged. error: its CannotListenError."""
    why = getattr(error.socketError, "strerror", None) or error.socketError
    refusal = CannotServe(f"cannot listen at {endpoint.description}: {why}")
    log.critical("{refusal}", refusal=refusal)
    return refusal
