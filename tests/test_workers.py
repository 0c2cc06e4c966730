"""The supervisor of several processes: what each gets, what all are told, and who is replaced when."""

import os
import signal
from contextlib import contextmanager

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import LogLevel, formatEvent, globalLogPublisher

from crew import Crew, Endpoint, configured, limited
from vestri.errors import CannotServe, VestriError
from vestri.events import HealthChanged
from vestri.workers import ANSWERS, COMMANDS, EVENTS, FIRST_SOCKET, LONGEST_WAIT, PATIENCE, SETTLED, share, shared_out

DOWN = HealthChanged("web", "a", False, "connection refused", 3)
SIGNALS = (signal.SIGUSR1, signal.SIGHUP, signal.SIGTERM, signal.SIGINT)


@pytest.fixture(autouse=True)
def signals():
    """Handlers are this process's own again afterwards. Gives what they were."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield before
    for number, handler in before.items():
        signal.signal(number, handler)


@contextmanager
def supervised(*args, serving=True):
    crew = Crew(*args)
    yield crew.start(serving)
    crew.stop()
    assert crew.reactor.getDelayedCalls() == []


@pytest.fixture
def crew():
    with supervised() as crew:
        yield crew


@pytest.fixture
def said():
    """(level, text) of everything that is logged."""
    lines = []

    def observe(event):
        lines.append((event["log_level"].name, formatEvent(event)))

    globalLogPublisher.addObserver(observe)
    yield lines
    globalLogPublisher.removeObserver(observe)


# Shares


@given(total=st.integers(1, 10**6), count=st.integers(1, 256))
def test_shares_make_up_the_whole_and_differ_by_one_at_most(total, count):
    shares = [share(total, count, number) for number in range(count)]

    assert sum(shares) == max(total, count), "nobody gets nothing, even where there is not enough"
    assert max(shares) - min(shares) <= 1
    assert shares == sorted(shares, reverse=True), "remainders go to the first"


def test_each_worker_has_a_configuration_of_its_own_for_one_process():
    whole = limited(configured(workers=3), 100)

    parts = shared_out(whole)

    assert [part.limits.connections for part in parts] == [34, 33, 33]
    assert [attrs.evolve(part, workers=3, limits=whole.limits) for part in parts] == [whole] * 3
    assert [part.workers for part in parts] == [1, 1, 1]


# Beginning


def test_every_worker_gets_a_socket_of_each_endpoint_and_what_was_checked():
    endpoints = [Endpoint(first=100), Endpoint("unix:/a", first=200)]
    with supervised(limited(configured(), 7), endpoints) as crew:
        assert [process.inherited[FIRST_SOCKET] for process in crew.spawned] == [100, 101]
        assert [process.inherited[FIRST_SOCKET + 1] for process in crew.spawned] == [200, 201]
        assert [process.arguments[-3:] for process in crew.spawned] == [["-m", "vestri.worker", "2"]] * 2
        assert [process.configuration.limits.connections for process in crew.spawned] == [4, 3]


def test_a_worker_shares_our_output_and_talks_to_us_over_pipes(crew):
    inherited = crew.spawned[0].inherited

    assert {inherited[each] for each in (1, EVENTS, COMMANDS, ANSWERS)} == {1, "r", "w"}
    assert inherited[0] not in (0, 1, 2), "our standard input is not theirs"


def test_where_one_cannot_listen_nothing_begins(said, failures):
    crew = Crew(endpoints=[Endpoint("tcp:80", taken=True)])

    with pytest.raises(CannotServe):
        crew.supervisor.privilegedStartService()

    assert crew.spawned == []
    assert said == [("critical", "cannot listen at tcp:80: Address already in use")]
    failures.clear()


# Being replaced


def waits(crew, seconds_of_life):
    """How long it takes after a death until there is somebody again, in steps of the clock."""
    crew.reactor.advance(seconds_of_life)
    crew.spawned[-1].ends(signal=9)
    count, waited = len(crew.spawned), 0.0
    crew.reactor.advance(0)
    while len(crew.spawned) == count:
        crew.reactor.advance(0.25)
        waited += 0.25
    return waited


def test_who_dies_again_and_again_is_replaced_after_ever_longer(crew):
    assert [waits(crew, 0.1) for _ in range(8)] == [0.25, 0.5, 1, 2, 4, 8, LONGEST_WAIT, LONGEST_WAIT]


def test_who_had_served_for_a_while_is_replaced_at_once(crew):
    assert [waits(crew, SETTLED) for _ in range(3)] == [0, 0, 0]


def test_after_a_life_that_was_long_the_waits_begin_anew(crew):
    assert [waits(crew, life) for life in (1, 1, SETTLED, 1, 1)] == [0.25, 0.5, 0, 0.25, 0.5]


def test_a_death_is_told_with_its_cause(crew, said):
    crew.spawned[1].ends(signal=9)

    assert len(said) == 1
    assert said[0][0] == "error"
    assert "worker 1 ended" in said[0][1]
    assert "signal 9" in said[0][1]


def test_a_replacement_has_the_sockets_and_the_share_of_the_one_before(crew):
    crew.spawned[1].ends(signal=9)
    crew.reactor.advance(0.25)

    first, second = crew.spawned[1], crew.spawned[2]
    assert second.inherited[FIRST_SOCKET] == first.inherited[FIRST_SOCKET] == 101
    assert second.configuration == first.configuration
    assert not crew.endpoints[0].given[1].closed


def test_where_no_process_can_be_made_it_is_tried_again(crew, said):
    crew.reactor.unable = OSError(11, "Resource temporarily unavailable")
    crew.spawned[0].ends(signal=9)
    crew.reactor.pump([0.25, 0.5, 1])
    assert len(crew.alive) == 1
    crew.reactor.unable = None
    crew.reactor.advance(2)

    assert len(crew.alive) == 2
    assert sum("cannot be started" in text for _, text in said) == 3


# What they say


def test_a_worker_serves_when_it_says_so(said):
    with supervised(configured(), None, serving=False) as crew:
        assert crew.supervisor.workers == []
        crew.spawned[1].serves()
        crew.settle()

        assert len(crew.supervisor.workers) == 1
        assert any(text.startswith("worker 1 serves") for _, text in said)


@pytest.mark.parametrize(
    ("why", "data", "logged"),
    [
        ("a line", b"info hello\n", [("info", "worker 0: hello")]),
        ("with its level", b"warn careful\nerror ouch\n", [("warn", "worker 0: careful"), ("error", "worker 0: ouch")]),
        ("braces are text", b"info {not} a format\n", [("info", "worker 0: {not} a format")]),
        ("no text at all", b"\xff\xfe\n", [("error", "worker 0: \ufffd\ufffd")]),
        ("Python's own last words", b"Traceback (most recent", []),
    ],
)
def test_lines_of_its_event_log_are_passed_on(crew, said, why, data, logged):
    crew.spawned[0].says(data)

    assert said == logged


def test_a_line_may_come_in_pieces(crew, said):
    for piece in (b"wa", b"rn of", b" it\nTraceback (most recent call last):\n", b"  File x\n"):
        crew.spawned[0].says(piece)

    assert said == [
        ("warn", "worker 0: of it"),
        ("error", "worker 0: Traceback (most recent call last):"),
        ("error", "worker 0:   File x"),
    ]


def test_a_fault_of_a_worker_is_a_fault_here(crew, failures):
    crew.spawned[0].says(b"critical Traceback\n")

    assert [event["log_level"] for event in failures] == [LogLevel.critical]
    failures.clear()


# Health


def test_everybody_hears_what_the_supervisor_found(crew):
    crew.found(DOWN)

    assert [process.member("a").up for process in crew.spawned] == [False, False]
    assert [process.member("b").up for process in crew.spawned] == [None, None]


def test_who_is_replaced_learns_it_anew(crew):
    crew.found(DOWN)
    crew.spawned[0].ends(signal=9)
    crew.reactor.advance(0.25)

    crew.spawned[-1].serves()
    crew.settle()

    assert crew.spawned[-1].member("a").up is False
    assert crew.spawned[-1].wired.recorder.health("web", "a").cause == "connection refused"


def test_who_does_not_serve_yet_learns_it_when_it_does():
    with supervised(configured(), None, serving=False) as crew:
        crew.spawned[0].serves()
        crew.settle()
        crew.found(DOWN)
        crew.spawned[1].serves()
        crew.settle()

        assert [process.member("a").up for process in crew.spawned] == [False, False]


def test_one_that_is_about_to_be_gone_keeps_nothing_from_the_others(crew):
    """Its end of the pipe is closed a moment before its end is told."""
    crew.spawned[0].closed = True

    crew.found(DOWN)

    assert crew.spawned[1].member("a").up is False


# Steering


def test_a_verb_reaches_every_worker(crew):
    assert crew.outcome(crew.supervisor.steer("web", "drain", "a")) is not None

    assert [process.member("a").draining for process in crew.spawned] == [True, True]


def test_a_verb_may_take_more(crew):
    crew.outcome(crew.supervisor.steer("web", "set_weight", "a", 7))

    assert [process.member("a").weight for process in crew.spawned] == [7, 7]


@pytest.mark.parametrize(
    ("order", "error", "words"),
    [
        (("web", "drain", "c"), VestriError, "service 'web' has no replica 'c'; it has a, b"),
        (("shop", "drain", "a"), VestriError, "no service 'shop'; there are web"),
        (("web", "lease", "a"), VestriError, "no verb 'lease'; there are drain, ready, set_weight"),
        (("web", "set_weight", "a", 1001), ValueError, "expected a whole number 0..1000, got 1001"),
        (("web", "set_weight", "a", "7"), ValueError, "expected a whole number 0..1000, got '7'"),
        (("web", "set_weight", "a"), TypeError, "missing 1 required positional argument"),
    ],
)
def test_a_verb_that_is_refused_fails_as_it_would_here_and_nobody_minds(crew, order, error, words):
    refused = crew.outcome(crew.supervisor.steer(*order))

    assert refused.type is error
    assert words in refused.getErrorMessage()
    assert [process.told for process in crew.spawned] == [[], []]
    assert crew.outcome(crew.supervisor.steer("web", "drain", "a")) is not None


def replaced(crew):
    """The worker that comes after the first one's death."""
    crew.spawned[0].ends(signal=9)
    crew.reactor.advance(LONGEST_WAIT)
    process = crew.spawned[-1].serves()
    crew.settle()
    return process


