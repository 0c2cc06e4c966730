import pytest
import yaml

from vestri.config import nodes
from vestri.config.syntax import Unreadable


@pytest.fixture(autouse=True, params=[yaml.CSafeLoader, yaml.SafeLoader])
def each_loader(request, monkeypatch):
    """The two word their errors differently."""
    monkeypatch.setattr(nodes, "LOADER", request.param)


#: What went wrong, the text, and the line, column and words that lead to it.
MISTAKES = [
    ("a tab indents", "a:\n\tb: 1\n", 2, 1, "a tab cannot indent; use spaces"),
    ("a tab indents after a space", "a:\n  b: 1\n \tc: 2\n", 3, 2, "a tab cannot indent; use spaces"),
    ("a tab after a dash", "a:\n  -\tb: 1\n", 2, 4, "a tab cannot stand here; use spaces"),
    ("no colon before a list", "services\n  - name: a\n", 1, 1, "this line has no ':' after its key"),
    (
        "no colon before a value",
        "# x: y\nstrategy RoundRobin\n\nlisten: []\n",
        2,
        1,
        "this line has no ':' after its key",
    ),
    ("no colon further in", "a:\n  - b: 1\n    c\n      - d: 2\n", 3, 5, "this line has no ':' after its key"),
    ("no colon in the last line", "a: 1\nb\n", 2, 1, "this line has no ':' after its key"),
    ("no space after a colon", "a:\n  - name:web\n    b: 1\n", 2, 9, "expected a space after this ':'"),
    ("no space after a quoted key", '"a":"b"\n', 1, 4, "expected a space after this ':'"),
    ("no space after a dash", "a:\n  -name: web\n   b: 1\n", 2, 3, "expected a space after this '-'"),
    ("two colons in one value", "name: a: b\n", 1, 8, "a second ': ' in one value; put the value in quotes"),
    (
        "a deeper line",
        "a: 1 # one\n  b: 2\n",
        2,
        3,
        "this line is indented deeper than the one above, which has its value already",
    ),
    (
        "a deeper line in a list",
        "- a: 1\n    b: 2\n",
        2,
        5,
        "this line is indented deeper than the one above, which has its value already",
    ),
    ("a line between two depths", "a:\n    - b\n  - c\n", 3, 3, "this line is indented like none above it"),
    ("a key between two depths", "a:\n  - b: 1\n   c: 2\n", 3, 4, "this line is indented like none above it"),
    ("a key among items", "a:\n  - b\n  c: 1\n", 3, 3, "expected '- ', as in the list that begins on line 2"),
    ("an item among keys", "a:\n  b: 1\n  - c\n", 3, 3, "expected a key, as in the mapping that begins on line 2"),
    ("a bracket too many", "a: [b]]\n", 1, 7, "expected a new line, got ']'"),
    (
        "a list that is not closed",
        'a: ["b"\nc: 1\n',
        2,
        1,
        "the list opened by '[' on line 1 is not closed before this; expected ',' or ']'",
    ),
    (
        "a mapping that is not closed",
        "a:\n- {b: 1\n",
        3,
        1,
        "the mapping opened by '{' on line 2 is not closed before this; expected ',' or '}'",
    ),
    (
        "a comma is missing",
        '{"a": 1 "b": 2}',
        1,
        12,
        "the mapping opened by '{' on line 1 is not closed before this; expected ',' or '}'",
    ),
    ("quotes open to the end", 'a: 1\nb: "c\n', 2, 4, "this quoted text is not closed"),
    (
        "quotes open to the next ones",
        'a: "b\nc: "d"\n',
        1,
        4,
        "this quoted text ends on line 2 only; is its closing quote missing?",
    ),
    (
        "single quotes open to the next ones",
        "- a: 'b\n  c: 'd'\n",
        1,
        6,
        "this quoted text ends on line 2 only; is its closing quote missing?",
    ),
    ("text after quotes", 'a: "b" c\n', 1, 8, "text after a closing quote; put the whole value in quotes"),
    ("a quote inside quotes", "a: '/it's'\n", 1, 9, "text after a closing quote; put the whole value in quotes"),
    ("a list beside its key", "a: - b\n", 1, 4, "a list cannot begin here; put its first '- ' on the next line"),
    ("a wildcard", "host: *.example.org\n", 1, 7, "a value cannot begin with '*'; put it in quotes"),
    ("an anchor without a name", "a: &\n", 1, 4, "a value cannot begin with '&'; put it in quotes"),
    ("a tag that is none", "a: !<\n", 1, 4, "a value cannot begin with '!'; put it in quotes"),
    ("an at sign", "a: @b\n", 1, 4, "a value cannot begin with '@'; put it in quotes"),
    ("a backtick", "a: `b`\n", 1, 4, "a value cannot begin with '`'; put it in quotes"),
    ("a percent sign", "a: %b\n", 1, 4, "a value cannot begin with '%'; put it in quotes"),
    ("a question mark", "a: ? b\n", 1, 4, "a value cannot begin with '?'; put it in quotes"),
    ("a greater-than sign", "a: > b\n", 1, 4, "a value cannot begin with '>'; put it in quotes"),
    ("a bar", "a: | b\n", 1, 4, "a value cannot begin with '|'; put it in quotes"),
    (
        "less indented than the first key",
        "  a: 1\nb: 2\n",
        2,
        1,
        "the configuration ends before this; indent it like the first key, or take it out",
    ),
    (
        "a merge not finished",
        "<<<<<<< HEAD\na: 1\n=======\na: 2\n>>>>>>> b\n",
        1,
        1,
        "a merge conflict is left in the file here",
    ),
    ("a key without an end", "k" * 1100 + ": 1\n", 1, 1101, "a ':' where no key can stand; put the text in quotes"),
]


@pytest.mark.parametrize(("reason", "text", "line", "column", "message"), MISTAKES, ids=[row[0] for row in MISTAKES])
def test_a_mistake_is_told_where_it_is_to_be_mended(reason, text, line, column, message):
    with pytest.raises(Unreadable) as caught:
        nodes.parse(text)
    assert (caught.value.line, caught.value.column, caught.value.message) == (line, column, message)


def test_an_unknown_escape_says_how_to_write_a_backslash():
    with pytest.raises(Unreadable, match="write .* for a backslash, or use single quotes") as caught:
        nodes.parse('a: "C:\\dir"\n')
    assert caught.value.line == 1


def test_what_has_no_words_of_ours_keeps_those_of_the_parser():
    with pytest.raises(Unreadable, match="^not YAML: found incompatible YAML document"):
        nodes.parse("%YAML 2.0\n---\na: b\n")


def test_windows_line_ends_move_nothing():
    with pytest.raises(Unreadable) as caught:
        nodes.parse("a: 1\r\nservices\r\n  - name: a\r\n")
    assert (caught.value.line, caught.value.column) == (2, 1)
