import pytest

from configs import STRATEGIES, WEB, load, problems
from vestri.errors import VestriError
from vestri.model import Strategy


class Hashing:
    def __init__(self, *, random, key, load_factor=2):
        """Has settings of its own."""


class Registry(dict):
    """Has a strategy that cannot be imported."""

    def __missing__(self, name):
        if name == "Broken":
            raise VestriError("strategy 'Broken' cannot be used: no such module")
        raise KeyError(name)


KNOWN = Registry(STRATEGIES, Hashing=Hashing)


@pytest.mark.parametrize(
    ("reason", "written", "strategy"),
    [
        ("a name", "WeightedRoundRobin", Strategy("WeightedRoundRobin")),
        ("a mapping", "{name: WeightedRoundRobin}", Strategy("WeightedRoundRobin")),
        ("settings", "{name: Hashing, key: ip}", Strategy("Hashing", {"key": "ip"})),
        (
            "all settings",
            "{load_factor: 3, name: Hashing, key: ip}",
            Strategy("Hashing", {"load_factor": 3, "key": "ip"}),
        ),
    ],
)
def test_a_strategy_is_a_name_perhaps_with_settings(reason, written, strategy):
    (service,) = load(f"{WEB}    strategy: {written}\n", strategies=KNOWN).services
    assert service.strategy == strategy


@pytest.mark.parametrize(
    ("reason", "written", "problem"),
    [
        (
            "close",
            "WeightedRobin",
            "1:11: strategy: unknown strategy 'WeightedRobin'; did you mean WeightedRoundRobin?",
        ),
        ("in other letters", "roundrobin", "1:11: strategy: unknown strategy 'roundrobin'; did you mean RoundRobin?"),
        (
            "close to none",
            "Maglev",
            "1:11: strategy: unknown strategy 'Maglev'; known are RoundRobin, WeightedRoundRobin, Hashing",
        ),
        ("settled, and not there", "PeakEWMA", "1:11: strategy: not supported yet: strategy 'PeakEWMA'"),
        ("settled, with settings", "{name: Random, x: 1}", "1:18: strategy.name: not supported yet: strategy 'Random'"),
        ("of a broken package", "Broken", "1:11: strategy: strategy 'Broken' cannot be used: no such module"),
        ("no name", "{key: ip}", "1:11: strategy: expected a key 'name', which is missing"),
        ("nothing", "", "1:1: strategy: expected the name of a strategy or a mapping with name, got nothing"),
        (
            "a list",
            "[RoundRobin]",
            "1:11: strategy: expected the name of a strategy or a mapping with name, got a list",
        ),
        ("a setting is missing", "Hashing", "1:11: strategy: expected a key 'key', which is missing"),
        (
            "a setting is mistyped",
            "{name: Hashing, key: ip, load_facto: 3}",
            "1:36: strategy.load_facto: unknown key 'load_facto'; did you mean load_factor?",
        ),
        ("it has no settings", "{name: RoundRobin, key: ip}", "1:30: strategy.key: unknown key 'key'; expected name"),
        (
            "chance is not a setting",
            "{name: Hashing, key: ip, random: 4}",
            "1:36: strategy.random: unknown key 'random'; expected name, key, load_factor",
        ),
    ],
)
def test_a_strategy_that_cannot_be_used_is_refused(reason, written, problem):
    assert problems(f"strategy: {written}\n{WEB}", strategies=KNOWN) == [problem]


def test_a_faulty_default_is_reported_once_and_not_for_every_service():
    assert len(problems(f"strategy: None of these\n{WEB}  - {{name: b, matcher: /b, replicas: [url: web]}}\n")) == 1
