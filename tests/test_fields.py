"""Field lines: which are well formed, and what a value says."""

import pytest

from vestri.errors import RequestError
from vestri.http1.fields import REMEMBERED, SHORT, TOKEN, Names, content_length, lines_of, members, parsed

NAMES = Names({b"host": "read", b"te": "dropped"}, lambda name: name.decode().title())


def rows(section, names=NAMES):
    return list(parsed(section, names))


# Lines


@pytest.mark.parametrize(
    ("section", "lines"),
    [
        (b"", ()),
        (b"A: 1", [b"A: 1"]),
        (b"A: 1\r\nB: 2", [b"A: 1", b"B: 2"]),
        (b"A: \t\x80\xff~ ", [b"A: \t\x80\xff~ "]),
    ],
)
def test_a_section_has_a_line_for_each_crlf(section, lines):
    assert lines_of(section) == lines


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\n\r", b"\r\r\n", b"\r\n\n", b"\n\n"])
def test_nothing_else_ends_a_line(end):
    with pytest.raises(RequestError, match="CRLF"):
        lines_of(b"A: 1" + end + b"B: 2")


@pytest.mark.parametrize("byte", [each for each in [*range(0x20), 0x7F] if each not in b"\t\r\n"])
def test_control_characters_are_refused(byte):
    with pytest.raises(RequestError, match="control"):
        rows(b"A: x%bx" % bytes((byte,)))


# Names and values


def test_a_line_is_its_name_as_spelled_and_lower_its_reader_and_its_value():
    assert rows(b"hOsT: a\r\nX-Y:b:c") == [(b"hOsT", b"host", "read", b"a"), (b"X-Y", b"x-y", "X-Y", b"b:c")]


@pytest.mark.parametrize(
    ("line", "value"),
    [(b"A:", b""), (b"A: ", b""), (b"A:  \t x \t", b"x"), (b"A: x y", b"x y"), (b"A: \xa0x\xa0", b"\xa0x\xa0")],
)
def test_spaces_and_tabs_around_a_value_are_no_part_of_it(line, value):
    assert [row[3] for row in rows(line)] == [value]


@pytest.mark.parametrize(
    ("why", "line"),
    [
        ("no colon", b"A 1"),
        ("nothing at all", b""),
        ("no name", b": 1"),
        ("a space before the colon", b"A : 1"),
        ("a continuation", b" folded"),
        ("a continuation by tab", b"\tfolded: 1"),
        ("a space in the name", b"A B: 1"),
        ("a separator in the name", b"A(b): 1"),
        ("a byte above 7f in the name", b"A\xe9: 1"),
    ],
)
def test_a_line_is_refused_for(why, line):
    with pytest.raises(RequestError) as refused:
        rows(b"X: 1\r\n" + line + b"\r\nY: 2")

    assert refused.value.status == 400


@pytest.mark.parametrize("byte", range(256))
def test_a_name_is_a_token(byte):
    allowed = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

    assert bool(TOKEN.fullmatch(bytes((byte,)))) is (byte in allowed)


def test_spellings_are_remembered_up_to_a_number():
    names = Names({})

    for number in range(REMEMBERED + 10):
        rows(b"X-%d: 1" % number, names)

    assert len(names.known) == REMEMBERED
    assert rows(b"X-%d: 1" % (REMEMBERED + 5), names) == [(b"X-2053", b"x-2053", None, b"1")]


def test_long_spellings_are_not_remembered():
    names = Names({})
    fits, long = b"x" * SHORT, b"y" * (SHORT + 1)

    rows(b"%b: 1\r\n%b: 2" % (fits, long), names)

    assert list(names.known) == [fits]


# Values


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (b"", []),
        (b"close", [b"close"]),
        (b"Keep-Alive ,\tX", [b"keep-alive", b"x"]),
        (b",, a,,b ,", [b"a", b"b"]),
        (b"\x0ba\xa0", [b"\x0ba\xa0"]),
    ],
)
def test_a_list_has_members(value, found):
    assert members(value) == found


@pytest.mark.parametrize(("value", "length"), [(b"0", 0), (b"007", 7), (b"9" * 18, 10**18 - 1)])
def test_a_length_is_digits(value, length):
    assert content_length(value) == length


@pytest.mark.parametrize(
    "value",
    [b"", b"+5", b"-5", b"5_0", b"0x5", b"5.0", b"5 5", b" 5", b"5,5", b"5\x0b", b"\xb2", b"\xd9\xa5", b"9" * 19],
)
def test_a_length_is_nothing_else_though_python_reads_it(value):
    with pytest.raises(RequestError):
        content_length(value)
