"""The strategy that takes replicas in turn."""

from vestri.selection.strategy import Strategy


class RoundRobin(Strategy):
    """Take the candidates in turn, in the order of the configuration.

    The turn belongs to a member, not to a place in the list: when one goes or comes back, the others
    keep their order of turns, and nobody inherits the turns of an absent neighbour.
    """

    promises = frozenset({"fair"})

    def __init__(self, *, random):
        super().__init__(random=random)
        self._ring, self._last = (), -1

    def update(self, candidates):
        if self._last >= 0:
            remaining = set(candidates)
            first = next((member for member in self._upcoming() if member in remaining), candidates[0])
            self._last = candidates.index(first) - 1
        self._ring = candidates

    def choose(self, key, exclude=()):
        ring = self._ring
        turn = (self._last + 1) % len(ring)
        while ring[turn] in exclude:
            turn = (turn + 1) % len(ring)
        self._last = turn
        return ring[turn]

    def preview(self, key):
        """The score is the number of requests before its turn."""
        return [(member, before) for before, member in enumerate(self._upcoming())]

    def _upcoming(self):
        turn = self._last + 1
        return self._ring[turn:] + self._ring[:turn]
