"""One of several processes: what it does on its supervisor's orders, and how its event log gets there."""

import os

import pytest
from twisted.internet.error import ConnectionDone
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from crew import Wired, configured
from vestri import worker
from vestri.errors import VestriError
from vestri.events import HealthChanged
from vestri.worker import Orders, tell


@pytest.fixture
def wired():
    return Wired(configured())


@pytest.fixture
def orders(wired):
    return Orders(wired, lambda: wired.balancer.told.append("stop"))


# Orders


def test_it_adopts_what_the_supervisor_found_out(orders, wired):
    orders.adopt(HealthChanged("web", "b", True, "answered 200"))

    assert [member.up for member in wired.pools["web"].members] == [None, True]
    assert wired.recorder.health("web", "b").cause == "answered 200"


def test_it_uses_the_verbs_of_its_pools(orders, wired):
    orders.steer("web", "set_weight", ["a", 3])
    orders.steer("web", "drain", ["a"])

    member = wired.pools["web"].members[0]
    assert (member.weight, member.draining) == (3, True)


@pytest.mark.parametrize("verb", ["lease", "set_up", "__init__", "no such thing"])
def test_it_uses_nothing_else_of_them(orders, verb):
    with pytest.raises(VestriError, match="there are drain, ready, set_weight"):
        orders.steer("web", verb, ["a"])


def test_it_tells_what_each_replica_had_and_has(orders, wired):
    pool = wired.pools["web"]
    pool.lease(pool.members[1])
    pool.lease(pool.members[1]).release("answered", 0.1)

    answer = orders.count(0)

    assert len(answer["piece"]) == answer["size"]
    assert b'"b": {"selected": 2, "in_flight": 1}' in answer["piece"]


def test_later_pieces_of_its_counts_belong_to_the_first(orders, wired, monkeypatch):
    monkeypatch.setattr(worker, "PIECE", 10)
    first = orders.count(0)
    wired.pools["web"].lease(wired.pools["web"].members[0])

    rest = b"".join(orders.count(offset)["piece"] for offset in range(10, first["size"], 10))

    assert b'"selected": 1' not in first["piece"] + rest
    assert len(first["piece"] + rest) == first["size"]


def test_it_opens_its_logs_anew(orders, wired):
    orders.reopen()

    assert wired.balancer.told == ["reopen"]


def test_it_stops_and_then_may_be_told_to_hurry(orders, wired):
    orders.stop()
    orders.hurry()

    assert wired.balancer.told == ["stop", "abort"]


def test_without_a_supervisor_there_is_nothing_more_to_do(orders, wired):
    orders.connectionLost(Failure(ConnectionDone()))

    assert wired.balancer.told == ["stop"]


# The event log


@pytest.fixture
def events(monkeypatch):
    """Reads what went to the supervisor; its end of the pipe is `.reading`."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    monkeypatch.setattr(worker, "EVENTS", writing)
    yield Events(reading)
    os.close(reading)
    os.close(writing)


class Events:
    def __init__(self, reading):
        self.reading = reading

    def __call__(self):
        return os.read(self.reading, 1 << 16).decode()


def log():
    """A Logger that writes to the supervisor alone."""
    return Logger(namespace="test", observer=tell)


def test_an_event_is_a_line_with_its_level(events):
    log().warn("{count} of {what}", count=2, what="them")

    assert events() == "warn 2 of them\n"


def test_each_line_of_a_text_has_the_level(events):
    log().error("one\n\ntwo\r\n")

    assert events() == "error one\nerror two\n"


def test_a_failure_has_its_traceback(events):
    try:
        raise ValueError("a bug")
    except ValueError:
        log().failure("it failed")

    lines = events().splitlines()
    assert lines[0] == "critical it failed"
    assert lines[-1].endswith("ValueError: a bug")
    assert {line.split()[0] for line in lines} == {"critical"}


def test_what_is_for_debugging_alone_is_not_told(events):
    log().debug("not this")
    log().info("but this")

    assert events() == "info but this\n"


def test_an_event_of_the_older_kind_has_a_level_too(events):
    tell({"log_format": "hello"})

    assert events() == f"{LogLevel.info.name} hello\n"


def test_what_is_no_text_is_told_as_well_as_can_be(events):
    log().info("{it}", it="\ud800")

    assert events() == "info ?\n"


def test_a_supervisor_that_does_not_read_holds_nobody_up(events):
    for _ in range(100):
        log().info("x" * 4000)

    assert events().startswith("info xxx")


def test_a_supervisor_that_is_gone_is_no_fault(monkeypatch):
    reading, writing = os.pipe()
    os.close(reading)
    monkeypatch.setattr(worker, "EVENTS", writing)

    tell({"log_format": "nobody hears this"})

    os.close(writing)
