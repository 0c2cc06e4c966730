"""What every strategy has."""


class Strategy:
    """A way to choose among the members that may take a request.

    A class registered under the entry point group ``vestri.strategies`` derives from this one; its
    own settings are further keyword arguments of its constructor. All of it is called on the path
    of a request or while a fact changes: it does no I/O and it does not wait.

    promises: what the tests hold it to. "fair": over a full cycle each candidate is chosen as often
    as the others, ±1; with "weighted", as often as its share of the weights says.
    random: a `random.Random`, the only source of chance.
    """

    promises = frozenset()

    def __init__(self, *, random):
        self._random = random

    def update(self, candidates):
        """The candidates changed, or the weight of one.

        candidates: tuple of members that may take a request, in the order of the configuration;
        never empty. What is known of a member is kept by its identity, also while it is away.
        """
        raise NotImplementedError

    def choose(self, key, exclude=()):
        """One of the candidates.

        key: what the choice may depend on, or None.  exclude: members tried already, never all.
        """
        raise NotImplementedError

    def preview(self, key):
        """[(member, score)], the next choice first, moving no state; empty if that cannot be told.

        score: the figure that this strategy compares.
        """
        return []

    def settled(self, member, outcome, seconds):
        """A request at `member` ended, as `Lease.release` says; load- and time-aware strategies learn here."""
