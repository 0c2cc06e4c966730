"""A log of plain lines that is written in batches; whatever its file does, serving goes on."""

import os

from twisted.application.service import Service
from twisted.logger import Logger

from vestri.operations.outlets import STANDARD_OUTPUT, open_outlet

#: Seconds for which lines are gathered, and bytes of them that are written at once.
DELAY, BATCH = 0.1, 64 * 1024
#: Bytes that wait for the reader of a pipe; what goes beyond is dropped.
BACKLOG = 1024 * 1024
#: Seconds without a loss after which the log counts as working again.
QUIET = 5.0

log = Logger()


class LogFile(Service):
    """Lines appended to a file or to standard output. It never raises, and never waits for a reader.

    Lines that cannot be written are dropped and counted; the event log says when that begins, and how
    many they were when it is over. No line is torn: where half of one was taken, its other half goes first.
    While the service runs lines are gathered; before and after, each is written at once.

    path: of the file, or "-".  clock: IReactorTime.  Raises OSError when it cannot be opened.
    """

    def __init__(self, path, clock, open_outlet=open_outlet):
        self.path = path if path == STANDARD_OUTPUT else os.path.abspath(path)
        self._where = "standard output" if path == STANDARD_OUTPUT else self.path
        self._clock, self._open = clock, open_outlet
        self._outlet = open_outlet(self.path)
        self._gathered, self._timer = bytearray(), None
        self._pending, self._torn = b"", False
        self._lost, self._lost_at = 0, 0.0

    def append(self, line):
        """Keep a line to be written. line: ASCII text with its line end."""
        gathered = self._gathered
        gathered += line.encode("ascii")
        if len(gathered) >= BATCH or not self.running:
            self.flush()
        elif self._timer is None:
            self._timer = self._clock.callLater(DELAY, self._due)

    def flush(self):
        """Write what there is, now."""
        data, self._gathered = self._pending + self._gathered, bytearray()
        taken, error = self._write(data)
        if taken:
            self._torn = not data.endswith(b"\n", 0, taken)
        lost = self._keep(data[taken:], BACKLOG if isinstance(error, BlockingIOError) else 0)
        if lost:
            self._lose(lost, error)
        elif taken and not error and self._lost:
            self._recover()
        if self._pending and self._timer is None and self.running:
            self._timer = self._clock.callLater(DELAY, self._due)

    def reopen(self):
        """Open the path anew, as logrotate wants it once it has moved the file; standard output stays."""
        if self.path == STANDARD_OUTPUT:
            return
        self.flush()
        try:
            outlet = self._open(self.path)
        except OSError as error:
            log.error("log to {where}: it stays where it is: {why}", where=self._where, why=_why(error))
            return
        old, self._outlet = self._outlet, outlet
        if self._torn and not os.path.samestat(old.stat(), outlet.stat()):
            self._forget_torn()
        old.close()

    def stopService(self):
        super().stopService()
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        self.flush()

    def close(self):
        """Let go of the file; what is appended afterwards is dropped."""
        self.stopService()
        self._outlet.close()

    def _due(self):
        self._timer = None
        self.flush()

    def _write(self, data):
        """Returns (bytes that were taken, the OSError that ended it or None)."""
        taken, view = 0, memoryview(data)
        try:
            while taken < len(data):
                taken += self._outlet.write(view[taken:])
        except OSError as error:
            return taken, error
        return taken, None

    def _keep(self, rest, limit):
        """Keep of the rest the end of a torn line, and whole lines up to a limit. Returns how many are lost."""
        end_of_torn = rest.find(b"\n") + 1 if self._torn else 0
        cut = max(end_of_torn, rest.rfind(b"\n", 0, limit) + 1)
        self._pending = rest[:cut]
        return rest.count(b"\n", cut)

    def _forget_torn(self):
        """The file that has the beginning of this line is gone."""
        self._pending, self._torn = self._pending[self._pending.find(b"\n") + 1 :], False
        self._lost += 1

    def _lose(self, count, error):
        """Count dropped lines, and tell when that begins.

        The event log of a foreground process mostly shares our standard output: while nobody reads
        that, a word about it would wait, and all of Vestri with it.
        """
        stuck = isinstance(error, BlockingIOError)
        if not self._lost and not (stuck and self.path == STANDARD_OUTPUT):
            why = "nobody reads it" if stuck else _why(error)
            log.error("log to {where}: lines are dropped: {why}", where=self._where, why=why)
        self._lost += count
        self._lost_at = self._clock.seconds()

    def _recover(self):
        if self._clock.seconds() - self._lost_at >= QUIET:
            log.warn("log to {where}: written again; lines dropped: {count}", where=self._where, count=self._lost)
            self._lost = 0

    def __repr__(self):
        return f"<LogFile {self.path}: {len(self._gathered)} bytes gathered, {self._lost} lines dropped>"


def _why(error):
    return error.strerror or str(error)
