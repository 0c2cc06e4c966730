import pytest

from fleet import member, pool, replica
from vestri.errors import UnknownReplica
from vestri.model import HealthCheck, Service
from vestri.pool import Lease, Pool


def names(members):
    return [each.replica.id for each in members]


def test_candidates_are_the_members_that_are_up_have_a_weight_and_are_not_draining():
    web = pool({"a": 1, "b": 1, "c": 0, "d": 1})
    web.set_up("a", False)
    web.drain("d")
    assert names(web.candidates) == ["b"]


def test_a_member_that_nobody_knows_anything_of_takes_requests_only_while_none_is_up():
    web = pool({"a": 1, "b": 1}, up=None)
    assert names(web.candidates) == ["a", "b"]
    web.set_up("b", True)
    assert names(web.candidates) == ["b"]
    web.set_up("b", False)
    assert names(web.candidates) == ["a"]


def test_there_are_no_candidates_when_all_members_are_down():
    web = pool({"a": 1, "b": 1}, up=False)
    assert web.candidates == ()


def test_a_starting_member_without_weight_or_while_draining_takes_no_requests_either():
    web = pool({"a": 0, "b": 1}, up=None)
    web.drain("b")
    assert web.candidates == ()


@pytest.mark.parametrize(
    ("there", "back"),
    [
        (lambda web: web.set_up("a", False), lambda web: web.set_up("a", True)),
        (lambda web: web.drain("a"), lambda web: web.ready("a")),
        (lambda web: web.set_weight("a", 0), lambda web: web.set_weight("a", 1)),
    ],
    ids=["health", "draining", "weight"],
)
def test_a_member_that_comes_back_has_its_old_place(there, back):
    web = pool({"a": 1, "b": 1})
    there(web)
    assert names(web.candidates) == ["b"]
    back(web)
    assert names(web.candidates) == ["a", "b"]


def test_the_candidates_stay_the_same_object_until_a_fact_changes():
    web = pool({"a": 1, "b": 1})
    before = web.candidates
    web.set_up("a", True)
    web.ready("b")
    web.lease(web.members[0])
    assert web.candidates is before


def test_a_subscriber_hears_of_the_candidates_now_and_after_each_change():
    web, heard = pool({"a": 1, "b": 1}), []
    web.subscribe(lambda candidates: heard.append(names(candidates)))
    web.set_up("a", False)
    web.set_weight("b", 5)
    web.set_weight("b", 5)
    assert heard == [["a", "b"], ["b"], ["b"]]


def test_a_subscriber_hears_nothing_while_there_are_no_candidates():
    web, heard = pool({"a": 1}, up=False), []
    web.subscribe(lambda candidates: heard.append(names(candidates)))
    assert heard == []
    web.set_up("a", True)
    web.drain("a")
    assert heard == [["a"]]


def test_a_fault_of_one_subscriber_is_logged_and_keeps_the_others_informed(failures):
    web, heard = pool({"a": 1, "b": 1}), []

    def faulty(candidates):
        raise RuntimeError("not today")

    web.subscribe(faulty)
    web.subscribe(lambda candidates: heard.append(names(candidates)))
    web.set_up("a", False)
    assert heard == [["a", "b"], ["b"]]
    assert [str(event["log_failure"].value) for event in failures] == ["not today"] * 2
    failures.clear()


@pytest.mark.parametrize(
    "verb",
    [
        lambda web: web.set_up("c", False),
        lambda web: web.drain("c"),
        lambda web: web.ready("c"),
        lambda web: web.set_weight("c", 3),
    ],
    ids=["set_up", "drain", "ready", "set_weight"],
)
def test_a_verb_for_a_replica_that_is_not_there_says_which_are(verb):
    with pytest.raises(UnknownReplica, match="service 'web' has no replica 'c'; it has a, b"):
        verb(pool({"a": 1, "b": 1}))


