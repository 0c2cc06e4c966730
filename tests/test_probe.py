import socket

import attrs
import pytest
from treq.testing import StubTreq
from twisted.internet import error
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.web.client import ResponseFailed, ResponseNeverReceived
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from fleet import replica
from vestri.health.asker import Asker
from vestri.health.probe import BODY_READ, cause_of, probe
from vestri.health.question import USER_AGENT, Outcome, Question
from vestri.model import HealthCheck, Replica

HEALTH = HealthCheck(path="/health")


class Answering(Resource):
    """Answers every request in one way, and remembers the requests."""

    isLeaf = True

    def __init__(self, status=200, body=b"", headers=()):
        super().__init__()
        self.status, self.body, self.headers, self.requests = status, body, headers, []

    def render(self, request):
        self.requests.append(request)
        request.setResponseCode(self.status)
        for name, value in self.headers:
            request.setHeader(name, value)
        return self.body


class Holding(Answering):
    """Says `body` and does not end, or says nothing at all when there is none."""

    def render(self, request):
        self.requests.append(request)
        if self.body:
            request.write(self.body)
        return NOT_DONE_YET


class Refusing:
    """A client whose requests fail."""

    def __init__(self, problem):
        self.problem = problem

    def request(self, *args, **kwargs):
        return fail(self.problem)


class Faulty:
    """A client that raises."""

    def request(self, *args, **kwargs):
        raise ValueError("no such thing as a request")


def question(check=HEALTH, of=None):
    return Question.of(of or replica("a"), check)


def ask(resource, check=HEALTH, clock=None):
    """The list in which the outcome turns up."""
    outcomes = []
    probe(StubTreq(resource), question(check), clock or Clock()).addCallback(outcomes.append)
    return outcomes


@pytest.mark.parametrize(
    ("check", "url"),
    [
        (HealthCheck(), "http://10.0.0.1:8081/base/"),
        (HealthCheck(path="/health?deep=1"), "http://10.0.0.1:8081/base/health?deep=1"),
        (HealthCheck(path="/", port=9000), "http://10.0.0.1:9000/base/"),
        (HealthCheck(path="/", port=80), "http://10.0.0.1/base/"),
    ],
)
def test_the_url_is_the_path_below_the_replicas_own_at_its_port_or_the_given_one(check, url):
    at = Replica("http://10.0.0.1:8081/base", "a", "http", "10.0.0.1", 8081, base_path="/base")
    assert question(check, at).url == url


def test_an_ipv6_address_stands_in_brackets():
    assert question(HEALTH, Replica("", "a", "http", "::1", 8081)).url == "http://[::1]:8081/health"


def test_services_that_ask_the_same_have_equal_questions_whatever_they_make_of_the_answers():
    assert question(HealthCheck(rise=1, fall=1)) == question(HealthCheck(rise=5, fall=5), replica("a", weight=7))


@pytest.mark.parametrize(
    "other",
    [
        {"path": "/other"},
        {"method": "HEAD"},
        {"headers": (("Host", "example.org"),)},
        {"expect": ((200, 200),)},
        {"body": "ready"},
        {"timeout": 1.0},
        {"interval": 10.0},
        {"port": 9000},
    ],
    ids=lambda other: next(iter(other)),
)
def test_questions_that_differ_in_anything_else_are_different(other):
    assert question(attrs.evolve(HEALTH, **other)) != question(HEALTH)


def test_the_request_is_what_the_configuration_says():
    resource = Answering()
    ask(resource, HealthCheck(path="/health?a=%2F+b", method="HEAD", headers=(("Host", "shop.test"), ("X-Probe", "1"))))
    (request,) = resource.requests
    assert (request.method, request.uri) == (b"HEAD", b"/health?a=%2F+b")
    assert request.requestHeaders.getRawHeaders("host") == ["shop.test"]
    assert request.requestHeaders.getRawHeaders("x-probe") == ["1"]


def test_without_a_path_it_is_a_get_of_the_root_that_says_who_asks():
    resource = Answering()
    ask(resource, HealthCheck())
    (request,) = resource.requests
    assert (request.method, request.uri) == (b"GET", b"/")
    assert request.requestHeaders.getRawHeaders("host") == ["a.test"]
    assert request.requestHeaders.getRawHeaders("user-agent") == [USER_AGENT]


def test_the_configuration_may_say_who_asks():
    resource = Answering()
    ask(resource, HealthCheck(headers=(("user-agent", "me"),)))
    assert resource.requests[0].requestHeaders.getRawHeaders("user-agent") == ["me"]


@pytest.mark.parametrize("status", [200, 302, 404, 500, 599])
def test_without_a_path_any_answer_passes(status):
    assert ask(Answering(status), HealthCheck()) == [Outcome(True, f"answered {status}")]


@pytest.mark.parametrize(
    ("status", "passed"),
    [(200, True), (204, True), (302, True), (399, True), (400, False), (404, False), (503, False)],
)
def test_with_a_path_200_to_399_pass(status, passed):
    assert ask(Answering(status)) == [Outcome(passed, f"answered {status}")]


@pytest.mark.parametrize(("status", "passed"), [(199, False), (200, True), (204, True), (205, False), (429, True)])
def test_the_expected_ranges_include_their_ends(status, passed):
    check = attrs.evolve(HEALTH, expect=((200, 204), (429, 429)))
    assert question(check).judge(status, b"").passed is passed


