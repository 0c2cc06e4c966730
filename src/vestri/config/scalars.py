"""What one word of the file may be: numbers, durations, sizes and their like, from text to value.

A parser here takes the text of a scalar and raises ValueError, without words where the kind's own
`expected` says all there is to say. Digits are ASCII digits: Python's `int` would take more.
"""

import re
from collections.abc import Callable
from ipaddress import ip_network

import attrs

from vestri.config.nodes import Scalar
from vestri.config.reading import INVALID, came, did_you_mean, shown

#: Unit -> seconds, as durations are written.
DURATIONS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
#: Unit -> bytes, as sizes are written.
SIZES = {"": 1, "B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
#: Seconds; ten years of 365 days.
LONGEST = 10 * 365 * 86400.0
LARGEST = 2**62
#: `off`, and what becomes of a bare one that passes through a YAML 1.1 tool.
OFF_WORDS = ("off", "false")
#: What YAML 1.1 takes for true and false, and the format does not.
LIKE_BOOLEAN = {"yes": "true", "on": "true", "true": "true", "no": "false", "off": "false", "false": "false"}
#: What people write where they mean `off`.
LIKE_OFF = ("0", "0s", "no", "none", "never", "disabled", "off", "false")

WHOLE = re.compile(r"[0-9]{1,18}", re.ASCII)
SIGNED = re.compile(r"-?[0-9]{1,9}", re.ASCII)
DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)(ms|s|m|h)?", re.ASCII)
SIZE = re.compile(r"([0-9]{1,18})([KMGT]iB|B)?", re.ASCII)
PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)%", re.ASCII)
#: Such as `5 s`, `5min`, `500msec`.
LOOSE_DURATION = re.compile(r"([0-9.]+) *(ms|s|m|h)[a-z]*", re.ASCII | re.IGNORECASE)
#: Such as `64KB`, `10 m`.
LOOSE_SIZE = re.compile(r"([0-9]+) *([kmgt])(?:i?b)?", re.ASCII | re.IGNORECASE)


#: JSON Schema of a text: every scalar is one, whatever YAML takes it for.
SCALAR = {"type": ["string", "number", "boolean"]}


def any_of(*schemas):
    """The JSON Schema of values that meet one of these; choices among choices are laid flat."""
    return {"anyOf": [choice for schema in schemas for choice in schema.get("anyOf", [schema])]}


def no_hint(text):
    return ""


@attrs.frozen
class Word:
    """A scalar.

    expected: what it must be, for messages.  schema: the same for JSON Schema.
    unit: what a bare number counts.  hint: text that is wrong -> what may be meant, for the end of a message.
    """

    expected: str
    parse: Callable[[str], object] = attrs.field(repr=False)
    schema: dict = attrs.field(default=SCALAR, repr=False)
    unit: str = ""
    hint: Callable[[str], str] = attrs.field(default=no_hint, repr=False)

    def read(self, place, reading):
        node = place.node
        if not isinstance(node, Scalar) or node.absent:
            return reading.refuse(place, f"expected {self.expected}, got {came(node)}")
        text = reading.text(place)
        if text is INVALID:
            return INVALID
        try:
            return self.parse(text)
        except ValueError as error:
            message = str(error) or f"expected {self.expected}, got {shown(text)}{self.hint(text)}"
            return reading.refuse(place, message)


def text(expected="text", pattern=""):
    """Text, taken as it is. pattern: a regular expression for the whole of it."""
    form = re.compile(pattern, re.DOTALL) if pattern else None

    def parse(text):
        if form and not form.fullmatch(text):
            raise ValueError
        return text

    schema = {**SCALAR, "pattern": f"^(?:{pattern})$"} if pattern else SCALAR
    return Word(expected, parse, schema)


def whole(low=0, high=None, form=WHOLE):
    """A whole number from low to high, both included."""
    expected = f"a whole number {low}..{high}" if high is not None else f"a whole number of at least {low}"
    ceiling = LARGEST if high is None else high

    def parse(text):
        if not form.fullmatch(text) or not low <= int(text) <= ceiling:
            raise ValueError
        return int(text)

    limits = {"minimum": low} if high is None else {"minimum": low, "maximum": high}
    return Word(expected, parse, any_of({"type": "integer", **limits}, _as_text(form)))


def duration(zero=False):
    """Float seconds. zero: whether no time at all makes sense."""

    def parse(text):
        found = DURATION.fullmatch(text)
        if not found or (seconds := _seconds(*found.groups())) == 0 and not zero:
            raise ValueError
        if seconds > LONGEST:
            raise ValueError(f"expected a duration of at most 10 years, got {shown(text)}")
        return seconds

    expected = f"a duration{'' if zero else ' above 0,'} such as 250ms, 5s, 1m or 1h"
    lowest = {"minimum": 0} if zero else {"exclusiveMinimum": 0}
    schema = any_of({"type": "number", **lowest}, _as_text(DURATION))
    return Word(expected, parse, schema, "seconds", _duration_hint)