@pytest.mark.parametrize("weight", [-1, 1001, 2.0, "2", None, True])
def test_a_weight_is_a_whole_number_up_to_1000(weight):
    web = pool({"a": 1})
    with pytest.raises(ValueError, match="expected a whole number 0..1000"):
        web.set_weight("a", weight)
    assert web.members[0].weight == 1


def test_the_heaviest_and_the_lightest_weight_are_taken():
    web = pool({"a": 1})
    web.set_weight("a", 1000)
    assert web.members[0].weight == 1000
    web.set_weight("a", 0)
    assert web.members[0].weight == 0


def test_a_lease_counts_while_it_lasts_and_the_choice_for_ever():
    web = pool({"a": 1})
    first, second = web.lease(web.members[0]), web.lease(web.members[0])
    assert (web.members[0].in_flight, web.members[0].selected) == (2, 2)
    first.release("answered", 0.1)
    second.release("upstream_reset", 0.1)
    assert (web.members[0].in_flight, web.members[0].selected) == (0, 2)


def test_a_lease_is_released_once_however_often_that_is_called():
    web, settled = pool({"a": 1}), []
    web.listen(lambda *what: settled.append(what))
    lease = web.lease(web.members[0])
    web.lease(web.members[0])
    lease.release("connect_refused", 0.5)
    lease.release("answered", 0.7)
    assert web.members[0].in_flight == 1
    assert settled == [(web.members[0], "connect_refused", 0.5)]


def test_a_lease_knows_its_member_after_its_release():
    web = pool({"a": 1})
    lease = web.lease(web.members[0])
    lease.release("answered", 0.1)
    assert lease.member is web.members[0]


def test_a_fault_of_one_who_listens_is_logged_and_never_reaches_the_request(failures):
    web, settled = pool({"a": 1}), []

    def faulty(member, outcome, seconds):
        raise RuntimeError("not today")

    web.listen(faulty)
    web.listen(lambda *what: settled.append(what))
    web.lease(web.members[0]).release("answered", 0.1)
    assert settled == [(web.members[0], "answered", 0.1)]
    assert [str(event["log_failure"].value) for event in failures] == ["not today"]
    failures.clear()


def test_requests_of_a_draining_member_go_on():
    web = pool({"a": 1, "b": 1})
    lease = web.lease(web.members[0])
    web.drain("a")
    assert web.members[0].in_flight == 1
    lease.release("answered", 9.0)
    assert web.members[0].in_flight == 0


def test_a_lease_is_small():
    assert not hasattr(Lease(pool({"a": 1}).members[0], ()), "__dict__")


def test_the_pool_of_a_service_starts_without_knowledge():
    web = Pool.of(Service("web", (replica("a", 2), replica("b", 4)), health=HealthCheck()))
    assert [(each.replica.id, each.weight, each.up) for each in web.members] == [("a", 2, None), ("b", 4, None)]


def test_the_replicas_of_a_service_that_is_never_probed_count_as_up():
    web = Pool.of(Service("web", (replica("a"),), health=None))
    assert web.members[0].up is True


def test_members_are_told_apart_by_identity():
    assert member(pool({"a": 1}), "a") != member(pool({"a": 1}), "a")


def test_a_pool_says_what_an_operator_wants_to_know():
    web = pool({"a": 1, "b": 1, "c": 1})
    web.set_up("b", False)
    for _ in range(5):
        web.lease(web.members[0])
    assert repr(web) == "<Pool web: 3 members, 2 available, 5 in flight>"
    assert repr(pool({"a": 1})) == "<Pool web: 1 member, 1 available, 0 in flight>"


@pytest.mark.parametrize(
    ("up", "draining", "state"),
    [(None, False, "starting"), (True, False, "up"), (False, False, "down"), (True, True, "draining")],
)
def test_a_member_says_its_state_in_a_word(up, draining, state):
    web = pool({"a": 2}, up)
    web.members[0].draining = draining
    assert web.members[0].state == state
    assert repr(web.members[0]) == f"<Member a: {state}, weight 2, 0 in flight>"
