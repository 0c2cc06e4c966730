from collections import Counter
from itertools import pairwise
from random import Random

import pytest
from treq.testing import StubTreq
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from fleet import pool
from vestri.health.asker import Asker
from vestri.health.monitor import BEAT, CATCHING_UP, IN_DOUBT, PARALLEL, PER_BEAT, HealthMonitor
from vestri.health.question import Outcome
from vestri.health.recorder import Recorder
from vestri.model import HealthCheck

PASSED, FAILED = Outcome(True, "answered 200"), Outcome(False, "answered 503")


class Fleet:
    """What is asked, and answers by url: an Outcome, or None for a Deferred that is left open."""

    def __init__(self, clock, default=PASSED):
        self.clock, self.default = clock, default
        self.answers, self.asked, self.open = {}, [], []

    def ask(self, question):
        self.asked.append((self.clock.seconds(), question.url))
        outcome = self.answers.get(question.url, self.default)
        if outcome is not None:
            return succeed(outcome)
        self.open.append(Deferred())
        return self.open[-1]

    def times(self, name):
        """When the replica of that name was asked."""
        return [when for when, url in self.asked if url == url_of(name)]


class Recording:
    """Keeps what it is told. doubtful: replicas that are in doubt for ever."""

    def __init__(self):
        self.told, self.doubtful = [], set()

    def record(self, service, replica, outcome):
        self.told.append((service, replica, outcome))
        return replica in self.doubtful


def url_of(name):
    return f"http://{name}.test/health"


def names(count):
    return [f"r{number:03}" for number in range(count)]


def checks(*names, **settings):
    return [(pool(dict.fromkeys(names, 1), up=None), HealthCheck(path="/health", **settings))]


class Scene:
    """A monitor at work, unless it is started later."""

    def __init__(self, checked, *, start=True, record=None):
        self.clock = Clock()
        self.fleet, self.recording = Fleet(self.clock), Recording()
        record = record or self.recording.record
        self.monitor = HealthMonitor(checked, self.fleet.ask, record, self.clock, Random(1))
        if start:
            self.monitor.startService()

    def run(self, seconds):
        """Step by step, so that the loop skips nothing."""
        self.clock.pump([CATCHING_UP] * round(seconds / CATCHING_UP))


def gaps(times):
    return [after - before for before, after in pairwise(times)]


def test_every_replica_is_asked_at_once_at_the_start():
    scene = Scene(checks("a", "b", "c"))
    assert scene.fleet.asked == [(0.0, url_of(name)) for name in "abc"]
    assert scene.recording.told == [("web", name, PASSED) for name in "abc"]


def test_no_more_than_8_probes_start_together_and_the_rest_soon_after():
    scene = Scene(checks(*names(20)))
    scene.run(1)
    starts = Counter(round(when, 3) for when, _ in scene.fleet.asked[:20])
    assert starts == {0.0: PER_BEAT, CATCHING_UP: PER_BEAT, 2 * CATCHING_UP: 4}


def test_a_thousand_replicas_have_all_been_asked_in_little_more_than_3_seconds():
    scene = Scene(checks(*names(1000), interval=60.0))
    scene.run(3.25)
    assert {url for _, url in scene.fleet.asked} == {url_of(name) for name in names(1000)}


def test_the_beat_is_slow_again_when_all_that_was_due_has_started():
    scene = Scene(checks(*names(20), interval=60.0))
    scene.run(0.5)
    (call,) = scene.clock.getDelayedCalls()
    before = call.getTime()
    scene.run(BEAT)
    (call,) = scene.clock.getDelayedCalls()
    assert call.getTime() - before == pytest.approx(BEAT)


def test_the_interval_is_kept_within_a_tenth_and_a_beat():
    scene = Scene(checks("a", interval=5.0))
    scene.run(200)
    later = gaps(scene.fleet.times("a"))[1:]
    assert len(later) >= 36
    assert all(4.5 - BEAT / 2 <= gap <= 5.5 + BEAT / 2 for gap in later)
    assert max(later) - min(later) >= 0.5


