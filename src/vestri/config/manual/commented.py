"""config/full.yaml: every key with its meaning, unit and default, and an example that differs from the default."""

import textwrap

from vestri.config.kinds import ListOf
from vestri.config.manual.walking import is_required, is_there, mapping_of, rare_form
from vestri.config.schema import FILE

WIDTH = 100
HEAD = """\
# Every key of Vestri's configuration: meaning, unit, default, and an example that differs from the default.
# This file is made from the same table that checks yours (python -m vestri.config.manual yaml).
#
# Nothing has to be here but services, and in them name, replicas and url: see minimal.yaml.
# Durations are 250ms, 5s, 1m or 1h; sizes are 64KiB or 10MiB; "Unit" is what a bare number counts.
# ${NAME} and ${NAME:-default} take environment variables inside values.
# What is not supported yet is commented out, without a space after the #, and refused when it is used.
"""


def manual():
    """The text of config/full.yaml."""
    return f"{HEAD}\n{_lines(_section(FILE))}"


def _lines(lines):
    return "".join(f"{line}\n" for line in lines)


def _section(section, there=True):
    """The lines of all keys of a mapping, with an empty one between two keys. there: whether it is supported."""
    blocks = [_key(key, section, there) for key in section.keys.values()]
    return [line for block in blocks for line in ("", *block)][1:]


def _key(key, section, there):
    if not there or is_there(key):
        return [*_comment(key.meaning, key, section), *_value(key, there)]
    comment = _comment(f"Not supported yet. {key.meaning}", key, section)
    return [*comment, *(f"#{line}" for line in _value(key, False))]


def _comment(meaning, key, section):
    facts = " ".join((*_default(key, section), *_unit(key), *_rare_form(key)))
    return [f"# {line}" for text in (meaning, facts) for line in textwrap.wrap(text, WIDTH)]


def _default(key, section):
    if is_required(key, section):
        yield "Required."
    elif key.default or key.otherwise:
        yield f"Default: {key.default or key.otherwise}."


def _unit(key):
    if key.counts:
        yield f"Unit: {key.counts}."


def _rare_form(key):
    section = rare_form(key.kind)
    for inner in section.keys.values() if section else ():
        yield f"Or {{{inner.name}: {inner.example}}}: {inner.meaning}"


def _value(key, there):
    """The lines of the key with its value."""
    section = mapping_of(key.kind)
    if section is None:
        return [f"{key.name}: {key.example}"]
    lines = _section(section, there)
    return [f"{key.name}:", *(_item(lines) if isinstance(key.kind, ListOf) else _indented(lines))]


def _item(lines):
    """The dash goes before the first key, below its comment."""
    first = next(index for index, line in enumerate(lines) if not line.startswith("#"))
    before, after = _indented(lines[:first]), _indented(_indented(lines[first + 1 :]))
    return [*before, f"  - {lines[first]}", *after]


def _indented(lines):
    return [f"  {line}" if line else "" for line in lines]
