"""Several serving processes on the same ports, and the supervisor that keeps them going."""

import json
import os
import pickle
import signal
import sys
import tempfile
from contextlib import contextmanager, suppress

import attrs
from twisted.application.service import MultiService
from twisted.internet import protocol
from twisted.internet.defer import Deferred, DeferredList, gatherResults, inlineCallbacks
from twisted.internet.error import CannotListenError, ProcessDone, ProcessTerminated
from twisted.logger import Logger, LogLevel

from vestri.balancer import refused
from vestri.control import Adopt, Count, Hurry, Pipe, Reopen, Serving, Steer, Stop
from vestri.operations.counters import merged

#: Descriptors of a worker. It shares our standard output; its event log comes to us.
STANDARD_OUTPUT, EVENTS, COMMANDS, ANSWERS, SNAPSHOT, FIRST_SOCKET = 1, 2, 3, 4, 5, 6
#: Seconds before a worker that died is replaced, if it had served so long; otherwise twice the last wait.
AT_ONCE, SETTLED, LONGEST_WAIT = 0.0, 5.0, 10.0
FIRST_WAIT = 0.25
#: Seconds that workers have, beyond what they need to drain, before they are killed.
PATIENCE = 5.0

#: Words at the beginning of a line -> the level at which it is logged.
LEVELS = {level.name: level for level in LogLevel.iterconstants()}

log = Logger()


def shared_out(configuration):
    """The `model.Configuration` of each worker: numbers in a file hold for the whole, each takes its share."""
    count = configuration.workers
    return [
        attrs.evolve(
            configuration,
            workers=1,
            limits=attrs.evolve(
                configuration.limits, connections=share(configuration.limits.connections, count, number)
            ),
        )
        for number in range(count)
    ]


