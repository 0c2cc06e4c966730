import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import formatEvent, globalLogPublisher

from fleet import member, pool
from vestri.errors import UnknownReplica
from vestri.events import HealthChanged
from vestri.health.question import Outcome
from vestri.health.recorder import Health, Recorder, log_change
from vestri.model import HealthCheck

PASSED, FAILED = Outcome(True, "answered 200"), Outcome(False, "connection refused")


def healths(start, outcomes, rise=2, fall=3):
    """`up` after each outcome. outcomes: '+' for passed, '-' for failed."""
    health, seen = Health(start), []
    for outcome in outcomes:
        health = health.after(PASSED if outcome == "+" else FAILED, rise=rise, fall=fall)
        seen.append(health.up)
    return seen


def recorder_for(web, *observers, rise=2, fall=3):
    return Recorder([(web, HealthCheck(rise=rise, fall=fall))], observers)


@pytest.mark.parametrize(
    ("why", "start", "outcomes", "expected"),
    [
        ("one success is enough while starting", None, "+", [True]),
        ("also after a failure", None, "-+", [None, True]),
        ("a starting replica is down after `fall` failures", None, "---", [None, None, False]),
        ("an up one stays up until `fall` failures", True, "---", [True, True, False]),
        ("they have to be consecutive", True, "--+--+---", [True] * 8 + [False]),
        ("a down one stays down until `rise` successes", False, "++", [False, True]),
        ("they have to be consecutive too", False, "+-+-++", [False] * 5 + [True]),
        ("after a rise it takes `fall` failures again", False, "++--", [False, True, True, True]),
        ("after a fall it takes `rise` successes again", True, "---+", [True, True, False, False]),
    ],
)
def test_health_after_probes(why, start, outcomes, expected):
    assert healths(start, outcomes) == expected


def test_rise_and_fall_of_1_follow_every_probe():
    assert healths(None, "+-+-", rise=1, fall=1) == [True, False, True, False]


@given(st.sampled_from([None, True, False]), st.text("+-", max_size=60), st.integers(1, 5), st.integers(1, 5))
def test_up_turns_only_after_as_many_probes_in_a_row_as_it_takes(start, outcomes, rise, fall):
    seen = [start, *healths(start, outcomes, rise, fall)]
    for at in range(1, len(seen)):
        before, after = seen[at - 1], seen[at]
        if before is not after:
            needed = fall if not after else rise if before is False else 1
            assert outcomes[:at].endswith(needed * ("+" if after else "-"))


def test_the_pool_learns_when_a_replica_turns():
    web = pool({"a": 1, "b": 1}, up=None)
    recorder = recorder_for(web)
    recorder.record("web", "a", PASSED)
    assert (member(web, "a").up, member(web, "b").up) == (True, None)
    for _ in range(3):
        recorder.record("web", "a", FAILED)
    assert member(web, "a").up is False


def test_observers_hear_of_changes_alone_with_the_cause_and_the_count():
    web, heard = pool({"a": 1}, up=None), []
    recorder = recorder_for(web, heard.append)
    for outcome in (PASSED, PASSED, FAILED, FAILED, FAILED, FAILED, PASSED, PASSED):
        recorder.record("web", "a", outcome)
    assert heard == [
        HealthChanged("web", "a", True, "answered 200", 1),
        HealthChanged("web", "a", False, "connection refused", 3),
        HealthChanged("web", "a", True, "answered 200", 2),
    ]


def test_an_observer_finds_the_pool_as_the_event_says():
    web, found = pool({"a": 1}, up=None), []
    recorder_for(web, lambda change: found.append(member(web, "a").up)).record("web", "a", PASSED)
    assert found == [True]


def test_the_fault_of_an_observer_is_logged_and_stops_nobody(failures):
    web, heard = pool({"a": 1}, up=None), []

    def faulty(change):
        raise RuntimeError("not today")

    recorder_for(web, faulty, heard.append).record("web", "a", PASSED)
    assert member(web, "a").up is True
    assert len(heard) == 1
    assert [str(event["log_failure"].value) for event in failures] == ["not today"]
    failures.clear()


