"""Endpoint strings such as ``tcp:8080:interface=127.0.0.1``, made into listening endpoints."""

import os
import re
from functools import partial

from twisted.internet.defer import execute
from twisted.internet.interfaces import IStreamServerEndpoint
from zope.interface import implementer

from vestri.transport.handshakes import Meeting
from vestri.transport.kinds import kind_of
from vestri.transport.sockets import adopt, listen_tcp, listen_unix, remove

#: Connections that may wait in the kernel to be accepted; the kernel bounds it by net.core.somaxconn.
BACKLOG = 4096
#: The first descriptor that systemd hands over (sd_listen_fds(3)).
SYSTEMD_FIRST = 3


@implementer(IStreamServerEndpoint)
class ServerEndpoint:
    """Where clients connect. `listen(factory)` binds at once and returns a fired Deferred of an IListeningPort.

    description: as the person wrote it.  bind: given a count, returns so many listening sockets between which
    the kernel shares connections out, or raises CannotListenError.  backlog: connections that may wait in the
    kernel.  on_stop: called when the port has stopped listening.  certificate: a `ServerCertificate`, to speak TLS.
    """

    def __init__(self, reactor, description, bind, backlog, on_stop=None, certificate=None):
        self._reactor, self.description = reactor, description
        self._bind, self._backlog, self._on_stop, self._certificate = bind, backlog, on_stop, certificate

    def listen(self, protocolFactory):
        return execute(self._listen, protocolFactory)

    def sockets(self, count):
        """The listening sockets for so many processes; `release` when they are closed. Raises CannotListenError."""
        return self._bind(count)

    def release(self):
        """Remove what the sockets that `sockets` gave have left behind."""
        if self._on_stop is not None:
            self._on_stop()

    def _listen(self, factory):
        if self._certificate is not None:
            factory = Meeting(self._reactor, factory, self._certificate.context())
        sock = self._bind(1)[0]
        return kind_of(self._reactor).listen(self._reactor, sock, factory, self._backlog, self._on_stop)

    def __repr__(self):
        return f"<ServerEndpoint {self.description}>"


def server_endpoint(reactor, description, environ=os.environ, certificate=None):
    """Read an endpoint string. Raises ValueError, in words, where it makes no sense.

    Known are tcp:PORT, tcp6:PORT, unix:PATH, fd:NUMBER and systemd:index=N or systemd:name=NAME.
    certificate: a `ServerCertificate` with which to speak TLS.
    """
    kind, positional, named = parse(description)
    if kind not in KINDS:
        raise ValueError(f"unknown endpoint type '{kind}'; known are {', '.join(KINDS)}")
    bind, backlog, on_stop = KINDS[kind](positional, named, environ)
    return ServerEndpoint(reactor, description, bind, backlog, on_stop, certificate)


def parse(description):
    """Split an endpoint string, in which a backslash keeps a colon or an equals sign as it is.

    Returns (kind, positional arguments, named arguments).
    """
    kind, *parts = (part for part in re.split(r"(?<!\\):", description))
    positional, named = [], {}
    for part in parts:
        name, equals, value = re.match(r"((?:\\.|[^=\\])*)(=?)(.*)", part, re.DOTALL).groups()
        if equals:
            named[name] = _unescaped(value)
        else:
            positional.append(_unescaped(name))
    return kind, positional, named


def _unescaped(text):
    return re.sub(r"\\(.)", r"\1", text)


def _tcp(positional, named, environ):
    port, interface = _port(positional, named), named.get("interface", "")
    backlog = _backlog(named)
    return partial(listen_tcp, port, interface, backlog), backlog, None


def _tcp6(positional, named, environ):
    return _tcp(positional, {"interface": "::", **named}, environ)


def _unix(positional, named, environ):
    path = positional[0] if positional else named.get("address", "")
    if not path:
        raise ValueError("a unix endpoint wants a path")
    mode, backlog = _number(named.get("mode", "666"), "a mode such as 660", base=8), _backlog(named)
    return partial(listen_unix, path, mode, backlog), backlog, partial(remove, path)


def _fd(positional, named, environ):
    text = positional[0] if positional else named.get("fd", "")
    descriptor = _number(text, "the number of a descriptor")
    return partial(adopt, descriptor), BACKLOG, None


def _systemd(positional, named, environ):
    descriptor = SYSTEMD_FIRST + _systemd_index(named, environ)
    return partial(adopt, descriptor), BACKLOG, None


def _systemd_index(named, environ):
    count = int(environ.get("LISTEN_FDS", "0"))
    names = environ.get("LISTEN_FDNAMES", "").split(":")
    if "name" in named:
        if named["name"] not in names:
            raise ValueError(f"systemd handed over no socket named '{named['name']}'")
        return names.index(named["name"])
    index = _number(named.get("index", "0"), "the number of a socket")
    if index >= count:
        raise ValueError(f"systemd handed over {count} sockets, none of index {index}")
    return index


def _port(positional, named):
    text = positional[0] if positional else named.get("port", "")
    port = _number(text, "a port number 0..65535")
    if port > 65535:
        raise ValueError(f"expected a port number 0..65535, got '{text}'")
    return port


def _backlog(named):
    return _number(named.get("backlog", str(BACKLOG)), "the length of a backlog")


def _number(text, what, base=10):
    """Digits and nothing else: Python's `int` would take signs, underscores and spaces."""
    try:
        if text.isascii() and text.isdigit():
            return int(text, base)
    except ValueError:
        pass  # an 8 or a 9 in an octal number
    raise ValueError(f"expected {what}, got '{text}'")


KINDS = {"tcp": _tcp, "tcp6": _tcp6, "unix": _unix, "fd": _fd, "systemd": _systemd}
