"""How the values of the file nest: lists, mappings of given keys, mappings of free ones, and choices of these."""

import re
from itertools import count
from typing import Protocol

import attrs

from vestri.config.nodes import Mapping, Scalar, Sequence
from vestri.config.reading import INVALID, NOT_YET, Place, came, closest, shown

#: More keys than these are not listed in a message about an unknown one.
LISTED = 12
#: No value means that what a key does is not wanted.
NEVER = object()

INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}", re.ASCII)
CONSTANTS = {"true": True, "false": False, "null": None, "~": None, "": None}


class Kind(Protocol):
    """What a value may be. expected: that in words, for messages."""

    @property
    def expected(self) -> str: ...

    def read(self, place, reading):
        """The value that stands at a place, or INVALID; its problems are reported to `reading`."""


@attrs.frozen
class Key:
    """One key of the format.

    meaning: for the person who writes the file.  default, example: as text of the file.
    unit: what a bare number counts, where the kind does not tell.
    otherwise: what holds without the key, where no value says it.
    required: the file must have it.  supported: whether what it does is there; if not, it is
    checked and then refused.  absence: a value that asks for nothing, and is accepted all the same.
    """

    name: str
    kind: Kind
    meaning: str
    default: str = attrs.field(default="", kw_only=True)
    example: str = attrs.field(default="", kw_only=True)
    unit: str = attrs.field(default="", kw_only=True)
    otherwise: str = attrs.field(default="", kw_only=True)
    required: bool = attrs.field(default=False, kw_only=True)
    supported: bool = attrs.field(default=True, kw_only=True)
    absence: object = attrs.field(default=NEVER, kw_only=True)

    @property
    def counts(self):
        """The unit of a bare number, or nothing."""
        return self.unit or getattr(self.kind, "unit", "")

    def asks_nothing(self, value, node):
        """Whether a value is as good as none: null, off, or the key's own word for it."""
        return value is None or node.absent or value == self.absence


class Values(dict):
    """What a mapping of the file holds: key -> value, for every key that is there and valid.

    place: of the mapping.  meant: known keys that mistyped ones are close to.
    """

    def __init__(self, place):
        super().__init__()
        self.place, self.meant, self._places = place, set(), {}

    def found(self, key_place, inner):
        """Take note of a known key, whether its value is valid or not."""
        self._places[inner.step] = key_place, inner

    def has(self, key):
        """Whether the file has the key, valid or not."""
        return key in self._places

    def key_at(self, key):
        """Where a key that the file has stands."""
        return self._places[key][0]

    def at(self, key):
        """Where the key's value stands; the mapping, if it is not there."""
        return self._places[key][1] if key in self._places else self.place

    def lacks(self, key):
        """Whether nothing in the file stands for the key, mistyped ones included."""
        return not self.has(key) and key not in self.meant


class Items(tuple):
    """The valid items of a list of the file. places: of each."""

    places: list


class Section:
    """A mapping of the given keys.

    others: the kind of all other keys, or None where there are none.  one_of: keys of which exactly
    one must be there, the usual one first.  expected: what it is, for messages.
    """

    def __init__(self, *keys, others=None, one_of=(), expected=""):
        self.keys = {key.name: key for key in keys}
        self.others, self.one_of = others, one_of
        self.expected = expected or "a mapping" + (f" with {', '.join(self.keys)}" if len(keys) <= LISTED else "")
        self.required = [key.name for key in keys if key.required]

    def read(self, place, reading):
        """The `Values`; a mapping of which nothing is written has none."""
        node = place.node
        if not isinstance(node, Mapping) and not node.absent:
            return reading.refuse(place, f"expected {self.expected}, got {came(node)}")
        values = Values(place)
        for key_place, inner in entries(place, reading):
            self._read_key(key_place, inner, values, reading)
        self._check_required(values, reading)
        self._check_one_of(values, reading)
        return values

    def _read_key(self, key_place, inner, values, reading):
        key, kind = self.keys.get(inner.step), self.others
        if key is None and kind is None:
            self._refuse_unknown(key_place, values, reading)
            return
        values.found(key_place, inner)
        value = (key.kind if key else kind).read(inner, reading)
        if value is INVALID:
            return
        values[inner.step] = value
        if key and not key.supported and not key.asks_nothing(value, inner.node):
            reading.refuse(key_place, NOT_YET)

    def _refuse_unknown(self, key_place, values, reading):
        name = key_place.step
        close = closest(name, self.keys)
        if close:
            values.meant.add(close)
        meant = close or self._closest_inside(name)
        hint = f"; did you mean {meant}?" if meant else self._all_keys()
        reading.refuse(key_place, f"unknown key {shown(name)}{hint}")

    def _closest_inside(self, name):
        """The key one mapping further in that the name is close to, as ``metadata.weight``; None where none is."""
        sections = ((key.name, section_of(key.kind)) for key in self.keys.values() if key.supported)
        inside = {inner: f"{outer}.{inner}" for outer, section in sections if section for inner in section.keys}
        return inside.get(closest(name, inside))

    def _all_keys(self):
        return f"; expected {', '.join(self.keys)}" if len(self.keys) <= LISTED else ""

    def _check_required(self, values, reading):
        for name in filter(values.lacks, self.required):
            reading.refuse(values.place, f"expected a key '{name}', which is missing")

    def _check_one_of(self, values, reading):
        if self.one_of and all(map(values.lacks, self.one_of)):
            reading.refuse(values.place, f"expected a key '{self.one_of[0]}', which is missing")
        given = list(filter(values.has, self.one_of))
        for name in given[1:]:
            reading.refuse(values.key_at(name), f"expected either {given[0]} or {name}, got both")