def test_who_is_replaced_is_steered_as_the_others_are(crew):
    for order in (("drain", "a"), ("drain", "b"), ("ready", "b"), ("set_weight", "b", 5), ("set_weight", "b", 3)):
        crew.outcome(crew.supervisor.steer("web", *order))

    members = replaced(crew).wired.pools["web"].members

    assert [(each.draining, each.weight) for each in members] == [(True, 1), (False, 3)]


def test_what_was_refused_does_not_come_back(crew):
    crew.outcome(crew.supervisor.steer("web", "set_weight", "a", 5))
    crew.outcome(crew.supervisor.steer("web", "set_weight", "a", 5000))
    crew.outcome(crew.supervisor.steer("web", "drain", "c"))

    assert replaced(crew).member("a").weight == 5


def test_who_dies_before_its_answer_is_steered_when_it_is_replaced(crew):
    answers = []
    crew.supervisor.steer("web", "drain", "a").addBoth(answers.append)

    process = replaced(crew)

    assert len(answers) == 1
    assert not hasattr(answers[0], "trap"), "it is no refusal"
    assert [crew.spawned[1].member("a").draining, process.member("a").draining] == [True, True]


# Counts


def test_what_workers_counted_is_added_up(crew):
    for process, requests in zip(crew.spawned, (2, 3), strict=True):
        pool = process.wired.pools["web"]
        leases = [pool.lease(process.member("a")) for _ in range(requests)]
        leases[0].release("answered", 0.1)

    counts = crew.outcome(crew.supervisor.counts())

    assert counts["members"]["web"]["a"] == {"selected": 5, "in_flight": 3}
    assert counts["members"]["web"]["b"] == {"selected": 0, "in_flight": 0}


