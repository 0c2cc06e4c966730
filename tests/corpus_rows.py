"""The corpus: rows of `tests/corpus/*.yaml`, each some bytes and what the readers of HTTP must make of them.

A row says `why` in a sentence, names the section of the `rfc` ("9112 5.1"), gives the `bytes` and the `verdict`:

- accept: whole `messages` and nothing left over, or one whole `answer`;
- refuse: a fault, behind the `messages` that were whole before it; `status` is what a client is told;
- incomplete: nothing is wrong, and more must come;
- truncated: an answer whose body the end of the connection cut short.

Bytes stand as text, one character (up to \\xff) a byte; a list joins its members, and `{repeat: "a", times: 9}` and
`{from: 0x00, to: 0xff}` say long ones shortly. Where the standard or the field leaves a choice, `choice` says why
the row is as it is.
"""

from pathlib import Path

import attrs
import yaml

from vestri.model import Limits

CORPUS = Path(__file__).with_name("corpus")
VERDICTS = ("accept", "refuse", "incomplete", "truncated")


def octets(value):
    """What the corpus calls bytes, as bytes."""
    if isinstance(value, list):
        return b"".join(map(octets, value))
    if isinstance(value, dict) and "repeat" in value:
        return octets(value["repeat"]) * value["times"]
    if isinstance(value, dict):
        return bytes(range(value["from"], value["to"] + 1))
    return value.encode("latin-1")


def _each(values):
    return tuple(map(octets, values))


def _section(lines):
    return b"".join(octets(line) + b"\r\n" for line in lines)


@attrs.frozen
class ExpectedRequest:
    """A request as a row expects it. forwarded: lines that the replica must see, in this order; not_forwarded:
    lower-case names of fields that it must not. rest: what stays unread behind an upgrade."""

    method: bytes = attrs.field(converter=octets)
    target: bytes = attrs.field(converter=octets)
    host: bytes = attrs.field(converter=octets)
    version: int = 11
    body: bytes = attrs.field(default="", converter=octets)
    trailers: bytes = attrs.field(default=(), converter=_section)
    keep_alive: bool = True
    upgrade: bytes | None = attrs.field(default=None, converter=attrs.converters.optional(octets))
    expects_continue: bool = False
    forwarded: tuple[bytes, ...] = attrs.field(default=(), converter=_each)
    not_forwarded: tuple[bytes, ...] = attrs.field(default=(), converter=_each)
    rest: bytes = attrs.field(default="", converter=octets)


@attrs.frozen
class ExpectedAnswer:
    """An answer as a row expects it. framing: none, length, chunked or close.  interims: status codes before it.
    rest: bytes behind its end.  forwarded, not_forwarded: as of a request, for the client."""

    status: int
    framing: str
    version: int = 11
    body: bytes = attrs.field(default="", converter=octets)
    trailers: bytes = attrs.field(default=(), converter=_section)
    keep_alive: bool = True
    upgrade: bytes | None = attrs.field(default=None, converter=attrs.converters.optional(octets))
    interims: tuple[int, ...] = attrs.field(default=(), converter=tuple)
    forwarded: tuple[bytes, ...] = attrs.field(default=(), converter=_each)
    not_forwarded: tuple[bytes, ...] = attrs.field(default=(), converter=_each)
    rest: bytes = attrs.field(default="", converter=octets)


@attrs.frozen(repr=False)
class Row:
    """One case. method: of the request that an answer belongs to."""

    file: str
    line: int
    why: str
    rfc: str = attrs.field(validator=attrs.validators.matches_re(r"\d{4} [A-Z0-9][0-9.]*"))
    data: bytes = attrs.field(converter=octets)
    verdict: str = attrs.field(validator=attrs.validators.in_(VERDICTS))
    status: int | None = None
    messages: tuple[ExpectedRequest, ...] = ()
    answer: ExpectedAnswer | None = None
    limits: Limits = Limits()
    method: bytes = b"GET"
    choice: str = ""

    def __str__(self):
        return f"{self.file}:{self.line}"

    def __repr__(self):
        return f"<Row {self}: {self.why}>"


def request_rows():
    """Every row about requests."""
    return [row for path in _files() if not path.name.startswith("answer_") for row in _rows(path)]


def answer_rows():
    """Every row about answers."""
    return [row for path in _files() if path.name.startswith("answer_") for row in _rows(path)]


def _files():
    return sorted(CORPUS.glob("*.yaml"))


def _rows(path):
    loader = yaml.SafeLoader(path.read_text("ascii"))
    try:
        nodes = loader.get_single_node().value
        return [_row(path.name, node.start_mark.line + 1, loader.construct_document(node)) for node in nodes]
    finally:
        loader.dispose()


def _row(file, line, said):
    said = dict(said, data=said["bytes"])
    del said["bytes"]
    if "request" in said:
        said["method"] = octets(said.pop("request")["method"])
    if "answer" in said:
        said["answer"] = ExpectedAnswer(**said["answer"])
    said["messages"] = tuple(ExpectedRequest(**message) for message in said.get("messages", ()))
    said["limits"] = Limits(**said.get("limits", {}))
    return Row(file, line, **said)
