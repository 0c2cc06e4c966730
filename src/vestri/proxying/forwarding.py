"""What Vestri tells a replica about where a request came from, and whom it believes about that."""

import re
from ipaddress import ip_address
from itertools import count
from secrets import token_hex

from vestri.errors import RequestError

_REQUEST_ID = re.compile(rb"[!-~]{1,128}")
_AUTHORITY = re.compile(rb"[A-Za-z0-9.\-_\[\]:%]{1,255}")
_SCHEMES = frozenset({b"http", b"https"})
#: Of the forwarding fields, those that we write ourselves; others, such as X-Forwarded-Port, pass if believed.
REWRITTEN = frozenset({
    b"x-forwarded-for", b"x-real-ip", b"x-forwarded-proto", b"x-forwarded-host", b"x-request-id", b"x-vestri-attempt",
})  # fmt: skip


class Origin:
    """Where one request came from, as we tell it on.

    client_ip: the address that we believe the client has.  request_id: of the client's if it is
    believed, else a new one.  lines: ready field lines for the replica.
    """

    __slots__ = ("client_ip", "lines", "request_id")

    def __init__(self, client_ip, request_id, lines):
        self.client_ip, self.request_id, self.lines = client_ip, request_id, lines


class Forwarding:
    """Makes the Origin of each request.

    trusted: model.TrustedProxies.  instance: tells this Vestri from others in the Via field.
    """

    def __init__(self, trusted, instance=None):
        self.pseudonym = b"vestri-" + (instance or token_hex(4)).encode("ascii")
        self._networks, self._hops = trusted.networks, trusted.hops
        self._nobody_trusted = not trusted.networks and trusted.hops is None
        self._id_prefix = token_hex(8).encode("ascii")
        self._ids = count(1)

    def new_id(self):
        """A request id: unique to this process by its prefix, and in it by its number."""
        return b"%b%08x" % (self._id_prefix, next(self._ids))

    def standing_lines(self, peer, scheme, version, host):
        """The lines that are the same for every request with one Host on a connection we do not trust."""
        address = peer.encode("ascii")
        return b"".join((
            b"X-Forwarded-For: ", address, b"\r\nX-Real-IP: ", address,
            b"\r\nX-Forwarded-Proto: ", scheme, b"\r\nX-Forwarded-Host: " + host if host else b"",
            b"\r\nVia: 1.", b"1 " if version == 11 else b"0 ", self.pseudonym, b"\r\n",
        ))  # fmt: skip

    def trusts(self, peer):
        """Whether forwarding fields that come from `peer`, an address as text, are believed."""
        return not self._nobody_trusted and (self._hops is not None or self._is_proxy(peer))

    def origin(self, head, peer, scheme):
        """The Origin of any request."""
        if self.trusts(peer):
            return self.believed(head, peer, scheme)
        request_id = self.new_id()
        lines = self.standing_lines(peer, scheme, head.version, head.host)
        return Origin(peer, request_id, b"%bX-Request-ID: %b\r\n" % (lines, request_id))

    def believed(self, head, peer, scheme):
        """The Origin of a request whose sender we trust: our lines continue what it said."""
        said = head.forwarding or {}
        chain = [hop.strip(b" \t") for value in said.get(b"x-forwarded-for", ()) for hop in value.split(b",")]
        client = self.client_address([hop.decode("latin-1") for hop in chain if hop], peer)
        hops = b", ".join([hop for hop in chain if hop] + [peer.encode("ascii")])
        proto = _first(said, b"x-forwarded-proto", _SCHEMES.__contains__) or scheme
        host = _first(said, b"x-forwarded-host", _AUTHORITY.fullmatch) or head.host
        request_id = _first(said, b"x-request-id", _REQUEST_ID.fullmatch) or self.new_id()
        lines = [
            b"X-Forwarded-For: " + hops,
            b"X-Real-IP: " + client.encode("ascii"),
            b"X-Forwarded-Proto: " + proto,
            b"Via: 1.%d %b" % (head.version - 10, self.pseudonym),
            b"X-Request-ID: " + request_id,
        ]
        if host:
            lines.append(b"X-Forwarded-Host: " + host)
        lines += [b"%b: %b" % (name.title(), value) for name in said if name not in REWRITTEN for value in said[name]]
        return Origin(client, request_id, b"\r\n".join(lines) + b"\r\n")

    def client_address(self, chain, peer):
        """The client's address: the first untrusted hop, walking X-Forwarded-For from the right.

        chain: X-Forwarded-For as text, leftmost first.  An element that is no address stops the walk
        at the last good hop; when all are trusted it is the leftmost (nginx: real_ip_recursive on).
        """
        good, seen = peer, 1
        for hop in reversed(chain):
            if self._hops is not None and seen > self._hops:
                return good
            address = _address(hop)
            if address is None:
                return good
            good, seen = address, seen + 1
            if self._hops is None and not self._is_proxy(address):
                return good
        return good

    def refuse_loop(self, head):
        """Raises RequestError (508) for a request that has been through this very Vestri."""
        for value in head.via:
            if self.pseudonym in value:
                raise RequestError("loop", "the request came through this Vestri before")

    def _is_proxy(self, text):
        try:
            address = ip_address(text)
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self._networks)


def _first(said, name, valid):
    """The first of the values of a field that is well formed, or None."""
    values = [value for line in said.get(name, ()) for value in line.split(b",")]
    return next((value.strip(b" \t") for value in values if valid(value.strip(b" \t"))), None)


def _address(hop):
    """An element of X-Forwarded-For as a plain address, its port and brackets dropped, or None.

    An IPv4 address that is written as one of IPv6 is told as what it is. One with a zone is none: it means
    something on one machine alone, and may hold any characters.
    """
    if "%" in hop:
        return None
    bare = re.fullmatch(r"\[([^\]]*)\](?::\d+)?|([^:]*):\d+|(.*)", hop, re.DOTALL)
    text = next(group for group in bare.groups() if group is not None)
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return str(getattr(address, "ipv4_mapped", None) or address)
