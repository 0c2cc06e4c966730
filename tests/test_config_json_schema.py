import json

import pytest
import yaml

from configs import FILES, WEB, load, problems
from vestri.config.json_schema import json_schema, value_of
from vestri.config.kinds import Key
from vestri.config.schema import FILE

jsonschema = pytest.importorskip("jsonschema")

SCHEMA = json_schema()


@pytest.fixture(scope="module")
def validator():
    return jsonschema.Draft202012Validator(SCHEMA)


def faults(validator, text):
    """The paths of what an editor would mark; it may read `off` as false, as YAML 1.1 has it."""
    return [error.json_path for error in validator.iter_errors(yaml.safe_load(text))]


def test_the_schema_itself_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


@pytest.mark.parametrize("path", FILES, ids=[path.name for path in FILES])
def test_every_file_in_the_repository_is_valid(validator, path):
    assert faults(validator, path.read_text()) == []


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("bare off", f"limits: {{body_size: off, min_rate: off}}\n{WEB}    health: off\n"),
        ("off in quotes", f"access_log: {{format: 'off'}}\n{WEB}    health: 'off'\n"),
        ("numbers as text", f"{WEB}        metadata: {{weight: '4'}}\n"),
        ("bare numbers", f"timeouts: {{connect: 1.5, idle: 2}}\nlimits: {{header_size: 4096}}\n{WEB}"),
        ("variables", f"timeouts: {{connect: '${{CONNECT:-1s}}'}}\n{WEB}        metadata: {{weight: '${{W:-1}}'}}\n"),
        ("keys of one's own", f"{WEB}        metadata: {{zone: eu, ports: [1, 2]}}\n"),
        ("a section of which nothing is written", f"limits:\n{WEB}"),
        (
            "what asks for nothing",
            f"watch: false\nworkers: 1\ntests: []\n{WEB}    slow_start: off\n    queue:\n    priority: 0\n",
        ),
        ("a strategy with settings", f"strategy: {{name: RoundRobin}}\n{WEB}"),
        ("hops", f"trusted_proxies: {{hops: 1}}\n{WEB}"),
    ],
)
def test_what_can_be_served_is_valid(validator, reason, text):
    load(text)
    assert faults(validator, text) == []


@pytest.mark.parametrize(
    ("reason", "text", "path"),
    [
        ("no services", "limits: {}\n", "$"),
        ("empty services", "services: []\n", "$.services"),
        ("no replicas", "services: [{name: a}]\n", "$.services[0]"),
        ("no name", "services: [{replicas: [url: a]}]\n", "$.services[0]"),
        ("an unknown key", f"{WEB}    retires: 1\n", "$.services[0]"),
        (
            "a weight in words",
            f"{WEB}        metadata: {{weight: heavy}}\n",
            "$.services[0].replicas[0].metadata.weight",
        ),
        (
            "a weight too large",
            f"{WEB}        metadata: {{weight: 1001}}\n",
            "$.services[0].replicas[0].metadata.weight",
        ),
        ("a duration without its unit", f"shutdown: {{grace: 5 minutes}}\n{WEB}", "$.shutdown.grace"),
        ("no time at all", f"{WEB}    health: {{interval: 0}}\n", "$.services[0].health"),
        ("a method that is none", f"{WEB}    health: {{method: G T}}\n", "$.services[0].health"),
        ("a list in place of a mapping", f"limits: []\n{WEB}", "$.limits"),
        ("not supported yet", f"{WEB}    retries: {{extra: 1}}\n", "$.services[0].retries"),
        ("not supported yet, and empty", f"admin:\n{WEB}", "$.admin"),
        ("not supported yet, as true", f"watch: true\n{WEB}", "$.watch"),
        ("not supported yet, in a matcher", f"{WEB}    matcher: {{host: a}}\n", "$.services[0].matcher"),
    ],
)
def test_what_is_refused_is_invalid_at_its_place(validator, reason, text, path):
    assert problems(text)
    assert faults(validator, text) == [path]


def test_an_editor_is_told_meaning_default_and_example():
    key = SCHEMA["properties"]["limits"]["properties"]["connections"]
    assert key["description"].startswith("Client connections at once.")
    assert (key["default"], key["examples"]) == (10000, [20000])


def test_a_key_without_its_behaviour_says_so():
    description = SCHEMA["properties"]["services"]["items"]["properties"]["queue"]["description"]
    assert description == f"Not supported yet. {key_of('services', 'queue').meaning}"


def key_of(parent, name) -> Key:
    return FILE.keys[parent].kind.item.keys[name]


@pytest.mark.parametrize(
    ("text", "value"),
    [("off", "off"), ("32", 32), ("32KiB", "32KiB"), ("null", None), ("[full, down]", ["full", "down"]), ('"-"', "-")],
)
def test_defaults_and_examples_become_values(text, value):
    assert value_of(text) == value
