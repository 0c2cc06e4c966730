from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vestri.config import nodes, scalars
from vestri.config.reading import INVALID, Place, Reading
from vestri.config.scalars import choice, duration, or_off, size, text, whole

DAY = 86400


def read(word, written):
    """What a word makes of a value as it is written, or the message of its problem."""
    ((_, node),) = nodes.parse(f"key: {written}\n").entries
    reading = Reading("config.yaml", {}, {})
    value = word.read(Place(node), reading)
    return reading.problems[0].message if value is INVALID else value


@pytest.mark.parametrize(
    ("word", "written", "value"),
    [
        (duration(), "250ms", 0.25),
        (duration(), "5s", 5.0),
        (duration(), "1.5s", 1.5),
        (duration(), "1m", 60.0),
        (duration(), "1h", 3600.0),
        (duration(), "2", 2.0),
        (duration(), "0.5", 0.5),
        (duration(), '"3"', 3.0),
        (duration(zero=True), "0", 0.0),
        (duration(zero=True), "0s", 0.0),
        (duration(), "87600h", 3650.0 * DAY),
        (size(), "0", 0),
        (size(), "240", 240),
        (size(), "240B", 240),
        (size(), "64KiB", 65536),
        (size(), "10MiB", 10485760),
        (size(), "1GiB", 2**30),
        (size(), "1TiB", 2**40),
        (whole(), "0", 0),
        (whole(0, 1000), "1000", 1000),
        (whole(0, 1000), '"4"', 4),
        (whole(0, 1000), "007", 7),
        (whole(-5, 5, scalars.SIGNED), "-5", -5),
        (scalars.PERCENTAGE, "20%", 0.2),
        (scalars.PERCENTAGE, "100%", 1.0),
        (scalars.BOOLEAN, "true", True),
        (scalars.BOOLEAN, '"false"', False),
        (scalars.WORKERS, "4", 4),
        (scalars.WORKERS, "auto", "auto"),
        (scalars.NETWORK, "10.0.0.0/8", ip_network("10.0.0.0/8")),
        (scalars.NETWORK, "10.1.2.3", ip_network("10.1.2.3/32")),
        (scalars.NETWORK, "fd00::/8", ip_network("fd00::/8")),
        (scalars.OFF, "off", None),
        (scalars.METHOD, "PURGE", "PURGE"),
        (scalars.FIELD_NAME, "X-Env", "X-Env"),
        (scalars.FIELD_VALUE, "text/plain; charset=utf-8", "text/plain; charset=utf-8"),
        (scalars.FIELD_VALUE, '""', ""),
        (choice("fifo", "fair"), "fair", "fair"),
        (choice("301", "302"), "301", "301"),
        (text(), "8:30", "8:30"),
        (text(), "yes", "yes"),
    ],
)
def test_a_word_becomes_what_its_key_expects(word, written, value):
    assert read(word, written) == value
    assert type(read(word, written)) is type(value)


@pytest.mark.parametrize("word", [or_off(duration()), or_off(size()), or_off(whole(1)), scalars.OFF])
@pytest.mark.parametrize("written", ["off", '"off"', "false"])
def test_off_is_no_value_however_a_tool_wrote_it(word, written):
    assert read(word, written) is None


def test_off_can_be_one_choice_among_others():
    assert read(choice("common", "off"), "false") == "off"


