"""What every strategy of the registry owes, whatever it is."""

from collections import Counter
from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from fleet import member, pool
from vestri.errors import NoReplicaAvailable
from vestri.selection import STRATEGIES, Selector, Strategy

PROMISES = {"fair", "weighted", "sticky"}
SIZES = (1, 2, 3, 7, 32, 33, 50)

FAIR = [name for name, strategy in STRATEGIES.items() if "fair" in strategy.promises]

every_strategy = pytest.mark.parametrize("name", STRATEGIES)
fair_strategy = pytest.mark.parametrize("name", FAIR)


def selector_for(pool, name, seed=1):
    return Selector(pool, STRATEGIES[name](random=Random(seed)))


def some_pool(size, seed=1):
    random = Random(seed)
    return pool({f"r{number:02}": random.randint(1, 9) for number in range(size)})


def due(name, members):
    """Requests for each id in a full cycle."""
    weighted = "weighted" in STRATEGIES[name].promises
    return {each.replica.id: each.weight if weighted else 1 for each in members}


def taken(selector, count):
    counted = Counter()
    for _ in range(count):
        lease = selector.acquire()
        lease.release("answered", 0.01)
        counted[lease.member.replica.id] += 1
    return counted


def far_from(counted, due):
    """The largest difference."""
    return max(abs(counted[name] - count) for name, count in due.items())


@every_strategy
def test_it_is_a_strategy_and_promises_what_is_known(name):
    assert issubclass(STRATEGIES[name], Strategy)
    assert STRATEGIES[name].promises <= PROMISES


@every_strategy
@pytest.mark.parametrize("size", SIZES)
def test_it_never_picks_an_unavailable_member(name, size):
    web = some_pool(size + 3)
    selector = selector_for(web, name)
    for gone, verb in (("r00", web.drain), ("r01", lambda name: web.set_up(name, False))):
        verb(gone)
    web.set_weight("r02", 0)
    assert not taken(selector, 20 * size).keys() & {"r00", "r01", "r02"}


@every_strategy
@pytest.mark.parametrize("size", SIZES)
def test_it_can_exclude_all_but_one(name, size):
    web = some_pool(size)
    selector = selector_for(web, name)
    for last in web.members:
        others = tuple(each for each in web.members if each is not last)
        assert selector.acquire(None, others).member is last


@every_strategy
@pytest.mark.parametrize("size", SIZES)
def test_its_preview_moves_nothing(name, size):
    watched, undisturbed = selector_for(some_pool(size), name), selector_for(some_pool(size), name)
    for _ in range(50):
        watched.preview()
        assert watched.acquire().member.replica.id == undisturbed.acquire().member.replica.id


@every_strategy
@pytest.mark.parametrize("size", SIZES)
def test_its_preview_tells_the_next_choice_if_any(name, size):
    selector = selector_for(some_pool(size), name)
    for _ in range(50):
        preview = selector.preview()
        lease = selector.acquire()
        assert not preview or preview[0][0] is lease.member


@fair_strategy
@pytest.mark.parametrize("size", SIZES)
def test_fair_means_one_more_or_less_over_a_full_cycle(name, size):
    web = some_pool(size)
    selector, expected = selector_for(web, name), due(name, web.members)
    cycle = sum(expected.values())
    for _ in range(20):
        assert far_from(taken(selector, cycle), expected) <= 1
        taken(selector, 7)


CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("requests"), st.integers(0, 9)),
        st.tuples(st.just("flap"), st.integers(0, 40)),
        st.tuples(st.just("weight"), st.integers(0, 40)),
    ),
    max_size=40,
)


@given(st.sampled_from(FAIR), st.lists(st.integers(1, 12), min_size=1, max_size=40), CHANGES, st.integers(0, 2**32))
def test_fairness_recovers_from_whatever_came_and_went(name, weights, changes, seed):
    web = pool({f"r{number:02}": weight for number, weight in enumerate(weights)})
    selector, random = selector_for(web, name, seed), Random(seed)
    for what, value in changes:
        changed = web.members[value % len(web.members)]
        if what == "flap":
            web.set_up(changed.replica.id, not changed.up)
        elif what == "weight":
            web.set_weight(changed.replica.id, random.randint(0, 12))
        elif web.candidates:
            taken(selector, value)
    assume(web.candidates)
    expected = due(name, web.candidates)
    cycle = sum(expected.values())
    assert far_from(taken(selector, cycle), expected) <= 2
    assert far_from(taken(selector, 10 * cycle), {each: 10 * count for each, count in expected.items()}) <= 2


class Selecting(RuleBasedStateMachine):
    """A pool, whatever happens to it, and requests in between; held against the rules written out once more."""

    name: str

    @initialize(size=st.integers(1, 36), seed=st.integers(0, 2**32), up=st.sampled_from([None, True]))
    def begin(self, size, seed, up):
        self.pool = pool({f"r{number}": number % 4 for number in range(size)}, up)
        self.selector = selector_for(self.pool, self.name, seed)
        self.leases = []

    def one(self, number):
        return self.pool.members[number % len(self.pool.members)].replica.id

    def may_take_requests(self):
        ready = [each for each in self.pool.members if each.weight > 0 and not each.draining]
        up = [each for each in ready if each.up is True]
        return up or [each for each in ready if each.up is None]

    @rule(number=st.integers(0, 35), up=st.booleans())
    def health(self, number, up):
        self.pool.set_up(self.one(number), up)

    @rule(number=st.integers(0, 35), weight=st.sampled_from([0, 1, 2, 1000]))
    def weight(self, number, weight):
        self.pool.set_weight(self.one(number), weight)

    @rule(number=st.integers(0, 35), draining=st.booleans())
    def draining(self, number, draining):
        (self.pool.drain if draining else self.pool.ready)(self.one(number))

    @rule(tried=st.sets(st.integers(0, 35), max_size=4))
    def request(self, tried):
        tried = tuple(member(self.pool, self.one(number)) for number in tried)
        allowed = [each for each in self.may_take_requests() if each not in tried]
        if allowed:
            self.leases.append(self.selector.acquire(None, tried))
            assert self.leases[-1].member in allowed
        else:
            with pytest.raises(NoReplicaAvailable):
                self.selector.acquire(None, tried)

    @precondition(lambda self: self.leases)
    @rule(number=st.integers(0, 100), outcome=st.sampled_from(["answered", "connect_refused"]))
    def release(self, number, outcome):
        self.leases.pop(number % len(self.leases)).release(outcome, 0.1)

    @invariant()
    def the_candidates_are_those_that_may_take_requests(self):
        assert list(self.pool.candidates) == self.may_take_requests()

    @invariant()
    def each_lease_counts_once(self):
        held = Counter(id(lease.member) for lease in self.leases)
        assert all(each.in_flight == held[id(each)] for each in self.pool.members)


@every_strategy
def test_whatever_happens_it_chooses_among_those_that_may_take_requests(name):
    machine = type("Selecting", (Selecting,), {"name": name})
    run_state_machine_as_test(machine, settings=settings(max_examples=40, stateful_step_count=40))
