"""The strategy that gives each replica its share by weight, evenly spread."""

from vestri.selection.deadlines import EarliestDeadline
from vestri.selection.smooth import SmoothTurns
from vestri.selection.strategy import Strategy

#: Candidates up to which the exact order is affordable: it looks at each of them for every request.
EXACT = 32


class WeightedRoundRobin(Strategy):
    """Requests in proportion to the weights, without bursts.

    Up to `EXACT` candidates in the order of smooth weighted round robin, above it by earliest
    deadline, whose cost grows with the logarithm of their number.
    """

    promises = frozenset({"fair", "weighted"})

    def __init__(self, *, random):
        super().__init__(random=random)
        self._exact, self._large = SmoothTurns(), EarliestDeadline(random)
        self._turns: SmoothTurns | EarliestDeadline = self._exact

    def update(self, candidates):
        self._turns = self._exact if len(candidates) <= EXACT else self._large
        self._turns.update(candidates)

    def choose(self, key, exclude=()):
        return self._turns.choose(exclude)

    def preview(self, key):
        return self._turns.preview()