def test_after_the_first_probes_the_replicas_spread_over_the_interval():
    scene = Scene(checks(*names(40), interval=10.0))
    scene.run(10.5)
    second = [scene.fleet.times(name)[1] for name in names(40)]
    assert max(second) <= 10 + 2 * BEAT
    assert all(any(low <= when < low + 2.5 for when in second) for low in (0, 2.5, 5, 7.5))


def test_a_replica_in_doubt_is_asked_again_after_a_second():
    scene = Scene(checks("a", "b", interval=30.0), start=False)
    scene.recording.doubtful = {"a"}
    scene.monitor.startService()
    scene.run(5.1)
    assert gaps(scene.fleet.times("a")) == pytest.approx([IN_DOUBT] * 5, abs=CATCHING_UP)
    scene.recording.doubtful.clear()
    scene.run(60)
    assert max(gaps(scene.fleet.times("a"))) > 5


def test_doubt_never_makes_the_interval_longer():
    scene = Scene(checks("a", interval=0.5, timeout=0.5), start=False)
    scene.recording.doubtful = {"a"}
    scene.monitor.startService()
    scene.run(5)
    assert gaps(scene.fleet.times("a")) == pytest.approx([0.5] * 10, abs=CATCHING_UP)


def test_an_interval_shorter_than_a_beat_is_a_beat():
    scene = Scene(checks("a", interval=0.01, timeout=0.01))
    scene.run(5)
    assert gaps(scene.fleet.times("a")) == pytest.approx([BEAT] * 20, abs=CATCHING_UP)


def test_a_probe_never_overlaps_itself():
    scene = Scene(checks("a", interval=1.0), start=False)
    scene.fleet.default = None
    scene.monitor.startService()
    scene.run(30)
    assert scene.fleet.times("a") == [0.0]
    scene.fleet.open.pop().callback(PASSED)
    scene.run(BEAT)
    assert len(scene.fleet.times("a")) == 2


def test_no_replica_waits_for_another_ones_answer():
    scene = Scene(checks("a", "b", interval=1.0), start=False)
    scene.fleet.answers[url_of("a")] = None
    scene.monitor.startService()
    scene.run(20)
    assert len(scene.fleet.times("a")) == 1
    assert len(scene.fleet.times("b")) > 15


def test_probes_under_way_have_a_bound():
    scene = Scene(checks(*names(PARALLEL + 10)), start=False)
    scene.fleet.default = None
    scene.monitor.startService()
    scene.run(5)
    assert len(scene.fleet.asked) == PARALLEL
    for answer in scene.fleet.open[:3]:
        answer.callback(PASSED)
    scene.run(BEAT)
    assert len(scene.fleet.asked) == PARALLEL + 3


def test_an_equal_question_is_asked_once_and_answered_to_each_who_has_it():
    (web,) = checks("a", "b")
    (api,) = checks("a")
    api[0].service = "api"
    scene = Scene([web, api])
    assert [url for _, url in scene.fleet.asked] == [url_of("a"), url_of("b")]
    assert scene.recording.told == [("web", "a", PASSED), ("api", "a", PASSED), ("web", "b", PASSED)]


def test_a_question_that_differs_is_asked_for_itself():
    (web,) = checks("a", interval=5.0)
    (api,) = checks("a", interval=10.0)
    api[0].service = "api"
    scene = Scene([web, api])
    assert [url for _, url in scene.fleet.asked] == [url_of("a")] * 2


def test_one_service_in_doubt_is_enough_to_ask_soon():
    (web,) = checks("a", interval=30.0)
    (api,) = checks("a", interval=30.0)
    api[0].service = "api"
    scene = Scene([web, api], record=lambda service, replica, outcome: service == "web")
    scene.run(3.1)
    assert len(scene.fleet.asked) == 4


