"""Endpoint strings such as ``tcp:8080:interface=127.0.0.1``, made into listening endpoints."""

import os
import re
import socket

from twisted.internet.defer import execute
from twisted.internet.interfaces import IStreamServerEndpoint
from zope.interface import implementer

from vestri.transport import eager

#: Connections that may wait in the kernel to be accepted; the kernel bounds it by net.core.somaxconn.
BACKLOG = 4096
#: The first descriptor that systemd hands over (sd_listen_fds(3)).
SYSTEMD_FIRST = 3


@implementer(IStreamServerEndpoint)
class ServerEndpoint:
    """Where clients connect. `listen(factory)` binds at once and returns a fired Deferred.

    description: as the person wrote it.  bind: callable of the factory, returning an IListeningPort.
    """

    def __init__(self, description, bind):
        self.description = description
        self._bind = bind

    def listen(self, protocolFactory):
        return execute(self._bind, protocolFactory)

    def __repr__(self):
        return f"<ServerEndpoint {self.description}>"


def server_endpoint(reactor, description, environ=os.environ):
    """Read an endpoint string. Raises ValueError, in words, where it makes no sense.

    Known are tcp:PORT, tcp6:PORT, unix:PATH, fd:NUMBER and systemd:index=N or systemd:name=NAME.
    """
    kind, positional, named = parse(description)
    if kind not in KINDS:
        raise ValueError(f"unknown endpoint type '{kind}'; known are {', '.join(KINDS)}")
    return ServerEndpoint(description, KINDS[kind](reactor, positional, named, environ))


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


def _tcp(reactor, positional, named, environ):
    port, interface = _port(positional, named), named.get("interface", "")
    backlog = int(named.get("backlog", BACKLOG))
    return lambda factory: eager.listen_tcp(reactor, factory, port, interface=interface, backlog=backlog)


def _tcp6(reactor, positional, named, environ):
    return _tcp(reactor, positional, {"interface": "::", **named}, environ)


def _unix(reactor, positional, named, environ):
    path = positional[0] if positional else named.get("address", "")
    if not path:
        raise ValueError("a unix endpoint wants a path")
    mode, backlog = int(named.get("mode", "666"), 8), int(named.get("backlog", BACKLOG))
    return lambda factory: eager.listen_unix(reactor, factory, path, mode=mode, backlog=backlog)


def _fd(reactor, positional, named, environ):
    descriptor = int(positional[0] if positional else named["fd"])
    return lambda factory: eager.adopt(reactor, factory, descriptor, _family(descriptor))


def _systemd(reactor, positional, named, environ):
    descriptor = SYSTEMD_FIRST + _systemd_index(named, environ)
    return lambda factory: eager.adopt(reactor, factory, descriptor, _family(descriptor))


def _systemd_index(named, environ):
    count = int(environ.get("LISTEN_FDS", "0"))
    names = environ.get("LISTEN_FDNAMES", "").split(":")
    if "name" in named:
        if named["name"] not in names:
            raise ValueError(f"systemd handed over no socket named '{named['name']}'")
        return names.index(named["name"])
    index = int(named.get("index", "0"))
    if index >= count:
        raise ValueError(f"systemd handed over {count} sockets, none of index {index}")
    return index


def _family(descriptor):
    with socket.socket(fileno=os.dup(descriptor)) as sock:
        return sock.family


def _port(positional, named):
    text = positional[0] if positional else named.get("port", "")
    if not (text.isascii() and text.isdigit() and int(text) < 65536):
        raise ValueError(f"expected a port number 0..65535, got '{text}'")
    return int(text)


KINDS = {"tcp": _tcp, "tcp6": _tcp6, "unix": _unix, "fd": _fd, "systemd": _systemd}
