"""The JSON Schema of the format, for editors: from the same table as everything else (draft 2020-12)."""

from functools import singledispatch

from vestri.config import nodes
from vestri.config.kinds import Anything, Either, ListOf, MapOf, OrNull, Section
from vestri.config.reading import INVALID, Place, Reading
from vestri.config.scalars import SCALAR, Word, any_of
from vestri.config.schema import FILE

DIALECT = "https://json-schema.org/draft/2020-12/schema"
#: Text with an environment variable in it may become anything.
VARIABLE = {"type": "string", "pattern": r"\$\{"}


def json_schema():
    """A dict, ready for `json.dumps`."""
    head = {"$schema": DIALECT, "title": "Configuration of Vestri", "$defs": {"variable": VARIABLE}}
    return head | schema_of(FILE)


@singledispatch
def schema_of(kind):
    """The schema of one kind of value."""
    raise TypeError(f"{type(kind).__name__} has no JSON Schema")


@schema_of.register
def _(kind: Word):
    return kind.schema if kind.schema is SCALAR else any_of(kind.schema, {"$ref": "#/$defs/variable"})


@schema_of.register
def _(kind: Section):
    schema = {
        "type": "object" if kind.required or kind.one_of else ["object", "null"],
        "properties": {key.name: _key(key) for key in kind.keys.values()},
        "additionalProperties": schema_of(kind.others) if kind.others else False,
    }
    if kind.required:
        schema["required"] = kind.required
    if kind.one_of:
        schema["oneOf"] = [{"required": [name]} for name in kind.one_of]
    return schema


@schema_of.register
def _(kind: MapOf):
    return {
        "type": ["object", "null"],
        "propertyNames": schema_of(kind.name),
        "additionalProperties": schema_of(kind.value),
    }


@schema_of.register
def _(kind: ListOf):
    return {"type": "array", "items": schema_of(kind.item), "minItems": kind.least}


@schema_of.register
def _(kind: Either):
    return any_of(*map(schema_of, kind.kinds))


@schema_of.register
def _(kind: OrNull):
    return any_of(schema_of(kind.word), {"type": "null"})


@schema_of.register
def _(kind: Anything):
    return {}


def _key(key):
    if not key.supported:
        nothing = _nothing(key)
        return {"description": f"Not supported yet. {key.meaning}", **({"enum": nothing} if nothing else {"not": {}})}
    schema = {"description": key.meaning, **schema_of(key.kind)}
    if key.default:
        schema["default"] = value_of(key.default)
    if key.example:
        schema["examples"] = [value_of(key.example)]
    return schema


def _nothing(key):
    """The values of an unsupported key that ask for nothing, and are accepted."""
    nothing = [value_of(text) for text in ("null", key.default) if text and _asks_nothing(key, text)]
    return [*nothing, False] if "off" in nothing else nothing


def _asks_nothing(key, text):
    place, reading = _place(text), _reading()
    value = key.kind.read(place, reading)
    return not reading.problems and value is not INVALID and key.asks_nothing(value, place.node)


def value_of(text):
    """A default or an example of the table as a JSON value; `off` is text here."""
    return Anything().read(_place(text), _reading())


def _place(text):
    return Place(nodes.parse(text))


def _reading():
    return Reading("", {}, ())
