"""Listening sockets, bound at once, and what every socket of Vestri's is told."""

import os
import socket
import stat
from contextlib import suppress

from twisted.internet.error import CannotListenError

#: Bytes the kernel may hold unsent for one connection. A slow reader's answer then waits at the
#: replica rather than in kernel memory, and we see how much of it the reader took (tcp(7)).
NOTSENT_LOWAT = 128 * 1024


def tune(sock):
    """Set on a TCP socket what every connection of Vestri's wants; what a listening one accepts inherits it."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, NOTSENT_LOWAT)


def listen_tcp(port, interface, backlog):
    """A listening TCP socket. interface: an address, or "" for all of IPv4. Raises CannotListenError."""
    family = socket.AF_INET6 if ":" in interface else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        tune(sock)
        sock.bind((interface, port))
        sock.listen(backlog)
    except OSError as error:
        sock.close()
        raise CannotListenError(interface, port, error) from error
    return sock


def listen_unix(path, mode, backlog):
    """A listening Unix socket of the given permission bits, in place of one that nobody serves any more.

    Raises CannotListenError.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        if _is_stale(path):
            os.unlink(path)
        sock.bind(path)
        os.chmod(path, mode)
        sock.listen(backlog)
    except OSError as error:
        sock.close()
        raise CannotListenError(None, path, error) from error
    return sock


def _is_stale(path):
    """Whether a socket file is there that nobody listens at."""
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            return False
    except FileNotFoundError:
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return True
    return False


def adopt(descriptor):
    """A listening socket that somebody else bound: systemd, or Vestri's own supervisor. Raises CannotListenError."""
    try:
        sock = socket.socket(fileno=os.dup(descriptor))
        if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise OSError(0, f"descriptor {descriptor} is no listening socket")
    except OSError as error:
        raise CannotListenError("fd", descriptor, error) from error
    sock.setblocking(False)
    return sock


def remove(path):
    """Remove a socket file, if it is still there."""
    with suppress(OSError):
        os.unlink(path)
