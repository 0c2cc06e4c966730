"""Where the lines of a log go: files, pipes, terminals and sockets, written to without waiting for a reader.

An outlet has `write(data)`, which returns how many bytes were taken and raises BlockingIOError where
that would be none, or another OSError; `stat()`; and `close()`.
"""

import errno
import os
import socket
import stat
from select import PIPE_BUF, POLLOUT, poll

#: That standard output is meant, where a path is asked for.
STANDARD_OUTPUT = "-"
#: Of a file that is made here; the umask takes its part from it.
MODE = 0o640


def open_outlet(path):
    """The outlet of a path: a file that is appended to, or "-". Raises OSError."""
    if path == STANDARD_OUTPUT:
        return standard_output()
    return Descriptor(os.open(path, _OURS | os.O_APPEND | os.O_CREAT, MODE))


def standard_output(descriptor=1):
    """An outlet of our own for what standard output is. Raises OSError where there is none.

    That writing does not wait is a property of the opening (open(2), O_NONBLOCK), and whoever started us
    shares this one. So a pipe or a terminal is opened once more for us; a file is not, since it would
    be written from its beginning; and a socket (systemd's journal) is told with each message.
    """
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISSOCK(mode):
        return Socket(os.dup(descriptor))
    if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
        return _opened_anew(descriptor)
    return Descriptor(os.dup(descriptor))


def _opened_anew(descriptor):
    try:
        return Descriptor(os.open(f"/proc/self/fd/{descriptor}", _OURS))
    except OSError:  # not Linux, or it belongs to somebody else
        return Shared(os.dup(descriptor))


_OURS = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class Descriptor:
    """A descriptor that nobody shares."""

    def __init__(self, descriptor):
        self._descriptor = descriptor

    def write(self, data):
        return os.write(self._descriptor, data)

    def stat(self):
        return os.fstat(self._descriptor)

    def close(self):
        os.close(self._descriptor)
        self._descriptor = -1  # so that a late line cannot end up in whatever gets the number next


class Shared(Descriptor):
    """A pipe or a terminal that others have open as well, so that it must be asked before each write.

    A pipe that is ready takes PIPE_BUF bytes without waiting (POSIX, poll), unless another process
    fills it in between.
    """

    def __init__(self, descriptor):
        super().__init__(descriptor)
        self._ready = poll()
        self._ready.register(descriptor, POLLOUT)

    def write(self, data):
        if not self._ready.poll(0):
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return super().write(data[:PIPE_BUF])


class Socket(Descriptor):
    """A connected socket, others' as well."""

    def __init__(self, descriptor):
        super().__init__(descriptor)
        self._socket = socket.socket(fileno=descriptor)

    def write(self, data):
        return self._socket.send(data, socket.MSG_DONTWAIT)

    def close(self):
        self._socket.close()
