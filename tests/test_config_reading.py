import pytest

from vestri.config import nodes
from vestri.config.reading import INVALID, Place, Reading, came, closest, did_you_mean, shown


def a_reading(**environ):
    return Reading("config.yaml", environ, {})


def text_of(written, **environ):
    """What a scalar means, or the message of its problem."""
    reading = a_reading(**environ)
    text = reading.text(Place(nodes.parse(written)))
    return [problem.message for problem in reading.problems] if text is INVALID else text


@pytest.mark.parametrize(
    ("reason", "written", "environ", "text"),
    [
        ("no variable", "a $b {c}", {}, "a $b {c}"),
        ("set", "${A}", {"A": "x"}, "x"),
        ("inside of text", "http://${HOST}:${PORT}/", {"HOST": "h", "PORT": "1"}, "http://h:1/"),
        ("set, with a default", "${A:-b}", {"A": "x"}, "x"),
        ("unset, with a default", "${A:-b}", {}, "b"),
        ("empty, with a default, as in a shell", "${A:-b}", {"A": ""}, "b"),
        ("empty, without a default", "${A}", {"A": ""}, ""),
        ("an empty default", "a${A:-}b", {}, "ab"),
        ("a default with a colon", "${A:-http://h:1}", {}, "http://h:1"),
        ("what it holds is not looked through again", "${A}", {"A": "${B}"}, "${B}"),
        ("written twice", "$${A}", {"A": "x"}, "${A}"),
    ],
)
def test_environment_variables_stand_inside_of_values(reason, written, environ, text):
    assert text_of(f'"{written}"', **environ) == text


@pytest.mark.parametrize(
    ("reason", "written", "message"),
    [
        ("unset", "${HOST}", "environment variable HOST is not set; set it, or write ${HOST:-default}"),
        ("no name", "a${}", "expected ${NAME} or ${NAME:-default}, got '${}'"),
        ("not a name", "a${1B}c", "expected ${NAME} or ${NAME:-default}, got '${1B}c'"),
        ("not closed", "${A", "expected ${NAME} or ${NAME:-default}, got '${A'"),
        ("another operator of the shell", "${A:?b}", "expected ${NAME} or ${NAME:-default}, got '${A:?b}'"),
    ],
)
def test_what_cannot_be_replaced_is_a_problem(reason, written, message):
    assert text_of(f'"{written}"') == [message]


@pytest.mark.parametrize(
    ("steps", "path"),
    [
        ([], ""),
        (["services"], "services"),
        (["services", 0, "replicas", 12, "url"], "services[0].replicas[12].url"),
        (["headers", "X-Env"], "headers.X-Env"),
        (["metadata", "a.b"], "metadata.'a.b'"),
        (["metadata", "two words"], "metadata.'two words'"),
        (["metadata", ""], "metadata.''"),
    ],
)
def test_a_path_reads_as_in_a_program(steps, path):
    place = Place(None)
    for step in steps:
        place = place.inner(step, None)
    assert place.path == path


def test_problems_and_warnings_come_in_file_order_with_their_place():
    reading, root = a_reading(), Place(nodes.parse("a: 1\nb: 2\n"))
    first, second = (root.inner(key.text, value) for key, value in root.node.entries)
    for report in (reading.refuse, reading.warn):
        report(second, "late")
        report(first, "early")
    lines = ["config.yaml:1:4: a: early", "config.yaml:2:4: b: late"]
    assert [str(problem) for problem in reading.problems] == lines
    assert list(reading.warnings) == lines


@pytest.mark.parametrize(
    ("value", "words"),
    [("a: b", "a mapping"), ("[a]", "a list"), ("", "nothing"), ("~", "nothing"), ("''", "''"), ("it's", '"it\'s"')],
)
def test_what_came_is_told_in_words(value, words):
    ((_, node),) = nodes.parse(f"key:\n  {value}\n").entries
    assert came(node) == words


@pytest.mark.parametrize(
    ("reason", "text", "words"),
    [
        ("short", "abc", "'abc'"),
        ("as long as it may be", "x" * 40, f"'{'x' * 40}'"),
        ("too long", "x" * 41, f"'{'x' * 37}...'"),
        ("on one line", "a\nb", r"'a\nb'"),
    ],
)
def test_a_value_is_shown_on_one_line_and_cut(reason, text, words):
    assert shown(text) == words


@pytest.mark.parametrize(
    ("reason", "text", "name"),
    [
        ("a letter is missing", "WeightedRobin", "WeightedRoundRobin"),
        ("letters changed places", "RuondRobin", "RoundRobin"),
        ("only the case differs", "roundrobin", "RoundRobin"),
        ("nothing alike", "Maglev", None),
        ("nothing", "", None),
    ],
)
def test_the_closest_name_is_found_in_whatever_case(reason, text, name):
    names = ("RoundRobin", "WeightedRoundRobin", "LeastRequests")
    assert closest(text, names) == name
    assert did_you_mean(text, names) == (f"; did you mean {name}?" if name else "")
