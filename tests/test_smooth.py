import pytest

from fleet import member, pool, strategy_for
from vestri.selection.smooth import SmoothTurns


def turns_for(web):
    return strategy_for(web, lambda random: SmoothTurns())


def order(turns, count, exclude=()):
    return "".join(turns.choose(exclude).replica.id for _ in range(count))


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ({"a": 5, "b": 1, "c": 1}, "aabacaa"),
        ({"a": 2, "b": 1}, "aba"),
        ({"a": 3, "b": 2, "c": 1}, "abacba"),
        ({"a": 4, "b": 3, "c": 2}, "abcabacba"),
        ({"a": 2, "b": 4}, "bab"),
        ({"a": 1, "b": 1, "c": 1}, "abc"),
        ({"a": 7}, "a"),
    ],
)
def test_the_order_is_that_of_nginx_over_and_over(weights, expected):
    assert order(turns_for(pool(weights)), 3 * len(expected)) == 3 * expected


def test_a_replica_that_goes_and_comes_back_does_not_restart_the_order():
    web = pool({"a": 5, "b": 1, "c": 1, "d": 1})
    web.set_up("d", False)
    turns = turns_for(web)
    before = order(turns, 3)
    web.set_up("d", True)
    web.set_up("d", False)
    assert before + order(turns, 4) == "aabacaa"


def test_what_a_replica_has_saved_it_still_has_when_it_comes_back():
    web = pool({"a": 1, "b": 1})
    turns = turns_for(web)
    assert order(turns, 1) == "a"
    web.set_up("b", False)
    assert order(turns, 2) == "aa"
    web.set_up("b", True)
    assert order(turns, 2) == "ba"


def test_savings_of_heavier_days_do_not_come_as_a_burst():
    web = pool({"a": 1000, "b": 1, "c": 1})
    turns = turns_for(web)
    order(turns, 400)
    web.set_up("a", False)
    web.set_weight("c", 2)
    assert abs(order(turns, 30).count("c") - 20) <= 1


def test_debts_of_heavier_days_do_not_silence_a_replica():
    web = pool({"a": 1000, "b": 1000})
    turns = turns_for(web)
    assert order(turns, 1) == "a"
    web.set_weight("a", 1)
    web.set_weight("b", 1)
    assert order(turns, 4).count("a") >= 1


def test_a_new_weight_counts_from_the_next_choice():
    web = pool({"a": 1, "b": 1})
    turns = turns_for(web)
    assert order(turns, 2) == "ab"
    web.set_weight("a", 3)
    assert order(turns, 4) == "aaba"


def test_an_excluded_member_neither_saves_nor_pays():
    web = pool({"a": 2, "b": 1, "c": 1})
    turns = turns_for(web)
    assert order(turns, 2, exclude=(member(web, "a"),)) == "bc"
    assert order(turns, 4) == "abca"


def test_the_preview_scores_the_next_choice_first_and_moves_nothing():
    web = pool({"a": 3, "b": 2, "c": 1})
    turns = turns_for(web)
    assert order(turns, 1) == "a"
    assert [(each.replica.id, score) for each, score in turns.preview()] == [("b", 4), ("c", 2), ("a", 0)]
    assert order(turns, 5) == "bacba"
