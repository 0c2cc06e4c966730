import json
import re
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from vestri import model
from vestri.operations import open_log
from vestri.operations.access_lines import CommonLine, JsonLine, escaped
from vestri.proxying.exchange import Exchange

KEYS = [
    "ts", "request_id", "client_ip", "peer_ip", "method", "host", "path", "proto", "service", "matcher", "strategy",
    "replica", "attempts", "status", "upstream_status", "reason", "bytes_in", "bytes_out",
    "t_headers", "t_queue", "t_connect", "t_first_byte", "t_total",
]  # fmt: skip
COMMON = re.compile(
    r'(\S+) - - \[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "(-|\S+ \S+ HTTP/1\.[01])"'
    r' (\d{3}|-) (\d+) "([^" ]+)" "([^" ]+)" ([a-z_]+|-) (\d+\.\d)\n'
)
#: 2026-11-24T02:59:45Z.
WALL = 1795489185


def a_head(**facts):
    said = {"method": b"GET", "target": b"/api/v1/users?page=2", "host": b"www.example.org", "version": 11}
    return SimpleNamespace(**{**said, **facts})


def an_exchange(**facts):
    """What an Exchange shows of itself, of a request that a replica answered within 3.2 ms."""
    answered = {
        "head": a_head(), "request_id": b"5f0c00000001", "client_ip": "192.0.2.1", "peer": "10.0.0.9",
        "service": "api", "matcher": "/api/v1", "strategy": "RoundRobin", "replica": "a",
        "attempts": 1, "status": 200, "upstream_status": 200, "reason": "", "bytes_in": 0, "bytes_out": 1234,
        "started": 100.0, "t_head": 100.0001, "t_granted": 100.0003, "t_sent": 100.0006, "t_first_byte": 100.0030,
        "ended": 100.0032,
    }  # fmt: skip
    return SimpleNamespace(**{**answered, **facts})


def unread(**facts):
    """An exchange whose head could not be read."""
    nothing = dict.fromkeys(("head", "service", "matcher", "strategy", "replica", "upstream_status"))
    never = dict.fromkeys(("t_granted", "t_sent", "t_first_byte"))
    said = {"status": 400, "reason": "bad_request", "attempts": 0, "bytes_out": 0}
    return an_exchange(**nothing, **never, **{**said, **facts})


def json_of(exchange, wall=lambda: WALL):
    line = JsonLine(wall)(exchange)
    assert line.count("\n") == 1
    return json.loads(line)


def test_the_common_format_is_clf_and_four_words_more():
    line = CommonLine(lambda: WALL)(an_exchange())
    stamp = datetime.fromtimestamp(WALL).astimezone().strftime("%d/%b/%Y:%H:%M:%S %z")
    assert line == (f'192.0.2.1 - - [{stamp}] "GET /api/v1/users?page=2 HTTP/1.1" 200 1234 "api" "a" - 3.2\n')


def test_the_common_format_has_a_dash_for_what_there_was_not():
    line = CommonLine(lambda: WALL)(unread())
    assert line.endswith('] "-" 400 0 "-" "-" bad_request 3.2\n')


def test_json_has_its_keys_in_their_order():
    assert list(json_of(an_exchange())) == KEYS
    assert list(json_of(unread())) == KEYS


def test_json_says_what_happened():
    assert json_of(an_exchange(reason="upstream_reset", ended=100.0032)) == {
        "ts": "2026-11-24T02:59:45.000Z", "request_id": "5f0c00000001", "client_ip": "192.0.2.1",
        "peer_ip": "10.0.0.9", "method": "GET", "host": "www.example.org", "path": "/api/v1/users?page=2",
        "proto": "HTTP/1.1", "service": "api", "matcher": "/api/v1", "strategy": "RoundRobin", "replica": "a",
        "attempts": 1, "status": 200, "upstream_status": 200, "reason": "upstream_reset", "bytes_in": 0,
        "bytes_out": 1234, "t_headers": 0.1, "t_queue": 0.2, "t_connect": 0.3, "t_first_byte": 2.4, "t_total": 3.2,
    }  # fmt: skip


def test_json_has_null_for_what_there_was_not():
    said = json_of(unread())
    missing = [key for key in KEYS if said[key] is None]
    assert missing == [
        "method", "host", "path", "proto", "service", "matcher", "strategy", "replica", "upstream_status",
        "t_queue", "t_connect", "t_first_byte",
    ]  # fmt: skip


def test_a_request_without_host_has_null_for_it():
    assert json_of(an_exchange(head=a_head(host=None, version=10)))["host"] is None
    assert json_of(an_exchange(head=a_head(host=None, version=10)))["proto"] == "HTTP/1.0"


def test_times_of_an_earlier_attempt_are_not_told_as_those_of_the_last():
    said = json_of(an_exchange(t_granted=100.002, t_sent=100.001, t_first_byte=None))
    assert (said["t_queue"], said["t_connect"], said["t_first_byte"]) == (1.9, None, None)


