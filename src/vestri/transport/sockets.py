"""Listening sockets, bound at once, and what every socket of Vestri's is told."""

import errno
import os
import socket
import stat
from contextlib import suppress

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import CannotListenError

#: Bytes the kernel may hold unsent for one connection. A slow reader's answer then waits at the
#: replica rather than in kernel memory, and we see how much of it the reader took (tcp(7)).
NOTSENT_LOWAT = 128 * 1024


def tune(sock):
    """Set on a TCP socket what every connection of Vestri's wants; what a listening one accepts inherits it."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, NOTSENT_LOWAT)


def listen_tcp(port, interface, backlog, count=1):
    """Listening TCP sockets. interface: an address, or "" for all of IPv4. Raises CannotListenError.

    count: of the sockets on that port. The kernel shares connections out between them (SO_REUSEPORT, socket(7));
    processes that accept from one socket would not get equal shares.
    """
    sockets = []
    try:
        for _ in range(count):
            sockets.append(_listening_tcp(port, interface, backlog, shared=count > 1))
            port = sockets[0].getsockname()[1]
    except OSError as error:
        close_all(sockets)
        raise CannotListenError(interface, port, error) from error
    return sockets


def _listening_tcp(port, interface, backlog, shared):
    family = socket.AF_INET6 if ":" in interface else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        tune(sock)
        sock.bind((interface, port))
        sock.listen(backlog)
    except OSError:
        sock.close()
        raise
    return sock


def listen_unix(path, mode, backlog, count=1):
    """A listening Unix socket of the given permission bits, in place of one that nobody serves any more.

    Raises CannotListenError.  count: of its duplicates.
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
    return [sock, *(sock.dup() for _ in range(count - 1))]


def _is_stale(path):
    """Whether a socket file is there that nobody listens at."""
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            return False
    except FileNotFoundError:
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(path)
        except BlockingIOError:
            return False  # there are even more clients than can wait
        except ConnectionRefusedError:
            return True
    return False


def adopt(descriptor, count=1):
    """Duplicates of a listening socket that somebody else bound: systemd, or Vestri's own supervisor.

    Raises CannotListenError.  count: of the duplicates.
    """
    try:
        sock = _listening(os.dup(descriptor))
    except OSError as error:
        raise CannotListenError("fd", descriptor, error) from error
    sock.setblocking(False)
    return [sock, *(sock.dup() for _ in range(count - 1))]


def _listening(descriptor):
    """The socket of a descriptor, which is closed where that is no listening one."""
    try:
        sock = socket.socket(fileno=descriptor)
    except OSError:
        os.close(descriptor)
        raise
    if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        sock.close()
        raise OSError(errno.EINVAL, "it is no listening socket")
    return sock


def close_all(sockets):
    """Close every one of them."""
    for sock in sockets:
        sock.close()


def remove(path):
    """Remove a socket file that was ours, unless another process serves there by now."""
    with suppress(OSError):
        if _is_stale(path):
            os.unlink(path)


def address_of(name):
    """What `getsockname` or `getpeername` say as Twisted's address, or None."""
    if isinstance(name, tuple):
        kind = IPv6Address if len(name) == 4 else IPv4Address
        return kind("TCP", *name[:2])
    return None if name is None else UNIXAddress(name or None)