def test_counts_of_many_replicas_come_in_pieces():
    names = [f"http://{number}.a-rather-long-name.example.org" for number in range(2000)]
    with supervised(configured(replicas=names)) as crew:
        counts = crew.outcome(crew.supervisor.counts())

    assert len(counts["members"]["web"]) == 2000


def test_one_that_dies_meanwhile_is_left_out(crew):
    for process in crew.spawned:
        process.wired.pools["web"].lease(process.member("a"))
    answers = []
    crew.supervisor.counts().addBoth(answers.append)

    crew.spawned[0].ends(signal=9)
    crew.settle()

    assert answers[0]["members"]["web"]["a"]["selected"] == 1


# Signals


def test_when_logs_were_moved_everybody_opens_them_anew_and_twistd_moves_its_own(signals):
    heard = []
    signal.signal(signal.SIGUSR1, lambda *caught: heard.append(caught[0]))
    with supervised() as crew:
        os.kill(os.getpid(), signal.SIGUSR1)
        crew.settle()

        assert [process.wired.balancer.told for process in crew.spawned] == [["reopen"], ["reopen"]]
        assert heard == [signal.SIGUSR1]


def test_a_hangup_ends_nothing(crew, said):
    os.kill(os.getpid(), signal.SIGHUP)

    assert [level for level, text in said if "SIGHUP" in text] == ["warn"]
    assert len(crew.alive) == 2


