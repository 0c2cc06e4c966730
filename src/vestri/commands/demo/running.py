"""Runs the demo: starts its processes, tells what becomes of them, and ends them all."""

import re
import signal
import socket
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import LoopingCall

from vestri.commands.demo.children import Child
from vestri.commands.demo.picture import Standing, picture
from vestri.commands.demo.plan import plan, taken
from vestri.commands.demo.tally import Tally

#: Seconds for which a replica that ended stays away, so that there is something to see.
AWAY = 5.0
#: How twistd is run by an interpreter: it is a script, and no module that could be run.
TWISTD = ("-c", "from twisted.scripts.twistd import run; run()")
#: A line of twistd's log: when, from whom, what.
EVENT = re.compile(r"[0-9T:+-]{20,} \[(?P<source>[^]]*)\] (?P<text>.*)")


def run_demo(reactor):
    """Run it until the reactor stops. Returns a Deferred that fails with SystemExit(1) where it cannot go on."""
    seen = picture(on_gone=lambda: reactor.callWhenRunning(reactor.stop))
    demo = Demo(reactor, plan(taken), seen, listens)
    reactor.addSystemEventTrigger("before", "shutdown", _end, demo)
    signal.signal(signal.SIGHUP, lambda *_: reactor.callFromThread(reactor.stop))
    demo.open()
    return demo.over


def _end(demo):
    """A second Ctrl-C has nothing to add: what does not end by itself is ended by force within seconds."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    return demo.close()


class Demo:
    """The processes of a `Plan`, shown in a picture.

    reactor: IReactorTime and IReactorProcess.  listens: tells whether somebody listens on a port.
    `over` is a Deferred that fails where it cannot go on.
    """

    def __init__(self, reactor, plan, picture, listens):
        self._reactor, self._plan, self._picture, self._listens = reactor, plan, picture, listens
        self._tally, self._returns = Tally(), {}
        self._serving = self._closing = False
        self._directory = TemporaryDirectory(prefix="vestri-demo-")
        self._replicas = {self._replica(replica): replica for replica in plan.replicas}
        self._awaited = set(self._replicas)
        self._balancer = Child(reactor, self._serve(), self._balancer_said, self._balancer_ended)
        self._beat = LoopingCall(self._look)
        self._beat.clock = reactor
        self.over = Deferred()

    def open(self):
        for wanted, port in self._plan.moved.items():
            self._picture.say(f"Port {wanted} is taken; {port} is used in its place.")
        for child in self._replicas:
            child.start()
        self._beat.start(self._picture.interval)

    def close(self):
        """End everything. Returns a Deferred, once it has ended."""
        self._closing = True
        if self._beat.running:
            self._beat.stop()
        for call in self._returns.values():
            call.cancel()
        ends = [child.stop() for child in (self._balancer, *self._replicas) if child.pid]
        return DeferredList(ends).addCallback(self._closed)

    def _closed(self, _):
        self._picture.close()
        self._directory.cleanup()

    # The replicas

    def _replica(self, replica):
        arguments = ("-m", "vestri", "replica", "--port", str(replica.port))
        return Child(self._reactor, arguments, self._replica_said, self._replica_ended)

    def _replica_said(self, child, line):
        """Once all of them listen the balancer starts; of their requests the balancer tells as well."""
        port = self._replicas[child].port
        if line != f"{port} listens on 127.0.0.1":
            return
        self._picture.say(f"Replica {port} listens, pid {child.pid}.")
        if child in self._awaited:
            self._awaited.remove(child)
            if not self._awaited:
                self._balancer.start()

    def _replica_ended(self, child, how):
        if self._closing:
            return
        port = self._replicas[child].port
        if self._awaited:
            self._give_up(child, f"Replica {port} {how}.")
            return
        self._picture.say(f"Replica {port} {how}; it is back in {AWAY:.0f} s.")
        self._returns[child] = self._reactor.callLater(AWAY, self._return, child)

    def _return(self, child):
        del self._returns[child]
        child.start()

    # The balancer

    def _serve(self):
        config = Path(self._directory.name, "demo.yaml")
        config.write_text(self._plan.text, "utf-8")
        return (*TWISTD, "-n", "--pidfile=", "vestri", "--config", str(config))

    def _balancer_said(self, child, line):
        """A line of its access log is counted; of its event log, what Twisted says of itself is left out."""
        if self._tally.count(line):
            return
        event = EVENT.fullmatch(line)
        if event is None:
            self._picture.say(f"Vestri: {line}")
        elif event["source"].startswith("vestri"):
            self._picture.say(f"Vestri: {event['text']}")

    def _balancer_ended(self, child, how):
        if not self._closing:
            self._give_up(child, f"Vestri {how}.")

    def _give_up(self, child, why):
        for line in child.last:
            self._picture.say(line)
        self._picture.say(why)
        if not self.over.called:
            self.over.errback(SystemExit(1))

    # What there is to see

    def _look(self):
        if not self._serving and self._balancer.pid and self._listens(self._plan.port):
            self._serving = True
            self._picture.invite(f"http://127.0.0.1:{self._plan.port}/")
        self._picture.show([self._standing(child) for child in self._replicas], self._tally)

    def _standing(self, child):
        replica, returns = self._replicas[child], self._returns.get(child)
        away = returns and returns.getTime() - self._reactor.seconds()
        return Standing(str(replica.port), replica.weight, child.pid, away, self._tally.answered[replica.id])


def listens(port):
    """Whether somebody takes connections on a port of this machine."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=0.2).close()
    except OSError:
        return False
    return True
