"""One finished exchange as one line of the access log.

Whatever a client or a replica sent is escaped, so that no request can break its line, forge another
one or steer a terminal. Each format is a callable of the exchange, called as soon as it has ended:
its end is taken for the present moment.
"""

import re
import time
from functools import lru_cache
from json.encoder import encode_basestring_ascii as quoted
from math import floor

from vestri.http1.request import USUAL

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
#: Words whose escaped form is kept: of the operator, a few for each service and replica, and addresses of clients.
KEPT = 4096
METHODS = {method: method.decode("ascii") for method in USUAL}
VERSIONS = {11: "HTTP/1.1", 10: "HTTP/1.0"}

_unsafe = re.compile(r"[^!#-\[\]-~]").search
_ESCAPES = {code: f"\\x{code:02x}" for code in range(256) if _unsafe(chr(code))}


def escaped(data):
    """Bytes as printable ASCII in one word: what is not, a quote, a backslash and a space become ``\\xNN``."""
    text = data.decode("latin-1")
    return text.translate(_ESCAPES) if _unsafe(text) else text


@lru_cache(KEPT)
def _word(text):
    """Text of which there are few, likewise; a dash for none."""
    return escaped(text.encode("utf-8", "surrogatepass")) if text else "-"


@lru_cache(KEPT)
def _takers(service, replica):
    return f'"{_word(service)}" "{_word(replica)}"'


class Second:
    """The second of wall time that is going on, written once for all the lines of it.

    written: callable of whole seconds since 1970, returning text.  wall: the clock of the wall; it is
    read once a second, so that a step of it shows in the next second's lines.
    """

    __slots__ = ("_began", "_ends", "_text", "_wall", "_written")

    def __init__(self, written, wall):
        self._written, self._wall = written, wall
        self._began = self._ends = 0.0

    def at(self, now):
        """The text of the second. now: the present, seconds of any steady clock."""
        if not self._began <= now < self._ends:
            self._turn(now)
        return self._text

    def milliseconds(self, now):
        """Whole ones since the second began that `at` told of last."""
        return int((now - self._began) * 1000)

    def _turn(self, now):
        wall = self._wall()
        whole = floor(wall)
        self._text = self._written(whole)
        self._began = now - (wall - whole)
        self._ends = self._began + 1


class CommonLine:
    """The Common Log Format and four words more: service, replica, reason, milliseconds in all.

    ``192.0.2.1 - - [24/Nov/2026:02:59:45 +0000] "GET /a HTTP/1.1" 200 5 "web" "http://10.0.0.1" - 3.2``
    The time is the end of the exchange in the machine's zone; a dash stands for what there was not.
    """

    def __init__(self, wall=time.time):
        self._second = Second(_common_time, wall)

    def __call__(self, exchange):
        head, ended = exchange.head, exchange.ended
        request = "-"
        if head is not None:
            method = METHODS.get(head.method) or escaped(head.method)
            request = f"{method} {escaped(head.target)} {VERSIONS[head.version]}"
        return (
            f'{_word(exchange.client_ip)} - - [{self._second.at(ended)}] "{request}" {exchange.status or "-"}'
            f" {exchange.bytes_out} {_takers(exchange.service, exchange.replica)} {exchange.reason or '-'}"
            f" {(ended - exchange.started) * 1000:.1f}\n"
        )


class JsonLine:
    """One JSON object in ASCII, its keys always the same and in the same order; null for what there was not.

    Bytes that a client sent stand as the characters of the same numbers (latin-1), so nothing is lost.
    `ts` is the end of the exchange in UTC, `path` the target as it came, `attempts` a count.  The t_
    keys are milliseconds: of reading the head; until a replica was chosen; until its connection was
    there; until its answer began (these three of the last attempt); and in all.
    """

    def __init__(self, wall=time.time):
        self._second = Second(_iso_time, wall)

    def __call__(self, exchange):
        second, ended = self._second, exchange.ended
        return (
            f'{{"ts":"{second.at(ended)}.{second.milliseconds(ended):03d}Z","request_id":{quoted(exchange.request_id.decode("latin-1"))}'
            f',"client_ip":{quoted(exchange.client_ip)},"peer_ip":{quoted(exchange.peer)},{_asked(exchange.head)}'
            f",{_taken(exchange.service, exchange.matcher, exchange.strategy, exchange.replica)}"
            f',"attempts":{exchange.attempts},"status":{exchange.status or "null"}'
            f',"upstream_status":{exchange.upstream_status or "null"},"reason":{_or_null(exchange.reason)}'
            f',"bytes_in":{exchange.bytes_in},"bytes_out":{exchange.bytes_out},{_phases(exchange)}}}\n'
        )


FORMATS: dict[str, type[CommonLine] | type[JsonLine]] = {"common": CommonLine, "json": JsonLine}


def _asked(head):
    if head is None:
        return '"method":null,"host":null,"path":null,"proto":null'
    host = _or_null(head.host and head.host.decode("latin-1"))
    return (
        f'"method":{quoted(head.method.decode("latin-1"))},"host":{host}'
        f',"path":{quoted(head.target.decode("latin-1"))},"proto":"HTTP/1.{head.version - 10}"'
    )


@lru_cache(KEPT)
def _taken(service, matcher, strategy, replica):
    return (
        f'"service":{_or_null(service)},"matcher":{_or_null(matcher)}'
        f',"strategy":{_or_null(strategy)},"replica":{_or_null(replica)}'
    )


def _or_null(text):
    return quoted(text) if text else "null"


def _phases(exchange):
    started, head, granted = exchange.started, exchange.t_head, exchange.t_granted
    sent, first_byte = exchange.t_sent, exchange.t_first_byte
    if granted is None or sent is None or sent < granted:  # it may be of an attempt before the last one
        sent = first_byte = None
    return (
        f'"t_headers":{_ms(started, head)},"t_queue":{_ms(head, granted)},"t_connect":{_ms(granted, sent)}'
        f',"t_first_byte":{_ms(sent, first_byte)},"t_total":{_ms(started, exchange.ended)}'
    )


def _ms(begin, end):
    return "null" if begin is None or end is None else f"{(end - begin) * 1000:.3f}"


def _common_time(epoch):
    now = time.localtime(epoch)
    return f"{now.tm_mday:02d}/{MONTHS[now.tm_mon - 1]}/{time.strftime('%Y:%H:%M:%S %z', now)}"


def _iso_time(epoch):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(epoch))
