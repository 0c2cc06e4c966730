import pytest

from fleet import member, pool
from vestri.errors import NoReplicaAvailable
from vestri.selection import Selector, Strategy


class Newest(Strategy):
    """Takes the last candidate that is not excluded, and remembers what it was told."""

    def __init__(self):
        super().__init__(random=None)
        self.updates, self.asked, self.told = [], [], []

    def update(self, candidates):
        self.updates.append(candidates)

    def choose(self, key, exclude=()):
        self.asked.append((key, exclude))
        return next(each for each in reversed(self.updates[-1]) if each not in exclude)

    def preview(self, key):
        return [(each, key) for each in self.updates[-1]]

    def settled(self, member, outcome, seconds):
        self.told.append((member, outcome, seconds))


class Faulty(Newest):
    """Learns badly."""

    def settled(self, member, outcome, seconds):
        raise RuntimeError("not today")


def test_what_the_strategy_chooses_is_leased():
    web = pool({"a": 1, "b": 1})
    lease = Selector(web, Newest()).acquire()
    assert lease.member is member(web, "b")
    assert (lease.member.in_flight, lease.member.selected) == (1, 1)


def test_the_strategy_gets_the_key_and_the_members_tried_already():
    web, strategy = pool({"a": 1, "b": 1}), Newest()
    tried = (member(web, "b"),)
    assert Selector(web, strategy).acquire("10.0.0.1", tried).member is member(web, "a")
    assert strategy.asked == [("10.0.0.1", tried)]


def test_the_strategy_hears_of_changes_and_of_what_became_of_its_choices():
    web, strategy = pool({"a": 1, "b": 1}), Newest()
    selector = Selector(web, strategy)
    web.set_up("b", False)
    lease = selector.acquire()
    lease.release("answered", 0.25)
    assert strategy.updates == [web.members, web.members[:1]]
    assert strategy.told == [(lease.member, "answered", 0.25)]


def test_none_is_acquired_when_none_may_take_a_request():
    web, strategy = pool({"a": 1, "b": 1}, up=False), Newest()
    selector = Selector(web, strategy)
    with pytest.raises(NoReplicaAvailable, match="service 'web': none of its 2 replicas is available") as raised:
        selector.acquire()
    assert raised.value.status == 503
    assert strategy.asked == []


def test_none_is_acquired_when_all_were_tried():
    web = pool({"a": 1, "b": 1, "c": 1})
    web.set_up("c", False)
    selector = Selector(web, Newest())
    with pytest.raises(NoReplicaAvailable):
        selector.acquire(None, web.members[:2])
    assert [each.in_flight for each in web.members] == [0, 0, 0]


def test_members_that_were_tried_and_are_gone_exclude_nobody_else():
    web = pool({"a": 1, "b": 1})
    web.set_up("b", False)
    assert Selector(web, Newest()).acquire(None, (member(web, "b"),)).member is member(web, "a")


def test_a_replica_that_comes_up_ends_the_refusals():
    web = pool({"a": 1}, up=False)
    selector = Selector(web, Newest())
    with pytest.raises(NoReplicaAvailable, match="its only replica is not available"):
        selector.acquire()
    web.set_up("a", True)
    assert selector.acquire().member is member(web, "a")


def test_a_preview_leases_nothing():
    web = pool({"a": 1, "b": 1})
    assert Selector(web, Newest()).preview("key") == [(each, "key") for each in web.members]
    assert [(each.in_flight, each.selected) for each in web.members] == [(0, 0), (0, 0)]


def test_a_preview_of_nobody_is_empty():
    assert Selector(pool({"a": 1}, up=False), Newest()).preview() == []


def test_a_fault_of_the_strategy_after_a_request_does_not_reach_the_request(failures):
    web = pool({"a": 1})
    Selector(web, Faulty()).acquire().release("answered", 0.1)
    assert web.members[0].in_flight == 0
    assert len(failures) == 1
    failures.clear()


def test_a_selector_says_what_it_chooses_by():
    assert repr(Selector(pool({"a": 1}), Newest())) == (
        "<Selector Newest of <Pool web: 1 member, 1 available, 0 in flight>>"
    )