def _seconds(number, unit):
    return float(number) / 1000 if unit == "ms" else float(number) * DURATIONS[unit or "s"]


def _duration_hint(text):
    found = LOOSE_DURATION.fullmatch(text)
    return _hint(DURATION, f"{found[1]}{found[2].lower()}", text) if found else ""


def size(low=0):
    """Bytes, as int."""

    def parse(text):
        found = SIZE.fullmatch(text)
        if not found:
            raise ValueError
        size = int(found[1]) * SIZES[found[2] or ""]
        if not low <= size <= LARGEST:
            raise ValueError(f"expected a size of at least {low} bytes and at most 4 EiB, got {shown(text)}")
        return size

    schema = any_of({"type": "integer", "minimum": low}, _as_text(SIZE))
    return Word("a size such as 64KiB, 10MiB, or a whole number of bytes", parse, schema, "bytes", _size_hint)


def _size_hint(text):
    found = LOOSE_SIZE.fullmatch(text)
    return _hint(SIZE, f"{found[1]}{found[2].upper()}iB", text) if found else ""


def _hint(form, meant, text):
    return f"; did you mean {meant}?" if meant != text and form.fullmatch(meant) else ""


def _percent(text):
    found = PERCENT.fullmatch(text)
    if not found or float(found[1]) > 100:
        raise ValueError
    return float(found[1]) / 100


def _percent_hint(text):
    return _hint(PERCENT, f"{text}%", text)


def _boolean(text):
    if text not in ("true", "false"):
        raise ValueError
    return text == "true"


def _boolean_hint(text):
    meant = LIKE_BOOLEAN.get(text.lower())
    return f"; did you mean {meant}?" if meant else ""


def _workers(text):
    return text if text == "auto" else whole(1, 9999).parse(text)


def _network(text):
    try:
        return ip_network(text)
    except ValueError:
        raise ValueError(_network_fault(text)) from None


def _network_fault(text):
    try:
        loose = ip_network(text, strict=False)
    except ValueError:
        return ""
    return f"expected a network without host bits, got {shown(text)}; did you mean {loose}?"


def choice(*names):
    """One of the names."""

    def parse(text):
        name = "off" if text in OFF_WORDS else text
        if name not in names:
            raise ValueError
        return name

    spellings = [int(name) for name in names if WHOLE.fullmatch(name)] + [False] * ("off" in names)
    expected = f"{', '.join(names[:-1])} or {names[-1]}"
    return Word(expected, parse, {"enum": [*names, *spellings]}, hint=lambda text: did_you_mean(text, names))


def or_off(word):
    """A word, or `off`, which is None."""

    def parse(text):
        return None if text in OFF_WORDS else word.parse(text)

    def hint(text):
        return _off_hint(text) or word.hint(text)

    schema = any_of(word.schema, OFF.schema)
    return Word(f"{word.expected}, or off", parse, schema, word.unit, hint)


def _off(text):
    if text not in OFF_WORDS:
        raise ValueError


def _off_hint(text):
    return "; did you mean off?" if text.lower() in LIKE_OFF else ""


def _as_text(form):
    """JSON Schema of a number written as text."""
    return {"type": "string", "pattern": f"^(?:{form.pattern})$"}


PERCENTAGE = Word("a percentage such as 20%", _percent, _as_text(PERCENT), hint=_percent_hint)
BOOLEAN = Word("true or false", _boolean, {"enum": [True, False, "true", "false"]}, hint=_boolean_hint)
WORKERS = Word(
    "a whole number of at least 1, or auto",
    _workers,
    any_of({"type": "integer", "minimum": 1}, {"type": "string", "pattern": "^(?:auto|[1-9][0-9]{0,3})$"}),
)
NETWORK = Word("an address or a network such as 10.0.0.0/8 or fd00::/8", _network)
OFF = Word("off", _off, {"enum": ["off", False]}, hint=_off_hint)
#: RFC 9110 section 5.6.2.
TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
METHOD = text("a method such as GET", TOKEN)
FIELD_NAME = text("the name of a header field", TOKEN)
#: RFC 9110 section 5.5, in latin-1, without white space at the ends.
FIELD_VALUE = text("a header field's value, on one line", r"(?:[!-~\xa0-\xff](?:[\t -~\xa0-\xff]*[!-~\xa0-\xff])?)?")
STATUS_CODE = whole(100, 599)
PORT = whole(1, 65535)
