"""One of several serving processes: `python -m vestri.worker SOCKETS`, started by the supervisor alone."""

import json
import os
import pickle
import signal
import sys
from contextlib import suppress

from twisted.logger import Logger, LogLevel, formatEvent, globalLogBeginner

from vestri.control import PIECE, VERBS, Adopt, Count, Hurry, Pipe, Reopen, Serving, Steer, Stop
from vestri.errors import VestriError
from vestri.transport import install_reactor, server_endpoint
from vestri.workers import ANSWERS, COMMANDS, EVENTS, FIRST_SOCKET, SNAPSHOT

log = Logger()


class Orders(Pipe):
    """The supervisor's orders, carried out.

    wired: `wiring.Wired`, what this process serves with.  stop: called when there is nothing more to do.
    """

    def __init__(self, wired, stop):
        super().__init__()
        self._wired, self._stop = wired, stop
        self._counted = b""

    def connectionMade(self):
        super().connectionMade()
        self.callRemote(Serving, pid=os.getpid()).addErrback(lambda failure: None)

    @Adopt.responder
    def adopt(self, change):
        self._wired.recorder.adopt(change)
        return {}

    @Steer.responder
    def steer(self, service, verb, arguments):
        pools = self._wired.pools
        if verb not in VERBS:
            raise VestriError(f"no verb '{verb}'; there are {', '.join(sorted(VERBS))}")
        if service not in pools:
            raise VestriError(f"no service '{service}'; there are {', '.join(pools)}")
        getattr(pools[service], verb)(*arguments)
        return {}

    @Count.responder
    def count(self, offset):
        if offset == 0:
            self._counted = json.dumps(self._count()).encode("ascii")
        return {"piece": self._counted[offset : offset + PIECE], "size": len(self._counted)}

    def _count(self):
        members = {
            pool.service: {
                each.replica.id: {"selected": each.selected, "in_flight": each.in_flight} for each in pool.members
            }
            for pool in self._wired.pools.values()
        }
        return {"services": self._wired.counters.snapshot(), "members": members}

    @Reopen.responder
    def reopen(self):
        self._wired.balancer.reopen_logs()
        return {}

    @Stop.responder
    def stop(self):
        self._stop()
        return {}

    @Hurry.responder
    def hurry(self):
        log.warn("stopping at once: {count} connections are cut off", count=self._wired.balancer.site.abort())
        return {}

    def connectionLost(self, reason):
        """The supervisor is gone, and with it the reason to be here."""
        super().connectionLost(reason)
        self._stop()


def main(sockets):
    """Serve until the supervisor says otherwise. sockets: how many listening ones there are."""
    install_reactor()
    globalLogBeginner.beginLoggingTo([tell], redirectStandardIO=False)
    from twisted.internet import reactor, stdio

    from vestri import wiring

    with os.fdopen(SNAPSHOT, "rb") as snapshot:
        configuration = pickle.load(snapshot)
    os.set_inheritable(EVENTS, False)
    os.set_blocking(EVENTS, False)
    endpoints = [server_endpoint(reactor, f"fd:{FIRST_SOCKET + index}") for index in range(sockets)]
    for endpoint, written in zip(endpoints, configuration.listen):
        endpoint.description = written
    wired = wiring.serving(configuration, reactor, endpoints, observers=())
    stopping = []

    def stop():
        if not stopping:
            stopping.append(wired.balancer.stopService().addBoth(lambda ignored: reactor.stop()))

    for number in (signal.SIGINT, signal.SIGHUP):  # of the terminal, which the supervisor hears too
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *caught: reactor.callFromThread(stop))
    wired.balancer.privilegedStartService()
    for index in range(sockets):  # it has duplicates, and what it stops listening at is to be closed
        os.close(FIRST_SOCKET + index)
    wired.balancer.startService()
    stdio.StandardIO(Orders(wired, stop), stdin=COMMANDS, stdout=ANSWERS)
    reactor.run(installSignalHandlers=False)


def tell(event):
    """A log observer: events as lines for the supervisor, each with its level; lost where that does not read them."""
    level = event.get("log_level", LogLevel.info)
    if level is LogLevel.debug:
        return
    text = formatEvent(event)
    failure = event.get("log_failure")
    if failure is not None:
        text = f"{text}\n{failure.getTraceback()}"
    lines = "".join(f"{level.name} {line}\n" for line in text.splitlines() if line)
    with suppress(BlockingIOError, BrokenPipeError):
        os.write(EVENTS, lines.encode("utf-8", "replace"))


if __name__ == "__main__":
    main(int(sys.argv[1]))
