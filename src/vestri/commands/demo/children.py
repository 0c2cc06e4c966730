"""A process of the demo: what it prints, how it ends, and that it does end."""

import os
import signal
import sys
from collections import deque
from contextlib import suppress

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol

#: Seconds that a process has after SIGTERM.
GRACE = 2.0
#: Lines kept of what it printed last.
KEPT = 20

TETHERED = "vestri.commands.demo.tethered"


class Child(ProcessProtocol):
    """A Python process that lives no longer than this one.

    arguments: of the interpreter.  heard(child, line): called for each line that it prints.
    ended(child, how): called when it has ended, with words such as ``was ended by SIGKILL``.
    `pid` is None while it does not run; it may be started again then.  `last` is the end of what it printed.
    """

    pid = None

    def __init__(self, reactor, arguments, heard, ended):
        self._reactor, self._heard, self._ended = reactor, heard, ended
        self._command = [sys.executable, "-m", TETHERED, str(os.getpid()), sys.executable, *arguments]
        self._partial, self._gone = {}, None
        self.last = deque(maxlen=KEPT)

    def start(self):
        self._gone = Deferred()
        self.last.clear()
        self._reactor.spawnProcess(self, sys.executable, self._command, env=None)

    def stop(self):
        """End it while it runs, by force if need be. Returns a Deferred, once it has ended."""
        self._signal("TERM")
        force = self._reactor.callLater(GRACE, self._signal, "KILL")
        return self._gone.addCallback(lambda _: force.active() and force.cancel())

    def connectionMade(self):
        self.pid = self.transport.pid
        self.transport.closeStdin()

    def childDataReceived(self, descriptor, data):
        *lines, self._partial[descriptor] = (self._partial.get(descriptor, b"") + data).split(b"\n")
        for line in lines:
            text = _printable(line)
            self.last.append(text)
            self._heard(self, text)

    def processEnded(self, reason):
        self.pid, gone = None, self._gone
        self._partial.clear()
        self._ended(self, _how(reason.value))
        gone.callback(None)

    def _signal(self, name):
        with suppress(ProcessExitedAlready):  # `processEnded` is on its way
            self.transport.signalProcess(name)


def _how(end):
    """The words for a ProcessDone or ProcessTerminated."""
    if end.signal is not None:
        return f"was ended by {signal.Signals(end.signal).name}"
    return f"ended with status {end.exitCode}"


def _printable(line):
    return "".join(each if each.isprintable() else "\ufffd" for each in line.decode("utf-8", "replace"))
