"""The strategies by name: Vestri's own, and those that installed packages bring."""

from collections.abc import Mapping
from functools import cached_property

from vestri.errors import VestriError
from vestri.selection.round_robin import RoundRobin
from vestri.selection.strategy import Strategy
from vestri.selection.weighted_round_robin import WeightedRoundRobin

#: The entry point group under which a package registers a subclass of `Strategy`.
GROUP = "vestri.strategies"


class BrokenStrategy(VestriError):
    """A strategy of an installed package that cannot be used."""

    def __init__(self, name, where, why):
        super().__init__(f"strategy '{name}' ({where}, entry point group {GROUP}) cannot be used: {why}")


def installed():
    """The entry points of all installed packages, in the order of the search path."""
    from importlib.metadata import entry_points  # slow to import, and looks at every package

    return entry_points(group=GROUP)


class Registry(Mapping):
    """Name -> class of a strategy.

    Packages are looked through at the first name that is not one of `own`, or when all names are
    wanted; a class is imported when it is asked for. A name of ours means ours.
    find: returns the entry points.  Getting a class raises KeyError or BrokenStrategy.
    """

    def __init__(self, own, find=installed):
        self._classes = {strategy.__name__: strategy for strategy in own}
        self._find = find

    @cached_property
    def _found(self):
        return {entry.name: entry for entry in reversed(tuple(self._find()))}

    def __getitem__(self, name):
        if name not in self._classes:
            self._classes[name] = _load(self._found[name])
        return self._classes[name]

    def __iter__(self):
        return iter(dict.fromkeys([*self._classes, *sorted(self._found)]))

    def __len__(self):
        return len(self._classes.keys() | self._found)

    def __contains__(self, name):
        return name in self._classes or name in self._found


def _load(entry):
    try:
        strategy = entry.load()
    except Exception as error:
        raise BrokenStrategy(entry.name, entry.value, f"{type(error).__name__}: {error}") from error
    if not (isinstance(strategy, type) and issubclass(strategy, Strategy)):
        raise BrokenStrategy(entry.name, entry.value, "it is not a subclass of vestri.selection.Strategy")
    return strategy


STRATEGIES = Registry([RoundRobin, WeightedRoundRobin])
