"""YAML text as nodes that know their line and column; what YAML itself forbids is told in plain words.

Scalars stay text: the schema types them, not YAML 1.1's guesses about `on`, `8:30` or `0o10`.
"""

import re

import attrs
import yaml

from vestri.config.syntax import Unreadable, unreadable

#: libyaml's parser where PyYAML was built with it: thirty times as fast as the one in Python.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
#: Lists and mappings inside each other. The deepest key of the format stands at 8.
DEEPEST = 64
#: Nodes that the aliases of one file may stand for: `&a [*b, *b]` nested ten deep would be a thousand million.
ALIASED = 1_000_000
#: The characters that YAML 1.2.2 section 5.1 allows.
UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@attrs.define(eq=False)
class Scalar:
    """plain: written without quotes.  line, column: from 1."""

    text: str
    plain: bool
    line: int
    column: int
    size = 1

    @property
    def absent(self):
        """Nothing was written, or null."""
        return self.plain and self.text in ("", "~", "null")


@attrs.define(eq=False)
class Sequence:
    """size: nodes in it, itself and what its aliases stand for included."""

    items: list
    line: int
    column: int
    size: int = 1
    absent = False

    def add(self, node):
        self.items.append(node)
        self.size += node.size


@attrs.define(eq=False)
class Mapping:
    """entries: [key, value] pairs as written, a repeated key repeated.  size: as in `Sequence`."""

    entries: list
    line: int
    column: int
    size: int = 1
    absent = False

    def add(self, node):
        self.size += node.size
        if self.entries and len(self.entries[-1]) == 1:
            self.entries[-1].append(self._placed(node))
        else:
            self.entries.append([node])

    def _placed(self, node):
        """A value of which nothing was written stands where its key stands."""
        if isinstance(node, Scalar) and not node.text and node.plain:
            key = self.entries[-1][0]
            return Scalar("", True, key.line, key.column)
        return node


def parse(text):
    """The root node of a YAML text, None where it holds nothing. Raises Unreadable."""
    if found := UNPRINTABLE.search(text):
        line, column = _place(text, found.start())
        raise Unreadable(line, column, f"the file holds a control character, {found[0]!a}")
    composer = _Composer()
    try:
        return composer.compose(yaml.parse(text, Loader=LOADER))
    except yaml.MarkedYAMLError as error:
        raise unreadable(text, error, composer.quoted) from None


def _place(text, index):
    lines = f"{text[:index]}.".splitlines()
    return len(lines), len(lines[-1])


class _Composer:
    """Builds nodes from PyYAML's events, with a stack of its own: no depth of text exhausts Python's.

    quoted: the event of the last text in quotes.
    """

    def __init__(self):
        self.quoted = None
        self._root, self._open, self._anchors, self._aliased = None, [], {}, 0

    def compose(self, events):
        for event in events:
            if step := self.STEPS.get(type(event)):
                step(self, event)
        return self._root

    def _document(self, event):
        if self._root is not None:
            raise _unreadable(event, "a second document begins here; a configuration is one document")

    def _scalar(self, event):
        mark = event.start_mark
        plain = not event.style
        if not plain:
            self.quoted = event
        self._put(event, Scalar(event.value, plain, mark.line + 1, mark.column + 1))

    def _begin(self, event):
        if len(self._open) == DEEPEST:
            raise _unreadable(event, f"lists and mappings stand more than {DEEPEST} deep in each other here")
        kind = Mapping if type(event) is yaml.MappingStartEvent else Sequence
        self._open.append((event, kind([], event.start_mark.line + 1, event.start_mark.column + 1)))

    def _end(self, _):
        event, node = self._open.pop()
        self._put(event, node)

    def _put(self, event, node):
        if event.tag is not None:
            raise _unreadable(event, f"a tag ('{event.tag}') means nothing in a configuration; take it out")
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        self._add(node)

    def _add(self, node):
        if self._open:
            self._open[-1][1].add(node)
        else:
            self._root = node

    def _alias(self, event):
        node = self._anchors.get(event.anchor)
        if node is None:
            raise _unreadable(event, f"no value before this one is marked '&{event.anchor}'")
        self._aliased += node.size
        if self._aliased > ALIASED:
            raise _unreadable(event, f"the aliases up to here stand for more than {ALIASED} values")
        self._add(node)

    STEPS = {
        yaml.DocumentStartEvent: _document,
        yaml.ScalarEvent: _scalar,
        yaml.SequenceStartEvent: _begin,
        yaml.SequenceEndEvent: _end,
        yaml.MappingStartEvent: _begin,
        yaml.MappingEndEvent: _end,
        yaml.AliasEvent: _alias,
    }


def _unreadable(event, message):
    return Unreadable(event.start_mark.line + 1, event.start_mark.column + 1, message)
