"""What a supervisor and its workers say to each other arrives as it was meant."""

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.error import ProcessDone
from twisted.protocols.amp import UnknownRemoteError
from twisted.python.failure import Failure

from vestri.control import PIECE, VERBS, Adopt, Change, Count, Json, Pipe, Reopen, Serving, Steer
from vestri.errors import UnknownReplica, VestriError
from vestri.events import HealthChanged
from vestri.pool import Pool

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda each: st.lists(each) | st.dictionaries(TEXT, each),
    max_leaves=10,
)


class Worker(Pipe):
    """An end that keeps what it hears, and fails as it is told to."""

    def __init__(self):
        super().__init__()
        self.heard, self.fault = [], None

    @Adopt.responder
    def adopt(self, change):
        self.heard.append(change)
        return {}

    @Steer.responder
    def steer(self, service, verb, arguments):
        if self.fault is not None:
            raise self.fault
        self.heard.append((service, verb, arguments))
        return {}

    @Count.responder
    def count(self, offset):
        return {"piece": b"x" * PIECE, "size": offset}


class Way:
    """The transport of one end: a pipe to the other."""

    def __init__(self, queue):
        self.write, self.open = queue.append, True

    def loseConnection(self):
        self.open = False


@pytest.fixture
def talk():
    return Talk()


class Talk:
    """A supervisor's end and a worker's."""

    def __init__(self):
        self.here, self.there = Pipe(), Worker()
        self._down, self._up = deque(), deque()
        self.way_down, self.way_up = Way(self._down), Way(self._up)
        self.here.makeConnection(self.way_down)
        self.there.makeConnection(self.way_up)

    def call(self, command, **arguments):
        """The answer to a command, or the Failure with which it ends."""
        answers = []
        self.here.callRemote(command, **arguments).addBoth(answers.append)
        while self._down or self._up:
            end, queue = (self.there, self._down) if self._down else (self.here, self._up)
            end.dataReceived(queue.popleft())
        return answers[0]


@given(service=TEXT, replica=TEXT, up=st.booleans(), cause=TEXT, probes=st.integers(1, 1000))
def test_a_change_of_health_arrives_whole(service, replica, up, cause, probes):
    change = HealthChanged(service, replica, up, cause, probes)

    assert Change().fromString(Change().toString(change)) == change


@given(value=PLAIN)
def test_plain_values_arrive_as_they_are(value):
    assert Json().fromString(Json().toString(value)) == value


@given(service=TEXT, arguments=st.lists(PLAIN, max_size=3))
def test_a_verb_arrives_with_all_that_belongs_to_it(service, arguments):
    talk = Talk()

    assert talk.call(Steer, service=service, verb="drain", arguments=arguments) == {}
    assert talk.there.heard == [(service, "drain", arguments)]


def test_a_piece_of_counts_fits_into_an_answer(talk):
    answer = talk.call(Count, offset=10**12)

    assert (len(answer["piece"]), answer["size"]) == (PIECE, 10**12)


@pytest.mark.parametrize(
    ("why", "fault", "type_"),
    [
        ("a replica that is not there", UnknownReplica("web", "ä", ["a"]), VestriError),
        ("any other of our own", VestriError("no"), VestriError),
        ("a weight that is none", ValueError("expected a whole number"), ValueError),
        ("too few arguments", TypeError("missing 1 required positional argument"), TypeError),
    ],
)
def test_a_refusal_arrives_in_its_words_and_the_pipe_stays(talk, why, fault, type_):
    talk.there.fault = fault

    refusal = talk.call(Steer, service="web", verb="drain", arguments=["a"])

    assert (refusal.type, refusal.getErrorMessage()) == (type_, str(fault))
    assert talk.way_up.open
    talk.there.fault = None
    assert talk.call(Steer, service="web", verb="drain", arguments=["a"]) == {}


def test_a_bug_is_no_refusal_and_ends_the_worker(talk, failures):
    talk.there.fault = KeyError("a bug")

    assert talk.call(Steer, service="web", verb="drain", arguments=["a"]).type is UnknownRemoteError
    assert not talk.way_up.open
    assert failures
    failures.clear()


def test_who_waits_when_the_other_end_goes_hears_why(talk):
    answers = []
    talk.here.callRemote(Reopen).addErrback(answers.append)
    gone = Failure(ProcessDone(0))

    talk.here.connectionLost(gone)
    talk.here.callRemote(Serving, pid=1).addErrback(answers.append)

    assert [failure.value for failure in answers] == [gone.value] * 2


def test_every_verb_is_one_of_a_pool_s():
    assert [verb for verb in VERBS if not callable(getattr(Pool, verb, None))] == []