def share(total, count, number):
    """One worker's part of a whole, remainders to the first; at least 1."""
    return max(1, total // count + (number < total % count))


class Worker(protocol.ProcessProtocol):
    """One worker process, from its start to its end; AMP's transport to it.

    slot: the `Slot` that it fills.
    """

    def __init__(self, slot, commands):
        self._slot, self._commands = slot, commands
        self._line = b""
        self.ended = Deferred()
        self.serving = False

    def connectionMade(self):
        self._commands.makeConnection(self)

    def call(self, command, **arguments):
        """A Deferred of the worker's answer; fails when it ends before that."""
        return self._commands.callRemote(command, **arguments)

    # What AMP asks of its transport

    def write(self, data):
        with suppress(KeyError):  # it has closed its end, and is about to be gone
            self.transport.writeToChild(COMMANDS, data)

    def writeSequence(self, pieces):
        self.write(b"".join(pieces))

    def loseConnection(self):
        self.transport.closeChildFD(COMMANDS)

    def getPeer(self):
        """There is no address at the end of a pipe."""

    getHost = getPeer

    # What the process tells

    def childDataReceived(self, descriptor, data):
        if descriptor == ANSWERS:
            self._commands.dataReceived(data)
            return
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            self._tell(line.decode("utf-8", "replace"))

    def _tell(self, line):
        """Pass on a line of the event log: its level, a space, its text. Python writes others when it fails."""
        level, _, text = line.partition(" ")
        if level in LEVELS:
            log.emit(LEVELS[level], "worker {number}: {text}", number=self._slot.number, text=text)
        else:
            log.error("worker {number}: {line}", number=self._slot.number, line=line)

    def kill(self, name="KILL"):
        """Send a signal; a process that is gone is no matter."""
        if self.transport.pid is not None:
            self.transport.signalProcess(name)

    def processEnded(self, reason):
        self._commands.connectionLost(reason)
        self._slot.ended(self, reason)
        self.ended.callback(None)


class Commands(Pipe):
    """Our end of the pipe to one worker."""

    def __init__(self, slot):
        super().__init__()
        self._slot = slot

    @Serving.responder
    def serving(self, pid):
        self._slot.serves(pid)
        return {}


class Slot:
    """A place for one worker: the sockets that it listens at, which stay open while it is replaced.

    configuration: of the worker.  sockets: listening ones, one for each endpoint.
    """

    def __init__(self, number, configuration, supervisor):
        self.number, self._configuration, self._supervisor = number, configuration, supervisor
        self.sockets = []
        self.worker = None
        self._began, self._wait, self._respawn = 0.0, AT_ONCE, None

    def spawn(self):
        """Start a worker here, or later where that cannot be now."""
        self._respawn = None
        self._began = self._supervisor.reactor.seconds()
        try:
            self._start()
        except OSError as error:
            self.worker = None
            log.error("worker {number} cannot be started: {error}", number=self.number, error=error)
            self._spawn_later()

    def _start(self):
        with self._snapshot() as snapshot:
            inherited = {0: snapshot.fileno(), STANDARD_OUTPUT: 1, EVENTS: "r", COMMANDS: "w", ANSWERS: "r"}
            inherited[SNAPSHOT] = snapshot.fileno()
            inherited |= {FIRST_SOCKET + index: sock.fileno() for index, sock in enumerate(self.sockets)}
            self.worker = Worker(self, Commands(self))
            arguments = [sys.executable, "-m", "vestri.worker", str(len(self.sockets))]
            self._supervisor.reactor.spawnProcess(
                self.worker, sys.executable, arguments, env=os.environ, childFDs=inherited
            )

    @contextmanager
    def _snapshot(self):
        """The configuration as a file without a name: what the worker reads is what was checked."""
        with tempfile.TemporaryFile() as file:
            file.write(pickle.dumps(self._configuration))
            file.flush()
            file.seek(0)
            yield file

    def serves(self, pid):
        self.worker.serving = True
        log.info("worker {number} serves (process {pid})", number=self.number, pid=pid)
        self._supervisor.inform(self.worker)

    def ended(self, worker, reason):
        """The worker is gone: replace it, unless that is what we want."""
        self.worker = None
        if self._supervisor.stopping:
            return
        log.error("worker {number} ended: {why}", number=self.number, why=reason.getErrorMessage())
        self._spawn_later()

    def _spawn_later(self):
        lived = self._supervisor.reactor.seconds() - self._began
        self._wait = AT_ONCE if lived >= SETTLED else min(LONGEST_WAIT, max(FIRST_WAIT, self._wait * 2))
        self._respawn = self._supervisor.reactor.callLater(self._wait, self.spawn)

    def close(self):
        """Let nobody come back here."""
        if self._respawn is not None:
            self._respawn.cancel()
            self._respawn = None
        for sock in self.sockets:
            sock.close()


class Supervisor(MultiService):
    """Holds the listening sockets, one for each worker and endpoint, and sees to the workers behind them.

    It alone probes the replicas, and pushes what it finds; it serves no request itself.

    configuration: `model.Configuration` with `workers` above 1.  endpoints: its `ServerEndpoint`s.
    recorder: has `changes()`, what a new worker must adopt.
    """

    def __init__(self, configuration, endpoints, recorder, reactor):
        super().__init__()
        self.reactor, self._recorder, self._configuration, self._endpoints = reactor, recorder, configuration, endpoints
        self.slots = [Slot(number, each, self) for number, each in enumerate(shared_out(configuration))]
        self.stopping = False
        self._steered, self._signals = {}, {}

    @property
    def workers(self):
        """Those that serve now."""
        return [slot.worker for slot in self.slots if slot.worker is not None and slot.worker.serving]

    def privilegedStartService(self):
        """Bind, as whoever started us. Raises CannotServe, having logged why, where that cannot be."""
        for endpoint in self._endpoints:
            try:
                sockets = endpoint.sockets(len(self.slots))
            except CannotListenError as error:
                raise refused(endpoint, error) from error
            for slot, sock in zip(self.slots, sockets):
                slot.sockets.append(sock)
            log.info("listening at {endpoint}, {count} workers", endpoint=endpoint.description, count=len(self.slots))
        super().privilegedStartService()

    def startService(self):
        super().startService()
        self._handle(signal.SIGUSR1, self._reopen)
        self._handle(signal.SIGHUP, self._ignore_hangup)
        for slot in self.slots:
            slot.spawn()

    def stopService(self):
        """Let every worker finish, all at the same time; kill what does not end."""
        self.stopping = True
        workers = [slot.worker for slot in self.slots if slot.worker is not None]
        for slot in self.slots:
            slot.close()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._handle(number, lambda: self._tell_all(workers, Hurry))
        self._tell_all(workers, Stop)
        shutdown = self._configuration.shutdown
        patience = shutdown.pre_stop + shutdown.grace + PATIENCE
        late = self.reactor.callLater(patience, lambda: [worker.kill() for worker in workers])
        return DeferredList([worker.ended for worker in workers]).addCallback(self._ended, late)

    def _ended(self, workers, late):
        """All workers are gone. late: the DelayedCall that would have killed them."""
        if late.active():
            late.cancel()
        for endpoint in self._endpoints:
            endpoint.release()
        for number, previous in self._signals.items():
            signal.signal(number, previous)
        return super().stopService()

    def inform(self, worker):
        """Tell a new worker what is known of the replicas, and what is wanted of them."""
        for change in self._recorder.changes():
            worker.call(Adopt, change=change).addErrback(_not_told)
        for order in self._steered.values():
            worker.call(Steer, **order).addErrback(_not_told)

    def changed(self, change):
        """A replica went up or down: tell everybody. An observer of the `Recorder`."""
        self._tell_all(self.workers, Adopt, change=change)

    def steer(self, service, verb, replica, *arguments):
        """Use a verb of a service's `Pool` in every worker, now and when one is replaced.

        Returns a Deferred that fails as the verb does.
        """
        order = {"service": service, "verb": verb, "arguments": [replica, *arguments]}
        key = service, replica, verb == "set_weight"
        before, self._steered[key] = self._steered.get(key), order
        answers = [worker.call(Steer, **order).addErrback(_unless_gone) for worker in self.workers]
        return gatherResults(answers, consumeErrors=True).addErrback(self._forget, key, before)

    def _forget(self, failure, key, before):
        """A verb was refused: what holds is what was asked for before."""
        self._steered.pop(key)
        if before is not None:
            self._steered[key] = before
        return failure.value.subFailure

    def counts(self):
        """A Deferred of what all workers counted, added up; see `control.Count`. One that ends is left out."""
        answers = DeferredList([_counts_of(worker) for worker in self.workers], consumeErrors=True)
        return answers.addCallback(lambda results: merged(counts for well, counts in results if well))

    def _reopen(self):
        self._tell_all(self.workers, Reopen)

    def _ignore_hangup(self):
        log.warn("SIGHUP: the configuration cannot be reloaded yet; restart Vestri to change it")

    def _tell_all(self, workers, command, **arguments):
        for worker in workers:
            worker.call(command, **arguments).addErrback(_not_told)

    def _handle(self, number, action):
        """Do this at a signal; when logs were moved, twistd's own handler follows, which moves its own."""
        previous = signal.getsignal(number)
        self._signals.setdefault(number, previous)

        def handle(*caught):
            self.reactor.callFromThread(action)
            if number == signal.SIGUSR1 and callable(previous):
                previous(*caught)

        signal.signal(number, handle)


def _not_told(failure):
    """A worker that ended meanwhile learns everything anew when it is replaced."""


def _unless_gone(failure):
    """As `_not_told`, but what a worker refuses is refused."""
    failure.trap(ProcessDone, ProcessTerminated)


@inlineCallbacks
def _counts_of(worker):
    data, size = b"", 1
    while len(data) < size:
        answer = yield worker.call(Count, offset=len(data))
        data, size = data + answer["piece"], answer["size"]
    return json.loads(data)
