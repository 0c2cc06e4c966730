"""Weighted round robin by earliest deadline, for many replicas."""

from heapq import heapify, heappop, heappush, heapreplace


class EarliestDeadline:
    """Each member is due once in every period of 1/weight; who is due first is chosen (as Envoy's EDF scheduler does).

    Time here is counted in rounds: after one, each member has been chosen as often as its weight
    says. A member is first due at a random point of its period, so that members of equal weight,
    and several Vestris, do not go in step. What it had left of its period is kept while it is no
    candidate, and scales when its weight changes.
    """

    def __init__(self, random):
        self._random = random
        self._now = 0.0
        self._left = {}
        self._heap = []

    def update(self, candidates):
        for due, _, period, member in self._heap:
            self._left[member] = max(0.0, due - self._now) / period
        self._heap = [self._entry(number, member) for number, member in enumerate(candidates)]
        heapify(self._heap)

    def _entry(self, number, member):
        """(when it is due, what decides between equals, its period, itself)."""
        if member not in self._left:
            self._left[member] = self._random.random()
        period = 1 / member.weight
        return self._now + self._left[member] * period, number, period, member

    def choose(self, exclude):
        heap, passed_over = self._heap, []
        while heap[0][3] in exclude:
            passed_over.append(heappop(heap))
        due, number, period, member = heap[0]
        heapreplace(heap, (due + period, number, period, member))
        self._now = max(self._now, due)
        for entry in passed_over:
            heappush(heap, entry)
        return member

    def preview(self):
        """The score is the part of a round until it is due."""
        return [(member, due - self._now) for due, _, _, member in sorted(self._heap)]
