"""docs/configuration.md: the tables of keys, between the pages of `prose`."""

from vestri.config.manual import prose
from vestri.config.manual.walking import is_required, is_there, mapping_of, parts, rare_form

COLUMNS = ("Key", "Meaning", "Default", "Example")


def manual():
    """The text of docs/configuration.md."""
    there = [part for part in parts() if part.there]
    later = [part for part in parts() if not part.there]
    blocks = [
        prose.BEFORE,
        *(block for part in there for block in _part(part)),
        prose.LATER,
        _table(_row(key, part, part.path_of(key)) for part in there for key in _keys(part) if not is_there(key)),
        *(block for part in later for block in _part(part)),
        prose.AFTER,
    ]
    return "\n\n".join(block.strip("\n") for block in blocks) + "\n"


def _part(part):
    """Its heading, what it is for, its table, and the names of its keys that come later."""
    yield f"### `{part.path}`" if part.path else "### The file"
    if part.key:
        yield part.key.meaning
    keys = [key for key in _keys(part) if is_there(key) or not part.there]
    yield _table(_row(key, part, key.name) for key in keys)
    if part.section.others:
        yield "Other keys are free."
    missing = [f"`{key.name}`" for key in _keys(part) if key not in keys]
    if missing:
        yield f"[Not supported yet](#keys-that-come-later): {', '.join(missing)}."


def _keys(part):
    return part.section.keys.values()


def _table(rows):
    lines = [COLUMNS, ["---"] * len(COLUMNS), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _row(key, part, name):
    return [f"`{name}`", _escaped(_meaning(key)), _default(key, part.section), _example(key, part)]


def _meaning(key):
    section = rare_form(key.kind)
    others = section.keys.values() if section else ()
    return " ".join((key.meaning, *(f"Or `{{{one.name}: {one.example}}}`: {one.meaning}" for one in others)))


def _default(key, section):
    if is_required(key, section):
        return "required"
    if not key.default:
        return _escaped(key.otherwise)
    unit = f" {key.unit}" if key.unit and key.default.isdigit() else ""
    return f"{_code(key.default)}{unit}"


def _example(key, part):
    if key.example or not mapping_of(key.kind):
        return _code(key.example)
    return f"[below](#{_anchor(part.path_of(key))})"


def _anchor(path):
    """What a heading that is this path is called in links, as GitHub and its like do it."""
    return "".join(letter for letter in path if letter.isalnum() or letter == "_")


def _code(text):
    return f"`{_escaped(text)}`" if text else ""


def _escaped(text):
    return text.replace("|", "\\|")
