from collections import Counter
from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from fleet import pool, strategy_for
from vestri.selection.deadlines import EarliestDeadline


def deadlines_for(web, seed=1):
    return strategy_for(web, lambda random: EarliestDeadline(random), seed)


def order(deadlines, count, exclude=()):
    return [deadlines.choose(exclude).replica.id for _ in range(count)]


def longest_run(names):
    longest = run = 1
    for before, after in pairwise(names):
        run = run + 1 if before == after else 1
        longest = max(longest, run)
    return longest


@given(st.lists(st.integers(1, 20), min_size=1, max_size=40), st.integers(0, 50), st.integers(0, 2**32))
def test_any_full_cycle_gives_each_its_weight(weights, before, seed):
    weights = {f"r{number}": weight for number, weight in enumerate(weights)}
    deadlines = deadlines_for(pool(weights), seed)
    order(deadlines, before)
    counted = Counter(order(deadlines, sum(weights.values())))
    assert all(abs(counted[name] - weight) <= 1 for name, weight in weights.items())


def test_the_heavy_one_comes_evenly_between_the_others():
    deadlines = deadlines_for(pool({"heavy": 40, **{f"r{number}": 1 for number in range(40)}}))
    assert longest_run(order(deadlines, 800)) <= 6


def test_several_vestris_do_not_begin_with_the_same_replica():
    weights = {f"r{number}": 1 for number in range(40)}
    assert len({order(deadlines_for(pool(weights), seed), 1)[0] for seed in range(20)}) > 5


def test_the_same_random_numbers_give_the_same_order():
    weights = {f"r{number}": number % 3 + 1 for number in range(40)}
    assert order(deadlines_for(pool(weights)), 200) == order(deadlines_for(pool(weights)), 200)


def test_a_replica_that_goes_and_comes_back_does_not_restart_the_order():
    weights = {f"r{number}": number % 3 + 1 for number in range(40)}
    undisturbed, web = deadlines_for(pool(weights)), pool(weights)
    disturbed = deadlines_for(web)
    before = order(disturbed, 50)
    web.set_up("r7", False)
    web.set_up("r7", True)
    assert before + order(disturbed, 150) == order(undisturbed, 200)


def test_a_replica_that_was_long_away_does_not_catch_up():
    web = pool({f"r{number}": 1 for number in range(40)})
    deadlines = deadlines_for(web)
    web.set_up("r7", False)
    order(deadlines, 4000)
    web.set_up("r7", True)
    assert order(deadlines, 80).count("r7") == 2


def test_a_new_weight_counts_from_the_next_choice():
    web = pool({f"r{number}": 1 for number in range(40)})
    deadlines = deadlines_for(web)
    order(deadlines, 100)
    web.set_weight("r7", 40)
    assert abs(order(deadlines, 79).count("r7") - 40) <= 1


def test_an_excluded_member_is_next_again_afterwards():
    web = pool({f"r{number}": 1 for number in range(40)})
    deadlines = deadlines_for(web)
    first, second, third = (each for each, _ in deadlines.preview()[:3])
    assert deadlines.choose(exclude=(first, second)) is third
    assert [deadlines.choose(()) for _ in range(2)] == [first, second]


def test_the_preview_scores_the_next_choice_first_and_moves_nothing():
    deadlines = deadlines_for(pool({f"r{number}": 1 for number in range(40)}))
    order(deadlines, 10)
    preview = deadlines.preview()
    assert [score for _, score in preview] == sorted(score for _, score in preview)
    assert [each for each, _ in preview] == [deadlines.choose(()) for _ in range(40)]


def test_chance_comes_from_the_given_source_alone():
    random = Random(1)
    state = random.getstate()
    EarliestDeadline(random)
    assert random.getstate() == state
