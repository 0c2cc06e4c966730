"""Endpoint strings such as ``tcp:8080:interface=127.0.0.1``: checked without opening anything."""

import re
from ipaddress import ip_address

import attrs

from vestri.config.reading import NOT_YET, did_you_mean, shown
from vestri.config.scalars import Word
from vestri.config.urls import is_host

LOCALHOST = ip_address("127.0.0.1")
#: Address of no machine -> where a connection to it arrives.
LOOPBACK = {ip_address("0.0.0.0"): LOCALHOST, ip_address("::"): ip_address("::1")}

#: Of a socket that systemd hands over.
DOMAINS = ("INET", "INET6", "UNIX")

SEPARATOR = re.compile(r"(?<!\\):")
NAMED = re.compile(r"((?:\\.|[^=\\])*)=(.*)", re.DOTALL)
NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
#: A port, perhaps after an address or a name, as other servers take it.
BARE = re.compile(r"(?:([0-9.]+|localhost)?:)?([0-9]{1,5})", re.ASCII)
#: What to tell where a colon may have been meant as part of a value, as in an IPv6 address.
COLON = r"; write \: for a colon in a value"
MODE = re.compile(r"[0-7]{3,4}", re.ASCII)


@attrs.frozen
class Endpoint:
    """An endpoint string, taken apart. written: as the file says it.

    place: (kind, port or path or number, interface); equal for two strings that mean the same socket.
    """

    written: str
    place: tuple

    @property
    def port(self):
        """The TCP port that it listens at; None for one that has none, or takes any free one."""
        return self.place[1] or None if self.place[0] == "tcp" else None

    @property
    def any_port(self):
        """Whether the system chooses the port, so that no other listener can be in its place."""
        return self.place[:2] == ("tcp", 0)

    def serves(self, host, port):
        """Whether a connection from this machine to host:port is certain to arrive here."""
        if self.port != port:
            return False
        interface = _address(self.place[2])
        address = LOCALHOST if host.lower() == "localhost" else _address(host)
        if interface is None or address is None:
            return host == self.place[2]
        if interface.is_unspecified:
            local = address.is_loopback or address.is_unspecified
            return local and interface.version >= address.version
        return LOOPBACK.get(address, address) == interface


def _address(text):
    try:
        return ip_address(text)
    except ValueError:
        return None


def parse_endpoint(text):
    """An `Endpoint`. A backslash keeps a colon or an equals sign as it is. Raises ValueError, in words."""
    kind, *parts = SEPARATOR.split(text)
    if kind in LATER:
        raise ValueError(f"{NOT_YET}: endpoint type '{kind}'")
    if kind not in KINDS:
        raise ValueError(f"unknown endpoint type {shown(kind)}{_close(kind, text)}")
    checks, place = KINDS[kind]
    arguments = _arguments(kind, parts, list(checks))
    return Endpoint(text, place({name: checks[name](value) for name, value in arguments.items()}))


def _close(kind, text):
    """What may be meant by an unknown kind: a known one, or an address that came without its kind."""
    found = BARE.fullmatch(text)
    if found is None:
        return did_you_mean(kind, KINDS) or f"; known are {', '.join(KINDS)}"
    interface = f":interface={found[1]}" if found[1] else ""
    return f"; did you mean tcp:{found[2]}{interface}?"


def _arguments(kind, parts, names):
    """Name -> text. The first argument of a kind may stand without its name."""
    arguments = {}
    for index, part in enumerate(parts):
        found = NAMED.fullmatch(part)
        name, value = found.groups() if found else (names[0] if index == 0 else None, part)
        if name not in names or name in arguments:
            raise ValueError(f"expected {_usage(kind, names)}, got {shown(part)}{COLON if not part else ''}")
        arguments[name] = re.sub(r"\\(.)", r"\1", value)
    return arguments


def _usage(kind, names):
    usage = [f"{kind}:{names[0].upper()}", ", ".join(f"{name}=..." for name in names[1:])]
    return ", then ".join(filter(None, usage))


def _port(text):
    if not NUMBER.fullmatch(text) or int(text) > 65535:
        raise ValueError(f"expected a port 0..65535, got {shown(text)}")
    return int(text)


def _number(text):
    if not NUMBER.fullmatch(text):
        raise ValueError(f"expected a whole number, got {shown(text)}")
    return int(text)


def _backlog(text):
    if not _number(text):
        raise ValueError("expected a backlog of at least 1, got '0'")
    return int(text)


def _interface(text):
    address = _address(text)
    if address is None and not is_host(text):
        raise ValueError(f"expected the address of an interface, got {shown(text)}")
    return str(address or text)


def _path(text):
    if not text:
        raise ValueError("expected a path after 'unix:'")
    return text


def _mode(text):
    if not MODE.fullmatch(text):
        raise ValueError(f"expected a mode such as 660, got {shown(text)}")
    return text


def _domain(text):
    if text not in DOMAINS:
        raise ValueError(f"expected a domain {', '.join(DOMAINS)}, got {shown(text)}{did_you_mean(text, DOMAINS)}")
    return text


def _name(text):
    if not text:
        raise ValueError("expected the name of a socket after 'name='")
    return text


def _tcp_place(arguments, anywhere="0.0.0.0"):
    return ("tcp", _needed(arguments, "port", "a port"), arguments.get("interface", anywhere))


def _tcp6_place(arguments):
    return _tcp_place(arguments, "::")


def _unix_place(arguments):
    return ("unix", _needed(arguments, "address", "a path"), "")


def _fd_place(arguments):
    return ("fd", _needed(arguments, "fd", "the number of a descriptor"), "")


def _systemd_place(arguments):
    return ("systemd", arguments.get("name", arguments.get("index", 0)), "")


def _needed(arguments, name, what):
    if name not in arguments:
        raise ValueError(f"expected {what} after the endpoint type")
    return arguments[name]


TCP = {"port": _port, "interface": _interface, "backlog": _backlog}
#: Kind -> (its arguments, the first of which may stand without its name, and their checks; what makes two equal).
KINDS = {
    "tcp": (TCP, _tcp_place),
    "tcp6": (TCP, _tcp6_place),
    "unix": ({"address": _path, "mode": _mode, "backlog": _backlog}, _unix_place),
    "fd": ({"fd": _number}, _fd_place),
    "systemd": ({"domain": _domain, "index": _number, "name": _name}, _systemd_place),
}
#: Kinds of which the behaviour is not there yet.
LATER = ("ssl", "haproxy")

LISTEN = Word("an endpoint such as tcp:8080 or tcp:8080:interface=127.0.0.1", parse_endpoint)