def test_a_replica_is_in_doubt_while_probes_disagree_with_what_is_known():
    recorder = recorder_for(pool({"a": 1}, up=None))
    outcomes = (FAILED, PASSED, PASSED, FAILED, FAILED, FAILED, FAILED, PASSED, PASSED)
    doubts = [recorder.record("web", "a", outcome) for outcome in outcomes]
    assert doubts == [True, False, False, True, True, False, False, True, False]


def test_one_replica_in_two_services_has_a_health_in_each():
    web, api = pool({"a": 1}, up=None), pool({"a": 1}, up=None)
    api.service = "api"
    recorder = Recorder([(web, HealthCheck(fall=1)), (api, HealthCheck(fall=2))])
    for service in ("web", "api"):
        recorder.record(service, "a", FAILED)
    assert (member(web, "a").up, member(api, "a").up) == (False, None)


def test_what_the_last_probe_found_can_be_looked_up():
    recorder = recorder_for(pool({"a": 1}, up=None))
    assert recorder.health("web", "a") == Health(None, 0, "")
    recorder.record("web", "a", FAILED)
    assert recorder.health("web", "a") == Health(None, 1, "connection refused")


@pytest.mark.parametrize(("service", "known"), [("web", "it has a, b"), ("nope", "it has ")])
def test_a_replica_that_is_not_watched_is_unknown(service, known):
    with pytest.raises(UnknownReplica, match=f"service '{service}' has no replica 'c'; {known}"):
        recorder_for(pool({"a": 1, "b": 1})).record(service, "c", PASSED)


def test_what_another_process_found_is_adopted_and_told():
    web, heard = pool({"a": 1}, up=None), []
    recorder = recorder_for(web, heard.append)
    change = HealthChanged("web", "a", False, "answered 503", 3)
    recorder.adopt(change)
    assert member(web, "a").up is False
    assert heard == [change]


def test_adopting_what_is_known_already_tells_nobody():
    web, heard = pool({"a": 1}, up=None), []
    recorder = recorder_for(web, heard.append)
    recorder.adopt(HealthChanged("web", "a", True, "answered 200"))
    recorder.adopt(HealthChanged("web", "a", True, "answered 204"))
    assert len(heard) == 1
    assert recorder.health("web", "a").cause == "answered 204"


def test_adopting_ends_a_doubt():
    recorder = recorder_for(pool({"a": 1}), fall=2)
    recorder.record("web", "a", FAILED)
    recorder.adopt(HealthChanged("web", "a", True, "answered 200"))
    recorder.record("web", "a", FAILED)
    assert recorder.health("web", "a").up is True


def test_a_process_that_starts_now_adopts_what_is_known_so_far():
    recorder = recorder_for(pool({"a": 1, "b": 1, "c": 1}, up=None), fall=1)
    recorder.record("web", "a", PASSED)
    recorder.record("web", "b", FAILED)
    assert recorder.changes() == [
        HealthChanged("web", "a", True, "answered 200"),
        HealthChanged("web", "b", False, "connection refused"),
    ]
    later = pool({"a": 1, "b": 1, "c": 1}, up=None)
    for change in recorder.changes():
        recorder_for(later).adopt(change)
    assert [each.up for each in later.members] == [True, False, None]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            HealthChanged("web", "http://127.0.0.1:8081", False, "connection refused", 3),
            "service 'web': replica 'http://127.0.0.1:8081' is down: connection refused (3 probes in a row)",
        ),
        (HealthChanged("web", "a", True, "answered 200"), "service 'web': replica 'a' is up: answered 200"),
    ],
)
def test_a_change_is_a_sentence(change, line):
    assert str(change) == line


@pytest.mark.parametrize(("up", "level"), [(True, "info"), (False, "warn")])
def test_a_change_is_logged_as_a_line(up, level):
    seen = []
    globalLogPublisher.addObserver(seen.append)
    log_change(HealthChanged("web", "a", up, "answered {200}"))
    globalLogPublisher.removeObserver(seen.append)
    (event,) = seen
    assert event["log_level"].name == level
    assert formatEvent(event) == f"service 'web': replica 'a' is {'up' if up else 'down'}: answered {{200}}"
