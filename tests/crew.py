"""A supervisor whose workers are no processes: `vestri.worker`'s orders, at the other end of pipes in memory."""

import os
import pickle
from collections import deque

import attrs
from twisted.internet.error import CannotListenError, ProcessDone, ProcessTerminated
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from vestri.health.recorder import Recorder
from vestri.model import Configuration, HealthCheck, Limits, Replica, Service, Shutdown
from vestri.operations.counters import Counters
from vestri.pool import Pool
from vestri.worker import Orders
from vestri.workers import ANSWERS, COMMANDS, EVENTS, SNAPSHOT, Supervisor


def replica(name):
    return Replica(url=f"http://{name}.test", id=name, scheme="http", host=f"{name}.test", port=80)


def configured(workers=2, replicas=("a", "b"), **changes):
    """A Configuration with one service, `web`."""
    service = Service("web", tuple(map(replica, replicas)), health=HealthCheck(rise=1, fall=1))
    return Configuration((service,), workers=workers, shutdown=Shutdown(1.0, 30.0), **changes)


class Socket:
    """A listening socket as far as a supervisor cares."""

    def __init__(self, number):
        self._number, self.closed = number, False

    def fileno(self):
        return self._number

    def close(self):
        self.closed = True


class Endpoint:
    """An endpoint. taken: that somebody else listens there.  released: whether what it left behind was removed."""

    def __init__(self, description="tcp:8080", first=100, taken=False):
        self.description, self._first, self._taken = description, first, taken
        self.given, self.released = [], False

    def sockets(self, count):
        if self._taken:
            raise CannotListenError("", 8080, OSError(98, "Address already in use"))
        self.given = [Socket(self._first + number) for number in range(count)]
        return self.given

    def release(self):
        self.released = True


class Balancer:
    """Stands in for the `Balancer` of a worker: keeps what it was told."""

    def __init__(self):
        self.told, self.site = [], self

    def reopen_logs(self):
        self.told.append("reopen")

    def abort(self):
        self.told.append("abort")
        return 3


class Wired:
    """What a worker serves with, for its snapshot of the configuration."""

    def __init__(self, configuration):
        self.pools = {service.name: Pool.of(service) for service in configuration.services}
        checked = [(self.pools[service.name], service.health) for service in configuration.services]
        self.recorder, self.counters, self.balancer = Recorder(checked), Counters(), Balancer()


class Process:
    """A spawned process, as the transport of the protocol to it.

    configuration: what its snapshot says.  inherited: its descriptors.  told: "stop" and signals, in order.
    """

    def __init__(self, protocol, arguments, inherited):
        self.pid, self.arguments, self.inherited = 4711, arguments, inherited
        self.configuration = pickle.loads(_content(inherited[SNAPSHOT]))
        self.told, self.closed, self.orders = [], False, None
        self._protocol, self._up, self._down = protocol, deque(), deque()

    def serves(self):
        """It has come so far that it accepts connections."""
        self.wired = Wired(self.configuration)
        self.orders = Orders(self.wired, lambda: self.told.append("stop"))
        self.orders.makeConnection(_Upward(self._up, self.told))
        return self

    def ends(self, signal=None):
        self.pid = None
        reason = ProcessDone(0) if signal is None else ProcessTerminated(None, signal)
        self._protocol.processEnded(Failure(reason))

    def says(self, data):
        """It writes to its event log."""
        self._protocol.childDataReceived(EVENTS, data)

    def member(self, name, service="web"):
        return next(each for each in self.wired.pools[service].members if each.replica.id == name)

    def carry(self):
        """Deliver something that is on its way; what is for a process that has not begun to listen waits."""
        if self._up:
            self._protocol.childDataReceived(ANSWERS, self._up.popleft())
        elif self._down and self.orders is not None:
            self.orders.dataReceived(self._down.popleft())
        else:
            return False
        return True

    # What its protocol asks for

    def writeToChild(self, descriptor, data):
        if self.closed:
            raise KeyError(descriptor)
        assert descriptor == COMMANDS
        self._down.append(data)

    def closeChildFD(self, descriptor):
        self.closed = True

    def signalProcess(self, name):
        self.told.append(name)


class _Upward:
    """The worker's end of the pipe."""

    def __init__(self, way, told):
        self.write, self._told = way.append, told

    def loseConnection(self):
        self._told.append("hung up")

    def getPeer(self):
        """A pipe has no address."""

    getHost = getPeer


def _content(descriptor):
    return os.pread(descriptor, 1 << 20, 0)


class Processes(Clock):
    """A reactor that spawns into memory. spawned: every process so far.  unable: the error of the next attempts."""

    def __init__(self):
        super().__init__()
        self.spawned, self.unable = [], None

    def spawnProcess(self, protocol, executable, args, env, childFDs):
        if self.unable is not None:
            raise self.unable
        self.spawned.append(Process(protocol, args, dict(childFDs)))
        protocol.makeConnection(self.spawned[-1])

    def callFromThread(self, work, *args):
        work(*args)


class Crew:
    """A Supervisor and its workers. found: tells it that a replica went up or down."""

    def __init__(self, configuration=None, endpoints=None):
        configuration = configuration or configured()
        self.reactor = Processes()
        self.endpoints = [Endpoint()] if endpoints is None else endpoints
        self.wired = Wired(configuration)
        self.supervisor = Supervisor(configuration, self.endpoints, self.wired.recorder, self.reactor)

    def start(self, serving=True):
        self.supervisor.privilegedStartService()
        self.supervisor.startService()
        if serving:
            for process in self.spawned:
                process.serves()
        self.settle()
        return self

    def stop(self):
        """Where nobody has done so already."""
        if not self.supervisor.running:
            return
        self.supervisor.stopService()
        self.settle()
        for process in self.spawned:
            if process.pid is not None:
                process.ends()

    @property
    def spawned(self):
        return self.reactor.spawned

    @property
    def alive(self):
        return [process for process in self.spawned if process.pid is not None]

    def settle(self):
        """Deliver everything that is on its way."""
        while any(process.carry() for process in self.alive):
            pass

    def found(self, change):
        self.wired.recorder.adopt(change)
        self.supervisor.changed(change)
        self.settle()

    def outcome(self, deferred):
        """What a Deferred fires with once everything has been delivered; a Failure where it fails."""
        answers = []
        deferred.addBoth(answers.append)
        self.settle()
        return answers[0]


def limited(configuration, connections):
    return attrs.evolve(configuration, limits=Limits(connections=connections))