@pytest.mark.parametrize(
    ("word", "written", "message"),
    [
        (whole(0, 1000), "heavy", "expected a whole number 0..1000, got 'heavy'"),
        (whole(0, 1000), "1001", "expected a whole number 0..1000, got '1001'"),
        (whole(0, 1000), "-1", "expected a whole number 0..1000, got '-1'"),
        (whole(0, 1000), "1.5", "expected a whole number 0..1000, got '1.5'"),
        (whole(0, 1000), "1_0", "expected a whole number 0..1000, got '1_0'"),
        (whole(0, 1000), "0o10", "expected a whole number 0..1000, got '0o10'"),
        (whole(0, 1000), "٣", "expected a whole number 0..1000, got '٣'"),
        (whole(0, 1000), "", "expected a whole number 0..1000, got nothing"),
        (whole(0, 1000), '""', "expected a whole number 0..1000, got ''"),
        (whole(0, 1000), "[1]", "expected a whole number 0..1000, got a list"),
        (whole(0, 1000), "{a: 1}", "expected a whole number 0..1000, got a mapping"),
        (whole(1), "0", "expected a whole number of at least 1, got '0'"),
        (whole(1), "9" * 19, "expected a whole number of at least 1, got '9999999999999999999'"),
        (duration(), "8:30", "expected a duration above 0, such as 250ms, 5s, 1m or 1h, got '8:30'"),
        (duration(), "-1s", "expected a duration above 0, such as 250ms, 5s, 1m or 1h, got '-1s'"),
        (duration(), "0s", "expected a duration above 0, such as 250ms, 5s, 1m or 1h, got '0s'"),
        (duration(), "1e3", "expected a duration above 0, such as 250ms, 5s, 1m or 1h, got '1e3'"),
        (duration(), "9999999h", "expected a duration of at most 10 years, got '9999999h'"),
        (
            size(),
            "64KB",
            "expected a size such as 64KiB, 10MiB, or a whole number of bytes, got '64KB'; did you mean 64KiB?",
        ),
        (size(1), "0", "expected a size of at least 1 bytes and at most 4 EiB, got '0'"),
        (scalars.PERCENTAGE, "101%", "expected a percentage such as 20%, got '101%'"),
        (scalars.PERCENTAGE, "20", "expected a percentage such as 20%, got '20'; did you mean 20%?"),
        (scalars.BOOLEAN, "yes", "expected true or false, got 'yes'; did you mean true?"),
        (scalars.BOOLEAN, "off", "expected true or false, got 'off'; did you mean false?"),
        (scalars.BOOLEAN, "1", "expected true or false, got '1'"),
        (scalars.WORKERS, "0", "expected a whole number of at least 1, or auto, got '0'"),
        (
            scalars.NETWORK,
            "10.0.0.1/8",
            "expected a network without host bits, got '10.0.0.1/8'; did you mean 10.0.0.0/8?",
        ),
        (scalars.NETWORK, "me", "expected an address or a network such as 10.0.0.0/8 or fd00::/8, got 'me'"),
        (scalars.OFF, "on", "expected off, got 'on'"),
        (scalars.OFF, "never", "expected off, got 'never'; did you mean off?"),
        (scalars.METHOD, "G T", "expected a method such as GET, got 'G T'"),
        (scalars.FIELD_NAME, '"X:"', "expected the name of a header field, got 'X:'"),
        (scalars.FIELD_VALUE, r'"a\r\nX: y"', r"expected a header field's value, on one line, got 'a\r\nX: y'"),
        (scalars.FIELD_VALUE, '"a "', "expected a header field's value, on one line, got 'a '"),
        (choice("fifo", "fair"), "fare", "expected fifo or fair, got 'fare'; did you mean fair?"),
        (choice("a", "b", "c"), "d", "expected a, b or c, got 'd'"),
        (or_off(whole(1)), "0", "expected a whole number of at least 1, or off, got '0'; did you mean off?"),
        (or_off(whole(1)), "none", "expected a whole number of at least 1, or off, got 'none'; did you mean off?"),
    ],
)
def test_anything_else_is_refused_with_what_was_expected_and_what_came(word, written, message):
    assert read(word, written) == message


@pytest.mark.parametrize(
    ("word", "written", "meant"),
    [
        (duration(), "5 s", "5s"),
        (duration(), "5S", "5s"),
        (duration(), "5min", "5m"),
        (duration(), "1.5hours", "1.5h"),
        (duration(), "250 msec", "250ms"),
        (duration(), "1d", None),
        (duration(), "1.2.3s", None),
        (size(), "10M", "10MiB"),
        (size(), "10 mb", "10MiB"),
        (size(), "1gib", "1GiB"),
        (size(), "1.5MiB", None),
        (size(), "big", None),
    ],
)
def test_a_unit_that_is_nearly_right_is_told(word, written, meant):
    message = read(word, written)
    assert message.endswith(f"; did you mean {meant}?" if meant else f"got '{written}'")


@given(st.floats(0.001, scalars.LONGEST, allow_nan=False), st.sampled_from(["ms", "s", "m", "h", ""]))
def test_a_duration_is_its_number_times_its_unit(seconds, unit):
    number = f"{seconds:.3f}"
    factor = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "": 1}[unit]
    if float(number) * factor <= scalars.LONGEST:
        assert duration().parse(number + unit) == pytest.approx(float(number) * factor)


@given(st.text(max_size=20))
def test_any_text_is_a_value_or_a_value_error(written):
    words = [duration(), size(), whole(), scalars.PERCENTAGE, scalars.NETWORK, or_off(size(1)), choice("a", "off")]
    for word in words:
        try:
            word.parse(written)
        except ValueError:
            assert isinstance(word.hint(written), str)
