"""The JSON Schema of the format, for editors: from the same table as everything else (draft 2020-12)."""

from functools import singledispatch

from vestri.config import nodes
from vestri.config.kinds import Anything, Either, ListOf, MapOf, OrNull, Section
from vestri.config.reading import Place, Reading
from vestri.config.scalars import SCALAR, Word
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
    return kind.schema if kind.schema is SCALAR else {"anyOf": [kind.schema, {"$ref": "#/$defs/variable"}]}


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
    return {"anyOf": [schema_of(one) for one in kind.kinds]}


@schema_of.register
def _(kind: OrNull):
    return {"anyOf": [schema_of(kind.word), {"type": "null"}]}


@schema_of.register
def _(kind: Anything):
    return {}


def _key(key):
    if not key.supported:
        return {"description": f"Not supported yet. {key.meaning}", "enum": _nothing(key)}
    schema = {"description": key.meaning, **schema_of(key.kind)}
    if key.default:
        schema["default"] = value_of(key.default)
    if key.example:
        schema["examples"] = [value_of(key.example)]
    return schema


def _nothing(key):
    """The values of an unsupported key that ask for nothing, and are accepted."""
    nothing = [None]
    if key.default:
        place = _place(key.default)
        if key.asks_nothing(key.kind.read(place, _reading()), place.node):
            nothing.append(value_of(key.default))
    return nothing


def value_of(text):
    """A default or an example of the table as a JSON value; `off` is text here."""
    return Anything().read(_place(text), _reading())


def _place(text):
    return Place(nodes.parse(text))


def _reading():
    return Reading("", {}, ())