HOSTILE = [
    ("a line end", b"/\n127.0.0.1", r"/\x0a127.0.0.1"),
    ("a quote", b'/" 200 0 "', r"/\x22\x20200\x200\x20\x22"),
    ("a backslash, or it could stand for an escape", b"/\\x0a", r"/\x5cx0a"),
    ("an escape sequence of terminals", b"/\x1b[2J\x9b2J", r"/\x1b[2J\x9b2J"),
    ("UTF-8 and what is none", b"/\xc3\xa9\xff", r"/\xc3\xa9\xff"),
    ("DEL and NUL", b"/\x7f\x00", r"/\x7f\x00"),
]


@pytest.mark.parametrize(("data", "written"), [row[1:] for row in HOSTILE], ids=[row[0] for row in HOSTILE])
def test_what_could_forge_a_common_line_is_escaped(data, written):
    assert escaped(data) == written
    assert COMMON.fullmatch(CommonLine()(an_exchange(head=a_head(target=data))))


@given(method=st.binary(min_size=1), target=st.binary(min_size=1), host=st.none() | st.binary())
def test_whatever_is_sent_gives_one_common_line(method, target, host):
    line = CommonLine()(an_exchange(head=a_head(method=method, target=target, host=host)))
    found = COMMON.fullmatch(line)
    assert found[3] == f"{escaped(method)} {escaped(target)} HTTP/1.1"


@given(data=st.binary())
def test_an_escaped_text_can_be_read_back(data):
    back = re.sub(r"\\x([0-9a-f]{2})", lambda found: chr(int(found[1], 16)), escaped(data))
    assert back.encode("latin-1") == data


@given(
    method=st.binary(), target=st.binary(), host=st.none() | st.binary(min_size=1), request_id=st.binary(),
    names=st.tuples(*[st.text(min_size=1)] * 4),
)  # fmt: skip
def test_whatever_is_sent_or_configured_gives_one_json_object(method, target, host, request_id, names):
    head = a_head(method=method, target=target, host=host)
    service, matcher, strategy, replica = names
    said = json_of(
        an_exchange(
            head=head, request_id=request_id, service=service, matcher=matcher, strategy=strategy, replica=replica
        )
    )
    assert list(said) == KEYS
    assert (said["method"], said["path"]) == (method.decode("latin-1"), target.decode("latin-1"))
    assert said["host"] == (None if host is None else host.decode("latin-1"))
    assert said["request_id"] == request_id.decode("latin-1")
    assert (said["service"], said["matcher"], said["strategy"], said["replica"]) == names


@given(service=st.text(min_size=1), replica=st.text(min_size=1))
def test_names_with_spaces_and_accents_stay_one_word_of_a_common_line(service, replica):
    found = COMMON.fullmatch(CommonLine()(an_exchange(service=service, replica=replica)))
    assert found[6] == escaped(service.encode("utf-8", "surrogatepass"))


def test_lines_follow_a_wall_clock_that_is_set():
    walls = iter([WALL + 0.25, WALL + 3600])
    line = JsonLine(lambda: next(walls))
    stamps = [json.loads(line(an_exchange(ended=at)))["ts"] for at in (100.0, 100.5, 101.0)]
    assert stamps == ["2026-11-24T02:59:45.250Z", "2026-11-24T02:59:45.750Z", "2026-11-24T03:59:45.000Z"]


@given(wall=st.floats(1e9, 4e9), steps=st.lists(st.floats(0, 1.5), max_size=20), began=st.floats(0, 1e8))
def test_a_stamp_is_the_wall_time_to_the_millisecond(wall, steps, began):
    now = [began]
    line = JsonLine(lambda: wall + (now[0] - began))
    for step in steps:
        now[0] += step
        stamp = datetime.fromisoformat(json.loads(line(an_exchange(ended=now[0])))["ts"].replace("Z", "+00:00"))
        exact = datetime.fromtimestamp(wall + (now[0] - began), timezone.utc)
        assert abs(stamp - exact) <= timedelta(milliseconds=1.1)


def test_the_record_that_proxying_keeps_has_all_that_a_line_needs():
    exchange = Exchange(SimpleNamespace(peer="10.0.0.9"), a_head(), 1.0, 1.1)
    exchange.status, exchange.reason, exchange.ended = 404, "no_route", 1.2
    said = json_of(exchange)
    assert (said["peer_ip"], said["path"], said["service"], said["t_headers"]) == (
        "10.0.0.9", "/api/v1/users?page=2", None, 100.0,
    )  # fmt: skip
    assert COMMON.fullmatch(CommonLine()(exchange))


def test_off_is_no_log():
    assert open_log(model.AccessLog(format="off"), Clock()) is None


@pytest.mark.parametrize("format", ["common", "json"])
def test_finished_exchanges_come_into_the_file_one_line_each(tmp_path, format):
    path, clock = tmp_path / "access.log", Clock()
    access_log = open_log(model.AccessLog(format, str(path)), clock)
    access_log.file.startService()

    access_log.finished(an_exchange())
    access_log.finished(unread())

    clock.advance(0.1)
    lines = path.read_text("ascii").splitlines()
    assert len(lines) == 2
    assert all(json.loads(line) if format == "json" else COMMON.fullmatch(line + "\n") for line in lines)
    access_log.file.close()


def test_without_a_path_lines_go_to_standard_output(capfd):
    access_log = open_log(model.AccessLog(), Clock())
    access_log.finished(an_exchange())
    access_log.file.close()
    assert COMMON.fullmatch(capfd.readouterr().out)
