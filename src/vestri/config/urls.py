"""Where replicas are and which paths are meant: URLs, paths, Host fields and status codes, as words of the file."""

import re
from ipaddress import IPv4Address, IPv6Address

import attrs

from vestri.config.reading import NOT_YET, shown
from vestri.config.scalars import Word, any_of

#: Scheme -> its port (RFC 9110 section 4.2).
PORTS = {"http": 80, "https": 443}
#: What `host` may be besides a host.
HOSTS = ("pass", "replica")

#: One slash where two belong, or a scheme that has none.
NO_AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/(?!/)")
SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
AUTHORITY = re.compile(r"(\[[^\]]*\]|[^:\[]*)(?::(.*))?", re.DOTALL)
PORT = re.compile(r"[0-9]{1,5}", re.ASCII)
#: Names of hosts as resolvers take them: letters, digits, hyphens and underscores (RFC 1123 section 2.1).
LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?", re.ASCII)
#: RFC 3986 section 3.3, without the characters that end a path.
PATH_BYTES = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*", re.ASCII)
DOT_SEGMENT = re.compile(r"/(?:\.|%2[Ee]){1,2}(?:/|$)")
RANGE = re.compile(r"([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?", re.ASCII)
STATUS_CLASS = re.compile(r"([1-5])xx", re.ASCII | re.IGNORECASE)


@attrs.frozen
class Url:
    """A replica's URL, taken apart. written: as the file says it.  path: without its trailing slashes."""

    written: str
    scheme: str
    host: str
    port: int
    path: str


def parse_url(text):
    """A `Url`. Raises ValueError, in words."""
    scheme, rest = _scheme(text)
    authority, slash, path = rest.partition("/")
    host, port = _authority(authority, text)
    _check_path(slash + path, text)
    return Url(text, scheme, host, PORTS[scheme] if port is None else port, (slash + path).rstrip("/"))


def _scheme(text):
    if NO_AUTHORITY.match(text):
        raise ValueError(f"expected http:// or https://, got {shown(text)}")
    found = SCHEME.fullmatch(text)
    if found is None:
        return "http", text
    scheme = found[1].lower()
    if scheme not in PORTS:
        raise ValueError(f"unknown scheme {shown(found[1])}; expected http:// or https://")
    return scheme, found[2]


def _authority(authority, text):
    """(host, port or None)."""
    for mark, name in (("?", "a query"), ("#", "a fragment"), ("@", "a user name")):
        if mark in authority:
            raise ValueError(f"a replica's url cannot have {name}, got {shown(text)}")
    found = AUTHORITY.fullmatch(authority)
    if found is None:
        raise ValueError(f"expected an address as [::1] or [::1]:8081, got {shown(text)}")
    return _host(found[1], text), _port(found[2], text)


def _port(port, text):
    if port is None:
        return None
    if not PORT.fullmatch(port) or not 1 <= int(port) <= 65535:
        raise ValueError(f"expected a port 1..65535, got {shown(port)}")
    return int(port)


def _host(host, text):
    if host.startswith("["):
        return _ipv6(host[1:-1], text)
    if not host:
        raise ValueError(f"expected a URL such as http://127.0.0.1:8081, got {shown(text)}")
    if not is_host(host):
        raise ValueError(f"expected the name or address of a host, got {shown(host)}")
    return host


def _ipv6(address, text):
    try:
        if "%" in address:
            raise ValueError  # a zone names an interface of one machine
        return str(IPv6Address(address))
    except ValueError:
        raise ValueError(f"expected an IPv6 address within brackets, got {shown(text)}") from None


def is_host(host):
    """Whether it is an IPv4 address or could be a host's name; a name cannot end in a number (RFC 1123 section 2.1)."""
    labels = host.removesuffix(".").split(".")
    if labels[-1].isascii() and labels[-1].isdigit():
        return _is_ipv4(host)
    return len(host) <= 254 and all(LABEL.fullmatch(label) for label in labels)


def _is_ipv4(host):
    try:
        IPv4Address(host)
    except ValueError:
        return False
    return True


def _check_path(path, text):
    for mark, name in (("?", "a query"), ("#", "a fragment")):
        if mark in path:
            raise ValueError(f"a replica's url cannot have {name}, got {shown(text)}")
    if not PATH_BYTES.fullmatch(path):
        raise ValueError(f"expected a path in URL characters, others as %XX, got {shown(path)}")
    if DOT_SEGMENT.search(path):
        raise ValueError(f"expected a path without '.' and '..', got {shown(path)}")


def _matcher_path(text):
    if not text.startswith("/"):
        raise ValueError
    if text.endswith("*") or "{" in text:
        raise ValueError(f"{NOT_YET}: a pattern such as {shown(text)}; expected a path such as /api/v1")
    if "?" in text:
        raise ValueError(f"expected a path without a query, got {shown(text)}")
    if not PATH_BYTES.fullmatch(text):
        raise ValueError(f"expected a path in URL characters, others as %XX, got {shown(text)}")
    if DOT_SEGMENT.search(text):
        raise ValueError(f"expected a path without '.' and '..', which no request has, got {shown(text)}")
    return text


def _matcher_hint(text):
    return f"; did you mean /{text}?" if PATH_BYTES.fullmatch(text) and text.strip("*") else ""


def _probe_path(text):
    path, _, query = text.partition("?")
    if not path.startswith("/") or not PATH_BYTES.fullmatch(path + query.replace("?", "")):
        raise ValueError
    return text


def _host_field(text):
    if text.lower() in HOSTS:
        return _chosen_host(text)
    found = AUTHORITY.fullmatch(text)
    if found is None or not found[1] or "/" in text:
        raise ValueError
    _host(found[1], text), _port(found[2], text)
    return text


def _chosen_host(text):
    if text not in HOSTS:
        raise ValueError(f"expected {' or '.join(HOSTS)}, got {shown(text)}; did you mean {text.lower()}?")
    return text


def _statuses(text):
    """((low, high), ...), both included."""
    ranges = [RANGE.fullmatch(part.strip(" ")) for part in text.split(",")]
    if None in ranges:
        raise ValueError
    pairs = tuple((int(found[1]), int(found[2] or found[1])) for found in ranges)
    if any(low > high for low, high in pairs):
        raise ValueError(f"expected ranges from low to high, got {shown(text)}")
    return pairs


def _statuses_hint(text):
    found = STATUS_CLASS.fullmatch(text)
    return f"; did you mean {found[1]}00-{found[1]}99?" if found else ""


URL = Word("a URL such as http://127.0.0.1:8081", parse_url)
PATH = Word("a path such as /api/v1", _matcher_path, hint=_matcher_hint)
PROBE_PATH = Word("a path such as /health, perhaps with a query", _probe_path)
HOST_FIELD = Word("pass, replica, or a host name with or without a port", _host_field)
STATUSES = Word(
    "status codes such as 200-399 or 200-299,401",
    _statuses,
    any_of({"type": "integer", "minimum": 100, "maximum": 599}, {"type": "string"}),
    hint=_statuses_hint,
)