def test_a_fault_in_recording_is_logged_and_ends_nothing(failures):
    (web,) = checks("a", interval=1.0)
    (api,) = checks("a", interval=1.0)
    api[0].service = "api"
    told = []

    def record(service, replica, outcome):
        if service == "web":
            raise RuntimeError("not today")
        told.append(service)

    scene = Scene([web, api], record=record)
    scene.run(3)
    assert len(told) == len(scene.fleet.asked) >= 3
    assert {str(event["log_failure"].value) for event in failures} == {"not today"}
    failures.clear()


@pytest.mark.parametrize("how", ["raises", "fails"])
def test_a_fault_in_asking_is_logged_ends_nothing_and_says_nothing_about_the_replica(how, failures):
    scene = Scene(checks("a", interval=1.0), start=False)
    asked = []

    def ask(question):
        asked.append(question)
        if how == "raises":
            raise RuntimeError("not today")
        return fail(RuntimeError("not today"))

    scene.monitor = HealthMonitor(checks("a", interval=1.0), ask, scene.recording.record, scene.clock, Random(1))
    scene.monitor.startService()
    scene.run(5)
    assert len(asked) >= 4
    assert scene.recording.told == []
    assert {str(event["log_failure"].value) for event in failures} == {"not today"}
    failures.clear()


def test_stopping_leaves_no_timer_and_records_nothing_more():
    scene = Scene(checks("a", "b"), start=False)
    scene.fleet.answers[url_of("b")] = None
    scene.monitor.startService()
    scene.monitor.stopService()
    assert scene.clock.getDelayedCalls() == []
    assert scene.fleet.open[0].called
    assert scene.recording.told == [("web", "a", PASSED)]


def test_stopping_while_catching_up_leaves_no_timer():
    scene = Scene(checks(*names(100)))
    scene.monitor.stopService()
    assert scene.clock.getDelayedCalls() == []
    assert len(scene.fleet.asked) == PER_BEAT


def test_a_monitor_that_was_never_started_can_be_stopped():
    scene = Scene(checks("a"), start=False)
    scene.monitor.stopService()
    assert scene.fleet.asked == []


def test_a_monitor_can_be_started_again_and_asks_everybody_at_once():
    scene = Scene(checks("a", "b"), start=False)
    scene.fleet.default = None
    scene.monitor.startService()
    scene.monitor.stopService()
    scene.fleet.default = PASSED
    scene.clock.advance(1)
    scene.monitor.startService()
    assert scene.fleet.asked[2:] == [(1.0, url_of("a")), (1.0, url_of("b"))]
    assert scene.recording.told == [("web", "a", PASSED), ("web", "b", PASSED)]


def test_with_nobody_to_ask_nothing_happens():
    scene = Scene([])
    scene.run(10)
    assert scene.fleet.asked == []


class Moody(Resource):
    """A replica that is well, ill, or silent."""

    isLeaf = True
    mood = "well"

    def render(self, request):
        if self.mood == "silent":
            return NOT_DONE_YET
        request.setResponseCode(200 if self.mood == "well" else 503)
        return b""


def test_a_replica_goes_down_and_comes_up_with_its_answers_all_parts_together():
    clock, replica, heard = Clock(), Moody(), []
    checked = checks("a", interval=5.0, timeout=2.0)
    recorder = Recorder(checked, [heard.append])
    asker = Asker(lambda: StubTreq(replica), clock)
    monitor = HealthMonitor(checked, asker, recorder.record, clock, Random(1))
    monitor.startService()

    def after(seconds, mood):
        replica.mood = mood
        clock.pump([CATCHING_UP] * round(seconds / CATCHING_UP))
        return [(change.up, change.cause, change.probes) for change in heard]

    assert after(0, "well") == [(True, "answered 200", 1)]
    assert after(9, "ill")[1:] == [(False, "answered 503", 3)]
    assert after(8, "well")[2:] == [(True, "answered 200", 2)]
    assert after(14, "silent")[3:] == [(False, "no answer within 2s", 3)]
    monitor.stopService()
    assert clock.getDelayedCalls() == []
