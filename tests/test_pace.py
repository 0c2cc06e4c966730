"""How fast a peer moves, by totals read now and then."""

import pytest

from vestri.proxying.pace import WINDOW, Pace


def too_slow_at(pace, totals, *, every=1.0):
    """When a pace that began at 0 finds its peer too slow, or None. totals: bytes moved at each look."""
    for turn, total in enumerate(totals, 1):
        if pace.too_slow(turn * every, total):
            return turn * every
    return None


def test_silence_is_too_slow_after_its_time():
    assert too_slow_at(Pace(0, 7, 5, None), [7] * 10) == 5


def test_silence_counts_from_the_last_byte():
    assert too_slow_at(Pace(0, 0, 5, None), [1, 1, 2, *[2] * 10]) == 8


def test_a_byte_now_and_then_is_no_silence():
    assert too_slow_at(Pace(0, 0, 5, None), [turn // 4 for turn in range(100)]) is None


@pytest.mark.parametrize(("rate", "found"), [(240, None), (239, WINDOW), (0, WINDOW)])
def test_a_rate_is_averaged_over_a_window(rate, found):
    assert too_slow_at(Pace(0, 0, None, 240), [rate * turn for turn in range(1, 31)]) == found


def test_a_burst_makes_up_for_a_pause():
    totals = [0] * 20 + [7200] * 10

    assert too_slow_at(Pace(0, 0, None, 240), totals) is None


def test_each_window_counts_by_itself():
    totals = [100_000] * 30 + [100_001] * 40

    assert too_slow_at(Pace(0, 0, None, 240), totals) == 2 * WINDOW


def test_looking_seldom_is_fair():
    assert too_slow_at(Pace(0, 0, None, 240), [240 * 45 * turn for turn in range(1, 10)], every=45.0) is None
    assert too_slow_at(Pace(0, 0, None, 240), [239 * 45 * turn for turn in range(1, 10)], every=45.0) == 45


def test_without_a_limit_nothing_is_too_slow():
    assert too_slow_at(Pace(0, 0, None, None), [0] * 1000) is None


@pytest.mark.parametrize(("silence", "interval"), [(None, WINDOW / 4), (100, WINDOW / 4), (4, 1)])
def test_it_says_how_often_to_look(silence, interval):
    assert Pace(0, 0, silence, None).interval == interval
