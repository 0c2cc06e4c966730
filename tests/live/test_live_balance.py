"""Who gets which request: exact shares, in an even order."""

from collections import Counter

import pytest
from load import Load
from puppet import Puppet
from stage import head

from support import wait_until

pytestmark = pytest.mark.live
PUPPETS = (Puppet,) * 5
#: (strategy, weights, who answers, in order and over again)
SERVICES = [
    ("RoundRobin", [1], "0"),
    ("RoundRobin", [1, 1], "01"),
    ("RoundRobin", [1, 1, 1], "012"),
    ("RoundRobin", [1, 1, 1, 1, 1], "01234"),
    ("RoundRobin", [0, 1], "1"),
    ("WeightedRoundRobin", [1, 1], "01"),
    ("WeightedRoundRobin", [2, 1], "010"),
    ("WeightedRoundRobin", [2, 4], "101"),
    ("WeightedRoundRobin", [5, 1, 1], "0010200"),
    ("WeightedRoundRobin", [3, 2, 1], "010210"),
    ("WeightedRoundRobin", [4, 3, 2], "012010210"),
    ("WeightedRoundRobin", [1, 0, 1], "02"),
]
#: Services of their own, for tests that count more.
MORE = [
    ("WeightedRoundRobin", [2, 4], "example"),
    ("WeightedRoundRobin", [1, 2, 3], "crowd"),
    ("RoundRobin", [0, 0], "none"),
]


def service(name, strategy, weights):
    members = ", ".join(
        f'{{{{url: "{{{n}}}", metadata: {{{{weight: {weight}}}}}}}}}' for n, weight in enumerate(weights)
    )
    return f"  - {{{{name: {name}, matcher: /{name}, strategy: {strategy}, health: off, replicas: [{members}]}}}}\n"


CONFIG = (
    "access_log: {{format: off}}\nservices:\n"
    + "".join(service(f"s{number}", *each[:2]) for number, each in enumerate(SERVICES))
    + "".join(service(name, strategy, weights) for strategy, weights, name in MORE)
)


@pytest.fixture(autouse=True)
def numbered(stage):
    """Each replica answers its number."""
    for number, puppet in enumerate(stage.puppets):
        puppet.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % number


def order(stage, target, count):
    """Who answered, in order, as a word of digits. Every other request comes on a connection of its own."""
    answered = []
    with stage.connect() as kept:
        for number in range(count):
            with stage.connect() as fresh:
                client = (kept, fresh)[number % 2]
                client.send(head(target=target))
                answered.append(client.answer().body.decode())
    return "".join(answered)


@pytest.mark.parametrize(
    "number", range(len(SERVICES)), ids=lambda number: f"{SERVICES[number][0]}-{SERVICES[number][1]}"
)
def test_shares_are_met_exactly_and_in_an_even_order(stage, number):
    """The vectors of nginx's algorithm (SEMANTICS section 5), and plain turns."""
    cycle = SERVICES[number][2]
    assert order(stage, b"/s%d" % number, 6 * len(cycle)) == cycle * 6


def test_600_requests_are_shared_200_to_400_and_interleaved(stage):
    """The example of the first page."""
    answered = order(stage, b"/example", 600)
    assert Counter(answered) == {"0": 200, "1": 400}
    assert "00" not in answered
    assert "111" not in answered


def test_shares_are_exact_under_many_connections_too(stage):
    with Load(stage.vestri.port, 20, head(target=b"/crowd")) as load:
        wait_until(lambda: len(load.outcomes) >= 600, "600 answers")
    shares = Counter(outcome.body for outcome in load.outcomes)
    total = sum(shares.values())
    assert {outcome.status for outcome in load.outcomes} == {200}
    for body, weight in ((b"0", 1), (b"1", 2), (b"2", 3)):
        assert abs(shares[body] - total * weight / 6) <= 1


def test_where_nobody_has_a_weight_it_is_a_503(stage):
    answer = stage.ask(head(target=b"/none"))
    assert (answer.status, answer.get(b"vestri-reason")) == (503, b"no_replica")
