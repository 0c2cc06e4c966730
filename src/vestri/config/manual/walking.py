"""The parts of the table, in the order of a manual, and what can be said of their keys."""

import attrs

from vestri.config.kinds import Either, ListOf, Section, section_of
from vestri.config.schema import FILE


@attrs.frozen
class Part:
    """One mapping of the format.

    path: as ``services[].health``; empty for the file itself.  section: its keys.  key: the one it
    stands under, None for the file.  there: whether what it does is there, and all it stands in.
    """

    path: str
    section: Section
    key: object = None
    there: bool = True

    def path_of(self, key):
        """As ``services[].health.path``."""
        return f"{self.path}.{key.name}".removeprefix(".")


def parts():
    """Every `Part` that deserves a table, each before those inside it."""
    yield from _inside(Part("", FILE))


def _inside(part):
    yield part
    for key in part.section.keys.values():
        section = mapping_of(key.kind)
        if section is not None:
            path = part.path_of(key) + ("[]" if isinstance(key.kind, ListOf) else "")
            yield from _inside(Part(path, section, key, part.there and is_there(key)))


def mapping_of(kind):
    """The section that a value, or each item of a list, is usually written as; None for a word or a list of words."""
    section = section_of(kind.item if isinstance(kind, ListOf) else kind)
    return None if section is rare_form(kind) else section


def rare_form(kind):
    """The section of a single key that a word or a list may be written as instead, as {hops: 2}; else None."""
    section = section_of(kind)
    return section if isinstance(kind, Either) and section and len(section.keys) == 1 else None


def is_there(key):
    """Whether the key does something, or anything inside it does."""
    section = section_of(key.kind)
    inside = section is None or section.others or any(map(is_there, section.keys.values()))
    return bool(key.supported and inside)


def is_required(key, section):
    return key.required or key.name in section.one_of[:1]
