from importlib.metadata import EntryPoint

import pytest

from vestri.errors import VestriError
from vestri.selection import STRATEGIES, BrokenStrategy, RoundRobin, Strategy, WeightedRoundRobin
from vestri.selection.registry import GROUP, Registry, installed


class First(Strategy):
    """A strategy that an installed package could bring."""


class Second(Strategy):
    """Another one."""


def entry(name, target):
    return EntryPoint(name, f"{__name__}:{target}", GROUP)


def registry(*entries):
    return Registry([RoundRobin], lambda: entries)


def test_vestris_own_strategies_are_known():
    assert STRATEGIES["RoundRobin"] is RoundRobin
    assert STRATEGIES["WeightedRoundRobin"] is WeightedRoundRobin
    assert {"RoundRobin", "WeightedRoundRobin"} <= set(STRATEGIES)


def test_a_package_brings_a_strategy_by_its_entry_point():
    known = registry(entry("Z", "First"), entry("Other", "Second"))
    assert known["Z"] is First
    assert list(known) == ["RoundRobin", "Z", "Other"]
    assert len(known) == 3


def test_a_name_nobody_has_is_a_key_error():
    known = registry(entry("Z", "First"))
    assert "Q" not in known
    with pytest.raises(KeyError):
        known["Q"]


def test_packages_are_looked_through_once_and_only_for_a_name_that_is_not_ours():
    looked = []
    known = Registry([RoundRobin], lambda: looked.append(1) or [entry("Z", "First")])
    assert "RoundRobin" in known
    assert known["RoundRobin"] is RoundRobin
    assert looked == []
    assert list(known) == ["RoundRobin", "Z"]
    assert known["Z"] is known["Z"] is First
    assert "Q" not in known
    assert looked == [1]


def test_a_class_is_imported_when_it_is_asked_for_and_not_to_know_its_name():
    known = registry(EntryPoint("Z", "no.such.module:Class", GROUP))
    assert "Z" in known
    assert list(known) == ["RoundRobin", "Z"]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("no.such.module:Class", "ModuleNotFoundError: No module named 'no'"),
        (f"{__name__}:Nowhere", "AttributeError"),
        (f"{__name__}:entry", "it is not a subclass of vestri.selection.Strategy"),
        ("collections:Counter", "it is not a subclass of vestri.selection.Strategy"),
    ],
)
def test_a_strategy_that_cannot_be_used_is_named_with_its_place_and_the_reason(value, why):
    known = registry(EntryPoint("Z", value, GROUP))
    with pytest.raises(BrokenStrategy, match="strategy 'Z'") as raised:
        known["Z"]
    assert isinstance(raised.value, VestriError)
    assert value in str(raised.value)
    assert why in str(raised.value)


def test_one_broken_strategy_leaves_the_others_usable():
    known = registry(EntryPoint("Broken", "no.such.module:Class", GROUP), entry("Z", "First"))
    assert known["RoundRobin"] is RoundRobin
    assert known["Z"] is First


def test_a_name_of_ours_means_ours():
    known = registry(entry("RoundRobin", "First"))
    assert known["RoundRobin"] is RoundRobin
    assert list(known) == ["RoundRobin"]


def test_of_two_packages_with_one_name_the_first_on_the_path_counts():
    assert registry(entry("Z", "First"), entry("Z", "Second"))["Z"] is First


def test_installed_packages_are_asked_for_our_group_alone():
    assert all(each.group == GROUP for each in installed())