# Ending


def stopping(crew):
    """Begins to stop. Returns the list into which its end is put."""
    ended = []
    crew.supervisor.stopService().addCallback(ended.append)
    crew.settle()
    return ended


def test_all_are_told_to_stop_and_waited_for(crew):
    ended = stopping(crew)
    assert [process.told for process in crew.spawned] == [["stop"], ["stop"]]
    assert all(sock.closed for sock in crew.endpoints[0].given)
    crew.spawned[1].ends()
    assert ended == []
    assert not crew.endpoints[0].released

    crew.spawned[0].ends()

    assert len(ended) == 1
    assert crew.endpoints[0].released
    assert crew.reactor.getDelayedCalls() == []


def test_who_dies_while_all_stop_is_not_replaced(crew, said):
    stopping(crew)
    crew.spawned[0].ends(signal=9)
    crew.reactor.advance(LONGEST_WAIT)

    assert len(crew.spawned) == 2
    assert not [text for _, text in said if "ended" in text]


def test_who_was_to_be_replaced_is_not_when_all_stop(crew):
    crew.spawned[0].ends(signal=9)
    ended = stopping(crew)
    crew.spawned[1].ends()

    assert len(ended) == 1
    assert crew.reactor.getDelayedCalls() == []


def test_who_has_not_begun_to_serve_is_told_as_well():
    with supervised(configured(), None, serving=False) as crew:
        crew.supervisor.stopService()
        crew.spawned[0].serves()
        crew.spawned[1].serves()
        crew.settle()

        assert [process.told for process in crew.spawned] == [["stop"], ["stop"]]


def test_who_does_not_end_in_time_is_killed(crew):
    shutdown = crew.spawned[0].configuration.shutdown
    ended = stopping(crew)
    crew.spawned[1].ends()

    crew.reactor.advance(shutdown.pre_stop + shutdown.grace + PATIENCE - 0.1)
    assert crew.spawned[0].told == ["stop"]
    crew.reactor.advance(0.1)
    assert crew.spawned[0].told == ["stop", "KILL"]
    assert crew.spawned[1].told == ["stop"], "who is gone is not asked for"

    assert ended == []
    crew.spawned[0].ends(signal=9)
    assert len(ended) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_cuts_everybody_off(crew, number):
    stopping(crew)
    os.kill(os.getpid(), number)
    crew.settle()

    assert [process.wired.balancer.told for process in crew.spawned] == [["abort"], ["abort"]]


def test_when_it_has_ended_signals_are_what_they_were(signals):
    with supervised() as crew:
        stopping(crew)

    assert {number: signal.getsignal(number) for number in SIGNALS} == signals


def test_with_nobody_left_it_ends_at_once():
    with supervised() as crew:
        for process in crew.spawned:
            process.ends(signal=9)

        assert len(stopping(crew)) == 1
