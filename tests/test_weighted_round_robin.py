from fleet import picks, pool, shares, strategy_for
from vestri.selection import WeightedRoundRobin
from vestri.selection.weighted_round_robin import EXACT


def fleet(size):
    return {f"r{number:02}": number % 3 + 1 for number in range(size)}


def test_weights_2_and_4_give_200_and_400_of_600_requests_interleaved():
    strategy = strategy_for(pool({"a": 2, "b": 4}), WeightedRoundRobin)
    assert picks(strategy, 600) == ["b", "a", "b"] * 200


def test_a_weight_of_0_takes_no_requests():
    strategy = strategy_for(pool({"a": 1, "b": 0, "c": 2}), WeightedRoundRobin)
    assert shares(strategy, 30) == {"a": 10, "c": 20}


def test_up_to_32_replicas_the_order_is_exact():
    strategy = strategy_for(pool({**fleet(EXACT - 1), "x": 1000}), WeightedRoundRobin)
    assert picks(strategy, 16) == ["x"] * 16


def test_above_32_replicas_the_shares_still_are():
    weights = fleet(EXACT + 1)
    strategy = strategy_for(pool(weights), WeightedRoundRobin)
    assert shares(strategy, 5 * sum(weights.values())) == {name: 5 * weight for name, weight in weights.items()}


def test_above_32_replicas_two_vestris_do_not_go_in_step():
    one, other = (strategy_for(pool(fleet(EXACT + 1)), WeightedRoundRobin, seed) for seed in (1, 2))
    assert picks(one, 20) != picks(other, 20)


def test_a_33rd_replica_that_comes_and_goes_does_not_restart_the_order():
    weights = fleet(EXACT + 1)
    steady, web = strategy_for(pool(fleet(EXACT)), WeightedRoundRobin), pool(weights)
    web.set_up("r32", False)
    strategy = strategy_for(web, WeightedRoundRobin)
    before = picks(strategy, 20)
    web.set_up("r32", True)
    web.set_up("r32", False)
    assert before + picks(strategy, 40) == picks(steady, 60)


def test_the_preview_is_that_of_the_order_in_use():
    for size in (3, EXACT + 1):
        strategy = strategy_for(pool(fleet(size)), WeightedRoundRobin)
        first = strategy.preview(None)[0][0]
        assert picks(strategy, 1) == [first.replica.id]
