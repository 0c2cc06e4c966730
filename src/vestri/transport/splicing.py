"""Bytes that go from one socket to another without coming to this process: splice(2)."""

import errno
import fcntl
import os
from contextlib import suppress

#: Bytes of one step: at first, and at most, while the target keeps up. What it does not take waits in our memory.
FIRST_STEP, LARGEST_STEP = 64 * 1024, 1024 * 1024
#: Bytes of one turn, after which it is the turn of others.
TURN = 1024 * 1024
#: Errors of kernels and sandboxes that know no splice(2), or not for what these descriptors are.
UNKNOWN = frozenset({errno.EINVAL, errno.ENOSYS, errno.EPERM})


class Pipe:
    """What splice(2) wants between two sockets; empty whenever nobody is within `pass_on`."""

    def __init__(self):
        self._ends = None
        self._usable = hasattr(os, "splice")

    def pass_on(self, source, target, most, step=FIRST_STEP):
        """Let bytes that lie ready in one connection go out of another. Returns how many, and the next `step`.

        source, target: transports without TLS, the target with nothing pending; what it does not take is
        written to it. A connection that is found broken is aborted, as a read or a write would do. The end
        of the source is left for it to read.
        """
        passed, most = 0, min(most, TURN)
        while passed < most and self._is_there():
            taken = self._take(source, min(step, most - passed))
            passed += taken
            if not taken:
                break
            if not self._give(target, taken):
                return passed, FIRST_STEP
            step = min(2 * step, LARGEST_STEP)
        return passed, step

    def _is_there(self):
        if self._ends is None and self._usable:
            try:
                self._ends = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
            except OSError:
                return False  # there are no descriptors left for it
            self._widen()
        return self._usable

    def _widen(self):
        """Each segment of a network takes a slot of a page, however little is in it."""
        with suppress(OSError):  # this user has too much memory in pipes already: smaller steps, then
            fcntl.fcntl(self._ends[1], fcntl.F_SETPIPE_SZ, LARGEST_STEP)

    def _take(self, source, most):
        try:
            return os.splice(source.fileno(), self._ends[1], most, flags=os.SPLICE_F_NONBLOCK)
        except BlockingIOError:
            return 0
        except OSError as error:
            if error.errno in UNKNOWN:
                self._usable = False
            else:
                source.abortConnection()  # the kernel tells a reset once, and has told it here
            return 0

    def _give(self, target, count):
        """Whether the target took it all."""
        try:
            while count:
                count -= os.splice(self._ends[0], target.fileno(), count, flags=os.SPLICE_F_NONBLOCK)
        except BlockingIOError:
            target.write(os.read(self._ends[0], count))
        except OSError as error:
            rest = os.read(self._ends[0], count)
            if error.errno in UNKNOWN:
                self._usable = False
                target.write(rest)
            else:
                target.abortConnection()
        return not count


_pipe = Pipe()


class Passing:
    """Mixed into a connection without TLS. `_step`, to begin with `FIRST_STEP`, is its own."""

    __slots__ = ("_step",)
    _step: int
    plain = True

    def pass_on(self, target, most):
        """Let bytes that lie ready here go out of another connection, unread. Returns how many; there may be more.

        None go while something is pending there, and none where either speaks TLS.
        """
        if not target.plain or target.pending() or target.disconnecting or not target.connected:
            return 0
        passed, self._step = _pipe.pass_on(self, target, most, self._step)
        return passed