def section_of(kind):
    """The `Section` that a value of this kind may be, else None."""
    return kind if isinstance(kind, Section) else getattr(kind, "section", None)


@attrs.frozen
class MapOf:
    """A mapping of names to values. name: the kind of its keys."""

    name: Kind
    value: Kind
    expected = "a mapping"

    def read(self, place, reading):
        """A dict, in the order of the file."""
        node = place.node
        if not isinstance(node, Mapping) and not node.absent:
            return reading.refuse(place, f"expected {self.expected}, got {came(node)}")
        pairs = [
            (self.name.read(key_place, reading), self.value.read(inner, reading))
            for key_place, inner in entries(place, reading)
        ]
        return {name: value for name, value in pairs if name is not INVALID and value is not INVALID}


@attrs.frozen
class ListOf:
    """A list. expected: what it is, for messages.  least: items it must have."""

    item: Kind
    expected: str
    least: int = 0

    def read(self, place, reading):
        """The valid `Items`."""
        node = place.node
        if not isinstance(node, Sequence):
            hint = "; begin each with '- '" if isinstance(node, Mapping) else ""
            return reading.refuse(place, f"expected {self.expected}, got {came(node)}{hint}")
        if len(node.items) < self.least:
            return reading.refuse(place, f"expected {self.expected}, got an empty one")
        places = [place.inner(*step) for step in zip(count(), node.items)]
        pairs = [(self.item.read(inner, reading), inner) for inner in places]
        items = Items(item for item, _ in pairs if item is not INVALID)
        items.places = [inner for item, inner in pairs if item is not INVALID]
        return items


class Either:
    """One kind for each shape that a value may have; a missing shape is refused.

    expected: what it is, for messages, where the words of its kinds do not do.
    """

    def __init__(self, *, word=None, list_of=None, section=None, expected=""):
        self._shapes = {Scalar: word, Sequence: list_of, Mapping: section}
        self.section = section
        self.kinds = [kind for kind in self._shapes.values() if kind]
        self.expected = expected or " or ".join(kind.expected for kind in self.kinds)

    def read(self, place, reading):
        kind = self._kind(place.node)
        if kind is None:
            return reading.refuse(place, f"expected {self.expected}, got {came(place.node)}")
        return kind.read(place, reading)

    def _kind(self, node):
        """Nothing at all is read as an empty mapping, where that is allowed."""
        if node.absent:
            return None if self.section is None or self.section.required else self.section
        return self._shapes[type(node)]


@attrs.frozen
class OrNull:
    """A word, or null, which is None."""

    word: Kind

    @property
    def expected(self):
        return f"{self.word.expected}, or null"

    def read(self, place, reading):
        return None if place.node.absent else self.word.read(place, reading)


class Anything:
    """Any value at all. Numbers come back as int only where that loses nothing: `version: 1.10` stays text."""

    expected = "any value"

    def read(self, place, reading):
        node = place.node
        if isinstance(node, Sequence):
            return [self.read(place.inner(*step), reading) for step in zip(count(), node.items)]
        if isinstance(node, Mapping):
            return {inner.step: self.read(inner, reading) for _, inner in entries(place, reading)}
        text = reading.text(place)
        return text if text is INVALID or not node.plain else _constant(text)


def _constant(text):
    return int(text) if INTEGER.fullmatch(text) else CONSTANTS.get(text, text)


def entries(place, reading):
    """(place of the key, place of its value) of each entry of a mapping.

    Keys that come twice, or are no text, are refused.
    """
    seen = {}
    for key, value in getattr(place.node, "entries", ()):
        if not isinstance(key, Scalar):
            reading.refuse(Place(key, place.parent, place.step), f"expected a key, got {came(key)}")
        elif key.plain and key.text == "<<":
            reading.refuse(place.inner(key.text, key), "merge keys are not supported; write the keys out")
        elif key.text in seen:
            first = seen[key.text]
            reading.refuse(place.inner(key.text, key), f"duplicate key, first given on line {first}")
        else:
            seen[key.text] = key.line
            yield place.inner(key.text, key), place.inner(key.text, value)
