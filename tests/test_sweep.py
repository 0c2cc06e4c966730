"""The one look at every connection that serves all their deadlines."""

import pytest
from twisted.internet.task import Clock

from vestri.proxying.sweep import NEVER, Sweep, interval_for


class Watched:
    """Something with a deadline, which notes when it was told."""

    def __init__(self, deadline, again=NEVER):
        self.deadline, self._again, self.told = deadline, again, []

    def overdue(self, now):
        self.told.append(now)
        self.deadline = self._again


class Faulty(Watched):
    def overdue(self, now):
        raise ValueError("a fault at its deadline")


def swept(*watched, interval=1.0):
    """A running sweep that watches these, and its clock."""
    clock = Clock()
    sweep = Sweep(clock, clock.seconds, interval)
    for each in watched:
        sweep.watch(each)
    sweep.startService()
    return sweep, clock


def test_whatever_is_overdue_is_told_at_the_next_look():
    early, late, never = Watched(1.5), Watched(3), Watched(NEVER)
    _, clock = swept(early, late, never)

    clock.pump([1] * 4)

    assert (early.told, late.told, never.told) == ([2], [3], [])


def test_a_new_deadline_is_met_as_well():
    watched = Watched(1, again=3)
    _, clock = swept(watched)

    clock.pump([1] * 3)

    assert watched.told == [1, 3]


def test_what_is_forgotten_is_told_no_more():
    watched = Watched(2)
    sweep, clock = swept(watched)

    sweep.forget(watched)
    sweep.forget(watched)
    clock.pump([1] * 5)

    assert watched.told == []


def test_who_is_told_may_forget_others():
    sweep, clock = swept()
    watched = [Watched(1) for _ in range(10)]
    for each in watched:
        each.overdue = lambda now: [sweep.forget(other) for other in watched]
        sweep.watch(each)

    clock.advance(1)
    clock.advance(1)

    assert sweep.seconds() == 2


def test_one_s_fault_is_logged_and_stops_nobody_else(failures):
    fine, faulty = Watched(1, again=2), Faulty(1)
    _, clock = swept(fine, faulty)

    clock.pump([1] * 3)

    assert fine.told == [1, 2, 3]
    assert [event["log_failure"].type for event in failures] == [ValueError]
    failures.clear()


def test_a_sweep_that_is_stopped_leaves_no_timer():
    watched = Watched(5)
    sweep, clock = swept(watched)
    clock.advance(1)

    sweep.stopService()
    clock.pump([1] * 10)

    assert (watched.told, clock.getDelayedCalls()) == ([], [])


def test_a_sweep_that_never_ran_may_be_stopped():
    assert Sweep(Clock(), Clock().seconds, 1).stopService() is None


@pytest.mark.parametrize(
    ("why", "timeouts", "interval"),
    [
        ("a quarter of the shortest", [3.0, 2.0, 30.0], 0.5),
        ("but not too often", [0.1], 0.05),
        ("nor too seldom", [3600.0], 1.0),
        ("what is off does not count", [None, 2.0, None], 0.5),
        ("nor does everything that is off", [None], 1.0),
        ("nor nothing", [], 1.0),
        ("nor no time at all", [0.0, 2.0], 0.5),
    ],
)
def test_the_interval_is(why, timeouts, interval):
    assert interval_for(timeouts) == interval
