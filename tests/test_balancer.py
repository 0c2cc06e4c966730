"""The life of one serving process: it binds first, drains last, and hears signals in between."""

import signal

import pytest
from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import CannotListenError
from twisted.logger import LogLevel, globalLogPublisher

from support_proxying import World, get, ok
from vestri.balancer import Balancer
from vestri.errors import CannotServe
from vestri.model import Shutdown
from vestri.operations.counters import Counters


class Port:
    """A listening port. closing: a Deferred that it gives to who stops it, or None."""

    def __init__(self, closing=None):
        self.open, self._closing = True, closing

    def stopListening(self):
        self.open = False
        return self._closing

    def pauseProducing(self):
        """A client too many."""

    def one_by_one(self, careful):
        self.careful = careful


class Endpoint:
    """Where clients would connect. error: why nobody can listen there."""

    description = "tcp:80"

    def __init__(self, error=None):
        self._error, self.port = error, Port()

    def listen(self, site):
        return succeed(self.port) if self._error is None else fail(self._error)


class Part(Service):
    """Something that runs as long as the balancer does, and takes its time to stop."""

    def __init__(self):
        self.stopping = Deferred()

    def stopService(self):
        super().stopService()
        return self.stopping


class Running:
    """A balancer around a `World`. told: what its stopping has told."""

    def __init__(self, *endpoints, shutdown=None):
        self.world, self.endpoints, self.reopened = World(), endpoints or (Endpoint(),), []
        self.world.clock.callFromThread = lambda action: action()
        self.balancer = Balancer(
            self.world.site,
            self.endpoints,
            [self.world.member().connections],
            shutdown or Shutdown(grace=30),
            self.world.clock,
            Counters(),
            lambda: self.reopened.append(True),
        )
        self.told = []

    def start(self):
        self.balancer.privilegedStartService()
        self.balancer.startService()
        return self

    def stop(self):
        self.balancer.stopService().addBoth(self.told.append)
        self.world.clock.advance(0)


