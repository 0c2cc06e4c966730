"""Strategies as a file names them, held against the classes that are there."""

import inspect
from functools import cache

from vestri.config.kinds import Values
from vestri.config.reading import NOT_YET, did_you_mean, shown
from vestri.errors import VestriError
from vestri.model import Strategy

#: Names that are settled, whether their behaviour is there yet or not.
SETTLED = ("LeastRequests", "Random", "TwoChoices", "PeakEWMA", "ConsistentHash", "FirstAvailable")
#: What every strategy is given, and no file can set.
GIVEN = ("random",)


def strategy(values, reading):
    """The `Strategy` that a file or a service names, or None where it names none that can be used."""
    given, place = values.get("strategy"), values.at("strategy")
    name = given
    if isinstance(given, Values):
        name, place = given.get("name"), given.at("name")
    else:
        given = Values(place)
    made = None if name is None else _class(name, place, reading)
    if made is None:
        return None
    settings = {key: setting for key, setting in given.items() if key != "name"}
    _check_settings(made, settings, given, reading)
    return Strategy(name, settings)


def _class(name, place, reading):
    """The strategy's class, or None where there is none to use, which is a problem."""
    try:
        return reading.strategies[name]
    except KeyError:
        reading.refuse(place, _unknown(name, reading.strategies))
    except VestriError as broken:
        reading.refuse(place, str(broken))
    return None


def _unknown(name, strategies):
    if name in SETTLED:
        return f"{NOT_YET}: strategy {shown(name)}"
    close = did_you_mean(name, strategies) or f"; known are {', '.join(strategies)}"
    return f"unknown strategy {shown(name)}{close}"


def _check_settings(made, settings, given, reading):
    """Settings are the keyword arguments of the class."""
    known = _keywords(made)
    for key in settings.keys() - known.keys():
        reading.refuse(given.key_at(key), f"unknown key {shown(key)}{_known(key, known)}")
    for key, needed in known.items():
        if needed and key not in settings:
            reading.refuse(given.place, f"expected a key '{key}', which is missing")


def _known(key, known):
    return did_you_mean(key, known) or f"; expected {', '.join(('name', *known))}"


@cache
def _keywords(made):
    """Name -> whether it must be given, of every setting that the class has."""
    parameters = inspect.signature(made).parameters.values()
    named = [one for one in parameters if one.kind in (one.KEYWORD_ONLY, one.POSITIONAL_OR_KEYWORD)]
    return {one.name: one.default is one.empty for one in named if one.name not in GIVEN}
