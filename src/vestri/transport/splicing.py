"""Bytes that go from one socket to another without coming to this process: splice(2)."""

import errno
import fcntl
import os
import socket
import struct
from contextlib import suppress

#: Bytes of one step, for which the target has to have room: what it does not take all the same waits in our memory.
SMALLEST_STEP, LARGEST_STEP = 64 * 1024, 256 * 1024
#: Bytes of one turn, after which it is the turn of others.
TURN = 1024 * 1024
#: sock_diag(7): what the memory of a socket is used for, in so many numbers; where among them the size of the send
#: buffer is, and what of it is in use, for TCP and for other kinds. Not in Python's `socket`; the same everywhere but
#: on SPARC.
SO_MEMINFO, MEMINFO = 55, struct.Struct("9I")
SENDABLE, QUEUED, ALLOCATED = 3, 5, 2
#: Errors of kernels and sandboxes that do not know what we ask for.
UNKNOWN = frozenset({errno.EINVAL, errno.ENOSYS, errno.EPERM, errno.ENOPROTOOPT, errno.EOPNOTSUPP})


class Pipe:
    """What splice(2) wants between two sockets; empty whenever nobody is within `pass_on`."""

    def __init__(self):
        self._ends = None
        self._usable = hasattr(os, "splice")

    def pass_on(self, source, target, most):
        """Let bytes that lie ready in one connection go out of another, for which it has room. Returns how many.

        source, target: transports without TLS, the target with nothing pending; what it does not take after all is
        written to it. A connection that is found broken is aborted, as a read or a write would do. The end
        of the source is left for it to read.
        """
        passed, taken, most = 0, 1, min(most, TURN)
        while taken and passed < most and self._is_there():
            taken = self._take(source, min(self._room(target), most - passed))
            passed += taken
            if taken and not self._give(target, taken):
                break
        return passed

    def _room(self, target):
        """Bytes that its send buffer seems to have room for, up to one step; 0 where they are few."""
        try:
            used = MEMINFO.unpack(target.socket.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, MEMINFO.size))
        except OSError as error:
            if error.errno in UNKNOWN:
                self._usable = False
            return 0
        room = used[SENDABLE] - max(used[QUEUED], used[ALLOCATED])
        return min(room, LARGEST_STEP) if room >= SMALLEST_STEP else 0

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
            fcntl.fcntl(self._ends[1], fcntl.F_SETPIPE_SZ, TURN)

    def _take(self, source, most):
        if not most:
            return 0
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
    """Mixed into a connection without TLS."""

    __slots__ = ()
    plain = True

    def pass_on(self, target, most):
        """Let bytes that lie ready here go out of another connection, unread. Returns how many; there may be more.

        None go while something is pending there, and none where either speaks TLS.
        """
        if not target.plain or target.pending() or target.disconnecting or not target.connected:
            return 0
        return _pipe.pass_on(self, target, most)