@pytest.fixture(autouse=True)
def signals():
    """Every signal is handled afterwards as it was before."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
    before = [signal.getsignal(number) for number in numbers]
    yield before
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.fixture
def said():
    """What is logged: (level, text) of each event."""
    events = []

    def observe(event):
        if event["log_namespace"] == "vestri.balancer":
            events.append((event["log_level"], event["log_format"].format(**event)))

    globalLogPublisher.addObserver(observe)
    yield events
    globalLogPublisher.removeObserver(observe)


# Beginning


def test_it_listens_at_every_endpoint_before_it_runs(said):
    running = Running(Endpoint(), Endpoint())

    running.balancer.privilegedStartService()

    assert running.world.site.ports == [endpoint.port for endpoint in running.endpoints]
    assert said == [(LogLevel.info, "listening at tcp:80")] * 2
    assert not running.balancer.running


def test_an_endpoint_that_cannot_be_listened_at_ends_it_in_words(said, failures):
    running = Running(Endpoint(CannotListenError("", 80, OSError(98, "Address already in use"))))

    with pytest.raises(CannotServe, match="^cannot listen at tcp:80: Address already in use$"):
        running.balancer.privilegedStartService()

    assert said == [(LogLevel.critical, "cannot listen at tcp:80: Address already in use")]
    failures.clear()


def test_another_fault_is_not_taken_for_that():
    with pytest.raises(ZeroDivisionError):
        Running(Endpoint(ZeroDivisionError())).balancer.privilegedStartService()


# Ending


def test_with_nothing_under_way_it_ends_at_once():
    running = Running().start()
    part = Part()
    part.setServiceParent(running.balancer)
    part.stopping.callback(None)

    running.stop()

    assert running.told == [None]
    assert not running.endpoints[0].port.open
    assert not part.running


def test_it_finishes_what_is_under_way_and_takes_nobody_new():
    running = Running().start()
    client = running.world.asks(get())

    running.stop()
    assert (running.told, running.endpoints[0].port.open) == ([], False)
    running.world.wait(29)
    running.world.replica().sends(ok(b"last"))
    client.finishes()

    assert client.news() == ok(b"last", b"Connection: close")
    assert running.told == [None]


def test_what_runs_beside_it_runs_until_the_last_request_is_answered():
    running = Running().start()
    part = Part()
    part.setServiceParent(running.balancer)
    client = running.world.asks(get())
    running.stop()
    assert part.running

    running.world.replica().sends(ok())
    client.finishes()
    assert (part.running, running.told) == (False, [])
    part.stopping.callback(None)

    assert running.told == [None]


def test_after_its_grace_it_cuts_off_what_is_left_and_counts_it(said):
    running = Running(shutdown=Shutdown(grace=5)).start()
    clients = [running.world.asks(get()) for _ in range(2)]
    running.stop()

    running.world.wait(4.75)
    assert running.told == []
    running.world.wait(0.25)

    assert [client.closed for client in clients] == ["aborted"] * 2
    assert running.told == [None]
    assert (LogLevel.warn, "stopping with 2 connections still busy") in said
    assert running.world.log == [(499, "shutting_down")] * 2


def test_before_it_stops_it_may_go_on_for_a_while():
    running = Running(shutdown=Shutdown(pre_stop=3, grace=5)).start()
    running.stop()

    running.world.wait(2.75)
    assert running.endpoints[0].port.open
    client = running.world.asks(get())
    running.world.replica().sends(ok(b"welcome"))
    assert client.news() == ok(b"welcome")
    running.world.wait(0.25)

    assert not running.endpoints[0].port.open
    assert running.told == [None]


def test_it_waits_for_ports_that_take_time_to_close():
    running = Running().start()
    closing = running.endpoints[0].port._closing = Deferred()
    running.stop()
    assert running.told == []

    closing.callback(None)

    assert running.told == [None]


def test_it_leaves_no_timer_and_no_idle_connection():
    running = Running().start()
    client = running.world.asks(get())
    running.world.replica().sends(ok())
    client.finishes()

    running.stop()
    running.world.sweep.stopService()

    assert running.world.replica().closed == "closed"
    assert running.world.clock.getDelayedCalls() == []


def test_it_says_at_the_end_what_it_has_served(said):
    running = Running().start()

    running.stop()

    assert said[-1][0] is LogLevel.info
    assert "0 requests" in said[-1][1]


# Signals


def test_logs_are_reopened_when_they_were_moved():
    heard = []
    signal.signal(signal.SIGUSR1, lambda *caught: heard.append("twistd's own"))
    running = Running().start()

    signal.raise_signal(signal.SIGUSR1)

    assert (running.reopened, heard) == ([True], ["twistd's own"])


def test_without_a_log_there_is_nothing_to_reopen():
    running = Running()
    running.balancer._on_reopen = None
    running.start()

    signal.raise_signal(signal.SIGUSR1)

    assert running.reopened == []


def test_a_hangup_ends_nothing(said):
    Running().start()

    signal.raise_signal(signal.SIGHUP)

    assert [level for level, text in said if text.startswith("SIGHUP")] == [LogLevel.warn]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_it_at_once(number, said):
    running = Running().start()
    client = running.world.asks(get())
    running.stop()

    signal.raise_signal(number)
    running.world.clock.advance(0)

    assert (client.closed, running.told) == ("aborted", [None])
    assert (LogLevel.warn, "stopping at once: 1 connections are cut off") in said


def test_when_it_has_ended_signals_are_what_they_were(signals):
    running = Running().start()

    running.stop()

    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
    assert [signal.getsignal(number) for number in numbers] == signals


def test_a_balancer_shows_what_it_has():
    assert repr(Running().balancer) == "<Balancer: <Site: 0 connections>>"
