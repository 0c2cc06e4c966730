from itertools import pairwise

import pytest
import yaml

from vestri.config import nodes
from vestri.config.nodes import Mapping, Scalar, Sequence, parse
from vestri.config.syntax import Unreadable


@pytest.fixture(autouse=True, params=[yaml.CSafeLoader, yaml.SafeLoader])
def each_loader(request, monkeypatch):
    """libyaml's parser and the one in Python, which serves where PyYAML was built without libyaml."""
    monkeypatch.setattr(nodes, "LOADER", request.param)


def fault(text):
    with pytest.raises(Unreadable) as caught:
        parse(text)
    return caught.value.line, caught.value.column, caught.value.message


def value(text):
    """The node of the value in a file of one key."""
    ((_, node),) = parse(text).entries
    return node


@pytest.mark.parametrize(
    "text", ["off", "yes", "8:30", "0o10", "1.10", "2026-01-01", "0x1f", "1_000", ".inf", "=", "<<"]
)
def test_a_scalar_stays_the_text_that_was_written(text):
    node = value(f"key: {text}\n")
    assert (node.text, node.plain) == (text, True)


@pytest.mark.parametrize("quoted", ["'off'", '"off"'])
def test_text_in_quotes_is_not_plain(quoted):
    node = value(f"key: {quoted}\n")
    assert (node.text, node.plain) == ("off", False)


@pytest.mark.parametrize(
    ("text", "absent"), [("key:", True), ("key: ~", True), ("key: null", True), ("key: ''", False), ("key: '~'", False)]
)
def test_nothing_and_null_are_absent(text, absent):
    assert value(text).absent is absent


def test_an_unwritten_value_stands_where_its_key_stands():
    node = value("\n  limits:\n\n\n")
    assert (node.line, node.column) == (2, 3)


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("unix", "a: 1\nb: [x,\n    y]\n"),
        ("windows", "a: 1\r\nb: [x,\r\n    y]\r\n"),
        ("old mac", "a: 1\rb: [x,\r    y]\r"),
        ("byte order mark", "\ufeffa: 1\nb: [x,\n    y]\n"),
    ],
)
def test_lines_and_columns_are_those_of_an_editor(reason, text):
    (_, _), (key, items) = parse(text).entries
    assert (key.line, key.column) == (2, 1)
    assert (items.line, items.column) == (2, 4)
    assert [(item.line, item.column) for item in items.items] == [(2, 5), (3, 5)]


def test_columns_count_characters_and_not_bytes():
    node = parse("{é𝄞: 1, b: 2}").entries[1][0]
    assert (node.text, node.column) == ("b", 9)


def test_a_repeated_key_is_kept_repeated():
    assert [(key.text, node.text) for key, node in parse("a: 1\na: 2\n").entries] == [("a", "1"), ("a", "2")]


def test_an_alias_is_the_node_itself():
    first, second = (node for _, node in parse("a: &same [1]\nb: *same\n").entries)
    assert first is second


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n", "---\n...\n"])
def test_a_text_without_a_value_has_nothing_written(text):
    node = parse(text)
    assert node is None or node.absent


def test_the_shapes_of_a_value_are_told_apart():
    kinds = [type(node) for _, node in parse("a: x\nb: [x]\nc: {x: y}\n").entries]
    assert kinds == [Scalar, Sequence, Mapping]


def nested(depth):
    return "[" * depth + "]" * depth


def test_nesting_ends_at_a_depth_that_no_configuration_needs():
    assert parse(nested(64)).size == 64
    assert fault(nested(65)) == (1, 65, "lists and mappings stand more than 64 deep in each other here")


def test_a_thousand_levels_are_refused_as_well():
    line, _, message = fault("[" * 100_000)
    assert (line, message.partition(" stand")[0]) == (1, "lists and mappings")


def test_aliases_of_aliases_end_before_they_fill_the_memory():
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{name}: &{name} [{', '.join(['*' + before] * 9)}]" for before, name in pairwise("abcdefghi")]
    line, _, message = fault("\n".join(lines))
    assert (line, message) == (7, "the aliases up to here stand for more than 1000000 values")


@pytest.mark.parametrize(
    ("reason", "text", "expected"),
    [
        ("an alias of nothing", "a: *b", (1, 4, "no value before this one is marked '&b'")),
        ("an alias of what it stands in", "a: &a [*a]", (1, 8, "no value before this one is marked '&a'")),
        ("a tag", "a: !secret x", (1, 4, "a tag ('!secret') means nothing in a configuration; take it out")),
        (
            "two documents",
            "a: 1\n---\nb: 2",
            (2, 1, "a second document begins here; a configuration is one document"),
        ),
        ("a control character", "a: b\nc: \x07", (2, 4, r"the file holds a control character, '\x07'")),
        ("half of a character", "a: \ud800", (1, 4, r"the file holds a control character, '\ud800'")),
        ("a control character, on windows", "a: b\r\nc: \x07", (2, 4, r"the file holds a control character, '\x07'")),
    ],
)
def test_what_a_configuration_has_no_use_for_is_refused(reason, text, expected):
    assert fault(text) == expected
