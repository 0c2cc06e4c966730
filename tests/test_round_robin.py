from fleet import picks, pool, shares, strategy_for
from vestri.selection import RoundRobin


def test_the_order_is_that_of_the_configuration():
    strategy = strategy_for(pool({"a": 1, "b": 9, "c": 1}), RoundRobin)
    assert picks(strategy, 6) == ["a", "b", "c", "a", "b", "c"]


def test_the_first_is_the_first_however_the_replicas_came_up():
    web = pool({"a": 1, "b": 1, "c": 1}, up=None)
    strategy = strategy_for(web, RoundRobin)
    for name in ("b", "c", "a"):
        web.set_up(name, True)
    assert picks(strategy, 3) == ["a", "b", "c"]


def test_the_neighbour_of_an_absent_replica_does_not_get_its_turns():
    web = pool({"a": 1, "b": 1, "c": 1, "d": 1})
    strategy = strategy_for(web, RoundRobin)
    web.set_up("b", False)
    assert shares(strategy, 300) == {"a": 100, "c": 100, "d": 100}


def test_the_turn_goes_on_behind_one_that_goes():
    web = pool({"a": 1, "b": 1, "c": 1})
    strategy = strategy_for(web, RoundRobin)
    assert picks(strategy, 2) == ["a", "b"]
    web.set_up("b", False)
    assert picks(strategy, 3) == ["c", "a", "c"]


def test_the_turn_goes_on_when_the_next_one_goes():
    web = pool({"a": 1, "b": 1, "c": 1})
    strategy = strategy_for(web, RoundRobin)
    assert picks(strategy, 1) == ["a"]
    web.set_up("b", False)
    assert picks(strategy, 2) == ["c", "a"]


def test_one_that_comes_back_takes_its_old_place():
    web = pool({"a": 1, "b": 1, "c": 1})
    strategy = strategy_for(web, RoundRobin)
    web.set_up("b", False)
    assert picks(strategy, 1) == ["a"]
    web.set_up("b", True)
    assert picks(strategy, 4) == ["c", "a", "b", "c"]


def test_a_replica_that_comes_and_goes_costs_the_others_nothing():
    web = pool({"a": 1, "b": 1, "c": 1, "d": 1})
    strategy = strategy_for(web, RoundRobin)
    order = []
    for turn in range(120):
        web.set_up("b", turn % 2 == 0)
        order += picks(strategy, 1)
    others = [name for name in order if name != "b"]
    assert others == (["a", "c", "d"] * 40)[: len(others)]


def test_an_excluded_one_is_passed_over_and_the_turn_goes_on_behind_the_choice():
    web = pool({"a": 1, "b": 1, "c": 1})
    strategy = strategy_for(web, RoundRobin)
    assert picks(strategy, 1, exclude=web.members[:1]) == ["b"]
    assert picks(strategy, 2) == ["c", "a"]


def test_the_turns_of_a_replica_that_always_fails_do_not_all_fall_to_its_neighbour():
    web = pool({"a": 1, "b": 1, "c": 1})
    strategy = strategy_for(web, RoundRobin)
    answered = []
    for _ in range(300):
        (name,) = picks(strategy, 1)
        answered += picks(strategy, 1, exclude=web.members[:1]) if name == "a" else [name]
    assert (answered.count("b"), answered.count("c")) == (150, 150)


def test_the_preview_counts_the_requests_before_each_turn():
    strategy = strategy_for(pool({"a": 1, "b": 1, "c": 1}), RoundRobin)
    picks(strategy, 1)
    assert [(member.replica.id, before) for member, before in strategy.preview(None)] == [("b", 0), ("c", 1), ("a", 2)]
    assert picks(strategy, 1) == ["b"]