def test_a_redirect_is_an_answer_and_is_not_followed():
    resource = Answering(302, headers=[(b"location", b"/elsewhere")])
    assert ask(resource) == [Outcome(True, "answered 302")]
    assert len(resource.requests) == 1


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (b"all is ready here", Outcome(True, "answered 200")),
        (b"not yet", Outcome(False, "answered 200 without 'ready' in its body")),
        (b"", Outcome(False, "answered 200 without 'ready' in its body")),
    ],
)
def test_the_body_must_hold_what_is_expected(body, outcome):
    assert ask(Answering(body=body), attrs.evolve(HEALTH, body="ready")) == [outcome]


def test_the_expected_body_counts_without_a_path_too():
    assert ask(Answering(404, b"no"), HealthCheck(body="ready"))[0].passed is False


def test_a_body_is_compared_in_utf_8():
    assert ask(Answering(body="bereit: schön".encode()), attrs.evolve(HEALTH, body="schön"))[0].passed is True


def test_a_body_beyond_64_kib_is_not_waited_for():
    assert ask(Holding(body=b"x" * (BODY_READ + 1))) == [Outcome(True, "answered 200")]


def test_what_comes_after_64_kib_of_a_body_does_not_count():
    check = attrs.evolve(HEALTH, body="ready")
    assert ask(Holding(body=b"x" * (BODY_READ - 5) + b"ready"), check)[0].passed is True
    assert ask(Holding(body=b"x" * (BODY_READ - 4) + b"ready"), check)[0].passed is False


def test_a_silent_replica_fails_its_probe_at_the_timeout():
    clock = Clock()
    outcomes = ask(Holding(), HEALTH, clock)
    clock.advance(1.9)
    assert outcomes == []
    clock.advance(0.1)
    assert outcomes == [Outcome(False, "no answer within 2s")]
    assert clock.getDelayedCalls() == []


def test_the_timeout_holds_for_the_body_too():
    clock = Clock()
    outcomes = ask(Holding(body=b"slow"), attrs.evolve(HEALTH, timeout=0.5), clock)
    clock.advance(0.4)
    assert outcomes == []
    clock.advance(0.1)
    assert outcomes == [Outcome(False, "no answer within 0.5s")]


def test_an_answer_in_time_leaves_no_timer():
    clock = Clock()
    assert ask(Answering(), HEALTH, clock) == [Outcome(True, "answered 200")]
    assert clock.getDelayedCalls() == []


def test_a_probe_that_is_cancelled_ends_at_once_and_leaves_nothing():
    clock, outcomes = Clock(), []
    under_way = probe(StubTreq(Holding(body=b"slow")), question(), clock)
    under_way.addCallback(outcomes.append)
    under_way.cancel()
    assert [outcome.passed for outcome in outcomes] == [False]
    assert clock.getDelayedCalls() == []


@pytest.mark.parametrize(
    ("problem", "cause"),
    [
        (error.ConnectionRefusedError(), "connection refused"),
        (error.DNSLookupError("no address found for 'a.test'"), "its name has no address"),
        (error.NoRouteError(), "no route to it"),
        (error.TimeoutError(), "connection timed out"),
        (error.TCPTimedOutError(), "connection timed out"),
        (error.ConnectError(socket.EBADF, "out of luck"), "An error occurred while connecting: 9: out of luck."),
        (ResponseNeverReceived([Failure(error.ConnectionLost())]), "connection reset"),
        (
            ResponseNeverReceived([Failure(error.ConnectionDone())]),
            "connection closed before the answer was complete",
        ),
        (
            ResponseFailed([Failure(ResponseFailed([Failure(error.ConnectionDone())]))]),
            "connection closed before the answer was complete",
        ),
        (
            ResponseNeverReceived([Failure(ValueError("wrong number of parts"))]),
            "its answer is not HTTP: wrong number of parts",
        ),
        (ValueError(), "ValueError"),
    ],
)
def test_a_probe_that_fails_says_why_in_words(problem, cause):
    outcomes = []
    probe(Refusing(problem), question(), Clock()).addCallback(outcomes.append)
    assert outcomes == [Outcome(False, cause)]
    assert cause_of(problem) == cause


def test_a_client_that_raises_is_a_failed_probe():
    outcomes = []
    probe(Faulty(), question(), Clock()).addCallback(outcomes.append)
    assert outcomes == [Outcome(False, "no such thing as a request")]


def test_the_client_is_made_at_the_first_question_and_kept():
    made, outcomes = [], []

    def make_client():
        made.append(StubTreq(Answering()))
        return made[-1]

    asker = Asker(make_client, Clock())
    assert made == []
    for _ in range(2):
        asker(question()).addCallback(outcomes.append)
    assert len(made) == 1
    assert outcomes == [Outcome(True, "answered 200")] * 2


def test_the_askers_timeouts_are_on_its_clock():
    clock, outcomes = Clock(), []
    Asker(lambda: StubTreq(Holding()), clock)(question()).addCallback(outcomes.append)
    clock.advance(2)
    assert outcomes == [Outcome(False, "no answer within 2s")]


def test_no_probe_outlives_a_client_that_never_answers():
    clock, outcomes = Clock(), []

    class Mute:
        def request(self, *args, **kwargs):
            return Deferred()

    probe(Mute(), question(), clock).addCallback(outcomes.append)
    clock.advance(2)
    assert outcomes == [Outcome(False, "no answer within 2s")]
